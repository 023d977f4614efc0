"""Decode request bodies (urlencoded forms, multipart forms, JSON) into the fields of a request model.

In a form booleans and numbers are text, arrays are repeated keys, objects are JSON text; empty values count as absent.
"""

from __future__ import annotations

import hashlib
import json
import re
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from pydantic import BaseModel
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from engine.schemas import strict_json
from engine.server.http.errors import ApiError
from engine.storage.artifact_store import StoreFull
from engine.story.model import StoryError

MAX_FIELDS = 1000
MAX_TEXT_BYTES = 8 << 20
"""Maximum bytes of a body without its files: the event loop decodes them in one go."""
TRUE_VALUES, FALSE_VALUES = ("true", "1", "yes", "on"), ("false", "0", "no", "off")


@dataclass(frozen=True)
class Form:
    """A decoded body: the values of each name in order, and the uploaded files of each name."""

    values: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    files: Mapping[str, Sequence[UploadFile]] = field(default_factory=dict)

    async def digest(self) -> str:
        """Return the SHA-256 hex digest of the values and files; it does not depend on the multipart boundary."""
        parts: list[Any] = [sorted((name, list(values)) for name, values in self.values.items())]
        for name in sorted(self.files):
            for file in self.files[name]:
                digest = hashlib.sha256()
                while chunk := await file.read(1 << 20):
                    digest.update(chunk)
                await file.seek(0)
                parts.append([name, digest.hexdigest()])
        return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


async def read_form(request: Request, max_files: int, max_upload_bytes: int) -> Form:
    """Return the form or JSON object of a request, empty for an empty body. Raises ApiError, StoryError."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == "multipart/form-data":
        return await _parse_multipart(request, max_files, max_upload_bytes)
    text = decode_text(await request.body())
    if not text:
        return Form()
    if media_type == "application/json" or media_type.endswith("+json"):
        return _parse_json(text)
    if media_type not in ("", "application/x-www-form-urlencoded"):
        raise ApiError(
            400,
            "unsupported content type; send a form (urlencoded or multipart) or JSON",
            code="unsupported_media_type",
        )
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except UnicodeDecodeError:
        raise ApiError(422, "the form is not valid UTF-8") from None
    except ValueError:
        raise ApiError(422, f"the form has more than {MAX_FIELDS} fields") from None
    return Form(_group_values(pairs))


async def read_json(request: Request) -> Mapping[str, Any]:
    """Return the JSON object of a request. Raises ApiError: 400 for invalid JSON, 422 for any other JSON value."""
    text = decode_text(await request.body())
    try:
        value = strict_json.loads("body", text)
    except StoryError as error:
        raise ApiError(400, f"the body {error.message}", code="invalid_json") from None
    if not isinstance(value, dict):
        raise ApiError(422, "the body must be a JSON object")
    return value


def decode_text(body: bytes) -> str:
    """Return a body without files as text. Raises ApiError 413 above MAX_TEXT_BYTES, 400 for invalid UTF-8."""
    if len(body) > MAX_TEXT_BYTES:
        raise ApiError(413, f"request body without files exceeds {MAX_TEXT_BYTES >> 20} MB")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        raise ApiError(400, "the body is not valid UTF-8", code="invalid_text") from None


def decode_fields(body: type[BaseModel], form: Form) -> dict[str, Any]:
    """Return the fields of the model `body` that the form has, decoded to their types; other fields are ignored.

    Raises StoryError with the name of the field."""
    decoded_fields: dict[str, Any] = {}
    for name, info in body.model_fields.items():
        values = [value for key in (name, f"{name}[]") for value in form.values.get(key, ())]
        values = [value for value in values if value is not None and value != ""]
        if not values:
            continue
        for value in values:
            strict_json.check_value(name, value)
        decoded_fields[name] = _decode_value(name, info.annotation, values)
    return decoded_fields


def drop_unknown_keys(annotation: Any, value: Any) -> Any:
    """Return a JSON value without the keys that its type does not define; models with extra="allow" keep them."""
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        members = [arm for arm in typing.get_args(annotation) if arm is not type(None)]
        return drop_unknown_keys(members[0], value) if len(members) == 1 else value
    if isinstance(annotation, type) and issubclass(annotation, BaseModel) and isinstance(value, dict):
        fields = annotation.model_fields
        keeps_extra = annotation.model_config.get("extra") == "allow"
        return {
            key: drop_unknown_keys(fields[key].annotation, item) if key in fields else item
            for key, item in value.items()
            if key in fields or keeps_extra
        }
    if origin is list and isinstance(value, list):
        return [drop_unknown_keys(typing.get_args(annotation)[0], item) for item in value]
    if origin is dict and isinstance(value, dict):
        return {key: drop_unknown_keys(typing.get_args(annotation)[1], item) for key, item in value.items()}
    return value


def _decode_value(name: str, annotation: Any, values: Sequence[Any]) -> Any:
    members = [arm for arm in _union_members(annotation) if arm is not type(None)]
    member = members[0]
    if typing.get_origin(member) is list:
        return drop_unknown_keys(member, _decode_list(name, member, values))
    value = values[-1]
    if (isinstance(member, type) and issubclass(member, BaseModel)) or typing.get_origin(member) is dict:
        return drop_unknown_keys(member, _decode_object(name, value))
    if not isinstance(value, str):
        return value
    if bool in members:
        return _decode_boolean(name, value)
    if int in members or float in members:
        return _decode_number(name, value, integer=float not in members)
    return value


def _decode_list(name: str, annotation: Any, values: Sequence[Any]) -> list[Any]:
    """Decode repeated keys, or one JSON array with all values."""
    if len(values) == 1 and isinstance(values[0], list):
        return list(values[0])
    if len(values) == 1 and isinstance(values[0], str) and values[0].lstrip().startswith("["):
        value = strict_json.loads(name, values[0])
        if isinstance(value, list):
            return value
    if typing.get_args(annotation)[0] is not str:
        raise StoryError(name, "must be a JSON array")
    return list(values)


def _decode_object(name: str, value: Any) -> Any:
    if isinstance(value, str):
        value = strict_json.loads(name, value)
    if not isinstance(value, dict):
        raise StoryError(name, "must be a JSON object")
    return value


def _decode_boolean(name: str, text: str) -> bool:
    value = text.strip().lower()
    if value in TRUE_VALUES or value in FALSE_VALUES:
        return value in TRUE_VALUES
    raise StoryError(name, "must be true or false")


def _decode_number(name: str, text: str, *, integer: bool) -> int | float:
    value = text.strip()
    if integer and re.fullmatch(r"[+-]?[0-9]{1,18}", value):
        return int(value)
    if not integer and re.fullmatch(r"[+-]?[0-9]{1,18}(\.[0-9]{1,18})?", value):
        return float(value)
    raise StoryError(name, "must be an integer" if integer else "must be a number")


def _union_members(annotation: Any) -> tuple[Any, ...]:
    if typing.get_origin(annotation) is typing.Annotated:
        return _union_members(typing.get_args(annotation)[0])
    is_union = typing.get_origin(annotation) in (typing.Union, types.UnionType)
    return typing.get_args(annotation) if is_union else (annotation,)


def _parse_json(text: str) -> Form:
    try:
        value = strict_json.loads("body", text)
    except StoryError as error:
        raise ApiError(422, f"the body {error.message}", code="invalid_json") from None
    if not isinstance(value, dict):
        raise ApiError(422, "the body must be a JSON object")
    return Form({key: (item,) for key, item in value.items()})


async def _parse_multipart(request: Request, max_files: int, max_upload_bytes: int) -> Form:
    try:
        form_data = await request.form(max_files=max_files, max_fields=MAX_FIELDS, max_part_size=MAX_TEXT_BYTES)
    except HTTPException:
        raise ApiError(400, "the multipart form is invalid or has too many parts", code="invalid_form") from None
    except OSError as error:  # uploads are written to the temporary folder of the system
        raise StoreFull("cannot store uploads") from error
    pairs = [(name, value) for name, value in form_data.multi_items() if not isinstance(value, UploadFile)]
    files: dict[str, list[UploadFile]] = {}
    for name, value in form_data.multi_items():
        if isinstance(value, UploadFile) and (value.size or value.filename):
            if (value.size or 0) > max_upload_bytes:
                raise ApiError(413, f"{name}: file exceeds {max_upload_bytes >> 20} MB")
            files.setdefault(name.removesuffix("[]"), []).append(value)
    return Form(_group_values(pairs), files)


def _group_values(pairs: Sequence[tuple[str, Any]]) -> dict[str, list[Any]]:
    values_by_name: dict[str, list[Any]] = {}
    for name, value in pairs:
        values_by_name.setdefault(name, []).append(value)
    return values_by_name

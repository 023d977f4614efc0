"""The OpenAPI document: requests, responses and security schemes of each operation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from fastapi import Security
from fastapi.routing import APIRoute
from fastapi.security import APIKeyHeader, HTTPBearer
from pydantic import BaseModel
from starlette.responses import Response

from engine.schemas.response_models import ErrorResponse

API_KEY_HEADER = Security(
    APIKeyHeader(name="X-Api-Key", scheme_name="ApiKey", description="API key of this server.", auto_error=False)
)
BEARER_TOKEN = Security(HTTPBearer(scheme_name="Bearer", description="The API key as a token.", auto_error=False))
"""Security schemes of the document; `api_keys.authenticate` checks the key."""
STATUS_DESCRIPTIONS: Mapping[int, str] = {
    200: "OK",
    202: "Accepted",
    206: "Partial content",
    304: "Not modified",
    400: "A required field is missing or blank, a step is out of order, or an input is unusable",
    401: "Missing or invalid API key",
    402: "Insufficient credits",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    409: "Idempotency-Key reused with a different request, or the job is still processing",
    413: "Request body or file too large",
    416: "Range not satisfiable",
    422: "A field has an invalid type or value, or is not valid JSON",
    429: "Rate limit exceeded, or the queue is full; see Retry-After",
    451: "Content rejected",
    500: "Internal server error",
    503: "Service unavailable",
}
IDEMPOTENCY_KEY_PARAMETER = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "A repeated request with the same key returns the first response.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}
DRY_RUN_PARAMETER = {
    "name": "dry_run",
    "in": "query",
    "required": False,
    "description": "Return a cost preview only: steps, seconds, memory, disk.",
    "schema": {"type": "boolean", "default": False},
}


def operation(
    status_codes: Sequence[int],
    response_model: Any = None,
    *,
    other_responses: Mapping[int, type[BaseModel]] = MappingProxyType({}),
    form: type[BaseModel] | None = None,
    files: bool = False,
    json_body: type[BaseModel] | None = None,
    parameters: Sequence[Mapping[str, Any]] = (),
    example: Mapping[str, Any] | None = None,
    response_class: type[Response] | None = None,
) -> dict[str, Any]:
    """Return the arguments of a route decorator that describe the request and the responses.

    `response_model`: body of the success response; `other_responses`: bodies of further status codes; `response_class`:
    the success response if it is not JSON. Every other error has an ErrorResponse. The routes return finished
    responses, so FastAPI uses the models for the document only."""
    content: dict[str, Any] = {}
    if form is not None:
        content["application/x-www-form-urlencoded"] = {"schema": form_schema(form, files=False)}
        content["multipart/form-data"] = {"schema": form_schema(form, files=files)}
    if json_body is not None:
        content["application/json"] = {"schema": inline_schema(json_body)}
    if example:
        for entry in content.values():
            entry["example"] = dict(example)
    extra: dict[str, Any] = {"parameters": list(parameters)} if parameters else {}
    if content:
        extra["requestBody"] = {"content": content, "required": json_body is not None}
    responses: dict[int | str, dict[str, Any]] = {}
    for code in status_codes:
        responses[code] = {"description": STATUS_DESCRIPTIONS[code]}
        model = other_responses.get(code, ErrorResponse if code >= 400 else None)
        if model is not None and response_class is None:
            responses[code]["model"] = model
        elif model is not None:  # FastAPI would give errors the media type of the response class
            reference = {"$ref": f"#/components/schemas/{model.__name__}"}
            responses[code]["content"] = {"application/json": {"schema": reference}}
    options: dict[str, Any] = {"response_class": response_class} if response_class else {}
    return {"response_model": response_model, "openapi_extra": extra, "responses": responses, **options}


def operation_id(route: APIRoute) -> str:
    """Return the name of the route function: the name of the method in generated clients."""
    return route.name


def form_schema(body: type[BaseModel], *, files: bool) -> dict[str, Any]:
    """Return the JSON Schema of a form. Its objects are JSON text."""
    body_schema = inline_schema(body)
    properties: dict[str, Any] = {}
    for name, schema in body_schema.get("properties", {}).items():
        if name == "page":
            continue  # a local path, for the command line only
        if name == "image_files":
            if files:
                properties[name] = {"type": "array", "items": {"type": "string", "format": "binary"}}
            continue
        properties[name] = _form_field_schema(schema)
    result: dict[str, Any] = {"type": "object", "properties": properties}
    required = [name for name in body_schema.get("required", []) if name in properties]
    return {**result, "required": required} if required else result


def inline_schema(body: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON Schema of a request model without references: its definitions are inlined."""
    schema = body.model_json_schema()
    definitions = schema.pop("$defs", {})

    def inline(value: Any) -> Any:
        if isinstance(value, dict):
            if "$ref" in value:
                rest = {key: item for key, item in value.items() if key != "$ref"}
                return {**inline(definitions[value["$ref"].rpartition("/")[2]]), **rest}
            return {
                key: inline(item)
                for key, item in value.items()
                if not (key == "additionalProperties" and item is False)
            }
        return [inline(item) for item in value] if isinstance(value, list) else value

    inlined_schema: dict[str, Any] = inline(schema)
    return inlined_schema


def _form_field_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    members = [arm for arm in schema.get("anyOf", [schema]) if arm.get("type") != "null"]
    member = members[0]
    description = {"description": schema["description"]} if "description" in schema else {}
    if member.get("type") == "object":
        return {"type": "string", "contentMediaType": "application/json", **description}
    if member.get("type") == "array" and member.get("items", {}).get("type") != "string":
        return {"type": "string", "contentMediaType": "application/json", **description}
    field_schema = {key: value for key, value in member.items() if key != "title"}
    if "enum" in member:  # numbers are text in a form; generators reject enums of both
        field_schema |= {"type": "string", "enum": list(dict.fromkeys(str(value) for value in member["enum"]))}
    return {**field_schema, **description}

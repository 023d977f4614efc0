"""The request bodies and answers of the API page, made from the types that check them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

ERROR = {
    "type": "object",
    "required": ["error", "message", "details", "request_id"],
    "properties": {
        "error": {"type": "string"},
        "message": {"type": "string"},
        "details": {"type": "object"},
        "request_id": {"type": "string"},
        "detail": {"type": "string"},
    },
}
MEANINGS: Mapping[int, str] = {
    200: "Done",
    202: "Accepted",
    206: "Part of the file",
    304: "Not changed",
    400: "A needed field is missing or blank, a step is out of order, or the input cannot be used",
    401: "The key is missing or wrong",
    402: "Not enough credits",
    403: "Not allowed",
    404: "Not there, or not yours",
    405: "No such method here",
    409: "The Idempotency-Key was used for another request",
    413: "Too large",
    416: "No such part of the file",
    422: "A field has the wrong type, value or bound, or is not valid JSON",
    429: "Too many requests, or the queue is full; see Retry-After",
    451: "The prompt was refused",
    500: "The engine made a mistake",
    503: "This machine lacks something",
}
IDEMPOTENCY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key and request again give the first answer again.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}
DRY_RUN = {
    "name": "dry_run",
    "in": "query",
    "required": False,
    "description": "Only say what it would take: steps, seconds, memory, disk.",
    "schema": {"type": "boolean", "default": False},
}


def operation(
    codes: Sequence[int],
    *,
    form: type[BaseModel] | None = None,
    files: bool = False,
    json_body: type[BaseModel] | None = None,
    parameters: Sequence[Mapping[str, Any]] = (),
    example: Mapping[str, Any] | None = None,
    answer: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What a route's page says beyond its path. Every 2xx is JSON unless `answer` says otherwise."""
    content: dict[str, Any] = {}
    if form is not None:
        schema = form_schema(form, files=False)
        content["application/x-www-form-urlencoded"] = {"schema": schema}
        content["multipart/form-data"] = {"schema": form_schema(form, files=files)}
        if example:
            for entry in content.values():
                entry["example"] = dict(example)
    if json_body is not None:
        content["application/json"] = {"schema": inlined(json_body)}
        if example:
            content["application/json"]["example"] = dict(example)
    extra: dict[str, Any] = {"parameters": list(parameters)} if parameters else {}
    if content:
        extra["requestBody"] = {"content": content, "required": json_body is not None}
    responses: dict[int | str, dict[str, Any]] = {}
    for code in codes:
        body = {"application/json": {"schema": ERROR if code >= 400 else {"type": "object"}}}
        responses[code] = {"description": MEANINGS[code], "content": dict(answer) if answer and code < 400 else body}
    return {"openapi_extra": extra, "responses": responses}


def form_schema(body: type[BaseModel], *, files: bool) -> dict[str, Any]:
    """The schema of a form: objects are JSON text there."""
    whole = inlined(body)
    properties: dict[str, Any] = {}
    for name, schema in whole.get("properties", {}).items():
        if name == "page":
            continue  # a path of this machine means nothing to a client
        if name == "image_files":
            if files:
                properties[name] = {"type": "array", "items": {"type": "string", "format": "binary"}}
            continue
        properties[name] = _in_form(schema)
    found: dict[str, Any] = {"type": "object", "properties": properties}
    required = [name for name in whole.get("required", []) if name in properties]
    return {**found, "required": required} if required else found


def inlined(body: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema of a body with all its parts in their places."""
    schema = body.model_json_schema()
    parts = schema.pop("$defs", {})

    def put(value: Any) -> Any:
        if isinstance(value, dict):
            if "$ref" in value:
                rest = {key: item for key, item in value.items() if key != "$ref"}
                return {**put(parts[value["$ref"].rpartition("/")[2]]), **rest}
            return {
                key: put(item) for key, item in value.items() if not (key == "additionalProperties" and item is False)
            }
        return [put(item) for item in value] if isinstance(value, list) else value

    found: dict[str, Any] = put(schema)
    return found


def _in_form(schema: Mapping[str, Any]) -> dict[str, Any]:
    arms = [arm for arm in schema.get("anyOf", [schema]) if arm.get("type") != "null"]
    arm = arms[0]
    about = {"description": schema["description"]} if "description" in schema else {}
    if arm.get("type") == "object":
        return {"type": "string", "contentMediaType": "application/json", **about}
    if arm.get("type") == "array" and arm.get("items", {}).get("type") != "string":
        return {"type": "string", "contentMediaType": "application/json", **about}
    return {**{key: value for key, value in arm.items() if key != "title"}, **about}

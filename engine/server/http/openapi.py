"""The request bodies and answers of the API page, made from the types that check them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

ERROR_SCHEMA = {
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
    *,
    form: type[BaseModel] | None = None,
    files: bool = False,
    json_body: type[BaseModel] | None = None,
    parameters: Sequence[Mapping[str, Any]] = (),
    example: Mapping[str, Any] | None = None,
    response_content: Mapping[str, Any] | None = None,
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
        content["application/json"] = {"schema": inline_schema(json_body)}
        if example:
            content["application/json"]["example"] = dict(example)
    extra: dict[str, Any] = {"parameters": list(parameters)} if parameters else {}
    if content:
        extra["requestBody"] = {"content": content, "required": json_body is not None}
    responses: dict[int | str, dict[str, Any]] = {}
    for code in status_codes:
        body = {"application/json": {"schema": ERROR_SCHEMA if code >= 400 else {"type": "object"}}}
        responses[code] = {
            "description": STATUS_DESCRIPTIONS[code],
            "content": dict(response_content) if response_content and code < 400 else body,
        }
    return {"openapi_extra": extra, "responses": responses}


def form_schema(body: type[BaseModel], *, files: bool) -> dict[str, Any]:
    """The schema of a form: objects are JSON text there."""
    body_schema = inline_schema(body)
    properties: dict[str, Any] = {}
    for name, schema in body_schema.get("properties", {}).items():
        if name == "page":
            continue  # a path of this machine means nothing to a client
        if name == "image_files":
            if files:
                properties[name] = {"type": "array", "items": {"type": "string", "format": "binary"}}
            continue
        properties[name] = _form_field_schema(schema)
    result: dict[str, Any] = {"type": "object", "properties": properties}
    required = [name for name in body_schema.get("required", []) if name in properties]
    return {**result, "required": required} if required else result


def inline_schema(body: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema of a body with all its parts in their places."""
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
    return {**{key: value for key, value in member.items() if key != "title"}, **description}

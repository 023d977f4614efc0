"""Errors of both APIs as one JSON object: `{error, message, details, request_id}`.

The message of an unexpected exception never reaches a client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from engine.execution.errors import RunFailed
from engine.inputs.fetch import FetchError
from engine.planning.plan import PlanningError
from engine.storage.artifact_store import StoreError, StoreFull
from engine.storage.database import DatabaseError
from engine.story.model import MissingField, StoryError
from pipelines.base import MissingDependency

ERROR_CODES: Mapping[int, str] = {
    400: "bad_request",
    401: "unauthorized",
    402: "insufficient_credits",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "too_large",
    422: "validation_error",
    429: "rate_limited",
    451: "content_rejected",
    500: "internal_error",
    503: "unavailable",
}


MAX_FIELD_LENGTH = 300
"""Maximum length of a field name in an error: a client's own keys can be part of it."""


class ApiError(Exception):
    """An error response. `code`: for programs, by default the code of the status; `details`: a JSON object."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str = "",
        details: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.code = status, message, code or ERROR_CODES.get(status, "error")
        self.details, self.headers = dict(details or {}), dict(headers or {})


def to_api_error(error: Exception, *, v1: bool = False) -> ApiError | None:
    """Return the response to an expected error; None for an unexpected one."""
    match error:
        case ApiError():
            return error
        case MissingField(field=field, message=message) if not v1:
            return ApiError(
                400, f"{field[:MAX_FIELD_LENGTH]}: {message}", code="missing_field", details={"field": field}
            )
        case StoryError(field=field, redacted=message):
            field = field[:MAX_FIELD_LENGTH]
            text = f"{field}: {message}" if field else message
            return ApiError(422, text, details={"field": field})
        case FetchError():
            return ApiError(422, error.message, details={"code": error.code})
        case MissingDependency():
            return ApiError(503, str(error), code="model_unavailable")
        case PlanningError(field=field, redacted=message):
            return ApiError(422, f"{field}: {message}")
        case RunFailed():
            return ApiError(503, "text moderation is unavailable; see the server log")
        case StoreFull():
            return ApiError(503, "no disk space left on the server", code="disk_full")
        case StoreError():
            return ApiError(503, "the artifact store is unavailable; see the server log")
        case DatabaseError():
            return ApiError(503, "the database is unavailable; see the server log")
    return None


def error_response(error: ApiError, request: Request) -> JSONResponse:
    """Return the error as JSON. Clients of the Story API read `detail`."""
    body = {
        "error": error.code,
        "message": error.message,
        "details": error.details,
        "request_id": request_id(request),
    }
    if not request.url.path.startswith("/v1"):
        body["detail"] = error.message
    return JSONResponse(body, error.status, error.headers)


def request_id(request: Request) -> str:
    """Return the id of a request, as the log has it."""
    found: str = request.scope.get("request_id", "")
    return found

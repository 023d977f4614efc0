"""One shape for every answer that is not what was asked for: `{error, message, details, request_id}`. Nothing in it comes
from an exception that nobody foresaw."""

from __future__ import annotations

import re
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
"""Letters of a field that an answer names: keys of a client's own may be part of it."""
_UNKNOWN_NAME = re.compile(r'no (profile|model or alias|model) ".*"(?=; | in models\.yaml|$)', re.DOTALL)
"""What a request named and nobody knows, which is not repeated."""


class ApiError(Exception):
    """An answer that is not what was asked for. `details` is JSON for machines."""

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
    """The answer to an error that speaks to the client; None for a defect of ours."""
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
            return ApiError(422, error.message, details={"reason": error.code})
        case MissingDependency():
            return ApiError(503, str(error), code="model_unavailable")
        case PlanningError():
            return ApiError(422, _UNKNOWN_NAME.sub(r"no such \1", str(error)))
        case RunFailed():
            return ApiError(503, "this machine cannot look at the request's words now; its log says why")
        case StoreFull():
            return ApiError(503, "there is no room left on the disk of this machine", code="disk_full")
        case StoreError():
            return ApiError(503, "the store of this machine cannot be written or read now; its log says why")
        case DatabaseError():
            return ApiError(503, "the history of this machine cannot be written or read now; its log says why")
    return None


def error_response(error: ApiError, request: Request) -> JSONResponse:
    """The error as JSON. The Story API's clients look for `detail`."""
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
    """The id that this request has in the log."""
    found: str = request.scope.get("request_id", "")
    return found

"""The outermost middleware: request id, size limit of the body, request log, 500 for unexpected exceptions."""

from __future__ import annotations

import json
import logging
import re
import time
import uuid
from collections.abc import Callable
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.server.http.errors import ApiError, error_response, to_api_error

log = logging.getLogger("engine.server")
_VALID_REQUEST_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")
RequestObserver = Callable[[str, str, int, float], None]
"""Receives method, route, status and seconds to the response start of each request."""


class RequestMiddleware:
    """ASGI middleware around the application."""

    def __init__(self, app: ASGIApp, max_body_bytes: int, observe: RequestObserver) -> None:
        self.app, self._max_body_bytes, self._observe = app, max_body_bytes, observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope["path"] = _normalize_path(scope["path"])
        exchange = _Exchange(scope, receive, send, self._max_body_bytes)
        started = time.perf_counter()
        try:
            await self.app(scope, exchange.receive, exchange.send)
        except ClientDisconnect:
            pass  # the client closed the connection
        except Exception as error:
            api_error = to_api_error(error)
            if api_error is None:
                log.exception("unhandled exception", extra={"fields": {"request_id": exchange.id}})
                api_error = ApiError(500, "internal server error; see the server log for this request id")
            if exchange.status is None:
                await error_response(api_error, Request(scope))(scope, exchange.receive, exchange.send)
        finally:
            route = getattr(scope.get("route"), "path", "unknown")
            seconds = time.perf_counter() - started
            status = exchange.status or 499
            self._observe(scope["method"], route, status, exchange.seconds_to_response or seconds)
            fields = {
                "request_id": exchange.id, "method": scope["method"], "route": route, "status": status,
                "duration_ms": round(seconds * 1000, 1),
            }  # fmt: skip
            log.info("request", extra={"fields": fields})


def _normalize_path(path: str) -> str:
    """Return the path with one leading slash and no trailing one: some clients join it to a base URL with a slash."""
    return "/" + path.strip("/") if len(path) > 1 else path


class _Exchange:
    """One request and its response."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, max_body_bytes: int) -> None:
        headers = dict(scope["headers"])
        requested_id = headers.get(b"x-request-id", b"").decode("latin-1")
        self.id = requested_id if _VALID_REQUEST_ID.fullmatch(requested_id) else uuid.uuid4().hex
        scope["request_id"] = self.id
        self._receive, self._send, self._max_body_bytes = receive, send, max_body_bytes
        self._content_length = headers.get(b"content-length", b"")
        self._bytes_read = 0
        self._started = time.perf_counter()
        self.status: int | None = None
        self.seconds_to_response: float | None = None

    async def receive(self) -> Message:
        if self._content_length.isdigit() and int(self._content_length) > self._max_body_bytes:
            raise self._body_too_large()
        message = await self._receive()
        if message["type"] == "http.request":
            self._bytes_read += len(message.get("body", b""))
            if self._bytes_read > self._max_body_bytes:
                raise self._body_too_large()
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.seconds_to_response = time.perf_counter() - self._started
            message["headers"] = [
                *message.get("headers", []),
                (b"x-request-id", self.id.encode()),
                (b"x-content-type-options", b"nosniff"),
            ]
        await self._send(message)

    def _body_too_large(self) -> ApiError:
        return ApiError(413, f"request body exceeds {self._max_body_bytes >> 20} MB")


class JsonFormatter(logging.Formatter):
    """Format each log record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def configure_logging() -> None:
    """Write the logs of the engine to stderr as JSON lines."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger("engine")
    logger.handlers = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False
    # A malformed form gets an error response; it is no problem of the server.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)

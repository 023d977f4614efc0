"""The outermost layer: an id for each request, a cap on its body, a line in the log, and no exception that reaches a client."""

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
"""Method, route, status, seconds until the answer began."""


class RequestMiddleware:
    """ASGI around the application."""

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
            pass  # nobody is there to be answered
        except Exception as error:
            api_error = to_api_error(error)
            if api_error is None:
                log.exception("a request failed", extra={"fields": {"request_id": exchange.id}})
                api_error = ApiError(500, "the engine made a mistake; its log says which, under this request id")
            if exchange.status is None:
                await error_response(api_error, Request(scope))(scope, exchange.receive, exchange.send)
        finally:
            route = getattr(scope.get("route"), "path", "unknown")
            seconds = time.perf_counter() - started
            status = exchange.status or 499
            self._observe(scope["method"], route, status, exchange.seconds_to_response or seconds)
            fields = {
                "request_id": exchange.id, "method": scope["method"], "route": route, "status": status,
                "ms": round(seconds * 1000, 1),
            }  # fmt: skip
            log.info("request", extra={"fields": fields})


def _normalize_path(path: str) -> str:
    """The path of clients that join it to a base URL with a slash too many."""
    return "/" + path.strip("/") if len(path) > 1 else path


class _Exchange:
    """One request and its answer."""

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
        return ApiError(413, f"a request may have up to {self._max_body_bytes >> 20} MB")


class JsonFormatter(logging.Formatter):
    """One JSON object per line."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "what": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def configure_logging() -> None:
    """Structured logs, from here on."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger("engine")
    logger.handlers = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False
    # What clients send in malformed forms is answered, not logged.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)

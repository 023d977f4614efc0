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

from engine.server.http.errors import ApiError, response, told

log = logging.getLogger("engine.server")
_GOOD_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")
Observe = Callable[[str, str, int, float], None]
"""Method, route, status, seconds until the answer began."""


class Edge:
    """ASGI around the application."""

    def __init__(self, app: ASGIApp, max_body_bytes: int, observe: Observe) -> None:
        self.app, self._max, self._observe = app, max_body_bytes, observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope["path"] = _tidy(scope["path"])
        exchange = _Exchange(scope, receive, send, self._max)
        begun = time.perf_counter()
        try:
            await self.app(scope, exchange.receive, exchange.send)
        except ClientDisconnect:
            pass  # nobody is there to be answered
        except Exception as error:
            answer = told(error)
            if answer is None:
                log.exception("a request failed", extra={"fields": {"request_id": exchange.id}})
                answer = ApiError(500, "the engine made a mistake; its log says which, under this request id")
            if exchange.status is None:
                await response(answer, Request(scope))(scope, exchange.receive, exchange.send)
        finally:
            route = getattr(scope.get("route"), "path", "unknown")
            seconds = time.perf_counter() - begun
            status = exchange.status or 499
            self._observe(scope["method"], route, status, exchange.seconds or seconds)
            fields = {
                "request_id": exchange.id, "method": scope["method"], "route": route, "status": status,
                "ms": round(seconds * 1000, 1),
            }  # fmt: skip
            log.info("request", extra={"fields": fields})


def _tidy(path: str) -> str:
    """The path of clients that join it to a base URL with a slash too many."""
    return "/" + path.strip("/") if len(path) > 1 else path


class _Exchange:
    """One request and its answer."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, limit: int) -> None:
        headers = dict(scope["headers"])
        wished = headers.get(b"x-request-id", b"").decode("latin-1")
        self.id = wished if _GOOD_ID.fullmatch(wished) else uuid.uuid4().hex
        scope["request_id"] = self.id
        self._receive, self._send, self._limit = receive, send, limit
        self._length = headers.get(b"content-length", b"")
        self._read = 0
        self._begun = time.perf_counter()
        self.status: int | None = None
        self.seconds: float | None = None

    async def receive(self) -> Message:
        if self._length.isdigit() and int(self._length) > self._limit:
            raise self._too_large()
        message = await self._receive()
        if message["type"] == "http.request":
            self._read += len(message.get("body", b""))
            if self._read > self._limit:
                raise self._too_large()
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.seconds = time.perf_counter() - self._begun
            message["headers"] = [
                *message.get("headers", []),
                (b"x-request-id", self.id.encode()),
                (b"x-content-type-options", b"nosniff"),
            ]
        await self._send(message)

    def _too_large(self) -> ApiError:
        return ApiError(413, f"a request may have up to {self._limit >> 20} MB")


class JsonLines(logging.Formatter):
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


def log_to_stderr() -> None:
    """Structured logs, from here on."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    whole = logging.getLogger("engine")
    whole.handlers = [handler]
    whole.setLevel(logging.INFO)
    whole.propagate = False
    # What clients send in malformed forms is answered, not logged.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)

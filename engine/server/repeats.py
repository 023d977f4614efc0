"""Requests that may be sent twice: the second one gets the answer of the first."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from engine.server.errors import ApiError
from engine.server.records import Records


@dataclass(frozen=True, slots=True)
class Repeats:
    """Answers by their Idempotency-Key."""

    records: Records

    async def once(
        self, request: Request, owner: str, digest: str, make: Callable[[], Awaitable[tuple[int, Any]]]
    ) -> Response:
        """The answer of `make`; with an Idempotency-Key the first answer of that key, and 409 for another request."""
        key = request.headers.get("idempotency-key")
        if key is None:
            status, body = await make()
            return JSONResponse(body, status)
        if not 0 < len(key) <= 255:
            raise ApiError(422, "an Idempotency-Key has 1 to 255 characters")
        said = f"{request.method} {request.url.path}?{request.url.query} {digest}"
        first = await run_in_threadpool(self.records.reserve, owner, key, said)
        if first is not None:
            asked, status_, text = first
            if asked != said:
                raise ApiError(409, "this Idempotency-Key was used for another request")
            if status_ is None or text is None:
                raise ApiError(409, "the first request of this Idempotency-Key is still being answered")
            return Response(text, status_, {"Idempotency-Replayed": "true"}, "application/json")
        try:
            status, body = await make()
        except BaseException:
            await run_in_threadpool(self.records.release, owner, key)
            raise
        answer = JSONResponse(body, status)
        await run_in_threadpool(self.records.answer, owner, key, status, bytes(answer.body).decode())
        return answer

"""Requests that may be sent twice: the second one gets the answer of the first."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from engine.server.http.errors import ApiError
from engine.storage.database import Jobs

SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    owner TEXT NOT NULL, key TEXT NOT NULL, request TEXT NOT NULL, status INTEGER, body TEXT, created REAL NOT NULL,
    PRIMARY KEY (owner, key)
) STRICT
"""


@dataclass
class Repeats:
    """Answers by their Idempotency-Key, in a table of their own."""

    jobs: Jobs
    clock: Callable[[], float] = field(default=time.time)

    def __post_init__(self) -> None:
        self.jobs.prepare(SCHEMA)

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
        first = await run_in_threadpool(self.reserve, owner, key, said)
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
            await run_in_threadpool(self.release, owner, key)
            raise
        answer = JSONResponse(body, status)
        await run_in_threadpool(self.answer, owner, key, status, bytes(answer.body).decode())
        return answer

    def reserve(self, owner: str, key: str, request: str) -> tuple[str, int | None, str | None] | None:
        """Remember that a request of this key is being answered. None: it is the first; else what is known of the first."""
        with self.jobs.writing() as connection:
            row = connection.execute("SELECT * FROM answers WHERE owner = ? AND key = ?", (owner, key)).fetchone()
            if row is not None:
                return row["request"], row["status"], row["body"]
            connection.execute(
                "INSERT INTO answers VALUES (?, ?, ?, NULL, NULL, ?)", (owner, key, request, self.clock())
            )
        return None

    def answer(self, owner: str, key: str, status: int, body: str) -> None:
        """The answer to the request of this key."""
        with self.jobs.writing() as connection:
            connection.execute(
                "UPDATE answers SET status = ?, body = ? WHERE owner = ? AND key = ?", (status, body, owner, key)
            )

    def release(self, owner: str, key: str) -> None:
        """The request of this key came to nothing; the key may be used again."""
        with self.jobs.writing() as connection:
            connection.execute("DELETE FROM answers WHERE owner = ? AND key = ? AND status IS NULL", (owner, key))

    def resume(self) -> None:
        """Requests that a stopped server never answered may be asked again under their keys."""
        with self.jobs.writing() as connection:
            connection.execute("DELETE FROM answers WHERE status IS NULL")

    def tidy(self, seconds: float) -> None:
        """Forget answers that are older than that."""
        with self.jobs.writing() as connection:
            connection.execute("DELETE FROM answers WHERE created < ?", (self.clock() - seconds,))

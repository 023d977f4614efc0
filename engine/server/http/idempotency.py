"""Idempotent requests: a repeated request with the same Idempotency-Key gets the first response."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from engine.server.http.errors import ApiError
from engine.storage.database import Database


@dataclass
class IdempotencyStore:
    """Responses by owner and Idempotency-Key, in a table of the database."""

    database: Database
    clock: Callable[[], float] = field(default=time.time)

    async def run_once(
        self, request: Request, owner: str, digest: str, handler: Callable[[], Awaitable[tuple[int, Any]]]
    ) -> Response:
        """Return the response of `handler`; for a repeated Idempotency-Key the stored response of the first request.

        `digest`: digest of the request body. Raises ApiError: 409 when the key was used with a different request or the
        first request is still in progress, 422 for an invalid key."""
        key = request.headers.get("idempotency-key")
        if key is None:
            status, body = await handler()
            return JSONResponse(body, status)
        if not 0 < len(key) <= 255:
            raise ApiError(422, "Idempotency-Key must have 1 to 255 characters")
        fingerprint = f"{request.method} {request.url.path}?{request.url.query} {digest}"
        first = await run_in_threadpool(self.reserve, owner, key, fingerprint)
        if first is not None:
            first_fingerprint, status_, text = first
            if first_fingerprint != fingerprint:
                raise ApiError(409, "this Idempotency-Key was used with a different request")
            if status_ is None or text is None:
                raise ApiError(409, "the first request with this Idempotency-Key is still in progress")
            return Response(text, status_, {"Idempotency-Replayed": "true"}, "application/json")
        try:
            status, body = await handler()
        except BaseException:
            await run_in_threadpool(self.release, owner, key)
            raise
        response = JSONResponse(body, status)
        await run_in_threadpool(self.store_response, owner, key, status, bytes(response.body).decode())
        return response

    def reserve(self, owner: str, key: str, fingerprint: str) -> tuple[str, int | None, str | None] | None:
        """Store the fingerprint of a request with this key that is in progress.

        Return None for the first request; for a later one the fingerprint, status and body of the first (None, None
        while it is in progress)."""
        with self.database.transaction() as connection:
            row = connection.execute(
                "SELECT * FROM idempotency_keys WHERE owner = ? AND key = ?", (owner, key)
            ).fetchone()
            if row is not None:
                return row["fingerprint"], row["status"], row["body"]
            connection.execute(
                "INSERT INTO idempotency_keys (owner, key, fingerprint, created) VALUES (?, ?, ?, ?)",
                (owner, key, fingerprint, self.clock()),
            )
        return None

    def store_response(self, owner: str, key: str, status: int, body: str) -> None:
        """Store the response to the request with this key."""
        with self.database.transaction() as connection:
            connection.execute(
                "UPDATE idempotency_keys SET status = ?, body = ? WHERE owner = ? AND key = ?",
                (status, body, owner, key),
            )

    def release(self, owner: str, key: str) -> None:
        """Delete the entry of a request that failed; the key can be used again."""
        with self.database.transaction() as connection:
            connection.execute(
                "DELETE FROM idempotency_keys WHERE owner = ? AND key = ? AND status IS NULL", (owner, key)
            )

    def release_unfinished(self) -> None:
        """Delete the entries of requests that a stopped server left without a response."""
        with self.database.transaction() as connection:
            connection.execute("DELETE FROM idempotency_keys WHERE status IS NULL")

    def prune(self, max_age: float) -> None:
        """Delete responses older than `max_age` seconds."""
        with self.database.transaction() as connection:
            connection.execute("DELETE FROM idempotency_keys WHERE created < ?", (self.clock() - max_age,))

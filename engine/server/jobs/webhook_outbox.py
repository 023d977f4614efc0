"""The outbox of webhooks: stored in the transaction of the event, so that a crash cannot lose them."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from engine.storage.database import Database


@dataclass(frozen=True, slots=True)
class Delivery:
    """A webhook to send. `id` is the same in every attempt; `attempts`: number of attempts so far."""

    id: str
    story_id: str
    url: str
    body: str
    attempts: int


@dataclass
class Outbox:
    """Reads and writes the table of webhook deliveries. Thread-safe."""

    database: Database
    clock: Callable[[], float] = field(default=time.time)

    def add(self, connection: Any, story_id: str, url: str, body: str) -> None:
        """Add a webhook about a story, in the transaction of the event."""
        connection.execute(
            "INSERT INTO webhook_deliveries (id, story_id, url, body, attempts, due_at, state) VALUES (?, ?, ?, ?, 0, ?, 'waiting')",
            (f"msg_{uuid.uuid4().hex}", story_id, url, body, self.clock()),
        )

    def list_due(self, limit: int, max_delay: float) -> list[Delivery]:
        """Return webhooks that are due, at most `limit`.

        A due time more than `max_delay` seconds ahead counts as due: the clock was set back after it was stored."""
        now = self.clock()
        rows = self.database.query(
            "SELECT * FROM webhook_deliveries WHERE state = 'waiting' AND (due_at <= ? OR due_at > ?) ORDER BY due_at LIMIT ?",
            now,
            now + max_delay + 1.0,
            limit,
        )
        return [Delivery(row["id"], row["story_id"], row["url"], row["body"], row["attempts"]) for row in rows]

    def record_attempt(self, delivery: Delivery, *, sent: bool, retry_delay: float | None) -> None:
        """Store the result of an attempt; without a `retry_delay` in seconds a failed webhook is not retried."""
        state = "sent" if sent else "waiting" if retry_delay is not None else "failed"
        with self.database.transaction() as connection:
            connection.execute(
                "UPDATE webhook_deliveries SET attempts = attempts + 1, state = ?, due_at = ? WHERE id = ?",
                (state, self.clock() + (retry_delay or 0.0), delivery.id),
            )

    def prune(self, max_age: float) -> None:
        """Delete sent and failed webhooks older than `max_age` seconds."""
        with self.database.transaction() as connection:
            connection.execute(
                "DELETE FROM webhook_deliveries WHERE state != 'waiting' AND due_at < ?", (self.clock() - max_age,)
            )

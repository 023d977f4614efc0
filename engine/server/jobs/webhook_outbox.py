"""The outbox of webhooks: stored in the transaction of the event, so that a crash cannot lose them."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from engine.storage.database import Database

SCHEMA = """
CREATE TABLE IF NOT EXISTS deliveries (
    id TEXT PRIMARY KEY, story TEXT NOT NULL REFERENCES stories (id) ON DELETE CASCADE, url TEXT NOT NULL, body TEXT NOT NULL,
    tries INTEGER NOT NULL, due REAL NOT NULL, state TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (due) WHERE state = 'waiting'
"""


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

    def __post_init__(self) -> None:
        self.database.create_tables(SCHEMA)

    def add(self, connection: Any, story_id: str, url: str, body: str) -> None:
        """Add a webhook about a story, in the transaction of the event."""
        connection.execute(
            "INSERT INTO deliveries VALUES (?, ?, ?, ?, 0, ?, 'waiting')",
            (f"msg_{uuid.uuid4().hex}", story_id, url, body, self.clock()),
        )

    def list_due(self, limit: int, max_delay: float) -> list[Delivery]:
        """Return webhooks that are due, at most `limit`.

        A due time more than `max_delay` seconds ahead counts as due: the clock was set back after it was stored."""
        now = self.clock()
        rows = self.database.query(
            "SELECT * FROM deliveries WHERE state = 'waiting' AND (due <= ? OR due > ?) ORDER BY due LIMIT ?",
            now,
            now + max_delay + 1.0,
            limit,
        )
        return [Delivery(row["id"], row["story"], row["url"], row["body"], row["tries"]) for row in rows]

    def record_attempt(self, delivery: Delivery, *, sent: bool, retry_delay: float | None) -> None:
        """Store the result of an attempt; without a `retry_delay` in seconds a failed webhook is not retried."""
        state = "sent" if sent else "waiting" if retry_delay is not None else "given up"
        with self.database.transaction() as connection:
            connection.execute(
                "UPDATE deliveries SET tries = tries + 1, state = ?, due = ? WHERE id = ?",
                (state, self.clock() + (retry_delay or 0.0), delivery.id),
            )

    def prune(self, max_age: float) -> None:
        """Delete sent and failed webhooks older than `max_age` seconds."""
        with self.database.transaction() as connection:
            connection.execute("DELETE FROM deliveries WHERE state != 'waiting' AND due < ?", (self.clock() - max_age,))

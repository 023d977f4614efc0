"""What a model had to give up for memory on this machine, so that it is not found out again by failing."""

from __future__ import annotations

import time
from collections.abc import Callable

from engine.storage.database import Jobs
from pipelines.base import Economy, ModelSpec

FORGET = 24 * 3600.0
"""Seconds after which all speed is tried again: what took the room may be gone."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS economies (
    model TEXT PRIMARY KEY, economy INTEGER NOT NULL, at REAL NOT NULL
) STRICT, WITHOUT ROWID;
"""


class Economies:
    """Kept in the history, by model."""

    def __init__(self, jobs: Jobs, clock: Callable[[], float] = time.time) -> None:
        self._jobs, self._clock = jobs, clock
        jobs.prepare(_SCHEMA)

    def of(self, spec: ModelSpec) -> Economy:
        """How to begin with the model."""
        since = self._clock() - FORGET
        rows = self._jobs.read("SELECT economy FROM economies WHERE model = ? AND at > ?", spec.name, since)
        return Economy(rows[0]["economy"]) if rows else Economy.NONE

    def add(self, model: str, economy: Economy) -> None:
        """The model did its work, saving memory like this."""
        if economy == Economy.NONE:
            return
        with self._jobs.writing() as connection:
            connection.execute(
                "INSERT INTO economies VALUES (?1, ?2, ?3) ON CONFLICT (model) DO UPDATE SET economy = ?2, at = ?3 WHERE economy < ?2 OR at <= ?4",
                (model, int(economy), self._clock(), self._clock() - FORGET),
            )

"""Memory modes that models needed on this machine, so that later runs do not run out of memory first."""

from __future__ import annotations

import time
from collections.abc import Callable

from engine.storage.database import Database
from pipelines.base import MemoryMode, ModelSpec

EXPIRY_SECONDS = 24 * 3600.0
"""Seconds after which a model starts without a memory mode again: other programs may have freed memory."""


class MemoryModeStore:
    """Stores the last memory mode of each model in the database."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database, self._clock = database, clock

    def get(self, spec: ModelSpec) -> MemoryMode:
        """Return the memory mode to start the model with."""
        since = self._clock() - EXPIRY_SECONDS
        rows = self._database.query("SELECT mode FROM memory_modes WHERE model = ? AND updated > ?", spec.name, since)
        return MemoryMode(rows[0]["mode"]) if rows else MemoryMode.NONE

    def record(self, model: str, mode: MemoryMode) -> None:
        """Store the mode of a successful task; the stronger mode wins until it expires."""
        if mode == MemoryMode.NONE:
            return
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO memory_modes (model, mode, updated) VALUES (?1, ?2, ?3) "
                "ON CONFLICT (model) DO UPDATE SET mode = ?2, updated = ?3 WHERE mode < ?2 OR updated <= ?4",
                (model, int(mode), self._clock(), self._clock() - EXPIRY_SECONDS),
            )

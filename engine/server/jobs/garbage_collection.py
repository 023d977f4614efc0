"""Schedule of the garbage collection of the artifact store."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable

GRACE_SECONDS = 600.0
"""Minimum age of the artifacts that garbage collection deletes: a pending request may refer to a recent upload."""
SUPERSEDED_SECONDS = 3600.0
"""Seconds from an update of a story to the deletion of the artifacts that it no longer references."""
ROUNDING_SECONDS = 60.0
"""Collections due within the same period run as one."""
log = logging.getLogger("engine.server")


class GarbageCollector:
    """Collects unreferenced artifacts some time after stories were deleted or updated, and once after a start.

    `gc(seconds)` deletes unreferenced artifacts older than that and returns the number of files and bytes."""

    def __init__(
        self,
        gc: Callable[[float], tuple[int, int]],
        *,
        rounding: float = ROUNDING_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._gc, self._rounding, self._clock = gc, rounding, clock
        self._due: set[int] = set()
        self.schedule_after_delete()  # for the artifacts that a stopped server left

    def schedule_after_delete(self) -> None:
        """Schedule a collection after the deletion of a story, at the end of the grace period."""
        self._schedule(GRACE_SECONDS)

    def schedule_after_update(self) -> None:
        """Schedule a collection of the artifacts that an earlier version of a story used."""
        self._schedule(SUPERSEDED_SECONDS)

    def run_if_due(self) -> None:
        """Run a collection if one is due. Raises StoreError, DatabaseError."""
        now = int(self._clock() / self._rounding)
        if any(due <= now for due in self._due):
            self._due = {due for due in self._due if due > now}
            files, size = self._gc(GRACE_SECONDS)
            log.info("garbage collected", extra={"fields": {"files": files, "bytes": size}})

    def _schedule(self, seconds: float) -> None:
        self._due.add(math.ceil((self._clock() + seconds) / self._rounding))

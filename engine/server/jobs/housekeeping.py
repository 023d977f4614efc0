"""Housekeeping: deletes expired stories, old webhooks and stored responses, and unreferenced artifacts."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable

from engine.server.jobs.stories import Records

INTERVAL_SECONDS = 60.0
"""Seconds between two passes."""
GC_GRACE_SECONDS = 600.0
"""Minimum age of the artifacts that garbage collection deletes: a pending request may refer to a recent upload."""
SUPERSEDED_GC_SECONDS = 3600.0
"""Seconds from an update of a story to the deletion of the artifacts that it no longer references."""
RETENTION_SECONDS = 24 * 3600.0
"""Seconds for which idempotent responses and finished webhooks are stored."""
log = logging.getLogger("engine.server")


class Housekeeper:
    """A thread that runs housekeeping passes every `interval` seconds.

    `prune(seconds)` deletes responses and webhooks older than that; `gc(seconds)` deletes unreferenced artifacts older
    than that and returns the number of files and bytes."""

    def __init__(
        self,
        records: Records,
        prune: Callable[[float], None],
        gc: Callable[[float], tuple[int, int]],
        *,
        interval: float = INTERVAL_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._records, self._prune, self._gc = records, prune, gc
        self._interval, self._clock = interval, clock
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="housekeeping", daemon=True)
        self._gc_due: set[int] = set()
        self.schedule_gc_after_delete()  # for the artifacts that a stopped server left
        self._delete_story: Callable[[str], None] = lambda story_id: None

    def start(self, delete_story: Callable[[str], None]) -> None:
        """Start the thread. `delete_story` cancels the job of a story and deletes it."""
        self._delete_story = delete_story
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread after the current pass."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def schedule_gc_after_delete(self) -> None:
        """Schedule a garbage collection after the deletion of a story, at the end of the grace period."""
        self._schedule_gc(GC_GRACE_SECONDS)

    def schedule_gc_after_update(self) -> None:
        """Schedule a garbage collection of the artifacts that an earlier version of a story used."""
        self._schedule_gc(SUPERSEDED_GC_SECONDS)

    def run_once(self) -> None:
        """Run one pass. Raises DatabaseError, StoreError."""
        for story_id in self._records.list_expired():
            self._delete_story(story_id)
        self._prune(RETENTION_SECONDS)
        now = int(self._clock() / self._interval)
        if any(due <= now for due in self._gc_due):
            self._gc_due = {due for due in self._gc_due if due > now}
            files, size = self._gc(GC_GRACE_SECONDS)
            log.info("garbage collected", extra={"fields": {"files": files, "bytes": size}})

    def _schedule_gc(self, seconds: float) -> None:
        self._gc_due.add(math.ceil((self._clock() + seconds) / self._interval))

    def _run(self) -> None:
        while not self._stopping.wait(self._interval):
            try:
                self.run_once()
            except Exception:
                log.exception("housekeeping failed; retrying")

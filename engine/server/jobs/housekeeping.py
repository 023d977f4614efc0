"""Keeps house while stories are made: deletes what has expired, collects what nothing refers to any more."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable

from engine.server.jobs.stories import Records

INTERVAL_SECONDS = 60.0
"""Seconds between two looks."""
GC_GRACE_SECONDS = 600.0
"""Seconds for which the store keeps what was used last: what was fetched or uploaded may be about to be referred to."""
SUPERSEDED_GC_SECONDS = 3600.0
"""Seconds after which what earlier versions of stories left behind is collected."""
RETENTION_SECONDS = 24 * 3600.0
"""Seconds for which answers are repeated."""
log = logging.getLogger("engine.server")


class Housekeeper:
    """A thread of its own: one film may take longer than any story has left. `tidy` forgets answers and webhooks older than so many
    seconds, `collect` empties the store of what was not used for so many; `every` are the seconds between two looks."""

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
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)
        self._gc_due: set[int] = set()
        self.schedule_gc_after_delete()  # whatever a stopped server left
        self._delete_story: Callable[[str], None] = lambda story_id: None

    def start(self, delete_story: Callable[[str], None]) -> None:
        """`forget` stops the work on a story and deletes it."""
        self._delete_story = delete_story
        self._thread.start()

    def stop(self) -> None:
        """End after what is being done."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def schedule_gc_after_delete(self) -> None:
        """A story was deleted: what only it used is collected when nothing can still be about to use it."""
        self._schedule_gc(GC_GRACE_SECONDS)

    def schedule_gc_after_update(self) -> None:
        """A story changed, and left behind what it was before."""
        self._schedule_gc(SUPERSEDED_GC_SECONDS)

    def run_once(self) -> None:
        """What there is to do now. Raises JobsError, StoreError."""
        for story_id in self._records.list_expired():
            self._delete_story(story_id)
        self._prune(RETENTION_SECONDS)
        now = int(self._clock() / self._interval)
        if any(due <= now for due in self._gc_due):
            self._gc_due = {due for due in self._gc_due if due > now}
            files, size = self._gc(GC_GRACE_SECONDS)
            log.info("collected", extra={"fields": {"files": files, "bytes": size}})

    def _schedule_gc(self, seconds: float) -> None:
        self._gc_due.add(math.ceil((self._clock() + seconds) / self._interval))

    def _run(self) -> None:
        while not self._stopping.wait(self._interval):
            try:
                self.run_once()
            except Exception:
                log.exception("the house could not be kept; it is tried again")

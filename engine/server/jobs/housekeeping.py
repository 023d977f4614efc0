"""Housekeeping: deletes expired stories, old webhooks and stored responses, and unreferenced artifacts."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from engine.server.jobs.garbage_collection import GarbageCollector
from engine.server.jobs.stories import Records

INTERVAL_SECONDS = 60.0
"""Seconds between two passes."""
RETENTION_SECONDS = 24 * 3600.0
"""Seconds for which idempotent responses and finished webhooks are stored."""
log = logging.getLogger("engine.server")


class Housekeeper:
    """A thread that runs housekeeping passes every `interval` seconds.

    `delete_story` cancels the job of a story and deletes it; `prune(seconds)` deletes responses and webhooks older than
    that."""

    def __init__(
        self,
        records: Records,
        delete_story: Callable[[str], None],
        prune: Callable[[float], None],
        garbage_collector: GarbageCollector,
        *,
        interval: float = INTERVAL_SECONDS,
    ) -> None:
        self._records, self._delete_story, self._prune = records, delete_story, prune
        self._garbage_collector, self._interval = garbage_collector, interval
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="housekeeping", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread after the current pass."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def run_once(self) -> None:
        """Run one pass. Raises DatabaseError, StoreError."""
        for story_id in self._records.list_expired():
            self._delete_story(story_id)
        self._prune(RETENTION_SECONDS)
        self._garbage_collector.run_if_due()

    def _run(self) -> None:
        while not self._stopping.wait(self._interval):
            try:
                self.run_once()
            except Exception:
                log.exception("housekeeping failed; retrying")

"""Keeps house while stories are made: deletes what has expired, collects what nothing refers to any more."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable

from engine.server.jobs.stories import Records

EVERY = 60.0
"""Seconds between two looks."""
GRACE = 600.0
"""Seconds for which the store keeps what was used last: what was fetched or uploaded may be about to be referred to."""
SUPERSEDED = 3600.0
"""Seconds after which what earlier versions of stories left behind is collected."""
REMEMBERED = 24 * 3600.0
"""Seconds for which answers are repeated."""
log = logging.getLogger("engine.server")


class Keeper:
    """A thread of its own: one film may take longer than any story has left. `tidy` forgets answers and webhooks older than so many
    seconds, `collect` empties the store of what was not used for so many; `every` are the seconds between two looks."""

    def __init__(
        self,
        records: Records,
        tidy: Callable[[float], None],
        collect: Callable[[float], tuple[int, int]],
        *,
        every: float = EVERY,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._records, self._tidy, self._collect = records, tidy, collect
        self._every, self._clock = every, clock
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)
        self._due: set[int] = set()
        self.forgot()  # whatever a stopped server left
        self._forget: Callable[[str], None] = lambda story_id: None

    def start(self, forget: Callable[[str], None]) -> None:
        """`forget` stops the work on a story and deletes it."""
        self._forget = forget
        self._thread.start()

    def stop(self) -> None:
        """End after what is being done."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join()

    def forgot(self) -> None:
        """A story was deleted: what only it used is collected when nothing can still be about to use it."""
        self._expect(GRACE)

    def superseded(self) -> None:
        """A story changed, and left behind what it was before."""
        self._expect(SUPERSEDED)

    def look(self) -> None:
        """What there is to do now. Raises JobsError, StoreError."""
        for story_id in self._records.expired():
            self._forget(story_id)
        self._tidy(REMEMBERED)
        now = int(self._clock() / self._every)
        if any(due <= now for due in self._due):
            self._due = {due for due in self._due if due > now}
            files, size = self._collect(GRACE)
            log.info("collected", extra={"fields": {"files": files, "bytes": size}})

    def _expect(self, seconds: float) -> None:
        self._due.add(math.ceil((self._clock() + seconds) / self._every))

    def _run(self) -> None:
        while not self._ending.wait(self._every):
            try:
                self.look()
            except Exception:
                log.exception("the house could not be kept; it is tried again")

"""The threads that work: each takes what is most urgent, makes it, notes how it ended."""

from __future__ import annotations

import contextlib
import json
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from engine.execution.errors import RunCancelled, RunFailed
from engine.execution.protocol import DISK_FULL
from engine.planning.plan import PlanError, PlanningError
from engine.schemas.story_requests import spoken
from engine.server.jobs.handler import Worker
from engine.server.jobs.notifications import Hub
from engine.server.jobs.queue import End, Work
from engine.server.jobs.stories import Record, Records
from engine.storage.artifact_store import StoreError, StoreFull
from engine.storage.database import JobsError
from engine.story.model import StoryError
from pipelines.base import Missing

FILM_GOALS = frozenset({"film", "concat"})
GIVEN_UP = "the engine itself was ended again and again while it made this, and came no further; its log may say why"
AGAIN = 1.0
"""Seconds before what the history could not take is tried again."""
log = logging.getLogger("engine.server")


@dataclass(frozen=True, slots=True)
class Ending:
    """How a piece of work ended: for clients `message`, for machines `word`; `film` is a digest."""

    state: End
    message: str = ""
    word: str = ""
    film: str | None = None


class Scheduler:
    """Starts with `start`; `stop` ends the running work, which waits again at the next start. `threads`: so many stories are made at
    the same time."""

    def __init__(
        self,
        worker: Worker,
        records: Records,
        hub: Hub,
        webhook_body: Callable[[Record, str], str],
        threads: int = 1,
    ) -> None:
        self._worker, self._records, self._hub, self._webhook_body = worker, records, hub, webhook_body
        self._wake = threading.Event()
        self._ending = threading.Event()
        self._running: dict[str, threading.Event] = {}
        self._using = threading.Lock()
        self._percent: dict[str, int] = {}
        self._threads = [
            threading.Thread(target=self._run, name=f"scheduler-{number}", daemon=True) for number in range(threads)
        ]
        self.on_sent: Callable[[], None] = lambda: None
        self.on_superseded: Callable[[], None] = lambda: None

    def start(self) -> None:
        """Go on with what a stopped server left, then take what comes."""
        for work in self._records.queue.resume():
            self._unnoted(work, Ending("failed", GIVEN_UP, "backend_failed"))  # else after the next death
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End at once; what is finished is kept."""
        self._ending.set()
        self._wake.set()
        with self._using:
            for stop in self._running.values():
                stop.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()

    def alive(self) -> bool:
        """Whether work is taken."""
        return all(thread.is_alive() for thread in self._threads)

    def wake(self) -> None:
        """There is something to do."""
        self._wake.set()

    def cancel(self, story_id: str) -> None:
        """Stop the work on a story, if it runs."""
        with self._using:
            if story_id in self._running:
                self._running[story_id].set()

    def percent(self, story_id: str, stored: int) -> int:
        """How far the work on a story has come, as finely as is known."""
        return max(stored, self._percent.get(story_id, 0))

    def _run(self) -> None:
        while not self._ending.is_set():
            self._wake.clear()
            try:
                work = self._records.queue.take()
                if work is not None:
                    self._wake.set()  # there may be more, for another thread
                    self._work(work)
            except Exception:  # whatever it was, the queue must not stand still
                log.exception("the scheduler could not go on; it tries again")
                self._ending.wait(AGAIN)
                continue
            if work is None:
                self._wake.wait(5.0)

    def _work(self, work: Work) -> None:
        stop = threading.Event()
        with self._using:
            self._running[work.story] = stop
            if self._ending.is_set():
                stop.set()
        self._percent[work.story] = work.progress
        begun, told = time.monotonic(), False
        try:
            ending = self._done(work, stop)
        finally:
            with self._using:
                del self._running[work.story]
            self._percent.pop(work.story, None)
        if ending.state == "cancelled" and self._ending.is_set():
            with contextlib.suppress(JobsError):  # else it counts as work during which the server died
                self._records.queue.put_back(work)
            return
        while (error := self._unnoted(work, ending)) is not None:
            if not told:
                log.error("the end of work cannot be noted yet; it is tried again", exc_info=error)
                told = True
            if self._ending.wait(AGAIN):
                return
        self._hub.ring(work.story)
        self.on_sent()
        seconds = round(time.monotonic() - begun, 3)
        fields = {"story": work.story, "goal": work.goal, "state": ending.state, "message": ending.message}
        log.info("work ended", extra={"fields": {**fields, "seconds": seconds}})

    def _done(self, work: Work, stop: threading.Event) -> Ending:
        """Do it, whatever comes of it."""
        record: Record | None = None
        try:
            record = self._records.get(work.story)
            outcome = self._worker.do(work, record, stop, lambda percent: self._changed(work.story, percent))
        except RunCancelled:
            return Ending("cancelled")
        except Exception as error:
            if isinstance(error, KeyError) and self._is_gone(work.story):
                return Ending("cancelled")
            message, word = _why(error)
            if word == "internal_error" or isinstance(error, JobsError):
                log.exception("work failed", extra={"fields": {"story": work.story, "goal": work.goal}})
            if record is not None and record.api == "story":
                message = spoken(message, record.told)
            return Ending("failed", message, word)
        if outcome.superseded:
            self.on_superseded()
        return Ending("done", film=outcome.film)

    def _is_gone(self, story_id: str) -> bool:
        try:
            return self._records.glance(story_id) is None
        except JobsError:
            return False

    def _unnoted(self, work: Work, ending: Ending) -> JobsError | None:
        """Write down how the work ended; gives why it could not be. Until then the story stands as being worked on."""
        body = None
        if work.goal in FILM_GOALS and ending.state != "cancelled":
            status = "success" if ending.state == "done" else "fail"
            body = lambda record: self._webhook_body(record, status)  # noqa: E731
        try:
            self._records.end(
                work, ending.state, message=ending.message, word=ending.word, film=ending.film, webhook_body=body
            )
        except JobsError as error:
            return error
        return None

    def _changed(self, story_id: str, percent: int) -> None:
        self._percent[story_id] = percent
        self._hub.ring(story_id)


def _why(error: Exception) -> tuple[str, str]:
    """What went wrong, in words for the client, and the word for machines."""
    match error:
        case RunFailed():
            full = any(failure.type == DISK_FULL for failure in error.failures.values())
            return str(error), "content_rejected" if error.rejected else "disk_full" if full else "backend_failed"
        case Missing():
            return str(error), "model_unavailable"
        case StoreFull():
            return str(error), "disk_full"
        case StoryError() | PlanningError() | PlanError() | StoreError():
            return str(error), "backend_failed"
        case JobsError():
            return "the history of this machine could not be written or read; its log says why", "backend_failed"
    return "the engine made a mistake; its log says which", "internal_error"


def webhook_body(customer_id: str) -> Callable[[Record, str], str]:
    """The body of a webhook."""
    return lambda record, status: json.dumps({"customer_id": customer_id, "batch_id": record.id, "status": status})

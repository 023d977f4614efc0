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
from engine.planning.plan import InvalidPlan, PlanningError
from engine.schemas.story_requests import to_api_field
from engine.server.jobs.handler import JobHandler
from engine.server.jobs.notifications import Notifier
from engine.server.jobs.queue import FinalState, Job
from engine.server.jobs.stories import Record, Records
from engine.storage.artifact_store import StoreError, StoreFull
from engine.storage.database import DatabaseError
from engine.story.model import StoryError
from pipelines.base import MissingDependency

FILM_TARGETS = frozenset({"film", "concat"})
GAVE_UP_MESSAGE = (
    "the engine itself was ended again and again while it made this, and came no further; its log may say why"
)
RETRY_SECONDS = 1.0
"""Seconds before what the history could not take is tried again."""
log = logging.getLogger("engine.server")


@dataclass(frozen=True, slots=True)
class JobOutcome:
    """How a piece of work ended: for clients `message`, for machines `word`; `film` is a digest."""

    state: FinalState
    message: str = ""
    code: str = ""
    film: str | None = None


class JobScheduler:
    """Starts with `start`; `stop` ends the running work, which waits again at the next start. `threads`: so many stories are made at
    the same time."""

    def __init__(
        self,
        handler: JobHandler,
        records: Records,
        notifier: Notifier,
        webhook_body: Callable[[Record, str], str],
        threads: int = 1,
    ) -> None:
        self._handler, self._records, self._notifier, self._webhook_body = handler, records, notifier, webhook_body
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._running: dict[str, threading.Event] = {}
        self._lock = threading.Lock()
        self._percent: dict[str, int] = {}
        self._threads = [
            threading.Thread(target=self._run, name=f"scheduler-{number}", daemon=True) for number in range(threads)
        ]
        self.on_job_finished: Callable[[], None] = lambda: None
        self.on_superseded: Callable[[], None] = lambda: None

    def start(self) -> None:
        """Go on with what a stopped server left, then take what comes."""
        for job in self._records.queue.requeue_interrupted():
            self._save_outcome(
                job, JobOutcome("failed", GAVE_UP_MESSAGE, "backend_failed")
            )  # else after the next death
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End at once; what is finished is kept."""
        self._stopping.set()
        self._wake.set()
        with self._lock:
            for stop in self._running.values():
                stop.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()

    def is_alive(self) -> bool:
        """Whether work is taken."""
        return all(thread.is_alive() for thread in self._threads)

    def wake(self) -> None:
        """There is something to do."""
        self._wake.set()

    def cancel(self, story_id: str) -> None:
        """Stop the work on a story, if it runs."""
        with self._lock:
            if story_id in self._running:
                self._running[story_id].set()

    def progress_percent(self, story_id: str, stored: int) -> int:
        """How far the work on a story has come, as finely as is known."""
        return max(stored, self._percent.get(story_id, 0))

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                job = self._records.queue.claim()
                if job is not None:
                    self._wake.set()  # there may be more, for another thread
                    self._run_job(job)
            except Exception:  # whatever it was, the queue must not stand still
                log.exception("the scheduler could not go on; it tries again")
                self._stopping.wait(RETRY_SECONDS)
                continue
            if job is None:
                self._wake.wait(5.0)

    def _run_job(self, job: Job) -> None:
        stop = threading.Event()
        with self._lock:
            self._running[job.story_id] = stop
            if self._stopping.is_set():
                stop.set()
        self._percent[job.story_id] = job.progress
        started, logged = time.monotonic(), False
        try:
            outcome = self._handle_job(job, stop)
        finally:
            with self._lock:
                del self._running[job.story_id]
            self._percent.pop(job.story_id, None)
        if outcome.state == "cancelled" and self._stopping.is_set():
            with contextlib.suppress(DatabaseError):  # else it counts as work during which the server died
                self._records.queue.requeue(job)
            return
        while (error := self._save_outcome(job, outcome)) is not None:
            if not logged:
                log.error("the end of work cannot be noted yet; it is tried again", exc_info=error)
                logged = True
            if self._stopping.wait(RETRY_SECONDS):
                return
        self._notifier.notify(job.story_id)
        self.on_job_finished()
        seconds = round(time.monotonic() - started, 3)
        fields = {"story": job.story_id, "goal": job.target, "state": outcome.state, "message": outcome.message}
        log.info("work ended", extra={"fields": {**fields, "seconds": seconds}})

    def _handle_job(self, job: Job, stop: threading.Event) -> JobOutcome:
        """Do it, whatever comes of it."""
        record: Record | None = None
        try:
            record = self._records.get(job.story_id)
            output = self._handler.handle(
                job, record, stop, lambda percent: self._report_progress(job.story_id, percent)
            )
        except RunCancelled:
            return JobOutcome("cancelled")
        except Exception as error:
            if isinstance(error, KeyError) and self._is_deleted(job.story_id):
                return JobOutcome("cancelled")
            message, code = _describe_error(error)
            if code == "internal_error" or isinstance(error, DatabaseError):
                log.exception("work failed", extra={"fields": {"story": job.story_id, "goal": job.target}})
            if record is not None and record.api == "story":
                message = to_api_field(message, record.story)
            return JobOutcome("failed", message, code)
        if output.superseded:
            self.on_superseded()
        return JobOutcome("done", film=output.film)

    def _is_deleted(self, story_id: str) -> bool:
        try:
            return self._records.status_snapshot(story_id) is None
        except DatabaseError:
            return False

    def _save_outcome(self, job: Job, outcome: JobOutcome) -> DatabaseError | None:
        """Write down how the work ended; gives why it could not be. Until then the story stands as being worked on."""
        body = None
        if job.target in FILM_TARGETS and outcome.state != "cancelled":
            status = "success" if outcome.state == "done" else "fail"
            body = lambda record: self._webhook_body(record, status)  # noqa: E731
        try:
            self._records.finish_job(
                job, outcome.state, message=outcome.message, code=outcome.code, film=outcome.film, webhook_body=body
            )
        except DatabaseError as error:
            return error
        return None

    def _report_progress(self, story_id: str, percent: int) -> None:
        self._percent[story_id] = percent
        self._notifier.notify(story_id)


def _describe_error(error: Exception) -> tuple[str, str]:
    """What went wrong, in words for the client, and the word for machines."""
    match error:
        case RunFailed():
            disk_full = any(failure.code == DISK_FULL for failure in error.failures.values())
            return str(error), "content_rejected" if error.rejection else "disk_full" if disk_full else "backend_failed"
        case MissingDependency():
            return str(error), "model_unavailable"
        case StoreFull():
            return str(error), "disk_full"
        case StoryError() | PlanningError() | InvalidPlan() | StoreError():
            return str(error), "backend_failed"
        case DatabaseError():
            return "the history of this machine could not be written or read; its log says why", "backend_failed"
    return "the engine made a mistake; its log says which", "internal_error"


def make_webhook_body(customer_id: str) -> Callable[[Record, str], str]:
    """The body of a webhook."""
    return lambda record, status: json.dumps({"customer_id": customer_id, "batch_id": record.id, "status": status})

"""The scheduler: threads that claim jobs by priority, run them, and store their outcomes."""

from __future__ import annotations

import contextlib
import json
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from engine.execution.errors import RenameField, RunCancelled, RunFailed
from engine.execution.protocol import FailureCode
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
GAVE_UP_MESSAGE = "the server was killed repeatedly while working on this story; giving up (see the server log)"
RETRY_SECONDS = 1.0
"""Seconds between two attempts to write to an unavailable database."""
log = logging.getLogger("engine.server")


@dataclass(frozen=True, slots=True)
class JobOutcome:
    """How a job ended. `code`: an error code for programs; `film`: digest of the film."""

    state: FinalState
    message: str = ""
    code: str = ""
    film: str | None = None


class JobScheduler:
    """Runs up to `threads` jobs at the same time. `stop` interrupts them; they resume after the next `start`.

    `on_job_finished` runs after the outcome of a job is stored, `on_superseded` when a story no longer references some
    artifacts."""

    def __init__(
        self,
        handler: JobHandler,
        records: Records,
        notifier: Notifier,
        webhook_body: Callable[[Record, str], str],
        *,
        threads: int = 1,
        on_job_finished: Callable[[], None] = lambda: None,
        on_superseded: Callable[[], None] = lambda: None,
    ) -> None:
        self._handler, self._records, self._notifier, self._webhook_body = handler, records, notifier, webhook_body
        self._on_job_finished, self._on_superseded = on_job_finished, on_superseded
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._running: dict[str, threading.Event] = {}
        self._lock = threading.Lock()
        self._percent: dict[str, int] = {}
        self._threads = [
            threading.Thread(target=self._run, name=f"scheduler-{number}", daemon=True) for number in range(threads)
        ]

    def start(self) -> None:
        """Requeue the jobs that a stopped server left running, then start the threads."""
        for job in self._records.queue.requeue_interrupted():
            # If the database is unavailable, the next start fails the job.
            self._save_outcome(job, JobOutcome("failed", GAVE_UP_MESSAGE, "backend_failed"))
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Interrupt the running jobs and end the threads; finished steps stay in the store."""
        self._stopping.set()
        self._wake.set()
        with self._lock:
            for stop in self._running.values():
                stop.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()

    def is_alive(self) -> bool:
        """Return whether all threads are alive."""
        return all(thread.is_alive() for thread in self._threads)

    def wake(self) -> None:
        """Wake a thread: the queue has a new job."""
        self._wake.set()

    def cancel(self, story_id: str) -> None:
        """Cancel the running job of a story."""
        with self._lock:
            if story_id in self._running:
                self._running[story_id].set()

    def progress_percent(self, story_id: str, stored: int) -> int:
        """Return the progress of a story in percent: the current one, at least the `stored` one."""
        return max(stored, self._percent.get(story_id, 0))

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                job = self._records.queue.claim()
                if job is not None:
                    self._wake.set()  # another thread may find a further job
                    self._run_job(job)
            except Exception:  # no error may stop the queue
                log.exception("scheduler error; retrying")
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
            with contextlib.suppress(DatabaseError):  # a job that stays "running" counts a crash at the next start
                self._records.queue.requeue(job)
            return
        while (error := self._save_outcome(job, outcome)) is not None:
            if not logged:
                log.error("cannot store the job result; retrying", exc_info=error)
                logged = True
            if self._stopping.wait(RETRY_SECONDS):
                return
        self._notifier.notify(job.story_id)
        self._on_job_finished()
        seconds = round(time.monotonic() - started, 3)
        fields = {"story_id": job.story_id, "target": job.target, "state": outcome.state, "error": outcome.message}
        log.info("job finished", extra={"fields": {**fields, "seconds": seconds}})

    def _handle_job(self, job: Job, stop: threading.Event) -> JobOutcome:
        """Run a job; every exception becomes an outcome."""
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
            message, code = _describe_error(error, _field_renamer(record))
            if code == "internal_error" or isinstance(error, DatabaseError):
                log.exception("job failed", extra={"fields": {"story_id": job.story_id, "target": job.target}})
            return JobOutcome("failed", message, code)
        if output.superseded:
            self._on_superseded()
        return JobOutcome("done", film=output.film)

    def _is_deleted(self, story_id: str) -> bool:
        try:
            return self._records.status_snapshot(story_id) is None
        except DatabaseError:
            return False

    def _save_outcome(self, job: Job, outcome: JobOutcome) -> DatabaseError | None:
        """Store the outcome of a job. Return the error if the database is unavailable."""
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


def _field_renamer(record: Record | None) -> RenameField:
    """Return the function that maps fields of a story to fields of the API that the client uses."""
    if record is None or record.api != "story":
        return lambda field: field
    return lambda field: to_api_field(field, record.story)


def _describe_error(error: Exception, rename: RenameField) -> tuple[str, str]:
    """Return the message for the client, with fields renamed, and the error code."""
    match error:
        case RunFailed():
            disk_full = any(failure.code == FailureCode.DISK_FULL for failure in error.failures.values())
            message = error.describe(rename)
            return message, "content_rejected" if error.rejection else "disk_full" if disk_full else "backend_failed"
        case MissingDependency():
            return str(error), "model_unavailable"
        case StoreFull():
            return str(error), "disk_full"
        case StoryError(field=field, message=message) if field:
            return f"{rename(field)}: {message}", "backend_failed"
        case StoryError() | PlanningError() | InvalidPlan() | StoreError():
            return str(error), "backend_failed"
        case DatabaseError():
            return "the database is unavailable; see the server log", "backend_failed"
    return "internal server error; see the server log", "internal_error"


def make_webhook_body(customer_id: str) -> Callable[[Record, str], str]:
    """Return a function that renders the JSON body of a webhook from a record and a status."""
    return lambda record, status: json.dumps({"customer_id": customer_id, "batch_id": record.id, "status": status})

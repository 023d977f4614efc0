"""The threads that work: each takes what is most urgent, makes it, notes how it ended."""

from __future__ import annotations

import contextlib
import json
import logging
import math
import threading
import time
from collections.abc import Callable

from engine.artifacts import StoreError, StoreFull
from engine.plan import PlanError
from engine.planner import PlanningError
from engine.schemas.story_api import spoken
from engine.server.events import Hub
from engine.server.records import Record, Records, State, Work
from engine.server.work import Worker
from engine.service import RunCancelled, RunFailed
from engine.story import StoryError
from pipelines.base import Missing

FILM_GOALS = frozenset({"film", "concat"})
HOUSEKEEPING = 60.0
"""Seconds between two looks at what has expired and what may be collected."""
COLLECT_SUPERSEDED = 3600.0
"""Seconds at least between two collections of what earlier versions of stories left behind."""
log = logging.getLogger("engine.server")


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
        self._using, self._tidying = threading.Lock(), threading.Lock()
        self._tidied = -HOUSEKEEPING
        self._percent: dict[str, int] = {}
        self._forgot_at, self._collected_at, self._superseded = time.monotonic() - HOUSEKEEPING, -math.inf, False
        self._threads = [
            threading.Thread(target=self._run, name=f"scheduler-{number}", daemon=True) for number in range(threads)
        ]
        self.on_sent: Callable[[], None] = lambda: None

    def start(self) -> None:
        """Go on with what a stopped server left, then take what comes."""
        left = self._records.requeue()
        if left:
            log.info("work goes on", extra={"fields": {"requeued": left}})
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

    def forgot(self) -> None:
        """A story was deleted: what only it used is collected once nothing can still be about to use it."""
        self._forgot_at = time.monotonic()

    def percent(self, story_id: str, stored: int) -> int:
        """How far the work on a story has come, as finely as is known."""
        return max(stored, self._percent.get(story_id, 0))

    def _run(self) -> None:
        while not self._ending.is_set():
            self._wake.clear()
            try:
                self._tidy()
                work = self._records.take()
                if work is not None:
                    self._wake.set()  # there may be more, for another thread
                    self._work(work)
            except Exception:  # whatever it was, the queue must not stand still
                log.exception("the scheduler could not go on; it tries again")
                self._ending.wait(1.0)
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
        begun = time.monotonic()
        state: State = "failed"
        message = word = ""
        film: str | None = None
        record: Record | None = None
        try:
            record = self._records.get(work.story)
            outcome = self._worker.do(work, record, stop, lambda percent: self._changed(work.story, percent))
            film, state = outcome.film, "done"
            self._superseded |= outcome.superseded
        except RunCancelled:
            state = "cancelled"
        except KeyError:  # deleted meanwhile
            state = "cancelled"
        except RunFailed as error:
            message, word = str(error), "content_rejected" if error.rejected else "backend_failed"
        except Missing as error:
            message, word = str(error), "model_unavailable"
        except (StoryError, PlanningError, PlanError, StoreError) as error:
            message, word = str(error), "disk_full" if isinstance(error, StoreFull) else "backend_failed"
        except Exception:
            log.exception("work failed", extra={"fields": {"story": work.story, "goal": work.goal}})
            message, word = "the engine made a mistake; its log says which", "internal_error"
        finally:
            with self._using:
                del self._running[work.story]
            self._percent.pop(work.story, None)
        if state == "cancelled" and self._ending.is_set():
            return  # it stays `running` in the table, and waits again at the next start
        if record is not None and record.api == "story":
            message = spoken(message, record.told)
        self._end(work, state, message, word, film)
        log.info(
            "work ended",
            extra={
                "fields": {
                    "story": work.story,
                    "goal": work.goal,
                    "state": state,
                    "message": message,
                    "seconds": round(time.monotonic() - begun, 3),
                }
            },
        )

    def _end(self, work: Work, state: State, message: str, word: str, film: str | None) -> None:
        body = None
        if work.goal in FILM_GOALS and state in ("done", "failed"):
            status = "success" if state == "done" else "fail"
            body = lambda record: self._webhook_body(record, status)  # noqa: E731
        self._records.end(work, state, message=message, word=word, film=film, webhook_body=body)
        with contextlib.suppress(KeyError):
            outcome = "cancelled" if state == "cancelled" else "done" if state == "done" else "failed"
            self._records.jobs.finish_run(work.story, outcome, film=film, error=message)  # type: ignore[arg-type]
        self._hub.ring(work.story)
        self.on_sent()

    def _changed(self, story_id: str, percent: int) -> None:
        self._percent[story_id] = percent
        self._hub.ring(story_id)

    def _tidy(self) -> None:
        if not self._tidying.acquire(blocking=False):
            return  # another thread does it
        try:
            if time.monotonic() - self._tidied > HOUSEKEEPING:
                self._tidied = time.monotonic()
                self._keep_house()
        finally:
            self._tidying.release()

    def _keep_house(self) -> None:
        for story_id in self._records.expired():
            self._records.delete(story_id)
            self.forgot()
        self._records.tidy(24 * 3600.0)
        now = time.monotonic()
        # What was forgotten shortly before it was collected may still have been in use then.
        forgotten = self._forgot_at > self._collected_at - HOUSEKEEPING
        if forgotten or (self._superseded and now > self._collected_at + COLLECT_SUPERSEDED):
            self._collected_at, self._superseded = now, False
            files, size = self._worker.service.collect(grace=HOUSEKEEPING)
            log.info("collected", extra={"fields": {"files": files, "bytes": size}})


def webhook_body(customer_id: str) -> Callable[[Record, str], str]:
    """The body of a webhook."""
    return lambda record, status: json.dumps({"customer_id": customer_id, "batch_id": record.id, "status": status})

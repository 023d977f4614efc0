"""Waits for the job of a story, within the timeout of the client."""

from __future__ import annotations

import time

from starlette.concurrency import run_in_threadpool

from engine.server.jobs.notifications import wait_until
from engine.server.jobs.stories import Record
from engine.server.routes.access import busy_error, not_found_error
from engine.server.routes.state import AppState


class Deadline:
    """Measures one timeout over several waits."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    def remaining(self, seconds: float) -> float:
        """Return the rest of `seconds` since the creation of this object, at least 0."""
        return max(0.0, self._started + seconds - time.monotonic())


async def wait_finished(state: AppState, story_id: str, seconds: float) -> bool:
    """Wait for the job of a story. Return whether it ended within `seconds`."""
    return await wait_until(state.notifier, story_id, lambda: not state.records.queue.is_active(story_id), seconds)


async def wait_until_idle(state: AppState, record: Record) -> Record:
    """Wait until the story has no active job and return it. Raises ApiError 400 after the timeout, 404 if deleted."""
    if record.is_active and not await wait_finished(state, record.id, state.settings.sync_wait_seconds[0]):
        raise busy_error("story")
    current = await run_in_threadpool(state.records.find, record.owner, "story", record.id)
    if current is None:
        raise not_found_error("story")
    return current

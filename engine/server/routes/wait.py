"""Waiting for the work on a story, as long as a client does."""

from __future__ import annotations

import time

from starlette.concurrency import run_in_threadpool

from engine.server.jobs.notifications import wait_until
from engine.server.jobs.stories import Record
from engine.server.routes.access import busy_error, not_found_error
from engine.server.routes.state import AppState


class Deadline:
    """A client waits for one answer, whatever that answer waits for."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    def remaining(self, seconds: float) -> float:
        """Of so many seconds, those that are not over."""
        return max(0.0, self._started + seconds - time.monotonic())


async def wait_finished(state: AppState, story_id: str, seconds: float) -> bool:
    """Whether the work on a story ended within the time."""
    return await wait_until(state.notifier, story_id, lambda: not state.records.queue.is_active(story_id), seconds)


async def wait_until_idle(state: AppState, record: Record) -> Record:
    """The story once nothing is being done to it. Raises ApiError 400 while something is."""
    if record.is_active and not await wait_finished(state, record.id, state.settings.sync_wait_seconds[0]):
        raise busy_error("story")
    current = await run_in_threadpool(state.records.find, record.owner, "story", record.id)
    if current is None:
        raise not_found_error("story")
    return current

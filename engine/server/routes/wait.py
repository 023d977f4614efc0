"""Waiting for the work on a story, as long as a client does."""

from __future__ import annotations

import time

from starlette.concurrency import run_in_threadpool

from engine.server.jobs.notifications import wait_until
from engine.server.jobs.stories import Record
from engine.server.routes.access import busy, not_there
from engine.server.routes.state import Desk


class Patience:
    """A client waits for one answer, whatever that answer waits for."""

    def __init__(self) -> None:
        self._begun = time.monotonic()

    def left(self, seconds: float) -> float:
        """Of so many seconds, those that are not over."""
        return max(0.0, self._begun + seconds - time.monotonic())


async def waited(desk: Desk, story_id: str, seconds: float) -> bool:
    """Whether the work on a story ended within the time."""
    return await wait_until(desk.hub, story_id, lambda: not desk.records.queue.is_active(story_id), seconds)


async def free(desk: Desk, record: Record) -> Record:
    """The story once nothing is being done to it. Raises ApiError 400 while something is."""
    if record.active and not await waited(desk, record.id, desk.settings.sync_wait_seconds[0]):
        raise busy("story")
    found = await run_in_threadpool(desk.records.find, record.owner, "story", record.id)
    if found is None:
        raise not_there("story")
    return found

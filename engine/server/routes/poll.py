"""Answers to those who follow a story: polls, where what has not changed since somebody asked is not shown anew, and events."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response, StreamingResponse

from engine.server.jobs.notifications import Hub, stream
from engine.server.jobs.stories import Api, Record
from engine.server.routes.access import Owned, not_there
from engine.server.routes.presenters import Showing

RENDERED, LONGEST_RENDERED = 1000, 200_000
"""Answers to polls that are kept, and the bytes that one of them may have: a client's own keys can make them long."""


@dataclass
class Polls:
    """Keeps the last answers. To be used in one event loop."""

    owned: Owned
    showing: Showing
    hub: Hub
    _rendered: OrderedDict[tuple[Any, ...], bytes] = field(default_factory=OrderedDict)

    async def answer(
        self, base: str, owner: str, api: Api, story_id: str, render: Callable[[Record, str], Any]
    ) -> Response:
        """The owner's story as `render` shows it to who reaches this server under `base`. Raises ApiError as `Owned.find` does."""
        records, showing = self.owned.records, self.showing
        seen = records.glance(story_id)
        if seen is None or (seen.owner, seen.api) != (owner, api):
            await run_in_threadpool(self.owned.find, owner, api, story_id)
            raise not_there(api)
        percent = showing.scheduler.percent(story_id, seen.progress)
        news = showing.shelf.news(story_id)
        key = (story_id, seen.revision, seen.state, percent, news, base, showing.media.until())
        body = self._rendered.get(key)
        if body is None or (seen.expires is not None and seen.expires <= records.clock()):
            record = await run_in_threadpool(self.owned.find, owner, api, story_id)
            body = bytes((await run_in_threadpool(lambda: JSONResponse(render(record, base)))).body)
            if len(body) <= LONGEST_RENDERED:
                self._rendered[key] = body
            while len(self._rendered) > RENDERED:
                self._rendered.popitem(last=False)
        headers = {"Retry-After": "2"} if seen.state in ("queued", "running") else None
        return Response(body, 200, headers, "application/json")

    async def events(
        self,
        base: str,
        owner: str,
        api: Api,
        story_id: str,
        render: Callable[[Record, str], dict[str, Any]],
        over: Callable[[dict[str, Any]], bool],
    ) -> Response:
        """Server-sent events of the owner's story as `render` shows it, until it is `over` or gone. Raises ApiError as `answer`."""
        await run_in_threadpool(self.owned.find, owner, api, story_id)

        def look() -> dict[str, Any] | None:
            record = self.owned.records.find(owner, api, story_id)
            return render(record, base) if record else None

        feed = stream(self.hub, story_id, look, over)
        return StreamingResponse(feed, media_type="text/event-stream", headers={"Cache-Control": "no-store"})

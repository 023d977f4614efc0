"""Cached responses to polls, and event streams."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response, StreamingResponse

from engine.server.jobs.notifications import Notifier, event_stream
from engine.server.jobs.stories import Api, Record
from engine.server.routes.access import StoryAccess, not_found_error
from engine.server.routes.presenters import Presenter

MAX_CACHED_RESPONSES, MAX_CACHED_RESPONSE_BYTES = 1000, 200_000
"""Limits of the cache. Larger responses are not cached: a client's own keys can make them long."""


class EventStreamResponse(StreamingResponse):
    """A stream of server-sent events."""

    media_type = "text/event-stream"


@dataclass
class PollCache:
    """Caches rendered stories until they change. Not thread-safe; for use in one event loop."""

    access: StoryAccess
    presenter: Presenter
    notifier: Notifier
    _responses: OrderedDict[tuple[Any, ...], bytes] = field(default_factory=OrderedDict)

    async def respond(
        self, base_url: str, owner: str, api: Api, story_id: str, render: Callable[[Record, str], Any]
    ) -> Response:
        """Return the owner's story as rendered by `render(record, base_url)`. Raises ApiError as `get_or_404` does."""
        records, presenter = self.access.records, self.presenter
        snapshot = records.status_snapshot(story_id)
        if snapshot is None or (snapshot.owner, snapshot.api) != (owner, api):
            await run_in_threadpool(self.access.get_or_404, owner, api, story_id)
            raise not_found_error(api)
        percent = presenter.scheduler.progress_percent(story_id, snapshot.progress)
        output_count = presenter.output_index.output_count(story_id)
        key = (
            story_id,
            snapshot.revision,
            snapshot.state,
            percent,
            output_count,
            base_url,
            presenter.signed_urls.next_expiry(),
        )
        body = self._responses.get(key)
        if body is None or (snapshot.expires is not None and snapshot.expires <= records.clock()):
            record = await run_in_threadpool(self.access.get_or_404, owner, api, story_id)
            body = bytes((await run_in_threadpool(lambda: JSONResponse(render(record, base_url)))).body)
            if len(body) <= MAX_CACHED_RESPONSE_BYTES:
                self._responses[key] = body
            while len(self._responses) > MAX_CACHED_RESPONSES:
                self._responses.popitem(last=False)
        headers = {"Retry-After": "2"} if snapshot.state in ("queued", "running") else None
        return Response(body, 200, headers, "application/json")

    async def stream_events(
        self,
        base_url: str,
        owner: str,
        api: Api,
        story_id: str,
        render: Callable[[Record, str], dict[str, Any]],
        is_final: Callable[[dict[str, Any]], bool],
    ) -> Response:
        """Stream the owner's story as rendered by `render` until `is_final` holds. Raises ApiError as `get_or_404`."""
        await run_in_threadpool(self.access.get_or_404, owner, api, story_id)

        def get_state() -> dict[str, Any] | None:
            record = self.access.records.find(owner, api, story_id)
            return render(record, base_url) if record else None

        feed = event_stream(self.notifier, story_id, get_state, is_final)
        return EventStreamResponse(feed, headers={"Cache-Control": "no-store"})

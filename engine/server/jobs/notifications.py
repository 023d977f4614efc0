"""Notifications of changed stories, for requests that wait and for server-sent events."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

KEEP_ALIVE_SECONDS = 15.0
"""Seconds between two comments on an idle event stream: proxies close idle connections."""


class Notifier:
    """Sets asyncio events per story. `notify` works from any thread; subscribers wait in the event loop."""

    def __init__(self) -> None:
        self._events: dict[str, set[asyncio.Event]] = {}
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.closing = False

    def attach_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Set the event loop of the subscribers."""
        self._loop = loop

    def notify(self, story_id: str) -> None:
        """Wake the subscribers of a story."""
        with self._lock:
            events = list(self._events.get(story_id, ()))
        if self._loop is not None and events:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(_set_all, events)

    def close(self) -> None:
        """Wake all subscribers and end their waits."""
        self.closing = True
        with self._lock:
            story_ids = list(self._events)
        for story_id in story_ids:
            self.notify(story_id)

    @contextlib.contextmanager
    def subscribe(self, story_id: str) -> Iterator[asyncio.Event]:
        """Return an event that is set whenever the story changes."""
        event = asyncio.Event()
        with self._lock:
            self._events.setdefault(story_id, set()).add(event)
        try:
            yield event
        finally:
            with self._lock:
                self._events[story_id].discard(event)
                if not self._events[story_id]:
                    del self._events[story_id]


async def wait_until(notifier: Notifier, story_id: str, condition: Callable[[], bool], seconds: float) -> bool:
    """Wait until `condition` holds. Return False after `seconds`, or when the notifier closes."""
    deadline = asyncio.get_running_loop().time() + seconds
    with notifier.subscribe(story_id) as event:
        while not await asyncio.to_thread(condition):
            remaining = deadline - asyncio.get_running_loop().time()
            if remaining <= 0 or notifier.closing:
                return False
            event.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(event.wait(), min(remaining, 5.0))
    return True


async def event_stream(
    notifier: Notifier,
    story_id: str,
    get_state: Callable[[], dict[str, Any] | None],
    is_final: Callable[[dict[str, Any]], bool],
) -> AsyncIterator[bytes]:
    """Yield server-sent events: `progress` with the current state and each changed one, then `end` after a final state
    or `deleted` when `get_state` returns None."""
    last_text: str | None = None
    with notifier.subscribe(story_id) as event:
        while not notifier.closing:
            event.clear()
            state = await asyncio.to_thread(get_state)
            if state is None:
                yield b"event: deleted\ndata: {}\n\n"
                return
            text = json.dumps(state, ensure_ascii=False)
            if text != last_text:
                yield f"event: progress\ndata: {text}\n\n".encode()
                last_text = text
            if is_final(state):
                yield b"event: end\ndata: {}\n\n"
                return
            try:
                await asyncio.wait_for(event.wait(), KEEP_ALIVE_SECONDS)
            except TimeoutError:
                yield b": keep-alive\n\n"


def _set_all(events: list[asyncio.Event]) -> None:
    for event in events:
        event.set()

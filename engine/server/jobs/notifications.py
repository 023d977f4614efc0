"""Who waits for a story to come on: calls that wait for their step, and server-sent events."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

KEEP_ALIVE = 15.0
"""Seconds after which a comment is sent, so that nothing in between closes a quiet connection."""


class Hub:
    """Rings bells from any thread; they are heard in the event loop."""

    def __init__(self) -> None:
        self._bells: dict[str, set[asyncio.Event]] = {}
        self._using = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.closing = False

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """The loop in which bells are heard."""
        self._loop = loop

    def ring(self, story_id: str) -> None:
        """Something about the story has changed."""
        with self._using:
            bells = list(self._bells.get(story_id, ()))
        if self._loop is not None and bells:
            with contextlib.suppress(RuntimeError):  # the loop has just been closed
                self._loop.call_soon_threadsafe(_ring, bells)

    def close(self) -> None:
        """Nobody waits any longer."""
        self.closing = True
        with self._using:
            names = list(self._bells)
        for name in names:
            self.ring(name)

    @contextlib.contextmanager
    def listening(self, story_id: str) -> Iterator[asyncio.Event]:
        """A bell that rings when the story changes."""
        bell = asyncio.Event()
        with self._using:
            self._bells.setdefault(story_id, set()).add(bell)
        try:
            yield bell
        finally:
            with self._using:
                self._bells[story_id].discard(bell)
                if not self._bells[story_id]:
                    del self._bells[story_id]


async def wait_until(hub: Hub, story_id: str, done: Callable[[], bool], seconds: float) -> bool:
    """Whether `done` became true within the time."""
    deadline = asyncio.get_running_loop().time() + seconds
    with hub.listening(story_id) as bell:
        while not await asyncio.to_thread(done):
            rest = deadline - asyncio.get_running_loop().time()
            if rest <= 0 or hub.closing:
                return False
            bell.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(bell.wait(), min(rest, 5.0))
    return True


async def stream(
    hub: Hub, story_id: str, look: Callable[[], dict[str, Any] | None], over: Callable[[dict[str, Any]], bool]
) -> AsyncIterator[bytes]:
    """Server-sent events: the state of a story now, and whenever it has changed, until it is over or gone."""
    last: str | None = None
    with hub.listening(story_id) as bell:
        while not hub.closing:
            bell.clear()
            state = await asyncio.to_thread(look)
            if state is None:
                yield b"event: deleted\ndata: {}\n\n"
                return
            text = json.dumps(state, ensure_ascii=False)
            if text != last:
                yield f"event: progress\ndata: {text}\n\n".encode()
                last = text
            if over(state):
                yield b"event: end\ndata: {}\n\n"
                return
            try:
                await asyncio.wait_for(bell.wait(), KEEP_ALIVE)
            except TimeoutError:
                yield b": still here\n\n"


def _ring(bells: list[asyncio.Event]) -> None:
    for bell in bells:
        bell.set()

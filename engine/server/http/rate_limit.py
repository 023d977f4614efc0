"""Rate limit of creating requests."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class RateLimiter:
    """A token bucket per owner: `per_minute` requests, in bursts of up to as many. 0: no limit."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute, self._clock = per_minute, clock
        self._buckets: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def acquire(self, owner: str) -> float:
        """Take a token. Return 0 if there was one, else the seconds until the next one."""
        if not self._per_minute:
            return 0.0
        with self._lock:
            now = self._clock()
            tokens, updated = self._buckets.get(owner, (float(self._per_minute), now))
            tokens = min(self._per_minute, tokens + (now - updated) * self._per_minute / 60)
            if tokens < 1:
                self._buckets[owner] = tokens, now
                return (1 - tokens) * 60 / self._per_minute
            self._buckets[owner] = tokens - 1, now
            return 0.0

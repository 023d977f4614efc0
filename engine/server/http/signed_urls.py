"""Addresses of media that open without a key: signed, bound to a story and the digest of the bytes, good for a while."""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from itsdangerous import BadSignature, URLSafeSerializer

from engine.storage.database import Jobs

SCHEMA = "CREATE TABLE IF NOT EXISTS secrets (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT"
TYPES = {"png": "image/png", "wav": "audio/wav", "mp4": "video/mp4", "srt": "text/plain"}
_PATH = re.compile(r"^/media/([A-Za-z0-9_.~-]+)/[A-Za-z0-9._-]+$")


@dataclass(frozen=True, slots=True)
class Medium:
    """What an address leads to. `number` tells apart films that have the same bytes; `until` in seconds since 1970."""

    story: str
    digest: str
    until: int
    number: int = 0


class Media:
    """Makes and reads addresses. An address that is asked for again within half its time is the same, so that it caches."""

    def __init__(self, secret: str, seconds: int, clock: Callable[[], float] = time.time) -> None:
        self._signer = URLSafeSerializer(secret, salt="media", signer_kwargs={"digest_method": hashlib.sha256})
        self._seconds, self._clock = seconds, clock

    def until(self) -> int:
        """When addresses that are made now end; the same for all that are made within one span."""
        return (int(self._clock()) // self._seconds + 2) * self._seconds

    def path(self, story: str, digest: str, name: str, number: int = 0) -> str:
        """The path of a file of a story."""
        until = self.until()
        return f"/media/{self._signer.dumps([story, digest, until, number])}/{name}"

    def read(self, token: str) -> Medium | None:
        """What a token stands for, also when its time is over; None when it is not one of ours."""
        try:
            found: Any = self._signer.loads(token)
        except BadSignature:
            return None
        return Medium(*found) if isinstance(found, list) and len(found) == 4 else None

    def is_over(self, medium: Medium) -> bool:
        """Whether its time is over."""
        return medium.until < self._clock()

    def find(self, url: str) -> Medium | None:
        """What an address leads to if it is one of ours, whatever the host in it is called and also when it has expired."""
        try:
            match = _PATH.match(urlsplit(url).path)
        except ValueError:
            return None
        return self.read(match[1]) if match else None


def secret(jobs: Jobs, name: str, make: Callable[[], str] = lambda: secrets.token_urlsafe(32)) -> str:
    """A secret of this installation, made once and kept."""
    jobs.prepare(SCHEMA)
    with jobs.writing() as connection:
        connection.execute("INSERT OR IGNORE INTO secrets VALUES (?, ?)", (name, make()))
        value: str = connection.execute("SELECT value FROM secrets WHERE name = ?", (name,)).fetchone()["value"]
    return value

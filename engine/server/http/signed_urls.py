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

from engine.storage.database import Database

SCHEMA = "CREATE TABLE IF NOT EXISTS secrets (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT"
MEDIA_TYPES = {"png": "image/png", "wav": "audio/wav", "mp4": "video/mp4", "srt": "text/plain"}
_PATH = re.compile(r"^/media/([A-Za-z0-9_.~-]+)/[A-Za-z0-9._-]+$")


@dataclass(frozen=True, slots=True)
class MediaToken:
    """What an address leads to. `number` tells apart films that have the same bytes; `until` in seconds since 1970."""

    story_id: str
    digest: str
    expires: int
    version: int = 0


class SignedUrls:
    """Makes and reads addresses. An address that is asked for again within half its time is the same, so that it caches."""

    def __init__(self, secret: str, lifetime: int, clock: Callable[[], float] = time.time) -> None:
        self._signer = URLSafeSerializer(secret, salt="media", signer_kwargs={"digest_method": hashlib.sha256})
        self._lifetime, self._clock = lifetime, clock

    def next_expiry(self) -> int:
        """When addresses that are made now end; the same for all that are made within one span."""
        return (int(self._clock()) // self._lifetime + 2) * self._lifetime

    def sign(self, story_id: str, digest: str, name: str, version: int = 0) -> str:
        """The path of a file of a story."""
        expires = self.next_expiry()
        return f"/media/{self._signer.dumps([story_id, digest, expires, version])}/{name}"

    def parse_token(self, token: str) -> MediaToken | None:
        """What a token stands for, also when its time is over; None when it is not one of ours."""
        try:
            payload: Any = self._signer.loads(token)
        except BadSignature:
            return None
        return MediaToken(*payload) if isinstance(payload, list) and len(payload) == 4 else None

    def is_expired(self, media_token: MediaToken) -> bool:
        """Whether its time is over."""
        return media_token.expires < self._clock()

    def parse_url(self, url: str) -> MediaToken | None:
        """What an address leads to if it is one of ours, whatever the host in it is called and also when it has expired."""
        try:
            match = _PATH.match(urlsplit(url).path)
        except ValueError:
            return None
        return self.parse_token(match[1]) if match else None


def get_or_create_secret(
    database: Database, name: str, generate: Callable[[], str] = lambda: secrets.token_urlsafe(32)
) -> str:
    """A secret of this installation, made once and kept."""
    database.create_tables(SCHEMA)
    with database.transaction() as connection:
        connection.execute("INSERT OR IGNORE INTO secrets VALUES (?, ?)", (name, generate()))
        value: str = connection.execute("SELECT value FROM secrets WHERE name = ?", (name,)).fetchone()["value"]
    return value

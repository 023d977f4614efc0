"""Signed media URLs: they open without a key, name a story and a digest, and expire."""

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

MEDIA_TYPES = {"png": "image/png", "wav": "audio/wav", "mp4": "video/mp4", "srt": "text/plain"}
_PATH = re.compile(r"^/media/([A-Za-z0-9_.~-]+)/[A-Za-z0-9._-]+$")


@dataclass(frozen=True, slots=True)
class MediaToken:
    """The payload of a media URL. `expires`: seconds since 1970; `version` distinguishes films with the same bytes."""

    story_id: str
    digest: str
    expires: int
    version: int = 0


class SignedUrls:
    """Creates and parses media URLs. `lifetime`: minimum seconds of validity.

    All URLs of one file within one period of `lifetime` are equal, so that clients can cache them."""

    def __init__(self, secret: str, lifetime: int, clock: Callable[[], float] = time.time) -> None:
        self._signer = URLSafeSerializer(secret, salt="media", signer_kwargs={"digest_method": hashlib.sha256})
        self._lifetime, self._clock = lifetime, clock

    def next_expiry(self) -> int:
        """Return the expiry, in seconds since 1970, of URLs created now; equal for all URLs of one period."""
        return (int(self._clock()) // self._lifetime + 2) * self._lifetime

    def sign(self, story_id: str, digest: str, name: str, version: int = 0) -> str:
        """Return the URL path of a file of a story."""
        expires = self.next_expiry()
        return f"/media/{self._signer.dumps([story_id, digest, expires, version])}/{name}"

    def parse_token(self, token: str) -> MediaToken | None:
        """Return the payload of a token, also of an expired one; None for an invalid signature."""
        try:
            payload: Any = self._signer.loads(token)
        except BadSignature:
            return None
        return MediaToken(*payload) if isinstance(payload, list) and len(payload) == 4 else None

    def is_expired(self, media_token: MediaToken) -> bool:
        """Return whether a token has expired."""
        return media_token.expires < self._clock()

    def parse_url(self, url: str) -> MediaToken | None:
        """Return the payload of a media URL of this server, also of an expired one and for any host; else None."""
        try:
            match = _PATH.match(urlsplit(url).path)
        except ValueError:
            return None
        return self.parse_token(match[1]) if match else None


def get_or_create_secret(
    database: Database, name: str, generate: Callable[[], str] = lambda: secrets.token_urlsafe(32)
) -> str:
    """Return the secret `name` of this installation; create and store it on the first call."""
    with database.transaction() as connection:
        connection.execute("INSERT OR IGNORE INTO secrets (name, value) VALUES (?, ?)", (name, generate()))
        value: str = connection.execute("SELECT value FROM secrets WHERE name = ?", (name,)).fetchone()["value"]
    return value

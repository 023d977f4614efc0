"""Who may ask: keys from the environment or made here, and whose they are. Only SHA-256 digests are at rest; a key has
256 random bits, so nothing slower is needed."""

from __future__ import annotations

import hashlib
import ipaddress
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request

from engine.server.http.errors import ApiError
from engine.storage.database import Database

LOCAL_OWNER = "local"
"""The owner of everything on a server without keys."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS api_keys (digest TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, created REAL NOT NULL) STRICT
"""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key that was made here. `created` in seconds since 1970."""

    name: str
    created: float


class ApiKeys:
    """The keys of a server: `given` in the clear by its settings, and those in the file of the history. What once asked for a key
    never runs open: revoking the last one closes it."""

    def __init__(self, database: Database, configured: Sequence[str] = ()) -> None:
        self._database, self._required = database, False
        self._configured = {_digest(key): f"key-{_digest(key)[:16]}" for key in configured}
        database.create_tables(SCHEMA)
        self.is_required()

    def add(self, name: str) -> str:
        """A new key, shown this once. Raises ValueError when the name is taken."""
        if any(key.name == name for key in self.list_keys()):
            raise ValueError(f'there is a key "{name}" already; revoke it first, or choose another name')
        key = f"se_{secrets.token_urlsafe(32)}"
        with self._database.transaction() as connection:
            connection.execute("INSERT INTO api_keys VALUES (?, ?, ?)", (_digest(key), name, time.time()))
        return key

    def list_keys(self) -> Sequence[ApiKey]:
        """The keys made here, oldest first."""
        rows = self._database.query("SELECT name, created FROM api_keys ORDER BY created")
        return [ApiKey(row["name"], row["created"]) for row in rows]

    def revoke(self, name: str) -> bool:
        """Whether there was such a key; there is none now."""
        with self._database.transaction() as connection:
            return bool(connection.execute("DELETE FROM api_keys WHERE name = ?", (name,)).rowcount)

    def is_required(self) -> bool:
        """Whether a key is needed at all."""
        self._required = self._required or bool(
            self._configured or self._database.query("SELECT 1 FROM api_keys LIMIT 1")
        )
        return self._required

    def find_owner(self, key: str | None) -> str | None:
        """Whose key it is; None for no key and for a wrong one. Without any keys everything is one owner's."""
        if not self.is_required():
            return LOCAL_OWNER
        if not key:
            return None
        digest = _digest(key)
        rows = self._database.query("SELECT name FROM api_keys WHERE digest = ?", digest)
        return f"name-{rows[0]['name']}" if rows else self._configured.get(digest)


def authenticate(request: Request) -> str:
    """Whose request this is. Raises ApiError 401, and 403 for a page of another site that speaks to an open server."""
    keys: ApiKeys = request.app.state.app_state.api_keys
    owner = keys.find_owner(_key_from_headers(request))
    if owner is None:
        raise ApiError(
            401,
            "the API key is missing or wrong; send it in the header X-Api-Key",
            headers={"WWW-Authenticate": 'ApiKey realm="story-engine"'},
        )
    if owner == LOCAL_OWNER and not keys.is_required():
        _reject_cross_origin(request)
    return owner


def is_loopback(host: str) -> bool:
    """Whether a name or address can only mean this machine."""
    name = host.strip("[]").lower()
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


def _reject_cross_origin(request: Request) -> None:
    """Without keys whoever can send a request is trusted, so a browser must not send it for a page from elsewhere: not under
    a name that an attacker points at this machine, and not from another origin."""
    host = request.url.hostname or ""
    origin = request.headers.get("origin", "")
    origin_host = origin.partition("://")[2].rpartition(":")[0] or origin.partition("://")[2]
    if not is_loopback(host) or (origin and not is_loopback(origin_host)):
        raise ApiError(403, "a server without keys answers only requests of this machine")


def _key_from_headers(request: Request) -> str | None:
    key: str | None = request.headers.get("x-api-key")
    if key is None and request.url.path.startswith("/v1"):
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        key = value.strip() if scheme.lower() == "bearer" else None
    return key.strip() if key else None


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()

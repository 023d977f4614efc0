"""API keys: the keys of the settings and the keys in the database, each with its owner.

The database stores SHA-256 digests only. A key has 256 random bits, so a slower hash adds no security."""

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
"""Owner of every story on a server without API keys."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key of the database. `created`: seconds since 1970."""

    name: str
    created: float


class ApiKeys:
    """The keys of a server: `configured` in plain text by its settings, and those in the database.

    A server that required a key once requires one until it restarts: revoking the last key rejects every request."""

    def __init__(self, database: Database, configured: Sequence[str] = ()) -> None:
        self._database, self._required = database, False
        self._configured = {_digest(key): f"key-{_digest(key)[:16]}" for key in configured}
        self.is_required()

    def add(self, name: str) -> str:
        """Create a key and return it; only its digest is stored. Raises ValueError when the name is taken."""
        if any(key.name == name for key in self.list_keys()):
            raise ValueError(f'key "{name}" already exists; revoke it first, or choose another name')
        key = f"se_{secrets.token_urlsafe(32)}"
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO api_keys (digest, name, created) VALUES (?, ?, ?)", (_digest(key), name, time.time())
            )
        return key

    def list_keys(self) -> Sequence[ApiKey]:
        """Return the keys of the database, oldest first."""
        rows = self._database.query("SELECT name, created FROM api_keys ORDER BY created")
        return [ApiKey(row["name"], row["created"]) for row in rows]

    def revoke(self, name: str) -> bool:
        """Delete a key. Return whether it existed."""
        with self._database.transaction() as connection:
            return bool(connection.execute("DELETE FROM api_keys WHERE name = ?", (name,)).rowcount)

    def is_required(self) -> bool:
        """Return whether requests need a key."""
        self._required = self._required or bool(
            self._configured or self._database.query("SELECT 1 FROM api_keys LIMIT 1")
        )
        return self._required

    def find_owner(self, key: str | None) -> str | None:
        """Return the owner of a key; None for an invalid one; LOCAL_OWNER if the server has no keys."""
        if not self.is_required():
            return LOCAL_OWNER
        if not key:
            return None
        digest = _digest(key)
        rows = self._database.query("SELECT name FROM api_keys WHERE digest = ?", digest)
        return f"name-{rows[0]['name']}" if rows else self._configured.get(digest)


def authenticate(request: Request) -> str:
    """Return the owner of a request. Raises ApiError 401; 403 for a cross-origin request to a server without keys."""
    keys: ApiKeys = request.app.state.app_state.api_keys
    owner = keys.find_owner(_key_from_headers(request))
    if owner is None:
        raise ApiError(
            401,
            "missing or invalid API key; send it in the header X-Api-Key",
            headers={"WWW-Authenticate": 'ApiKey realm="story-engine"'},
        )
    if owner == LOCAL_OWNER and not keys.is_required():
        _reject_cross_origin(request)
    return owner


def is_loopback(host: str) -> bool:
    """Return whether a host name or address is always a loopback address."""
    name = host.strip("[]").lower()
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


def _reject_cross_origin(request: Request) -> None:
    """Raise ApiError 403 for a request that a web page of another origin can send.

    Without keys every local request is trusted. A browser on this machine must not send requests for a page of another
    origin, nor for a host name that an attacker resolves to this machine (DNS rebinding)."""
    host = request.url.hostname or ""
    origin = request.headers.get("origin", "")
    origin_host = origin.partition("://")[2].rpartition(":")[0] or origin.partition("://")[2]
    if not is_loopback(host) or (origin and not is_loopback(origin_host)):
        raise ApiError(403, "without API keys the server accepts only local requests")


def _key_from_headers(request: Request) -> str | None:
    key: str | None = request.headers.get("x-api-key")
    if key is None and request.url.path.startswith("/v1"):
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        key = value.strip() if scheme.lower() == "bearer" else None
    return key.strip() if key else None


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()

"""Starts the server: refuses what would be unsafe, takes the only place of a scheduler, listens."""

from __future__ import annotations

import contextlib
import socket
import sys
from pathlib import Path

import uvicorn
from filelock import BaseFileLock, FileLock, Timeout

from engine.execution.devices import cpu_places, device_places, largest_mb
from engine.execution.local import LocalExecutor
from engine.server.app import application
from engine.server.http.api_keys import Keys, is_loopback
from engine.server.http.middleware import log_to_stderr
from engine.server.jobs.notifications import Hub
from engine.server.settings import ServerSettings
from engine.service import Service
from engine.settings import Settings
from pipelines.models.catalog import load

GRACE = 5
"""Seconds that open connections have when the server is stopped; work goes on at the next start."""

WORKERS_NICE = 10
"""Questions are answered at once also while films are made."""


class CannotServe(RuntimeError):
    """The server cannot start as it was told; the message says why and what to do."""


def serve(host: str, port: int, models: list[Path]) -> None:
    """Serve until stopped. Raises CannotServe when another server has the same folder, when it would be open to others, or when the
    address cannot be listened on; no work has begun then."""
    settings, own = Settings.read(), ServerSettings.read()
    with contextlib.ExitStack() as held:
        held.enter_context(_only_one(settings.data))
        places = (*cpu_places(), *device_places())
        catalog = load(*models, *map(Path, own.models), home=settings.weights, device_mb=largest_mb(places))
        executor = LocalExecutor(places, logs=settings.logs, nice=WORKERS_NICE)
        service = held.enter_context(Service(settings, catalog, executor))
        if not is_loopback(host) and not Keys(service.jobs, own.api_keys).any():
            raise CannotServe(
                f"without a key the server listens only on this machine, not on {host}; "
                "make one with `python -m engine keys add NAME`, or set ENGINE_API_KEYS"
            )
        sockets = [held.enter_context(one) for one in _listening(host, port)]
        log_to_stderr()
        app = application(service, own)
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=GRACE,
            timeout_keep_alive=30,
        )  # fmt: skip
        _Server(config, app.state.desk.hub).run(sockets)


def _only_one(folder: Path) -> BaseFileLock:
    """The right to be the server of a folder. Raises CannotServe."""
    lock = FileLock(folder / "server.lock", blocking=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise CannotServe(f"another server works in {folder}; stop it, or set ENGINE_HOME to another folder") from None
    except OSError as error:
        raise CannotServe(
            f"{folder} cannot be used ({error.strerror}); set ENGINE_HOME to a folder that can be written to"
        ) from error
    return lock


def _listening(host: str, port: int) -> list[socket.socket]:
    """A socket for each address that `host` means. Raises CannotServe."""
    found: list[socket.socket] = []
    try:
        for family, _, _, _, address in socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            found.append(socket.create_server(address[:2], family=family, backlog=2048))
    except OSError as error:
        for one in found:
            one.close()
        reason = str(error.strerror).partition(" (")[0]
        raise CannotServe(f"cannot listen on {host}, port {port} ({reason}); choose another") from error
    return found


class _Server(uvicorn.Server):
    """Says where it listens, once it does. When it stops, whoever waits for a story is answered what there is."""

    def __init__(self, config: uvicorn.Config, hub: Hub) -> None:
        super().__init__(config)
        self._hub = hub

    async def shutdown(self, sockets: list | None = None) -> None:  # type: ignore[type-arg]
        self._hub.close()
        await super().shutdown(sockets)

    async def startup(self, sockets: list | None = None) -> None:  # type: ignore[type-arg]
        await super().startup(sockets)
        for server in self.servers:
            for one in server.sockets:
                host, port = one.getsockname()[:2]
                # In one piece: other threads write lines too.
                sys.stderr.write(f"listening on http://{host}:{port}\n")
                sys.stderr.flush()

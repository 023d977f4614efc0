"""Starts the server: takes the lock of the data folder, rejects unsafe settings, listens."""

from __future__ import annotations

import contextlib
import socket
import sys
from pathlib import Path

import uvicorn
from filelock import BaseFileLock, FileLock, Timeout

from engine.execution.devices import cpu_placements, device_placements, largest_device_mb
from engine.execution.local import LocalExecutor
from engine.server.app import create_app
from engine.server.http.api_keys import ApiKeys, is_loopback
from engine.server.http.middleware import configure_logging
from engine.server.jobs.notifications import Notifier
from engine.server.settings import ServerSettings
from engine.service import Service
from engine.settings import Settings
from pipelines.models.catalog import load

SHUTDOWN_GRACE_SECONDS = 5
"""Seconds that open connections have when the server stops; jobs resume at the next start."""

WORKER_NICENESS = 10
"""Niceness of the worker processes, so that requests are answered at once while films are rendered."""


class ServerStartError(RuntimeError):
    """The server cannot start; the message says why and how to fix it."""


def serve(host: str, port: int, models: list[Path]) -> None:
    """Serve until stopped.

    Raises ServerStartError, before any job starts, when another server uses the same folder, when the server would be
    open to other machines without an API key, or when it cannot listen on the address."""
    settings, server_settings = Settings.read(), ServerSettings.read()
    with contextlib.ExitStack() as stack:
        stack.enter_context(_acquire_server_lock(settings.data))
        devices = (*cpu_placements(), *device_placements())
        catalog = load(
            *models, *map(Path, server_settings.models), home=settings.weights, device_mb=largest_device_mb(devices)
        )
        executor = LocalExecutor(devices, logs=settings.logs, nice=WORKER_NICENESS)
        service = stack.enter_context(Service(settings, catalog, executor))
        if not is_loopback(host) and not ApiKeys(service.database, server_settings.api_keys).is_required():
            raise ServerStartError(
                f"without an API key the server listens on this machine only, not on {host}; "
                "add a key with `python -m engine keys add NAME`, or set ENGINE_API_KEYS"
            )
        sockets = [stack.enter_context(one) for one in _open_sockets(host, port)]
        configure_logging()
        app = create_app(service, server_settings)
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=SHUTDOWN_GRACE_SECONDS,
            timeout_keep_alive=30,
        )
        _Server(config, app.state.app_state.notifier).run(sockets)


def _acquire_server_lock(folder: Path) -> BaseFileLock:
    """Take the lock of a data folder. Raises ServerStartError."""
    lock = FileLock(folder / "server.lock", blocking=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise ServerStartError(
            f"another server is already using {folder}; stop it, or set ENGINE_HOME to another folder"
        ) from None
    except OSError as error:
        raise ServerStartError(
            f"cannot use {folder} ({error.strerror}); set ENGINE_HOME to a writable folder"
        ) from error
    return lock


def _open_sockets(host: str, port: int) -> list[socket.socket]:
    """Return one listening socket per address of `host`. Raises ServerStartError."""
    sockets: list[socket.socket] = []
    try:
        for family, _, _, _, address in socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            sockets.append(socket.create_server(address[:2], family=family, backlog=2048))
    except OSError as error:
        for one in sockets:
            one.close()
        reason = str(error.strerror).partition(" (")[0]
        raise ServerStartError(
            f"cannot listen on {host}, port {port} ({reason}); choose another host or port"
        ) from error
    return sockets


class _Server(uvicorn.Server):
    """Prints its URL when it listens. Its shutdown ends the waits of pending requests first."""

    def __init__(self, config: uvicorn.Config, notifier: Notifier) -> None:
        super().__init__(config)
        self._notifier = notifier

    async def shutdown(self, sockets: list | None = None) -> None:  # type: ignore[type-arg]
        self._notifier.close()
        await super().shutdown(sockets)

    async def startup(self, sockets: list | None = None) -> None:  # type: ignore[type-arg]
        await super().startup(sockets)
        for server in self.servers:
            for one in server.sockets:
                host, port = one.getsockname()[:2]
                # One write call: other threads write lines too.
                sys.stderr.write(f"listening on http://{host}:{port}\n")
                sys.stderr.flush()

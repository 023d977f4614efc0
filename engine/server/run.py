"""Starts the server: refuses what would be unsafe, takes the only place of a scheduler, listens."""

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
"""Seconds that open connections have when the server is stopped; work goes on at the next start."""

WORKER_NICENESS = 10
"""Questions are answered at once also while films are made."""


class ServerStartError(RuntimeError):
    """The server cannot start as it was told; the message says why and what to do."""


def serve(host: str, port: int, models: list[Path]) -> None:
    """Serve until stopped. Raises CannotServe when another server has the same folder, when it would be open to others, or when the
    address cannot be listened on; no work has begun then."""
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
                f"without a key the server listens only on this machine, not on {host}; "
                "make one with `python -m engine keys add NAME`, or set ENGINE_API_KEYS"
            )
        sockets = [stack.enter_context(one) for one in _open_sockets(host, port)]
        configure_logging()
        app = create_app(service, server_settings)
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=SHUTDOWN_GRACE_SECONDS,
            timeout_keep_alive=30,
        )  # fmt: skip
        _Server(config, app.state.app_state.notifier).run(sockets)


def _acquire_server_lock(folder: Path) -> BaseFileLock:
    """The right to be the server of a folder. Raises CannotServe."""
    lock = FileLock(folder / "server.lock", blocking=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise ServerStartError(
            f"another server works in {folder}; stop it, or set ENGINE_HOME to another folder"
        ) from None
    except OSError as error:
        raise ServerStartError(
            f"{folder} cannot be used ({error.strerror}); set ENGINE_HOME to a folder that can be written to"
        ) from error
    return lock


def _open_sockets(host: str, port: int) -> list[socket.socket]:
    """A socket for each address that `host` means. Raises CannotServe."""
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
        raise ServerStartError(f"cannot listen on {host}, port {port} ({reason}); choose another") from error
    return sockets


class _Server(uvicorn.Server):
    """Says where it listens, once it does. When it stops, whoever waits for a story is answered what there is."""

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
                # In one piece: other threads write lines too.
                sys.stderr.write(f"listening on http://{host}:{port}\n")
                sys.stderr.flush()

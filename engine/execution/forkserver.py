"""A fork server: CPU workers are forked from a process that has already imported their libraries.

Importing NumPy, OpenCV and PyAV takes a third of a second per worker. The server has no threads and no open files, so a
fork is as clean as a new process. Only Linux forks safely after these imports.

The program `python -m engine.execution.forkserver FD` serves requests on the socket FD. A message with three file
descriptors is the configuration of a worker with these as stdin, stdout and stderr; the reply is its process id. A
message without is a process id to wait for; the reply is its exit code.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from typing import IO, BinaryIO

PRELOADED_MODULES = ("engine.execution.worker", "numpy", "cv2", "av")
"""Modules of most CPU steps; modules that are not installed are skipped."""

CAN_FORK = sys.platform == "linux"

_MAX_MESSAGE_BYTES = 1 << 16


class ForkServer:
    """The client of a fork server process. `environment` applies to it and its workers. Methods raise OSError if it has
    died."""

    def __init__(self, environment: Mapping[str, str], log: IO[bytes]) -> None:
        self.environment = dict(environment)
        self._socket, server_socket = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with server_socket:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "engine.execution.forkserver", str(server_socket.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment,
                pass_fds=[server_socket.fileno()],
                start_new_session=True,
            )

    def start_worker(self, config: str, log: BinaryIO) -> ForkedProcess:
        """Fork a worker with stderr in `log`; `config` is the argument of `worker.main`."""
        tasks_read, tasks_write = os.pipe()
        events_read, events_write = os.pipe()
        try:
            socket.send_fds(self._socket, [config.encode()], [tasks_read, events_write, log.fileno()])
            return ForkedProcess(self, self._read_reply(), os.fdopen(tasks_write, "wb"), os.fdopen(events_read, "rb"))
        except BaseException:
            os.close(tasks_write)
            os.close(events_read)
            raise
        finally:
            os.close(tasks_read)
            os.close(events_write)

    def wait(self, pid: int) -> int:
        """Wait for a worker to exit and return its exit code, negative for a signal."""
        self._socket.send(str(pid).encode())
        return self._read_reply()

    def stop(self) -> None:
        """Kill the server process. Workers keep running."""
        self._socket.close()
        self._process.kill()
        self._process.wait()

    def _read_reply(self) -> int:
        reply = self._socket.recv(_MAX_MESSAGE_BYTES)
        if not reply:
            raise BrokenPipeError("the fork server has died")
        return int(reply)


class ForkedProcess:
    """A forked worker, with the part of the interface of `subprocess.Popen` that this package uses."""

    def __init__(self, server: ForkServer, pid: int, stdin: IO[bytes], stdout: IO[bytes]) -> None:
        self.pid, self.stdin, self.stdout = pid, stdin, stdout
        self.returncode: int | None = None
        self._server = server

    def wait(self) -> int:
        """Wait for the worker to exit and return its exit code; if the fork server has died, -SIGKILL."""
        if self.returncode is None:
            try:
                self.returncode = self._server.wait(self.pid)
            except OSError:
                self.returncode = -signal.SIGKILL
        return self.returncode


def main() -> None:
    """Import the libraries, then serve requests until the client closes the socket."""
    for module in PRELOADED_MODULES:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    gc.freeze()  # memory pages stay shared with the workers
    control_socket = socket.socket(fileno=int(sys.argv[1]))
    while True:
        message, files, _, _ = socket.recv_fds(control_socket, _MAX_MESSAGE_BYTES, 3)
        if not message:
            return
        if files:
            control_socket.send(str(_fork_worker(message.decode(), files, control_socket)).encode())
        else:
            _, status = os.waitpid(int(message), 0)
            control_socket.send(str(os.waitstatus_to_exitcode(status)).encode())


def _fork_worker(config: str, files: list[int], control_socket: socket.socket) -> int:
    pid = os.fork()
    if pid:
        for file in files:
            os.close(file)
    else:
        try:
            control_socket.close()
            for number, file in enumerate(files):
                os.dup2(file, number)
                os.close(file)
            os.setpgid(0, 0)
            from engine.execution import worker

            worker.main(config)
        finally:
            os._exit(1)
    with contextlib.suppress(
        OSError
    ):  # parent and child both set the group, so that it exists for whichever continues first
        os.setpgid(pid, pid)
    return pid


if __name__ == "__main__":
    main()

"""Workers that begin with what they need already imported: they are forked from a process that did nothing but import it.

A worker of a processor otherwise spends a third of a second on NumPy, OpenCV and PyAV before its first step. The nursery has no
thread and has opened nothing, so a fork of it is as clean as a new process. As a program (`python -m engine.execution.forkserver FD`)
it answers on the socket FD: what comes with three files is the setup of a worker to start on them, answered with its process;
what comes without is a process to wait for, answered with its exit code. Only Linux forks safely after such imports.
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
"""What most steps of a processor need, where it is installed. Whoever only asks for workers does without."""

CAN_FORK = sys.platform == "linux"

_MAX_MESSAGE_BYTES = 1 << 16


class ForkServer:
    """The process that workers are forked from; `environment` is theirs too. Raises OSError wherever it has died."""

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
        """A worker whose errors go to `log`; `setup` as the worker's program takes it."""
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
        """Wait for the end of a worker; its exit code, as `subprocess` has it."""
        self._socket.send(str(pid).encode())
        return self._read_reply()

    def stop(self) -> None:
        """End it; its workers are ended by whoever has them."""
        self._socket.close()
        self._process.kill()
        self._process.wait()

    def _read_reply(self) -> int:
        reply = self._socket.recv(_MAX_MESSAGE_BYTES)
        if not reply:
            raise BrokenPipeError("the nursery of workers has died")
        return int(reply)


class ForkedProcess:
    """A forked worker: what this program uses of `subprocess.Popen`."""

    def __init__(self, server: ForkServer, pid: int, stdin: IO[bytes], stdout: IO[bytes]) -> None:
        self.pid, self.stdin, self.stdout = pid, stdin, stdout
        self.returncode: int | None = None
        self._server = server

    def wait(self) -> int:
        """Wait for its end; without the nursery, which alone could tell, it counts as killed."""
        if self.returncode is None:
            try:
                self.returncode = self._server.wait(self.pid)
            except OSError:
                self.returncode = -signal.SIGKILL
        return self.returncode


def main() -> None:
    """Import, then start workers and wait for them until whoever asks has gone."""
    for module in PRELOADED_MODULES:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    gc.freeze()  # what is here stays shared with the workers
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
    with contextlib.suppress(OSError):  # both sides ask for the group: whoever comes first
        os.setpgid(pid, pid)
    return pid


if __name__ == "__main__":
    main()

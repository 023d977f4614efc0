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

IMPORTED = ("engine.execution.worker", "numpy", "cv2", "av")
"""What most steps of a processor need, where it is installed. Whoever only asks for workers does without."""

CAN_FORK = sys.platform == "linux"

_MESSAGE = 1 << 16


class Nursery:
    """The process that workers are forked from; `environment` is theirs too. Raises OSError wherever it has died."""

    def __init__(self, environment: Mapping[str, str], log: IO[bytes]) -> None:
        self.environment = dict(environment)
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "engine.execution.forkserver", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )

    def start(self, setup: str, log: BinaryIO) -> Child:
        """A worker whose errors go to `log`; `setup` as the worker's program takes it."""
        tasks, give = os.pipe()
        take, events = os.pipe()
        try:
            socket.send_fds(self._socket, [setup.encode()], [tasks, events, log.fileno()])
            return Child(self, self._answer(), os.fdopen(give, "wb"), os.fdopen(take, "rb"))
        except BaseException:
            os.close(give)
            os.close(take)
            raise
        finally:
            os.close(tasks)
            os.close(events)

    def wait(self, pid: int) -> int:
        """Wait for the end of a worker; its exit code, as `subprocess` has it."""
        self._socket.send(str(pid).encode())
        return self._answer()

    def stop(self) -> None:
        """End it; its workers are ended by whoever has them."""
        self._socket.close()
        self._process.kill()
        self._process.wait()

    def _answer(self) -> int:
        answer = self._socket.recv(_MESSAGE)
        if not answer:
            raise BrokenPipeError("the nursery of workers has died")
        return int(answer)


class Child:
    """A forked worker: what this program uses of `subprocess.Popen`."""

    def __init__(self, nursery: Nursery, pid: int, stdin: IO[bytes], stdout: IO[bytes]) -> None:
        self.pid, self.stdin, self.stdout = pid, stdin, stdout
        self.returncode: int | None = None
        self._nursery = nursery

    def wait(self) -> int:
        """Wait for its end; without the nursery, which alone could tell, it counts as killed."""
        if self.returncode is None:
            try:
                self.returncode = self._nursery.wait(self.pid)
            except OSError:
                self.returncode = -signal.SIGKILL
        return self.returncode


def main() -> None:
    """Import, then start workers and wait for them until whoever asks has gone."""
    for module in IMPORTED:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    gc.freeze()  # what is here stays shared with the workers
    asked = socket.socket(fileno=int(sys.argv[1]))
    while True:
        message, files, _, _ = socket.recv_fds(asked, _MESSAGE, 3)
        if not message:
            return
        if files:
            asked.send(str(_fork(message.decode(), files, asked)).encode())
        else:
            _, status = os.waitpid(int(message), 0)
            asked.send(str(os.waitstatus_to_exitcode(status)).encode())


def _fork(setup: str, files: list[int], asked: socket.socket) -> int:
    pid = os.fork()
    if pid:
        for file in files:
            os.close(file)
    else:
        try:
            asked.close()
            for number, file in enumerate(files):
                os.dup2(file, number)
                os.close(file)
            os.setpgid(0, 0)
            from engine.execution import worker

            worker.main(setup)
        finally:
            os._exit(1)
    with contextlib.suppress(OSError):  # both sides ask for the group: whoever comes first
        os.setpgid(pid, pid)
    return pid


if __name__ == "__main__":
    main()

"""An executor with one worker process per slot on this machine, so that a crash ends one worker only."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

import psutil

from engine.execution import isolated_worker
from engine.execution.devices import DevicePlacement, cpu_placements, device_placements
from engine.execution.forkserver import CAN_FORK, ForkedProcess, ForkServer
from engine.execution.protocol import Failure, FailureCode, Slot, Slots, Task, TaskEvent, TaskResult, event_from_json
from pipelines.models.weights import pull_command

LOG_TAIL_BYTES = 2000
"""Bytes of the log of a dead worker, from its end, in the detail of the failure."""

LOG_FOLDER_PREFIX = "engine-workers-"
"""Prefix of log folders in the temporary directory; the id of the owning process follows."""

INTERPRETER_FAILED = "cannot start the isolated environment of {}; {}"

OFFLINE_ENV = {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
"""Runs never access a model hub; missing weights are an error."""


class LocalExecutor:
    """CPU slots and one slot per GPU.

    A worker starts with the first task of its slot and keeps models in memory between tasks. It is replaced when it has
    died, or when the next model needs another interpreter. On Linux CPU workers come from a fork server. The output of
    workers goes to one file per slot in `logs` (default: a temporary folder, deleted by `stop`). `nice` from 0 to 19
    lowers the priority of workers. Not thread-safe."""

    def __init__(
        self, placements: Sequence[DevicePlacement] | None = None, *, logs: Path | None = None, nice: int = 0
    ) -> None:
        self._placements = {
            place.name: place
            for place in ((*cpu_placements(), *device_placements()) if placements is None else placements)
        }
        self._workers: dict[str, _Worker] = {}
        self._messages: queue.SimpleQueue[tuple[_Worker, TaskEvent | None]] = queue.SimpleQueue()
        self._events: deque[TaskEvent] = deque()
        self._logs, self._owns_logs = logs, logs is None
        self._nice = nice
        self._fork_server: ForkServer | None = None

    def start(self) -> None:
        """Do nothing: workers start with their first tasks."""

    def slots(self) -> Slots:
        return Slots(tuple(self._slot(place) for place in self._placements.values()))

    def submit(self, task: Task) -> None:
        free_slots = self.slots().free_for(task.spec)
        if not free_slots:
            raise RuntimeError(f"no slot is free for {task.spec.name}")
        name = free_slots[0].name
        interpreter = task.spec.env.interpreter if task.spec.env else ""
        worker = self._workers.get(name)
        if worker is not None and worker.interpreter != interpreter:
            worker.terminate()  # frees all of its memory
            worker = None
        if worker is None or not worker.is_alive():
            try:
                worker = self._start_worker(self._placements[name], interpreter)
            except OSError:
                if not interpreter:
                    raise
                self._workers.pop(name, None)
                self._events.append(
                    TaskResult(
                        task.id,
                        error=Failure(
                            FailureCode.MISSING, INTERPRETER_FAILED.format(task.spec.name, pull_command(task.spec))
                        ),
                    )
                )
                return
            self._workers[name] = worker
            worker.set_nice(self._nice)
        worker.send(task)

    def events(self, timeout: float = 0.0) -> Iterator[TaskEvent]:
        deadline = time.monotonic() + timeout
        while True:
            with contextlib.suppress(queue.Empty):
                while True:
                    self._handle_message(*self._messages.get_nowait())
            if self._events:
                break
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                return
            with contextlib.suppress(queue.Empty):
                self._handle_message(*self._messages.get(timeout=remaining))
        while self._events:
            yield self._events.popleft()

    def cancel(self, task_id: str) -> None:
        for name, worker in list(self._workers.items()):
            if worker.task is not None and worker.task.id == task_id:
                del self._workers[name]
                worker.terminate()
                error = Failure(FailureCode.CANCELLED, "cancelled")
                self._events.append(TaskResult(task_id, error=error))

    def stop(self) -> None:
        for worker in self._workers.values():
            worker.terminate()
        self._workers.clear()
        if self._fork_server is not None:
            self._fork_server.stop()
            self._fork_server = None
        if self._owns_logs and self._logs is not None:
            shutil.rmtree(self._logs, ignore_errors=True)
            self._logs = None

    def _slot(self, placement: DevicePlacement) -> Slot:
        worker = self._workers.get(placement.name)
        if worker is None or (worker.task is None and not worker.is_alive()):
            return Slot(placement.name, placement.device)
        return Slot(placement.name, placement.device, worker.task is None, worker.resident)

    def _start_worker(self, placement: DevicePlacement, interpreter: str) -> _Worker:
        path = self._log_folder() / f"{placement.name}.log"
        with path.open("wb") as log:
            process = self._fork_worker(placement, log) if placement.device.kind == "cpu" and not interpreter else None
            return _Worker(
                placement, path, self._messages, process or _spawn_worker(placement, interpreter, log), interpreter
            )

    def _fork_worker(self, placement: DevicePlacement, log: BinaryIO) -> ForkedProcess | None:
        """Return a worker from the fork server; None if the slot needs another environment or forking fails."""
        environment = _worker_env(placement)
        try:
            if self._fork_server is None and CAN_FORK:
                self._fork_server = ForkServer(environment, log)
            if self._fork_server is not None and self._fork_server.environment == environment:
                return self._fork_server.start_worker(_worker_config(placement), log)
        except OSError:  # it was killed or could not start; the next worker starts a new one
            if self._fork_server is not None:
                self._fork_server.stop()
            self._fork_server = None
        return None

    def _log_folder(self) -> Path:
        if self._logs is None:
            _remove_stale_logs()
            self._logs = Path(tempfile.mkdtemp(prefix=f"{LOG_FOLDER_PREFIX}{os.getpid()}-"))
        self._logs.mkdir(parents=True, exist_ok=True)
        return self._logs

    def _handle_message(self, worker: _Worker, event: TaskEvent | None) -> None:
        """Update the state with an event of a worker; None: its output has ended."""
        if self._workers.get(worker.placement.name) is not worker:
            return  # cancelled: ignore remaining events
        if event is None:
            del self._workers[worker.placement.name]
            worker.terminate()
            if worker.task is not None:
                self._events.append(worker.crash_result())
            return
        if isinstance(event, TaskResult):
            worker.task, worker.resident = None, event.resident
            if event.error is not None and event.error.code == FailureCode.OUT_OF_MEMORY:
                del self._workers[worker.placement.name]  # only the end of the process frees all of its memory
                worker.terminate()
        self._events.append(event)


class _Worker:
    """A worker process and the thread that reads its events."""

    def __init__(
        self,
        placement: DevicePlacement,
        log: Path,
        messages: queue.SimpleQueue[tuple[_Worker, TaskEvent | None]],
        process: subprocess.Popen[bytes] | ForkedProcess,
        interpreter: str,
    ) -> None:
        self.placement, self.interpreter = placement, interpreter
        self.task: Task | None = None
        self.resident: tuple[str, ...] = ()
        self._log, self._process = log, process
        self._listener = threading.Thread(target=self._listen, args=(messages,), daemon=True)
        self._listener.start()

    def set_nice(self, nice: int) -> None:
        """Lower the CPU priority of the process."""
        if nice and os.name == "posix":
            with contextlib.suppress(OSError):  # it has just died; the listener reports that
                os.setpriority(os.PRIO_PROCESS, self._process.pid, nice)

    def is_alive(self) -> bool:
        """Return whether the pipe from the process is open.

        `poll` would reap the process; its id, which `terminate` uses for the group, could then belong to another."""
        return self._listener.is_alive()

    def send(self, task: Task) -> None:
        self.task = task
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # it has just died; the listener reports that
            self._process.stdin.write(json.dumps(task.to_json()).encode() + b"\n")
            self._process.stdin.flush()

    def terminate(self) -> None:
        """Kill the process and its process group, and wait for its end."""
        with contextlib.suppress(OSError):
            if os.name == "posix":
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                os.kill(self._process.pid, signal.SIGTERM)
        self._process.wait()
        self._listener.join()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            with contextlib.suppress(OSError):
                stream.close()

    def crash_result(self) -> TaskResult:
        """Return the result of the task that was running when the worker died."""
        assert self.task is not None
        code = self._process.wait()
        exit_text = f"signal {-code}" if code < 0 else f"exit status {code}"
        tail = self._log.read_bytes()[-LOG_TAIL_BYTES:].decode("utf-8", "replace") if self._log.exists() else ""
        message = f"the worker crashed while running {self.task.spec.name} ({exit_text})"
        if self.interpreter:
            message += f"; `{pull_command(self.task.spec)}` checks and repairs its environment"
        return TaskResult(self.task.id, error=Failure(FailureCode.WORKER_CRASHED, message, retryable=True, detail=tail))

    def _listen(self, messages: queue.SimpleQueue[tuple[_Worker, TaskEvent | None]]) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with contextlib.suppress(ValueError):  # cut off by the worker's death
                messages.put((self, event_from_json(json.loads(line))))
        messages.put((self, None))


def _remove_stale_logs() -> None:
    """Delete log folders of processes that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{LOG_FOLDER_PREFIX}*-*"):
        owner = folder.name.removeprefix(LOG_FOLDER_PREFIX).partition("-")[0]
        if owner.isdecimal() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)


def _spawn_worker(placement: DevicePlacement, interpreter: str, log: BinaryIO) -> subprocess.Popen[bytes]:
    """Start a worker as a new process, with `interpreter` if it is not empty."""
    default_command = [sys.executable, "-P", "-m", "engine.execution.worker"]
    command = (
        [interpreter, "-P", "-s", str(Path(isolated_worker.__file__).resolve())] if interpreter else default_command
    )
    return subprocess.Popen(
        [*command, _worker_config(placement)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        env=_worker_env(placement, isolated=bool(interpreter)),
        start_new_session=True,  # ^C must reach the engine only, and `terminate` must reach child processes of the task
    )


def _worker_config(placement: DevicePlacement) -> str:
    return json.dumps({"device": asdict(placement.device), "budget_mb": placement.budget_mb})


def _worker_env(placement: DevicePlacement, *, isolated: bool = False) -> dict[str, str]:
    """Return this process's environment with UTF-8, the module path of the engine, and only the device of the slot.

    `isolated`: without the module path, for an interpreter with its own packages."""
    root = str(Path(__file__).resolve().parents[2])
    python_path = "" if isolated else os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    return {
        **{name: value for name, value in os.environ.items() if name != "PYTHONHOME"},
        **OFFLINE_ENV,
        "PYTHONPATH": python_path,
        "PYTHONUTF8": "1",
        "PYTHONIOENCODING": "utf-8:backslashreplace",
        **placement.environment,
    }

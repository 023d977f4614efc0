"""A process per slot, on this machine: what a model does to its process, it does to nothing else."""

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
from engine.execution.protocol import (
    CANCELLED,
    MISSING,
    OUT_OF_MEMORY,
    WORKER_CRASHED,
    Failure,
    Slot,
    Slots,
    Task,
    TaskEvent,
    TaskResult,
    event_from_json,
)
from pipelines.models.weights import pull_command

LOG_TAIL_BYTES = 2000
"""How many of the last bytes that a dead worker printed go into the detail of its task's failure."""


LOG_FOLDER_PREFIX = "engine-workers-"
"""How folders of logs in the system's folder for temporary files begin; the process that they belong to follows."""


INTERPRETER_FAILED = "the interpreter of its own that {} runs under cannot be started; {}"

OFFLINE_ENV = {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
"""What is not here is missing: a run never asks a hub, whatever a library would do by itself."""


class LocalExecutor:
    """CPU slots beside one slot per GPU. A worker starts with the first task of its slot, keeps its models between
    tasks, and is replaced when it has died, or when the next task's model has an interpreter of its own. Workers of the processor
    are forked from a nursery where the system can. What workers print goes to one file per slot in `logs` (default: a folder
    that goes with this executor). With `nice` (0 to 19) they leave the processor to others. Not safe to be used from several
    threads at once."""

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
        """Workers start with their first tasks."""

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
            worker.terminate()  # this gives all of its memory back
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
                        error=Failure(MISSING, INTERPRETER_FAILED.format(task.spec.name, pull_command(task.spec))),
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
                error = Failure(CANCELLED, "cancelled")
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
        """A worker from the nursery. None: there is none whose environment is the place's."""
        environment = _worker_env(placement)
        try:
            if self._fork_server is None and CAN_FORK:
                self._fork_server = ForkServer(environment, log)
            if self._fork_server is not None and self._fork_server.environment == environment:
                return self._fork_server.start_worker(_worker_config(placement), log)
        except OSError:  # it was killed, or could not begin: the next worker will have another
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
        """Bring what a worker said (None: it will say no more) into the state of this executor."""
        if self._workers.get(worker.placement.name) is not worker:
            return  # it was cancelled: what it still had to say counts no more
        if event is None:
            del self._workers[worker.placement.name]
            worker.terminate()
            if worker.task is not None:
                self._events.append(worker.crash_result())
            return
        if isinstance(event, TaskResult):
            worker.task, worker.resident = None, event.resident
            if event.error is not None and event.error.code == OUT_OF_MEMORY:
                del self._workers[worker.placement.name]  # only the end of a process gives all of its memory back
                worker.terminate()
        self._events.append(event)


class _Worker:
    """One process and the thread that listens to it."""

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
        """Let others have the processor first."""
        if nice and os.name == "posix":
            with contextlib.suppress(OSError):  # it has just died: the listener tells
                os.setpriority(os.PRIO_PROCESS, self._process.pid, nice)

    def is_alive(self) -> bool:
        """By its end of the pipe, not by asking the system: a process that was asked after is reaped, and then its number,
        by which `end` finds its group, may be another's."""
        return self._listener.is_alive()

    def send(self, task: Task) -> None:
        self.task = task
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # it has just died: the listener tells
            self._process.stdin.write(json.dumps(task.to_json()).encode() + b"\n")
            self._process.stdin.flush()

    def terminate(self) -> None:
        """Kill it and all that it started; returns when they are gone."""
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
        """How the task ended whose worker died."""
        assert self.task is not None
        code = self._process.wait()
        exit_text = f"signal {-code}" if code < 0 else f"exit status {code}"
        tail = self._log.read_bytes()[-LOG_TAIL_BYTES:].decode("utf-8", "replace") if self._log.exists() else ""
        message = f"the worker died while it ran {self.task.spec.name} ({exit_text})"
        if self.interpreter:
            message += f"; `{pull_command(self.task.spec)}` looks over what it runs under"
        return TaskResult(self.task.id, error=Failure(WORKER_CRASHED, message, retryable=True, detail=tail))

    def _listen(self, messages: queue.SimpleQueue[tuple[_Worker, TaskEvent | None]]) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with contextlib.suppress(ValueError):  # cut off by the worker's death
                messages.put((self, event_from_json(json.loads(line))))
        messages.put((self, None))


def _remove_stale_logs() -> None:
    """Folders of logs whose process is no more: one that was killed could not remove its own."""
    for folder in Path(tempfile.gettempdir()).glob(f"{LOG_FOLDER_PREFIX}*-*"):
        owner = folder.name.removeprefix(LOG_FOLDER_PREFIX).partition("-")[0]
        if owner.isdecimal() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)


def _spawn_worker(placement: DevicePlacement, interpreter: str, log: BinaryIO) -> subprocess.Popen[bytes]:
    """A worker that begins with nothing, under an interpreter of its own where one is named."""
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
        start_new_session=True,  # a group of its own: ^C is for the engine, and `end` reaches what the task started
    )


def _worker_config(placement: DevicePlacement) -> str:
    return json.dumps({"device": asdict(placement.device), "budget_mb": placement.budget_mb})


def _worker_env(placement: DevicePlacement, *, isolated: bool = False) -> dict[str, str]:
    """This process's own, with the modules that it finds (an `own` interpreter finds its own), UTF-8 whatever the locale, and no
    device but the place's."""
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

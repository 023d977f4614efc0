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
from engine.execution.devices import Place, cpu_places, device_places
from engine.execution.forkserver import CAN_FORK, Child, Nursery
from engine.execution.protocol import (
    CANCELLED,
    LOST,
    MISSING,
    OUT_OF_MEMORY,
    Done,
    Event,
    Failure,
    Slot,
    Slots,
    Task,
    event_from_json,
)
from pipelines.models.weights import pull_command

TAIL = 2000
"""How many of the last bytes that a dead worker printed go into the detail of its task's failure."""


LOGS = "engine-workers-"
"""How folders of logs in the system's folder for temporary files begin; the process that they belong to follows."""


GONE = "the interpreter of its own that {} runs under cannot be started; {}"

NO_FETCHING = {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
"""What is not here is missing: a run never asks a hub, whatever a library would do by itself."""


class LocalExecutor:
    """CPU slots beside one slot per GPU. A worker starts with the first task of its slot, keeps its models between
    tasks, and is replaced when it has died, or when the next task's model has an interpreter of its own. Workers of the processor
    are forked from a nursery where the system can. What workers print goes to one file per slot in `logs` (default: a folder
    that goes with this executor). With `nice` (0 to 19) they leave the processor to others. Not safe to be used from several
    threads at once."""

    def __init__(self, places: Sequence[Place] | None = None, *, logs: Path | None = None, nice: int = 0) -> None:
        self._places = {
            place.name: place for place in ((*cpu_places(), *device_places()) if places is None else places)
        }
        self._workers: dict[str, _Worker] = {}
        self._heard: queue.SimpleQueue[tuple[_Worker, Event | None]] = queue.SimpleQueue()
        self._happened: deque[Event] = deque()
        self._logs, self._own_logs = logs, logs is None
        self._nice = nice
        self._nursery: Nursery | None = None

    def start(self) -> None:
        """Workers start with their first tasks."""

    def slots(self) -> Slots:
        return Slots(tuple(self._slot(place) for place in self._places.values()))

    def submit(self, task: Task) -> None:
        fitting = self.slots().fitting(task.spec)
        if not fitting:
            raise RuntimeError(f"no slot is free for {task.spec.name}")
        name = fitting[0].name
        interpreter = task.spec.env.interpreter if task.spec.env else ""
        worker = self._workers.get(name)
        if worker is not None and worker.interpreter != interpreter:
            worker.end()  # this gives all of its memory back
            worker = None
        if worker is None or not worker.alive():
            try:
                worker = self._worker(self._places[name], interpreter)
            except OSError:
                if not interpreter:
                    raise
                self._workers.pop(name, None)
                self._happened.append(
                    Done(task.id, error=Failure(MISSING, GONE.format(task.spec.name, pull_command(task.spec))))
                )
                return
            self._workers[name] = worker
            worker.be_nice(self._nice)
        worker.give(task)

    def events(self, wait: float = 0.0) -> Iterator[Event]:
        deadline = time.monotonic() + wait
        while True:
            with contextlib.suppress(queue.Empty):
                while True:
                    self._take(*self._heard.get_nowait())
            if self._happened:
                break
            rest = deadline - time.monotonic()
            if rest <= 0:
                return
            with contextlib.suppress(queue.Empty):
                self._take(*self._heard.get(timeout=rest))
        while self._happened:
            yield self._happened.popleft()

    def cancel(self, task_id: str) -> None:
        for name, worker in list(self._workers.items()):
            if worker.task is not None and worker.task.id == task_id:
                del self._workers[name]
                worker.end()
                error = Failure(CANCELLED, "cancelled")
                self._happened.append(Done(task_id, error=error))

    def stop(self) -> None:
        for worker in self._workers.values():
            worker.end()
        self._workers.clear()
        if self._nursery is not None:
            self._nursery.stop()
            self._nursery = None
        if self._own_logs and self._logs is not None:
            shutil.rmtree(self._logs, ignore_errors=True)
            self._logs = None

    def _slot(self, place: Place) -> Slot:
        worker = self._workers.get(place.name)
        if worker is None or (worker.task is None and not worker.alive()):
            return Slot(place.name, place.device)
        return Slot(place.name, place.device, worker.task is None, worker.resident)

    def _worker(self, place: Place, interpreter: str) -> _Worker:
        path = self._log_folder() / f"{place.name}.log"
        with path.open("wb") as log:
            process = self._forked(place, log) if place.device.kind == "cpu" and not interpreter else None
            return _Worker(place, path, self._heard, process or _begun(place, interpreter, log), interpreter)

    def _forked(self, place: Place, log: BinaryIO) -> Child | None:
        """A worker from the nursery. None: there is none whose environment is the place's."""
        environment = _environment(place)
        try:
            if self._nursery is None and CAN_FORK:
                self._nursery = Nursery(environment, log)
            if self._nursery is not None and self._nursery.environment == environment:
                return self._nursery.start(_setup(place), log)
        except OSError:  # it was killed, or could not begin: the next worker will have another
            if self._nursery is not None:
                self._nursery.stop()
            self._nursery = None
        return None

    def _log_folder(self) -> Path:
        if self._logs is None:
            _sweep_logs()
            self._logs = Path(tempfile.mkdtemp(prefix=f"{LOGS}{os.getpid()}-"))
        self._logs.mkdir(parents=True, exist_ok=True)
        return self._logs

    def _take(self, worker: _Worker, event: Event | None) -> None:
        """Bring what a worker said (None: it will say no more) into the state of this executor."""
        if self._workers.get(worker.place.name) is not worker:
            return  # it was cancelled: what it still had to say counts no more
        if event is None:
            del self._workers[worker.place.name]
            worker.end()
            if worker.task is not None:
                self._happened.append(worker.lost())
            return
        if isinstance(event, Done):
            worker.task, worker.resident = None, event.resident
            if event.error is not None and event.error.type == OUT_OF_MEMORY:
                del self._workers[worker.place.name]  # only the end of a process gives all of its memory back
                worker.end()
        self._happened.append(event)


class _Worker:
    """One process and the thread that listens to it."""

    def __init__(
        self,
        place: Place,
        log: Path,
        heard: queue.SimpleQueue[tuple[_Worker, Event | None]],
        process: subprocess.Popen[bytes] | Child,
        interpreter: str,
    ) -> None:
        self.place, self.interpreter = place, interpreter
        self.task: Task | None = None
        self.resident: tuple[str, ...] = ()
        self._log, self._process = log, process
        self._listener = threading.Thread(target=self._listen, args=(heard,), daemon=True)
        self._listener.start()

    def be_nice(self, nice: int) -> None:
        """Let others have the processor first."""
        if nice and os.name == "posix":
            with contextlib.suppress(OSError):  # it has just died: the listener tells
                os.setpriority(os.PRIO_PROCESS, self._process.pid, nice)

    def alive(self) -> bool:
        """By its end of the pipe, not by asking the system: a process that was asked after is reaped, and then its number,
        by which `end` finds its group, may be another's."""
        return self._listener.is_alive()

    def give(self, task: Task) -> None:
        self.task = task
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # it has just died: the listener tells
            self._process.stdin.write(json.dumps(task.to_json()).encode() + b"\n")
            self._process.stdin.flush()

    def end(self) -> None:
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

    def lost(self) -> Done:
        """How the task ended whose worker died."""
        assert self.task is not None
        code = self._process.wait()
        how = f"signal {-code}" if code < 0 else f"exit status {code}"
        tail = self._log.read_bytes()[-TAIL:].decode("utf-8", "replace") if self._log.exists() else ""
        message = f"the worker died while it ran {self.task.spec.name} ({how})"
        if self.interpreter:
            message += f"; `{pull_command(self.task.spec)}` looks over what it runs under"
        return Done(self.task.id, error=Failure(LOST, message, retryable=True, detail=tail))

    def _listen(self, heard: queue.SimpleQueue[tuple[_Worker, Event | None]]) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with contextlib.suppress(ValueError):  # cut off by the worker's death
                heard.put((self, event_from_json(json.loads(line))))
        heard.put((self, None))


def _sweep_logs() -> None:
    """Folders of logs whose process is no more: one that was killed could not remove its own."""
    for folder in Path(tempfile.gettempdir()).glob(f"{LOGS}*-*"):
        owner = folder.name.removeprefix(LOGS).partition("-")[0]
        if owner.isdecimal() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)


def _begun(place: Place, interpreter: str, log: BinaryIO) -> subprocess.Popen[bytes]:
    """A worker that begins with nothing, under an interpreter of its own where one is named."""
    here = [sys.executable, "-P", "-m", "engine.execution.worker"]
    program = [interpreter, "-P", "-s", str(Path(isolated_worker.__file__).resolve())] if interpreter else here
    return subprocess.Popen(
        [*program, _setup(place)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        env=_environment(place, own=bool(interpreter)),
        start_new_session=True,  # a group of its own: ^C is for the engine, and `end` reaches what the task started
    )


def _setup(place: Place) -> str:
    return json.dumps({"device": asdict(place.device), "budget_mb": place.budget_mb})


def _environment(place: Place, *, own: bool = False) -> dict[str, str]:
    """This process's own, with the modules that it finds (an `own` interpreter finds its own), UTF-8 whatever the locale, and no
    device but the place's."""
    root = str(Path(__file__).resolve().parents[2])
    path = "" if own else os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    return {
        **{name: value for name, value in os.environ.items() if name != "PYTHONHOME"},
        **NO_FETCHING,
        "PYTHONPATH": path,
        "PYTHONUTF8": "1",
        "PYTHONIOENCODING": "utf-8:backslashreplace",
        **place.environment,
    }

"""The worker: runs tasks with model families.

The program `python -m engine.execution.worker CONFIG` reads tasks as JSON lines from stdin and writes events as JSON
lines to stdout until stdin ends.
"""

from __future__ import annotations

import errno
import json
import os
import queue
import shutil
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import ValidationError

from engine.execution.peak_memory import PeakMemory
from engine.execution.protocol import (
    Failure,
    FailureCode,
    Task,
    TaskEvent,
    TaskProgress,
    TaskResult,
    TaskWarning,
    event_to_json,
)
from pipelines.base import BadInput, ContentRejected, Device, MissingDependency, ModelSpec, Params
from pipelines.models.catalog import family_class, install_hint
from pipelines.models.pool import Pool

HUB_ENV = {"HF_HUB_OFFLINE": "1", "HF_ENABLE_PARALLEL_LOADING": "YES", "DO_NOT_TRACK": "1"}
"""Environment of the Hugging Face libraries: no downloads during a run (only `models pull` downloads), and parallel
loading of the files of a large model."""

PROGRESS_INTERVAL_SECONDS = 0.05
"""Minimum seconds between two progress events with the same message; events in between are dropped."""


def run_task(task: Task, pool: Pool, emit: Callable[[TaskEvent], None]) -> TaskResult:
    """Run one task and return its result; failures are part of the result.

    After an out-of-memory error the task is retried with the next memory mode of the pool, until none is left."""
    report = TaskReport(task.id, emit)
    modes_used: list[str] = []
    while True:
        result = _run_once(task, pool, report, modes_used)
        if result.error is None or result.error.code != FailureCode.OUT_OF_MEMORY:
            return result
        mode_text = pool.relieve_memory(task.spec, already_unloaded=bool(modes_used))
        if mode_text is None:
            return result
        modes_used.append(mode_text)
        report.warn(f"{task.spec.name} ran out of memory; retrying with {mode_text}")


class TaskReport:
    """The `Report` of a family during a task. Thread-safe."""

    def __init__(self, task_id: str, emit: Callable[[TaskEvent], None]) -> None:
        self.warnings: list[str] = []
        self.facts: dict[str, Any] = {}
        self._task_id, self._emit = task_id, emit
        self._last_progress: tuple[float, str] = (0.0, "")

    def progress(self, fraction: float, message: str = "") -> None:
        now = time.monotonic()
        if (
            fraction < 1
            and message == self._last_progress[1]
            and now - self._last_progress[0] < PROGRESS_INTERVAL_SECONDS
        ):
            return
        self._last_progress = now, message
        self._emit(TaskProgress(self._task_id, min(1.0, max(0.0, float(fraction))), message))

    def warn(self, message: str) -> None:
        self.warnings.append(message)
        self._emit(TaskWarning(self._task_id, message))

    def record(self, **facts: Any) -> None:
        self.facts.update(json.loads(json.dumps(facts, default=str)))


def _run_once(task: Task, pool: Pool, report: TaskReport, modes_used: list[str]) -> TaskResult:
    memory = PeakMemory()
    started = ready = time.perf_counter()
    loads = pool.load_count
    outputs: tuple[tuple[str, Path], ...] = ()
    error: Failure | None = None
    try:
        params = _validate_params(task)
        _clear_folder(task.out)
        with pool.use(task.spec, task.memory_mode) as family:
            ready = time.perf_counter()
            paths = family.run(task.kind, params, task.inputs, task.out, report, seed=task.seed)
            outputs = _validate_outputs(task, paths)
    except Exception as caught:  # a family may raise any exception; the worker must survive it
        error = _to_failure(task.spec, task.kind, caught)
    record = {
        "seconds": round(time.perf_counter() - ready, 4),
        "load_seconds": round(ready - started, 4),
        "loaded": pool.load_count > loads,
        **memory.measure(),
        "device": asdict(pool.device),
        "memory_mode": pool.memory_mode(task.spec),
        "memory_steps": list(modes_used),
        "warnings": list(report.warnings),
        "facts": dict(report.facts),
        "libraries": _library_versions(task.spec),
    }
    return TaskResult(task.id, outputs, record, pool.resident(), error)


def _validate_params(task: Task) -> Params:
    params_by_kind = family_class(task.spec).params
    if task.kind not in params_by_kind:
        raise BadInput("model", f"{task.spec.name} does not support {task.kind}")
    try:
        return params_by_kind[task.kind].model_validate_json(json.dumps(task.params))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise BadInput(".".join(str(part) for part in first["loc"]) or str(task.kind), first["msg"]) from error


def _validate_outputs(task: Task, paths: Iterable[Path]) -> tuple[tuple[str, Path], ...]:
    outputs: dict[str, Path] = {}
    for path in paths:
        if path.parent.absolute() != task.out.absolute() or path.is_symlink() or not path.is_file():
            raise RuntimeError(
                f"{task.spec.family} returned an output that is not a file in its output folder: {path.name}"
            )
        if path.name in outputs:
            raise RuntimeError(f"{task.spec.family} returned the output {path.name} twice")
        outputs[path.name] = path
    return tuple(outputs.items())


def _to_failure(spec: ModelSpec, kind: str, error: Exception) -> Failure:
    detail = "".join(traceback.format_exception(error))
    match error:
        case ContentRejected():  # no traceback: it could contain the rejected text
            message = " ".join(filter(None, (error.message, error.hint)))
            return Failure(FailureCode.REJECTED, message, error.field, category=error.category)
        case BadInput():
            return Failure(
                FailureCode.BAD_INPUT, " ".join(filter(None, (error.message, error.hint))), error.field, detail=detail
            )
        case MissingDependency():
            return Failure(FailureCode.MISSING, str(error), detail=detail)
        case ModuleNotFoundError():
            fix = f"; {install_hint(spec)}" if spec.extra else ""
            return Failure(FailureCode.MISSING, f"{spec.name} needs the module {error.name}{fix}", detail=detail)
        case OSError() if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            return Failure(FailureCode.DISK_FULL, "no disk space left", detail=detail)
        case _ if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
            return Failure(
                FailureCode.OUT_OF_MEMORY, f"not enough memory for {spec.name}", retryable=True, detail=detail
            )
        case _:
            name = type(error).__name__
            return Failure(name, f"{spec.name} failed at {kind} ({name})", detail=detail)


def _clear_folder(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        shutil.rmtree(folder)
        folder.mkdir()


def _library_versions(spec: ModelSpec) -> dict[str, str]:
    """Return the versions of Python and of the libraries that the model requires."""
    found = {"python": ".".join(str(part) for part in sys.version_info[:3])}
    for module in spec.requires:
        version = getattr(sys.modules.get(module), "__version__", None)
        if version is None:
            from importlib import metadata  # slow to import and rarely needed

            try:
                version = metadata.version(module)
            except metadata.PackageNotFoundError:
                continue
        found[module] = str(version)
    return found


def main(config_json: str) -> None:
    """Run tasks from stdin until it ends, at the latest when the parent process dies."""
    config = json.loads(config_json)
    os.environ.update(HUB_ENV)
    tasks_in, events_out = _claim_stdio()
    writing = threading.Lock()

    def emit(event: TaskEvent) -> None:
        line = json.dumps(event_to_json(event)).encode() + b"\n"
        with writing:
            events_out.write(line)
            events_out.flush()

    tasks: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read_tasks, args=(tasks_in, tasks), daemon=True).start()
    pool = Pool(Device(**config["device"]), config["budget_mb"])
    while True:
        emit(run_task(Task.from_json(json.loads(tasks.get())), pool, emit))


def _claim_stdio() -> tuple[BinaryIO, BinaryIO]:
    """Return the streams of the protocol; redirect stdin to /dev/null and stdout to stderr for all other code."""
    tasks_in, events_out = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    devnull = os.open(os.devnull, os.O_RDONLY)
    os.dup2(devnull, 0)
    os.close(devnull)
    os.dup2(2, 1)
    return tasks_in, events_out


def _read_tasks(tasks_in: BinaryIO, tasks: queue.SimpleQueue[bytes]) -> None:
    for line in tasks_in:
        tasks.put(line)
    _kill_process_group()


def _kill_process_group() -> None:
    """Kill this process, and its process group if it leads one."""
    if os.name == "posix" and os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1])

"""Runs a plan: takes cached steps from the store, runs the others on an executor and commits their outputs.

The cache key of a step is computed when its inputs are known, from their digests. If an input has the same bytes as in
an earlier run, the step is cached and the steps after it can be cached too. Finished steps are in the store however a
run ends, and the next run of the plan continues from there.
"""

from __future__ import annotations

import platform
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from engine.execution.protocol import Executor, Failure, FailureCode, Task, TaskProgress, TaskResult, TaskWarning
from engine.execution.run_events import (
    EventCallback,
    RunDone,
    RunStarted,
    StepDone,
    StepFailed,
    StepProgress,
    StepStarted,
    StepWarning,
)
from engine.planning.plan import FamilyId, OutputRef, Plan, Step, StepInput, StoredInput, cache_key
from engine.storage.artifact_store import Action, ArtifactStore, KeyLock, Output, StoreError, StoreFull
from pipelines.base import MemoryMode, ModelSpec
from pipelines.models.catalog import family_class

MAX_ATTEMPTS = 2
"""Attempts per step if the failure is retryable."""

EVENT_POLL_SECONDS = 0.2
"""Seconds to wait for events of the executor before the stop event is checked."""

LOCK_POLL_SECONDS = 0.05
"""Seconds between two checks whether another process has finished a step that this run needs."""


@dataclass(frozen=True, slots=True)
class ExecutionResult:
    """The end of a run. `actions`: step id → action of each finished step, executed or cached."""

    actions: Mapping[str, Action]
    cached: frozenset[str]
    failed: Mapping[str, Failure]
    pending: frozenset[str]
    cancelled: bool = False

    @property
    def ok(self) -> bool:
        """Return whether every step has finished."""
        return not (self.failed or self.pending)


class Runner:
    """Runs plans on one store and one executor, one at a time; `run` in a second thread waits.

    `family_id`: name and version of a model's family; `estimate`: expected seconds of a step, to start the longest
    chains first; `memory_mode`: the mode to start a model with."""

    def __init__(
        self,
        store: ArtifactStore,
        executor: Executor,
        *,
        family_id: Callable[[ModelSpec], FamilyId] = lambda spec: _family_id(spec),
        estimate: Callable[[Step], float] = lambda step: step.spec.seconds,
        memory_mode: Callable[[ModelSpec], MemoryMode] = lambda spec: MemoryMode.NONE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.store, self.executor, self.clock = store, executor, clock
        self.family_id, self.estimate, self.memory_mode = family_id, estimate, memory_mode
        self._run_lock = threading.Lock()

    def run(
        self,
        plan: Plan,
        step_ids: Iterable[str] | None = None,
        on_event: EventCallback = lambda event: None,
        stop: threading.Event | None = None,
    ) -> ExecutionResult:
        """Run the steps `step_ids` (default: all) and their dependencies.

        A failed step skips the steps that depend on it. `stop` (set by another thread) and KeyboardInterrupt
        (re-raised) cancel the running tasks and delete their partial outputs.
        """
        with self._run_lock:
            return _Execution(
                self, plan if step_ids is None else plan.closure(step_ids), on_event, stop or threading.Event()
            ).run()

    def get_cached(self, plan: Plan) -> Mapping[str, Action]:
        """Return the cached steps of a plan whose keys are known, without running any step."""
        run = _Execution(self, plan, lambda event: None, threading.Event())
        run._advance([step.id for step in plan if not step.dependencies()])
        return run.actions


@dataclass(frozen=True, slots=True)
class _ReadyStep:
    """A step with resolved inputs and its cache key."""

    step: Step
    family: FamilyId
    key: str
    inputs: Mapping[str, tuple[tuple[Output, ...], ...]]  # role → source → files
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class _RunningStep:
    """A step that was submitted to the executor."""

    ready: _ReadyStep
    lock: KeyLock
    folder: Path
    started: float


class _UnrunnableStep(Exception):
    """A step cannot start."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.failure = Failure(code, message)


class _Execution:
    """The state of one run."""

    def __init__(self, runner: Runner, plan: Plan, on_event: EventCallback, stop: threading.Event) -> None:
        self.store, self.executor, self.clock = runner.store, runner.executor, runner.clock
        self.family_id, self.plan, self.emit, self.stop = runner.family_id, plan, on_event, stop
        self.memory_mode = runner.memory_mode
        self.dependents: dict[str, list[str]] = {step.id: [] for step in plan}
        for step in plan:
            for need in step.dependencies():
                self.dependents[need].append(step.id)
        self.unmet = {step.id: len(step.dependencies()) for step in plan}
        self.rank = self._compute_ranks(runner.estimate)
        self.ready: dict[str, _ReadyStep] = {}
        self.locked_elsewhere: set[str] = set()  # ready, but another run holds the lock of the key
        self.running: dict[str, _RunningStep] = {}
        self.actions: dict[str, Action] = {}
        self.cached: set[str] = set()
        self.failed: dict[str, Failure] = {}
        self.disk_full = False

    def run(self) -> ExecutionResult:
        started = self.clock()
        self.emit(RunStarted(started, tuple(step.id for step in self.plan)))
        interrupted = True
        try:
            self._advance([step.id for step in self.plan if not self.unmet[step.id]])
            while not self.stop.is_set():
                self._dispatch()
                if not self.running and not self.ready:
                    break
                for event in self.executor.events(LOCK_POLL_SECONDS if self.locked_elsewhere else EVENT_POLL_SECONDS):
                    self._handle_event(event)
            interrupted = self.stop.is_set()
        finally:
            for task_id in list(self.running):
                self.executor.cancel(task_id)
                self._release(self.running.pop(task_id))
            pending = frozenset(step.id for step in self.plan) - self.actions.keys() - self.failed.keys()
            cancelled = interrupted and bool(pending)
            now, cached_count = self.clock(), len(self.cached)
            self.emit(
                RunDone(
                    now,
                    len(self.actions) - cached_count,
                    cached_count,
                    len(self.failed),
                    len(pending),
                    cancelled,
                    now - started,
                )
            )
        return ExecutionResult(self.actions, frozenset(self.cached), self.failed, pending, cancelled)

    def _compute_ranks(self, estimate: Callable[[Step], float]) -> dict[str, float]:
        """Return for each step the seconds from its start to the end of the longest chain of dependents."""
        rank: dict[str, float] = {}
        for step in reversed(self.plan.steps):
            rank[step.id] = estimate(step) + max((rank[reader] for reader in self.dependents[step.id]), default=0.0)
        return rank

    def _advance(self, ids: list[str]) -> None:
        """Look up steps with finished dependencies in the cache, and their dependents in turn; queue the others."""
        while ids:
            step = self.plan[ids.pop(0)]
            try:
                ready = self._prepare(step)
            except _UnrunnableStep as error:
                self._fail(step, error.failure)
                continue
            action = self.store.get_cached(ready.key)
            if action is None:
                self.ready[step.id] = ready
            else:
                ids += self._mark_done(step, action, cached=True)

    def _prepare(self, step: Step) -> _ReadyStep:
        try:
            family = self.family_id(step.spec)
        except (ImportError, AttributeError) as error:
            raise _UnrunnableStep(FailureCode.MISSING, f"cannot load the family {step.spec.family}") from error
        inputs = {
            role: tuple(self._resolve_input(step, source) for source in sources)
            for role, sources in step.inputs.items()
        }
        files = {
            role: [(file.name, file.digest) for files in sources for file in files] for role, sources in inputs.items()
        }
        return _ReadyStep(step, family, cache_key(step, family, files), inputs)

    def _resolve_input(self, step: Step, source: StepInput) -> tuple[Output, ...]:
        match source:
            case StoredInput():
                try:
                    path = self.store.path(source.digest)
                except StoreError as error:
                    raise _UnrunnableStep(
                        FailureCode.CORRUPT_INPUT, f"cannot use the input file {source.name}: {error}"
                    ) from error
                return (Output(source.name, source.digest, path.stat().st_size),)
            case OutputRef():
                outputs = self.actions[source.step].outputs
                if source.is_pattern:
                    found = [file for file in outputs if fnmatchcase(file.name, source.name)]
                    return tuple(sorted(found, key=lambda file: file.name))
                for file in outputs:
                    if file.name == source.name:
                        return (file,)
                raise _UnrunnableStep(
                    FailureCode.MISSING_OUTPUT, f"{step.id} needs {source.name}, which {source.step} did not produce"
                )

    def _dispatch(self) -> None:
        if self.disk_full:
            self.ready.clear()
        rest = list(self.ready.values())
        while rest:
            ready = min(
                rest, key=self._priority
            )  # computed again each time: a started step changes free slots and loaded models
            rest.remove(ready)
            self._try_start(ready)
        if not self.running and not self.locked_elsewhere:
            for ready in [
                ready for ready in self.ready.values() if not self.executor.slots().free_for(ready.step.spec)
            ]:
                self._fail(ready.step, Failure(FailureCode.NO_DEVICE, f"no device can run {ready.step.spec.name}"))

    def _priority(self, ready: _ReadyStep) -> tuple[bool, float]:
        """Return the sort key of a ready step: GPU steps whose model is loaded first, then the longest chain.

        Loading a model onto a GPU takes longer than most steps."""
        spec = ready.step.spec
        fitting = self.executor.slots().free_for(spec) if spec.device != "cpu" else ()
        needs_load = bool(fitting) and not any(spec.name in slot.models for slot in fitting)
        return needs_load, -self.rank[ready.step.id]

    def _can_start(self, spec: ModelSpec) -> bool:
        """Return whether a slot is free whose models are no longer needed by steps that can run before this one."""
        fitting = self.executor.slots().free_for(spec)
        if spec.device == "cpu" or not self.running:
            return bool(fitting)
        return any(spec.name in slot.models or not self._is_still_needed(slot.models) for slot in fitting)

    def _is_still_needed(self, models: Collection[str]) -> bool:
        """Return whether a pending step of these models does not depend on another GPU model."""
        reachable: set[str] = set()
        for step in self.plan:
            other = step.spec.device != "cpu" and step.spec.name not in models
            if step.id in self.actions:
                reachable.add(step.id)
            elif not other and step.id not in self.failed and step.dependencies() <= reachable:
                if step.spec.device != "cpu":
                    return True
                reachable.add(step.id)
        return False

    def _try_start(self, ready: _ReadyStep) -> None:
        step = ready.step
        if step.id not in self.locked_elsewhere and not self._can_start(step.spec):
            return
        lock = self.store.lock(ready.key)
        if lock is None:
            self.locked_elsewhere.add(step.id)
            return
        self.locked_elsewhere.discard(step.id)
        action = self.store.get_cached(ready.key)  # the previous holder of the lock may have finished it
        if action is not None:
            lock.release()
            del self.ready[step.id]
            self._advance(self._mark_done(step, action, cached=True))
        elif self._can_start(step.spec):
            del self.ready[step.id]
            self._start(ready, lock)
        else:
            lock.release()

    def _start(self, ready: _ReadyStep, lock: KeyLock) -> None:
        step = ready.step
        folder: Path | None = None
        try:
            folder = self.store.workspace()
            inputs = self._link_inputs(ready, folder)
            (folder / "out").mkdir()
        except (StoreError, OSError) as error:
            lock.release()
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)
            self._fail_store(step, error)
            return
        task = Task(
            id=uuid.uuid4().hex,
            kind=step.kind,
            spec=step.spec,
            params=step.params.model_dump(mode="json"),
            inputs=inputs,
            out=folder / "out",
            seed=step.seed,
            # The crash of a worker may have been caused by its memory use.
            memory_mode=MemoryMode(min(self.memory_mode(step.spec) + ready.attempt - 1, max(MemoryMode))),
        )
        now = self.clock()
        self.running[task.id] = _RunningStep(ready, lock, folder, now)
        self.emit(StepStarted(now, *_step_fields(step), ready.key, ready.attempt))
        self.executor.submit(task)

    def _link_inputs(self, ready: _ReadyStep, folder: Path) -> dict[str, list[Path]]:
        """Link the inputs under their own names, one folder per source, as the source wrote them."""
        linked: dict[str, list[Path]] = {}
        for role, sources in ready.inputs.items():
            linked[role] = []
            for number, files in enumerate(sources):
                for file in files:
                    path = folder / f"in.{role}.{number}" / file.name
                    self.store.link(file.digest, path)
                    linked[role].append(path)
        return linked

    # From running to done

    def _handle_event(self, event: TaskProgress | TaskWarning | TaskResult) -> None:
        running = self.running.get(event.task_id)
        if running is None:
            return
        step_fields = _step_fields(running.ready.step)
        match event:
            case TaskProgress():
                self.emit(StepProgress(self.clock(), *step_fields, event.fraction, event.message))
            case TaskWarning():
                self.emit(StepWarning(self.clock(), *step_fields, event.message))
            case TaskResult():
                del self.running[event.task_id]
                try:
                    readers = self._finish(running, event)
                finally:
                    self._release(running)
                self._advance(readers)

    def _finish(self, running: _RunningStep, result: TaskResult) -> list[str]:
        """Commit the outputs of a task, or queue a retry, or fail the step. Return the steps that can start now."""
        ready, step = running.ready, running.ready.step
        if result.error is not None:
            if result.error.retryable and ready.attempt < MAX_ATTEMPTS and not self.disk_full:
                self.emit(StepWarning(self.clock(), *_step_fields(step), f"{result.error.message}; retrying"))
                retry = _ReadyStep(step, ready.family, ready.key, ready.inputs, ready.attempt + 1)
                self.ready[step.id] = retry
            else:
                self._fail(step, result.error)
                self.disk_full = self.disk_full or result.error.code == FailureCode.DISK_FULL
            return []
        try:
            outputs = [self.store.put(path, name=name, consume=True) for name, path in result.outputs]
            action = self.store.commit(ready.key, outputs, _action_record(running, result))
        except StoreError as error:
            self._fail_store(step, error)
            return []
        return self._mark_done(step, action, cached=False)

    def _release(self, running: _RunningStep) -> None:
        shutil.rmtree(running.folder, ignore_errors=True)
        running.lock.release()

    def _mark_done(self, step: Step, action: Action, *, cached: bool) -> list[str]:
        """Record a finished step and return the dependents that can start now."""
        self.actions[step.id] = action
        now, step_fields, record = self.clock(), _step_fields(step), action.record
        if cached:
            self.cached.add(step.id)
            for message in record.get("warnings", ()):
                self.emit(StepWarning(now, *step_fields, message))
        seconds = record.get("seconds", 0.0)
        peak = record.get("peak_device_memory_mb") or record.get("peak_memory_mb", 0)
        memory_mode = MemoryMode(record.get("memory_mode", MemoryMode.NONE))
        self.emit(StepDone(now, *step_fields, action.key, cached, seconds, peak, action.outputs, memory_mode))
        unblocked = []
        for dependent in self.dependents[step.id]:
            self.unmet[dependent] -= 1
            if not self.unmet[dependent]:
                unblocked.append(dependent)
        return unblocked

    def _fail(self, step: Step, failure: Failure) -> None:
        self.ready.pop(step.id, None)
        self.failed[step.id] = failure
        self.emit(StepFailed(self.clock(), *_step_fields(step), failure))

    def _fail_store(self, step: Step, error: StoreError | OSError) -> None:
        """Fail a step whose files the store rejected. With a full disk no further step starts."""
        full = isinstance(error, StoreFull)
        self.disk_full = self.disk_full or full
        self._fail(step, Failure(FailureCode.DISK_FULL if full else FailureCode.STORE_FAILED, str(error)))


def _family_id(spec: ModelSpec) -> FamilyId:
    family = family_class(spec)
    return FamilyId(family.name, family.version)


def _step_fields(step: Step) -> tuple[str, str, str]:
    return step.id, str(step.kind), step.spec.name


def _action_record(running: _RunningStep, result: TaskResult) -> dict[str, Any]:
    """Return the record of an action: the content of its cache key, and data that is not part of the key."""
    ready, step, spec = running.ready, running.ready.step, running.ready.step.spec
    return {
        "step": step.id,
        "kind": str(step.kind),
        "model": spec.name,
        "family": ready.family.name,
        "family_version": ready.family.version,
        "weights": {role: one.model_dump(include={"repo", "revision", "digest"}) for role, one in spec.weights.items()},
        "revision": spec.revision,
        "options": dict(spec.options),
        "licence": spec.licence,
        "credits": list(spec.credits),
        "params": step.params.model_dump(mode="json"),
        "seed": step.seed,
        "take": step.take,
        "inputs": {
            role: [{"name": file.name, "digest": file.digest} for files in sources for file in files]
            for role, sources in ready.inputs.items()
        },
        "started": datetime.fromtimestamp(running.started, UTC).isoformat(timespec="seconds"),
        "platform": platform.platform(),
        **result.record,
    }

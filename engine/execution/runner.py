"""Brings a plan about: what the store knows is recalled, the rest is done by the executor and remembered.

The graph is walked as results come in. A step's key needs only the digests of its inputs, so a step whose inputs turn out
to be the bytes of last time is recalled, and nothing behind it runs. Whatever ends a run, a step that was finished is in
the store, and the next run of the same plan goes on from there.
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

from engine.execution.protocol import DISK_FULL, MISSING, Done, Executor, Failure, Progress, Task, Warned
from engine.execution.run_events import (
    OnEvent,
    RunDone,
    RunStarted,
    StepDone,
    StepFailed,
    StepProgress,
    StepStarted,
    StepWarned,
)
from engine.planning.plan import FamilyId, Given, Plan, Ref, Source, Step, key_of
from engine.storage.artifact_store import Action, KeyLock, Output, Store, StoreError, StoreFull
from pipelines.base import Economy, ModelSpec
from pipelines.models.catalog import family_class

ATTEMPTS = 2
"""How often a step is tried whose worker dies or runs out of memory."""

LISTEN = 0.2
"""Seconds between two looks at whether the run is to stop, while the executor has nothing to say."""

LOOK = 0.05
"""Seconds between two looks at whether another process has finished a step that this run waits for."""


@dataclass(frozen=True, slots=True)
class Result:
    """How a run ended. `made` holds what is in the store for each step, whether made now or recalled."""

    made: Mapping[str, Action]
    recalled: frozenset[str]
    failed: Mapping[str, Failure]
    left: frozenset[str]
    cancelled: bool = False

    @property
    def ok(self) -> bool:
        """Every step is done."""
        return not (self.failed or self.left)


class Runner:
    """Runs plans on one store and one executor, one at a time: a second thread's `run` waits for the first. `estimate`
    gives the seconds that a step will take; the longest chains are begun first. `economy` tells how a model had to save memory
    when it was last used."""

    def __init__(
        self,
        store: Store,
        executor: Executor,
        *,
        family_id: Callable[[ModelSpec], FamilyId] = lambda spec: _family_id(spec),
        estimate: Callable[[Step], float] = lambda step: step.spec.seconds,
        economy: Callable[[ModelSpec], Economy] = lambda spec: Economy.NONE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.store, self.executor, self.clock = store, executor, clock
        self.family_id, self.estimate, self.economy = family_id, estimate, economy
        self._one_at_a_time = threading.Lock()

    def run(
        self,
        plan: Plan,
        want: Iterable[str] | None = None,
        on_event: OnEvent = lambda event: None,
        stop: threading.Event | None = None,
    ) -> Result:
        """Bring about the steps `want` (default: all) and what they need.

        A step that fails stops only what depends on it. `stop`, set by another thread, and `KeyboardInterrupt`, which is
        raised again, end what is being done; nothing half-made stays.
        """
        with self._one_at_a_time:
            return _Run(self, plan if want is None else plan.closure(want), on_event, stop or threading.Event()).run()

    def recall(self, plan: Plan) -> Mapping[str, Action]:
        """What the store has of the plan already, as far as the keys of its steps can be known. Nothing is done."""
        run = _Run(self, plan, lambda event: None, threading.Event())
        run._advance([step.id for step in plan if not step.needs()])
        return run.made


@dataclass(frozen=True, slots=True)
class _Ready:
    """A step whose inputs are known."""

    step: Step
    family: FamilyId
    key: str
    inputs: Mapping[str, tuple[tuple[Output, ...], ...]]  # role → source → files
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class _Running:
    """A step that the executor has."""

    ready: _Ready
    lock: KeyLock
    folder: Path
    begun: float


class _Unfit(Exception):
    """A step cannot be done, for a reason known before it begins."""

    def __init__(self, type_: str, message: str) -> None:
        super().__init__(message)
        self.failure = Failure(type_, message)


class _Run:
    """The state of one run."""

    def __init__(self, runner: Runner, plan: Plan, on_event: OnEvent, stop: threading.Event) -> None:
        self.store, self.executor, self.clock = runner.store, runner.executor, runner.clock
        self.family_id, self.plan, self.tell, self.stop = runner.family_id, plan, on_event, stop
        self.economy = runner.economy
        self.readers: dict[str, list[str]] = {step.id: [] for step in plan}
        for step in plan:
            for need in step.needs():
                self.readers[need].append(step.id)
        self.waits = {step.id: len(step.needs()) for step in plan}
        self.rank = self._ranks(runner.estimate)
        self.ready: dict[str, _Ready] = {}
        self.elsewhere: set[str] = set()  # ready, but somebody else is computing that key
        self.running: dict[str, _Running] = {}
        self.made: dict[str, Action] = {}
        self.recalled: set[str] = set()
        self.failed: dict[str, Failure] = {}
        self.full = False

    def run(self) -> Result:
        begun = self.clock()
        self.tell(RunStarted(begun, tuple(step.id for step in self.plan)))
        interrupted = True
        try:
            self._advance([step.id for step in self.plan if not self.waits[step.id]])
            while not self.stop.is_set():
                self._dispatch()
                if not self.running and not self.ready:
                    break
                for event in self.executor.events(LOOK if self.elsewhere else LISTEN):
                    self._hear(event)
            interrupted = self.stop.is_set()
        finally:
            for task_id in list(self.running):
                self.executor.cancel(task_id)
                self._let_go(self.running.pop(task_id))
            left = frozenset(step.id for step in self.plan) - self.made.keys() - self.failed.keys()
            cancelled = interrupted and bool(left)
            now, recalled = self.clock(), len(self.recalled)
            self.tell(
                RunDone(now, len(self.made) - recalled, recalled, len(self.failed), len(left), cancelled, now - begun)
            )
        return Result(self.made, frozenset(self.recalled), self.failed, left, cancelled)

    def _ranks(self, estimate: Callable[[Step], float]) -> dict[str, float]:
        """Seconds from the beginning of a step to the end of the longest chain that hangs on it."""
        rank: dict[str, float] = {}
        for step in reversed(self.plan.steps):
            rank[step.id] = estimate(step) + max((rank[reader] for reader in self.readers[step.id]), default=0.0)
        return rank

    # From known inputs to recalled or ready

    def _advance(self, ids: list[str]) -> None:
        """These steps have all that they need: recall them and whatever that makes possible, or make them ready."""
        while ids:
            step = self.plan[ids.pop(0)]
            try:
                ready = self._prepare(step)
            except _Unfit as unfit:
                self._fail(step, unfit.failure)
                continue
            action = self.store.recall(ready.key)
            if action is None:
                self.ready[step.id] = ready
            else:
                ids += self._done(step, action, recalled=True)

    def _prepare(self, step: Step) -> _Ready:
        try:
            family = self.family_id(step.spec)
        except (ImportError, AttributeError) as error:
            raise _Unfit(MISSING, f"the family {step.spec.family} cannot be loaded") from error
        inputs = {role: tuple(self._files(step, source) for source in sources) for role, sources in step.inputs.items()}
        files = {
            role: [(file.name, file.digest) for files in sources for file in files] for role, sources in inputs.items()
        }
        return _Ready(step, family, key_of(step, family, files), inputs)

    def _files(self, step: Step, source: Source) -> tuple[Output, ...]:
        match source:
            case Given():
                try:
                    path = self.store.path(source.digest)
                except StoreError as error:
                    raise _Unfit("Damaged", f"{source.name}, which was given, cannot be used: {error}") from error
                return (Output(source.name, source.digest, path.stat().st_size),)
            case Ref():
                outputs = self.made[source.step].outputs
                if source.is_pattern:
                    found = [file for file in outputs if fnmatchcase(file.name, source.name)]
                    return tuple(sorted(found, key=lambda file: file.name))
                for file in outputs:
                    if file.name == source.name:
                        return (file,)
                raise _Unfit("NoOutput", f"{step.id} needs {source.name}, which {source.step} did not make")

    # From ready to running

    def _dispatch(self) -> None:
        if self.full:
            self.ready.clear()
        rest = list(self.ready.values())
        while rest:
            ready = min(rest, key=self._urgency)  # anew each time: beginning a step changes what is free and loaded
            rest.remove(ready)
            self._try_to_begin(ready)
        if not self.running and not self.elsewhere:
            for ready in [ready for ready in self.ready.values() if not self.executor.slots().fitting(ready.step.spec)]:
                self._fail(ready.step, Failure("NoSlot", f"there is no place where {ready.step.spec.name} could run"))

    def _urgency(self, ready: _Ready) -> tuple[bool, float]:
        """Loading a model onto a GPU takes longer than most steps, so what needs no loading comes first there."""
        spec = ready.step.spec
        fitting = self.executor.slots().fitting(spec) if spec.device != "cpu" else ()
        swaps = bool(fitting) and not any(spec.name in slot.models for slot in fitting)
        return swaps, -self.rank[ready.step.id]

    def _may_begin(self, spec: ModelSpec) -> bool:
        """Whether there is a slot, and no model would have to go for this one that is needed again before it."""
        fitting = self.executor.slots().fitting(spec)
        if spec.device == "cpu" or not self.running:
            return bool(fitting)
        return any(spec.name in slot.models or not self._still_wanted(slot.models) for slot in fitting)

    def _still_wanted(self, models: Collection[str]) -> bool:
        """Whether a step of one of these models will come without waiting for another model of a GPU."""
        coming: set[str] = set()
        for step in self.plan:
            other = step.spec.device != "cpu" and step.spec.name not in models
            if step.id in self.made:
                coming.add(step.id)
            elif not other and step.id not in self.failed and step.needs() <= coming:
                if step.spec.device != "cpu":
                    return True
                coming.add(step.id)
        return False

    def _try_to_begin(self, ready: _Ready) -> None:
        step = ready.step
        if step.id not in self.elsewhere and not self._may_begin(step.spec):
            return
        lock = self.store.lock(ready.key)
        if lock is None:
            self.elsewhere.add(step.id)
            return
        self.elsewhere.discard(step.id)
        action = self.store.recall(ready.key)  # whoever had the lock may have finished it
        if action is not None:
            lock.release()
            del self.ready[step.id]
            self._advance(self._done(step, action, recalled=True))
        elif self._may_begin(step.spec):
            del self.ready[step.id]
            self._begin(ready, lock)
        else:
            lock.release()

    def _begin(self, ready: _Ready, lock: KeyLock) -> None:
        step = ready.step
        folder: Path | None = None
        try:
            folder = self.store.workspace()
            inputs = self._lay_out(ready, folder)
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
            # A worker that died may have died of what it took.
            economy=Economy(min(self.economy(step.spec) + ready.attempt - 1, max(Economy))),
        )
        now = self.clock()
        self.running[task.id] = _Running(ready, lock, folder, now)
        self.tell(StepStarted(now, *_who(step), ready.key, ready.attempt))
        self.executor.submit(task)

    def _lay_out(self, ready: _Ready, folder: Path) -> dict[str, list[Path]]:
        """The inputs under their own names. What one source gives lies together, as it did when it was made."""
        laid: dict[str, list[Path]] = {}
        for role, sources in ready.inputs.items():
            laid[role] = []
            for number, files in enumerate(sources):
                for file in files:
                    path = folder / f"in.{role}.{number}" / file.name
                    self.store.link(file.digest, path)
                    laid[role].append(path)
        return laid

    # From running to done

    def _hear(self, event: Progress | Warned | Done) -> None:
        running = self.running.get(event.task_id)
        if running is None:
            return
        who = _who(running.ready.step)
        match event:
            case Progress():
                self.tell(StepProgress(self.clock(), *who, event.fraction, event.message))
            case Warned():
                self.tell(StepWarned(self.clock(), *who, event.message))
            case Done():
                del self.running[event.task_id]
                try:
                    readers = self._conclude(running, event)
                finally:
                    self._let_go(running)
                self._advance(readers)

    def _conclude(self, running: _Running, done: Done) -> list[str]:
        """Keep what was made, or try again, or give up. Gives the steps that can come next."""
        ready, step = running.ready, running.ready.step
        if done.error is not None:
            if done.error.retryable and ready.attempt < ATTEMPTS and not self.full:
                self.tell(StepWarned(self.clock(), *_who(step), f"{done.error.message}; it is tried again"))
                again = _Ready(step, ready.family, ready.key, ready.inputs, ready.attempt + 1)
                self.ready[step.id] = again
            else:
                self._fail(step, done.error)
                self.full = self.full or done.error.type == DISK_FULL
            return []
        try:
            outputs = [self.store.put(path, name=name, consume=True) for name, path in done.outputs]
            action = self.store.remember(ready.key, outputs, _record(running, done))
        except StoreError as error:
            self._fail_store(step, error)
            return []
        return self._done(step, action, recalled=False)

    def _let_go(self, running: _Running) -> None:
        shutil.rmtree(running.folder, ignore_errors=True)
        running.lock.release()

    def _done(self, step: Step, action: Action, *, recalled: bool) -> list[str]:
        """Take note; gives the steps that now have all that they need."""
        self.made[step.id] = action
        now, who, record = self.clock(), _who(step), action.record
        if recalled:
            self.recalled.add(step.id)
            for message in record.get("warnings", ()):
                self.tell(StepWarned(now, *who, message))
        seconds = record.get("seconds", 0.0)
        peak = record.get("peak_device_memory_mb") or record.get("peak_memory_mb", 0)
        economy = Economy(record.get("economy", Economy.NONE))
        self.tell(StepDone(now, *who, action.key, recalled, seconds, peak, action.outputs, economy))
        able = []
        for reader in self.readers[step.id]:
            self.waits[reader] -= 1
            if not self.waits[reader]:
                able.append(reader)
        return able

    def _fail(self, step: Step, failure: Failure) -> None:
        self.ready.pop(step.id, None)
        self.failed[step.id] = failure
        self.tell(StepFailed(self.clock(), *_who(step), failure))

    def _fail_store(self, step: Step, error: StoreError | OSError) -> None:
        """What the store cannot keep will be refused for the next step too: nothing more is begun on a full disk."""
        full = isinstance(error, StoreFull)
        self.full = self.full or full
        self._fail(step, Failure(DISK_FULL if full else "Store", str(error)))


def _family_id(spec: ModelSpec) -> FamilyId:
    family = family_class(spec)
    return FamilyId(family.name, family.version)


def _who(step: Step) -> tuple[str, str, str]:
    return step.id, str(step.kind), step.spec.name


def _record(running: _Running, done: Done) -> dict[str, Any]:
    """How it was made: all of the key in readable form, and what the key leaves out."""
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
        "started": datetime.fromtimestamp(running.begun, UTC).isoformat(timespec="seconds"),
        "platform": platform.platform(),
        **done.record,
    }

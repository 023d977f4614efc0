"""The protocol between runner and executor: tasks, events, slots.

Only control messages cross it; artifacts travel as files. Every message has a JSON form, so that an executor can send
it to another process or machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, Self

from pipelines.base import Device, Kind, MemoryMode, ModelSpec


@dataclass(frozen=True, slots=True)
class Task:
    """One step with its resolved inputs.

    `params`: JSON, validated by the family before the weights are loaded; `inputs`: role → absolute paths, in order;
    `out`: an empty folder for the outputs of this task; `memory_mode`: the mode of the first attempt."""

    id: str
    kind: Kind
    spec: ModelSpec
    params: Mapping[str, Any]
    inputs: Mapping[str, Sequence[Path]]
    out: Path
    seed: int = 0
    memory_mode: MemoryMode = MemoryMode.NONE

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "kind": str(self.kind),
            "spec": self.spec.model_dump(mode="json"),
            "params": dict(self.params),
            "inputs": {role: [str(path) for path in paths] for role, paths in self.inputs.items()},
            "out": str(self.out),
            "seed": self.seed,
            "memory_mode": int(self.memory_mode),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        return cls(
            id=data["id"],
            kind=Kind(data["kind"]),
            spec=ModelSpec.model_validate(data["spec"]),
            params=data["params"],
            inputs={role: tuple(Path(path) for path in paths) for role, paths in data["inputs"].items()},
            out=Path(data["out"]),
            seed=data["seed"],
            memory_mode=MemoryMode(data["memory_mode"]),
        )


@dataclass(frozen=True, slots=True)
class TaskProgress:
    """Progress of a task; `fraction` from 0 to 1."""

    task_id: str
    fraction: float
    message: str = ""


@dataclass(frozen=True, slots=True)
class TaskWarning:
    """A warning for the user about the result of a task."""

    task_id: str
    message: str


class FailureCode(StrEnum):
    """Codes of failures with a known cause."""

    BAD_INPUT = "BadInput"
    REJECTED = "Rejected"
    MISSING = "Missing"
    OUT_OF_MEMORY = "OutOfMemory"
    DISK_FULL = "DiskFull"
    STORE_FAILED = "StoreFailed"
    CORRUPT_INPUT = "CorruptInput"
    MISSING_OUTPUT = "MissingOutput"
    NO_DEVICE = "NoDevice"
    WORKER_CRASHED = "WorkerCrashed"
    CANCELLED = "Cancelled"


@dataclass(frozen=True, slots=True)
class Failure:
    """The reason why a task has no result.

    `code`: a `FailureCode`, or the class name of an unexpected exception; `message`: for the user, without the text of
    unexpected exceptions; `detail`: for the log; `field`: the invalid input; `category`: the violated content rule;
    `retryable`: whether a retry can succeed."""

    code: str
    message: str
    field: str = ""
    retryable: bool = False
    detail: str = ""
    category: str = ""


@dataclass(frozen=True, slots=True)
class TaskResult:
    """The end of a task.

    `outputs`: (name, path), complete if `error` is None, in the order of the family; `record`: measurements (`seconds`
    without `load_seconds`, `loaded`: whether the model was loaded for this task, `peak_memory_mb`, `device`,
    `memory_mode`, `memory_steps`, `warnings`, `facts`, `libraries`); `resident`: names of the models now in memory."""

    task_id: str
    outputs: tuple[tuple[str, Path], ...] = ()
    record: Mapping[str, Any] = field(default_factory=dict)
    resident: tuple[str, ...] = ()
    error: Failure | None = None

    @property
    def ok(self) -> bool:
        """Return whether the task succeeded."""
        return self.error is None

    @property
    def crashed(self) -> bool:
        """Return whether the worker died during the task."""
        return self.error is not None and self.error.code == FailureCode.WORKER_CRASHED


TaskEvent = TaskProgress | TaskWarning | TaskResult


def event_to_json(event: TaskEvent) -> dict[str, Any]:
    """Return the JSON form of an event, with its class name under `event`."""
    data = asdict(event)
    if isinstance(event, TaskResult):
        data["outputs"] = [[name, str(path)] for name, path in event.outputs]
    return {"event": type(event).__name__, **data}


def event_from_json(data: Mapping[str, Any]) -> TaskEvent:
    """Return the event of a JSON form."""
    fields = {name: value for name, value in data.items() if name != "event"}
    match data["event"]:
        case TaskProgress.__name__:
            return TaskProgress(**fields)
        case TaskWarning.__name__:
            return TaskWarning(**fields)
        case _:
            fields["outputs"] = tuple((name, Path(path)) for name, path in fields["outputs"])
            fields["resident"] = tuple(fields["resident"])
            fields["error"] = Failure(**fields["error"]) if fields["error"] else None
            return TaskResult(**fields)


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for one task at a time, and the models in its memory."""

    name: str
    device: Device
    free: bool = True
    models: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Slots:
    """All slots of an executor."""

    all: tuple[Slot, ...]

    def free_for(self, spec: ModelSpec) -> tuple[Slot, ...]:
        """Return the free slots for a model, best first; slots with the model in memory precede the others.

        A GPU model takes a device slot, preferably an empty one. Without devices it takes the first CPU slot only, so
        that memory holds it once. A CPU model takes CPU slots only, preferably one with a running worker."""
        devices = [slot for slot in self.all if slot.device.kind != "cpu"]
        others = [slot for slot in self.all if slot.device.kind == "cpu"]
        suitable = others if spec.device == "cpu" else devices or others[:1]
        free = [slot for slot in suitable if slot.free]
        if spec.device == "cpu":
            return tuple(sorted(free, key=lambda slot: (spec.name not in slot.models, not slot.models)))
        return tuple(sorted(free, key=lambda slot: (spec.name not in slot.models, len(slot.models))))


class Executor(Protocol):
    """Runs tasks. Failures and crashes of tasks are events, never exceptions."""

    def start(self) -> None:
        """Start the executor. Workers may start later, with their first task."""

    def slots(self) -> Slots:
        """Return all slots: whether each is free, and its models in memory."""

    def submit(self, task: Task) -> None:
        """Run a task in a suitable slot. Raises RuntimeError if none is free."""

    def events(self, timeout: float = 0.0) -> Iterator[TaskEvent]:
        """Yield the events since the last call, in order; wait up to `timeout` seconds for the first.

        The last event of every submitted task is its only `TaskResult`."""

    def cancel(self, task_id: str) -> None:
        """Stop a task before returning. Do nothing for a task that has ended."""

    def stop(self) -> None:
        """Stop all tasks and end all processes."""

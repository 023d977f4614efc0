"""The seam between deciding and doing: what an executor is given, and what it says.

Only control messages cross it; bytes travel through files. All messages have a JSON form, so that an executor may put a
process or a network between.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self

from pipelines.base import Device, Kind, MemoryMode, ModelSpec


@dataclass(frozen=True, slots=True)
class Task:
    """One step, ready to be done: its inputs are files (role → absolute paths, in order), `out` is an empty folder that
    belongs to it alone. `params` is JSON, checked by the family before anything is loaded. `memory_mode`: how the model should save
    memory from the first try on."""

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
    """A task is `fraction` (0 to 1) done."""

    task_id: str
    fraction: float
    message: str = ""


@dataclass(frozen=True, slots=True)
class TaskWarning:
    """Something that the user should know about the result of a task."""

    task_id: str
    message: str


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no result. `code` is a stable word: one of those below, or the name of an exception. `message` speaks
    to the user and never holds the text of an unforeseen exception; that is in `detail`, for the log. `field` names what
    cannot be used, `category` the rule that refused it. Trying again can help only if `retryable`."""

    code: str
    message: str
    field: str = ""
    retryable: bool = False
    detail: str = ""
    category: str = ""


@dataclass(frozen=True, slots=True)
class TaskResult:
    """A task has ended. Without `error` its `outputs` are complete: (name, path), in the order in which the family gave
    them. `crashed` says that nobody knows how it ended, as its worker died. `record` is what was measured: `seconds` (without
    `load_seconds`), `loaded` (whether the model had to be), `peak_memory_mb`, `device`, `memory_mode`, `memory_steps` (what was given up for memory), `warnings`, `facts`, `libraries`. `resident` names the models that are
    loaded there now."""

    task_id: str
    outputs: tuple[tuple[str, Path], ...] = ()
    record: Mapping[str, Any] = field(default_factory=dict)
    resident: tuple[str, ...] = ()
    error: Failure | None = None

    @property
    def ok(self) -> bool:
        return self.error is None

    @property
    def crashed(self) -> bool:
        return self.error is not None and self.error.code == WORKER_CRASHED


TaskEvent = TaskProgress | TaskWarning | TaskResult

REJECTED = "Rejected"
BAD_INPUT, MISSING, OUT_OF_MEMORY, DISK_FULL = "BadInput", "Missing", "OutOfMemory", "DiskFull"
WORKER_CRASHED, CANCELLED = "Lost", "Cancelled"


def event_to_json(event: TaskEvent) -> dict[str, Any]:
    """The JSON form of an event, tagged with its type."""
    data = asdict(event)
    if isinstance(event, TaskResult):
        data["outputs"] = [[name, str(path)] for name, path in event.outputs]
    return {"event": type(event).__name__, **data}


def event_from_json(data: Mapping[str, Any]) -> TaskEvent:
    """The event of a JSON form."""
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
    """A place where one task at a time can be done, and the models that are loaded there."""

    name: str
    device: Device
    free: bool = True
    models: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Slots:
    """All places of an executor."""

    all: tuple[Slot, ...]

    def free_for(self, spec: ModelSpec) -> tuple[Slot, ...]:
        """The free slots in which `spec` may run, those that have it loaded first. A model for a GPU takes a device slot, an empty one
        rather than another model's; where there is none, the first of the others, as no machine should hold it twice. All else
        leaves device slots alone, and takes a worker that is there rather than a new one."""
        devices = [slot for slot in self.all if slot.device.kind != "cpu"]
        others = [slot for slot in self.all if slot.device.kind == "cpu"]
        suitable = others if spec.device == "cpu" else devices or others[:1]
        free = [slot for slot in suitable if slot.free]
        if spec.device == "cpu":
            return tuple(sorted(free, key=lambda slot: (spec.name not in slot.models, not slot.models)))
        return tuple(sorted(free, key=lambda slot: (spec.name not in slot.models, len(slot.models))))


class Executor(Protocol):
    """Does tasks. Nothing that happens to a task is an exception: all of it is an event."""

    def start(self) -> None:
        """Make ready. Workers may start later, when they are needed."""

    def slots(self) -> Slots:
        """What is free now, and which models are resident where."""

    def submit(self, task: Task) -> None:
        """Do this in a fitting slot. Raises `RuntimeError` if none is free."""

    def events(self, timeout: float = 0.0) -> Iterator[TaskEvent]:
        """What has happened since the last call, in order; waits up to `wait` seconds for something to happen. Each
        submitted task ends with exactly one `Done`, and nothing of it follows."""

    def cancel(self, task_id: str) -> None:
        """End a task at once. What it was doing has stopped when this returns. Harmless for a task that has ended."""

    def stop(self) -> None:
        """End everything. No process remains."""

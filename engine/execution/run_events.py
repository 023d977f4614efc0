"""What happens while a plan runs, for whoever watches: the command line, the server, the job table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from engine.execution.protocol import Failure
from engine.storage.artifact_store import Output
from pipelines.base import MemoryMode


@dataclass(frozen=True, slots=True)
class RunEvent:
    """Something happened. `at` is the time in seconds since 1970."""

    timestamp: float

    def to_json(self) -> dict[str, Any]:
        """The event as JSON, with its type under `event`."""
        return {"event": type(self).__name__, **asdict(self)}


@dataclass(frozen=True, slots=True)
class RunStarted(RunEvent):
    """A run of `steps` begins: the ids in the order of the plan."""

    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StepEvent(RunEvent):
    """Something happened to one step."""

    step: str
    kind: str
    model: str


@dataclass(frozen=True, slots=True)
class StepStarted(StepEvent):
    """The step is being done, for the `attempt`-th time in this run, from 1."""

    key: str
    attempt: int


@dataclass(frozen=True, slots=True)
class StepProgress(StepEvent):
    """The step is `fraction` (0 to 1) done."""

    fraction: float
    message: str


@dataclass(frozen=True, slots=True)
class StepWarning(StepEvent):
    """The user should know this about what the step makes. Told again when the step is recalled."""

    message: str


@dataclass(frozen=True, slots=True)
class StepDone(StepEvent):
    """The outputs of the step are in the store. `seconds`, `peak_memory_mb` (of the GPU, where one was used) and `memory_mode` are of the
    making, also when `cached`."""

    key: str
    cached: bool
    seconds: float
    peak_memory_mb: int
    outputs: tuple[Output, ...]
    memory_mode: MemoryMode = MemoryMode.NONE


@dataclass(frozen=True, slots=True)
class StepFailed(StepEvent):
    """The step cannot be done; what needs it will not be done in this run."""

    error: Failure


@dataclass(frozen=True, slots=True)
class RunDone(RunEvent):
    """The run has ended: how many steps were made, recalled, failed, and never begun."""

    executed: int
    cached: int
    failed: int
    pending: int
    cancelled: bool
    seconds: float


EventCallback = Callable[[RunEvent], None]

"""Events of a run, for the command line, the server and the run history."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from engine.execution.protocol import Failure
from engine.storage.artifact_store import Output
from pipelines.base import MemoryMode


@dataclass(frozen=True, slots=True)
class RunEvent:
    """Base of all events. `timestamp` in seconds since 1970."""

    timestamp: float

    def to_json(self) -> dict[str, Any]:
        """Return the event as JSON, with its class name under `event`."""
        return {"event": type(self).__name__, **asdict(self)}


@dataclass(frozen=True, slots=True)
class RunStarted(RunEvent):
    """A run has started. `steps`: step ids in the order of the plan."""

    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StepEvent(RunEvent):
    """Base of the events of one step."""

    step: str
    kind: str
    model: str


@dataclass(frozen=True, slots=True)
class StepStarted(StepEvent):
    """An attempt of the step has started; `attempt` counts from 1 within the run."""

    key: str
    attempt: int


@dataclass(frozen=True, slots=True)
class StepProgress(StepEvent):
    """Progress of the step; `fraction` from 0 to 1."""

    fraction: float
    message: str


@dataclass(frozen=True, slots=True)
class StepWarning(StepEvent):
    """A warning about the outputs of the step, repeated when the step is cached."""

    message: str


@dataclass(frozen=True, slots=True)
class StepDone(StepEvent):
    """The outputs of the step are in the store.

    `seconds`, `peak_memory_mb` (of the GPU, if it was used) and `memory_mode` belong to the execution, also of a cached
    step."""

    key: str
    cached: bool
    seconds: float
    peak_memory_mb: int
    outputs: tuple[Output, ...]
    memory_mode: MemoryMode = MemoryMode.NONE


@dataclass(frozen=True, slots=True)
class StepFailed(StepEvent):
    """The step has failed; this run skips the steps that depend on it."""

    error: Failure


@dataclass(frozen=True, slots=True)
class RunDone(RunEvent):
    """The run has ended, with the number of executed, cached, failed and skipped (`pending`) steps."""

    executed: int
    cached: int
    failed: int
    pending: int
    cancelled: bool
    seconds: float


EventCallback = Callable[[RunEvent], None]

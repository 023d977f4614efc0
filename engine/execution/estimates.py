"""Forecasts of time, memory and disk space, from timings of earlier steps on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.execution.protocol import Slots
from engine.execution.run_events import StepDone
from engine.planning.plan import Plan, Step
from engine.storage.artifact_store import Action
from engine.storage.database import Database, Estimate
from pipelines.step_params import ComposeParams, ImageParams, NarrateParams, ScheduleParams, VideoParams

DEFAULT_STEP_BYTES = 1_000_000
"""Assumed output size of a step without timings."""


@dataclass(frozen=True, slots=True)
class ForecastRow:
    """Forecast of one step; all figures are 0 for cached steps."""

    step: Step
    cached: bool
    seconds: float
    memory_mb: int
    size: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """Forecast of a plan: wall-clock seconds, largest memory of one step in MB, output size in bytes.

    `measured`: whether every figure is based on timings of this machine."""

    rows: tuple[ForecastRow, ...]
    seconds: float
    memory_mb: int
    size: int
    measured: bool


def work_units(step: Step) -> float:
    """Return the amount of work in the unit of the kind: characters, megapixels, megapixels × segments, or scenes."""
    match step.params:
        case NarrateParams(text=text):
            return float(len(text))
        case ComposeParams(width=width, height=height):
            return len(step.inputs.get("segments", ())) * width * height / 1e6
        case ImageParams(width=width, height=height) | VideoParams(width=width, height=height):
            return width * height / 1e6
        case ScheduleParams(scenes=scenes):
            return float(len(scenes))
        case _:
            return 1.0


class TimingEstimator:
    """Estimates from stored timings, cached per kind and model until the next timing."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._estimates: dict[tuple[str, str], Estimate | None] = {}

    def estimate(self, step: Step) -> Estimate | None:
        """Return the estimate for a step; None without timings of its kind and model."""
        key = (str(step.kind), step.spec.name)
        if key not in self._estimates:
            self._estimates[key] = self._database.estimate(*key)
        unit_estimate = self._estimates[key]
        work = work_units(step)
        return unit_estimate and Estimate(
            unit_estimate.seconds * work,
            unit_estimate.peak_memory_mb,
            round(unit_estimate.bytes * work),
            unit_estimate.samples,
        )

    def estimate_seconds(self, step: Step) -> float:
        """Return the estimated seconds of a step; without timings, the value of models.yaml."""
        estimate = self.estimate(step)
        return estimate.seconds if estimate else step.spec.seconds

    def record(self, step: Step, done: StepDone) -> None:
        """Store the timing of a step that has run."""
        self._database.add_timing(
            str(step.kind),
            step.spec.name,
            work=max(work_units(step), 1e-6),
            seconds=done.seconds,
            peak_memory_mb=done.peak_memory_mb,
            size=sum(output.size for output in done.outputs),
        )
        self._estimates.pop((str(step.kind), step.spec.name), None)


def forecast(plan: Plan, cached_actions: Mapping[str, Action], estimator: TimingEstimator, slots: Slots) -> Forecast:
    """Return the forecast for the steps of a plan that are not cached.

    The wall-clock time is the maximum of the longest chain of steps and the total work divided by the slots."""
    rows: list[ForecastRow] = []
    finish_times: dict[str, float] = {}
    all_measured = True
    for step in plan:
        if step.id in cached_actions:
            rows.append(ForecastRow(step, True, 0.0, 0, 0))
            finish_times[step.id] = 0.0
            continue
        estimate = estimator.estimate(step)
        all_measured = all_measured and estimate is not None
        row = ForecastRow(
            step,
            False,
            estimate.seconds if estimate else step.spec.seconds,
            estimate.peak_memory_mb if estimate else step.spec.memory_mb,
            estimate.bytes if estimate else DEFAULT_STEP_BYTES,
        )
        rows.append(row)
        finish_times[step.id] = row.seconds + max((finish_times[need] for need in step.dependencies()), default=0.0)
    shared = sum(row.seconds for row in rows) / max(1, len(slots.all))
    return Forecast(
        tuple(rows),
        max(shared, max(finish_times.values(), default=0.0)),
        max((row.memory_mb for row in rows), default=0),
        sum(row.size for row in rows),
        all_measured,
    )

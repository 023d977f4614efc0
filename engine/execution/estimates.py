"""What a plan will take: seconds, memory, disk, learned from what such steps took on this machine before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.execution.protocol import Slots
from engine.execution.run_events import StepDone
from engine.planning.plan import Plan, Step
from engine.storage.artifact_store import Action
from engine.storage.database import Estimate, Jobs
from pipelines.step_params import ComposeParams, NarrateParams, PictureParams, ScheduleParams, VideoParams

UNKNOWN_BYTES = 1_000_000
"""Disk of a step of which nothing is known yet."""


@dataclass(frozen=True, slots=True)
class Row:
    """One step of a forecast; `cached` steps take nothing."""

    step: Step
    cached: bool
    seconds: float
    memory_mb: int
    size: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is there, and what the rest takes: `seconds` of wall clock, the most memory of one step, bytes on disk.
    `learned` tells whether this machine's own steps were the base of all of it."""

    rows: tuple[Row, ...]
    seconds: float
    memory_mb: int
    size: int
    learned: bool


def work_of(step: Step) -> float:
    """How much there is to do, in the unit of the kind: characters spoken, megapixels, parts joined, scenes."""
    match step.params:
        case NarrateParams(text=text):
            return float(len(text))
        case ComposeParams(width=width, height=height):
            return len(step.inputs.get("parts", ())) * width * height / 1e6
        case PictureParams(width=width, height=height) | VideoParams(width=width, height=height):
            return width * height / 1e6
        case ScheduleParams(scenes=scenes):
            return float(len(scenes))
        case _:
            return 1.0


class Learned:
    """Reads and writes what steps took; after one look per kind and model the next comes when such a step was done again."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._known: dict[tuple[str, str], Estimate | None] = {}

    def of(self, step: Step) -> Estimate | None:
        """What the step will take, if such steps were done here before."""
        key = (str(step.kind), step.spec.name)
        if key not in self._known:
            self._known[key] = self._jobs.estimate(*key)
        one = self._known[key]
        work = work_of(step)
        return one and Estimate(one.seconds * work, one.peak_memory_mb, round(one.bytes * work), one.samples)

    def seconds(self, step: Step) -> float:
        """Seconds of the step; what models.yaml says where nothing was learned."""
        learned = self.of(step)
        return learned.seconds if learned else step.spec.seconds

    def add(self, step: Step, done: StepDone) -> None:
        """The step was done."""
        self._jobs.add_timing(
            str(step.kind),
            step.spec.name,
            work=max(work_of(step), 1e-6),
            seconds=done.seconds,
            peak_memory_mb=done.peak_memory_mb,
            size=sum(output.size for output in done.outputs),
        )
        self._known.pop((str(step.kind), step.spec.name), None)


def forecast(plan: Plan, made: Mapping[str, Action], learned: Learned, slots: Slots) -> Forecast:
    """What `plan` takes beyond what is `made`. The wall clock is at least that of the longest chain, and at least all work
    shared by the slots."""
    rows: list[Row] = []
    ends: dict[str, float] = {}
    known = True
    for step in plan:
        if step.id in made:
            rows.append(Row(step, True, 0.0, 0, 0))
            ends[step.id] = 0.0
            continue
        one = learned.of(step)
        known = known and one is not None
        row = Row(
            step,
            False,
            one.seconds if one else step.spec.seconds,
            one.peak_memory_mb if one else step.spec.memory_mb,
            one.bytes if one else UNKNOWN_BYTES,
        )
        rows.append(row)
        ends[step.id] = row.seconds + max((ends[need] for need in step.needs()), default=0.0)
    shared = sum(row.seconds for row in rows) / max(1, len(slots.all))
    return Forecast(
        tuple(rows),
        max(shared, max(ends.values(), default=0.0)),
        max((row.memory_mb for row in rows), default=0),
        sum(row.size for row in rows),
        known,
    )

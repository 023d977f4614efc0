"""What a piece of work does: bring a stored story as far as it was asked for. Every goal is the same service, the same plan
and the same store; what is there already is recalled."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from engine.execution.run_events import Event, RunStarted, StepDone, StepProgress
from engine.execution.run_result import RunResult
from engine.planning.plan import Plan
from engine.planning.planner import Upto, plan_story
from engine.planning.step_ids import inspection_id
from engine.server.jobs.output_cache import Shelf
from engine.server.jobs.queue import Goal, Work
from engine.server.jobs.stories import Record, Records
from engine.service import Service
from engine.storage.artifact_store import Output
from engine.story.model import Brief, Story, told_of
from pipelines.base import Kind

UPTO: dict[Goal, Upto] = {
    "elements": "portraits",
    "scenes": "clips",
    "keyframes": "keyframes",
    "film": "film",
    "concat": "film",
}
SCENE_KINDS = frozenset({Kind.INTAKE, Kind.KEYFRAME, Kind.ENHANCE, Kind.NARRATE})
"""What step 2 makes of the plan, beside the looks at it; motion comes with step 3."""
WRITTEN = 8
"""Percent of a film when its storyboard is there."""


@dataclass
class Watch:
    """Counts what is done, in percent that never fall, and shelves what was made."""

    work: Work
    records: Records
    shelf: Shelf
    seconds: Callable[[str], float]
    changed: Callable[[int], None]
    first: int = 0
    last: int = 99
    _all: dict[str, float] = field(default_factory=dict)
    _done: dict[str, float] = field(default_factory=dict)
    _unseen: dict[str, tuple[str, tuple[Output, ...]]] = field(default_factory=dict)
    """Pictures that nobody is shown before they were looked at, by the step that does so."""
    percent: int = 0

    def between(self, first: int, last: int) -> None:
        """What runs next brings the work from `first` to `last` percent."""
        self.first, self.last = first, last

    def __call__(self, event: Event) -> None:
        match event:
            case RunStarted(steps=steps):
                self._all = {step: self.seconds(step) for step in steps}
                self._done = {}
            case StepProgress(step=step, fraction=fraction):
                self._done[step] = fraction
                self._count()
            case StepDone(step=step, outputs=outputs):
                if not event.recalled:
                    self.records.credits.made(self.work.number, Kind(event.kind))
                self._done[step] = 1.0
                if inspection_id(step) in self._all:
                    self._unseen[inspection_id(step)] = step, outputs
                else:
                    self.shelf.add(self.work.story, *self._unseen.pop(step, (step, outputs)))
                before = self.percent
                self._count()
                if self.percent > before:
                    self.records.queue.progress(self.work, self.percent)
                self.changed(self.percent)

    def _count(self) -> None:
        whole = sum(self._all.values()) or 1.0
        part = sum(self._all.get(step, 0.0) * fraction for step, fraction in self._done.items()) / whole
        percent = int(self.first + (self.last - self.first) * min(part, 1.0))
        if percent > self.percent:
            self.percent = percent
            self.changed(percent)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a piece of work: the digest of the film where it is one; whether an earlier version of the story left something
    behind."""

    film: str | None = None
    superseded: bool = False


@dataclass(frozen=True, slots=True)
class Worker:
    """Does one piece of work at a time."""

    service: Service
    records: Records
    shelf: Shelf

    def do(self, work: Work, record: Record, stop: threading.Event, changed: Callable[[int], None]) -> Outcome:
        """Do it. Raises StoryError, PlanningError, RunFailed, RunCancelled, StoreError, KeyError when the story was deleted."""
        plans: list[Plan] = []

        def seconds(step: str) -> float:
            spec = next((plan[step] for plan in plans if step in plan), None)
            return max(0.05, self.service.learned.seconds(spec)) if spec else 0.5

        watch = Watch(work, self.records, self.shelf, seconds, changed)
        watch.percent = work.progress
        told: Brief | Story = told_of(work.told) if work.told else record.told
        own = work.told is None
        told, warnings = self.service.take_in(told, None, run_id=record.id, stop=stop)
        if own:
            self.records.advance(record.id, told, warnings)
        if isinstance(told, Brief):
            watch.between(0, 99 if work.goal == "storyboard" else WRITTEN)
            told, warnings = self.service.write(told, watch, run_id=record.id, stop=stop)
            self.records.advance(record.id, told, warnings)
            self.shelf.drop(record.id)
            changed(watch.percent)
        if work.goal == "storyboard":
            return Outcome(superseded=self.service.keep(record.id, told))
        told = told.model_copy(update={"title": record.title or told.title})
        upto = UPTO[work.goal]
        plan = plan_story(told, self.service.catalog, upto).plan
        plans.append(plan)
        only = [step.id for step in plan if step.kind in SCENE_KINDS] if work.goal == "scenes" else None
        watch.between(watch.percent, 99)
        made = self.service.make(told, upto, watch, only=only, run_id=record.id, stop=stop)
        if own:
            self.records.advance(record.id, told, made.warnings)
        current = self.records.get(record.id)  # what was made may be another story: of this one's clips, or of others
        shown = [current.film] if current.film else []
        return Outcome(_film(made), self.service.keep(record.id, current.told, made, shown))


def _film(made: RunResult) -> str | None:
    action = made.actions.get("compose")
    return next((output.digest for output in action.outputs if output.name == "film.mp4"), None) if action else None

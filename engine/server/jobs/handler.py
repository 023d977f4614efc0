"""Runs a job: brings a stored story to the target of the job. Every target uses the same planner and artifact store, so
finished steps come from the cache."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from engine.execution.run_events import RunEvent, RunStarted, StepDone, StepProgress
from engine.execution.run_result import RunResult
from engine.planning.plan import Plan
from engine.planning.planner import PlanStage, plan_story
from engine.planning.step_ids import COMPOSE_ID, image_check_id
from engine.server.jobs.output_cache import OutputIndex
from engine.server.jobs.queue import Job, JobTarget
from engine.server.jobs.stories import Record, Records
from engine.service import Service
from engine.storage.artifact_store import Output
from engine.story.model import Brief, Story, from_json
from pipelines.base import Kind
from pipelines.step_params import OutputName

PLAN_STAGES: dict[JobTarget, PlanStage] = {
    "elements": "portraits",
    "scenes": "clips",
    "keyframes": "keyframes",
    "film": "film",
    "concat": "film",
}
SCENE_KINDS = frozenset({Kind.SANITIZE_IMAGE, Kind.KEYFRAME, Kind.ENHANCE, Kind.NARRATE})
"""Kinds of steps that step 2 runs (besides checks); step 3 runs the animation."""
STORYBOARD_PERCENT = 8
"""Progress of a film, in percent, when its storyboard is finished."""


@dataclass
class ProgressTracker:
    """Receives the events of a run: computes the progress in percent (it never falls), charges credits, and adds
    finished outputs to the output index."""

    job: Job
    records: Records
    output_index: OutputIndex
    estimate_seconds: Callable[[str], float]
    on_progress: Callable[[int], None]
    start_percent: int = 0
    end_percent: int = 99
    _step_seconds: dict[str, float] = field(default_factory=dict)
    _fractions: dict[str, float] = field(default_factory=dict)
    _unchecked_outputs: dict[str, tuple[str, tuple[Output, ...]]] = field(default_factory=dict)
    """Images that are hidden until their check passes, by the id of the check step."""
    percent: int = 0

    def set_range(self, start: int, end: int) -> None:
        """Map the progress of the next run to `start` … `end` percent of the job."""
        self.start_percent, self.end_percent = start, end

    def __call__(self, event: RunEvent) -> None:
        match event:
            case RunStarted(steps=steps):
                self._step_seconds = {step: self.estimate_seconds(step) for step in steps}
                self._fractions = {}
            case StepProgress(step=step, fraction=fraction):
                self._fractions[step] = fraction
                self._update_percent()
            case StepDone(step=step, outputs=outputs):
                if not event.cached:
                    self.records.credits.charge(self.job.id, Kind(event.kind))
                self._fractions[step] = 1.0
                if image_check_id(step) in self._step_seconds:
                    self._unchecked_outputs[image_check_id(step)] = step, outputs
                else:
                    self.output_index.add(self.job.story_id, *self._unchecked_outputs.pop(step, (step, outputs)))
                before = self.percent
                self._update_percent()
                if self.percent > before:
                    self.records.queue.set_progress(self.job, self.percent)
                self.on_progress(self.percent)

    def _update_percent(self) -> None:
        total = sum(self._step_seconds.values()) or 1.0
        done = sum(self._step_seconds.get(step, 0.0) * fraction for step, fraction in self._fractions.items()) / total
        percent = int(self.start_percent + (self.end_percent - self.start_percent) * min(done, 1.0))
        if percent > self.percent:
            self.percent = percent
            self.on_progress(percent)


@dataclass(frozen=True, slots=True)
class JobOutput:
    """Result of a job. `film`: digest of the film, if the job made one; `superseded`: the story no longer references
    some artifacts of its earlier version."""

    film: str | None = None
    superseded: bool = False


@dataclass(frozen=True, slots=True)
class JobHandler:
    """Runs one job at a time per thread."""

    service: Service
    records: Records
    output_index: OutputIndex

    def handle(self, job: Job, record: Record, stop: threading.Event, on_progress: Callable[[int], None]) -> JobOutput:
        """Run a job to its target. `on_progress` receives percent.

        Raises StoryError, PlanningError, RunFailed, RunCancelled, StoreError; KeyError when the story was deleted."""
        plans: list[Plan] = []

        def estimate_seconds(step: str) -> float:
            spec = next((plan[step] for plan in plans if step in plan), None)
            return max(0.05, self.service.plans.estimator.estimate_seconds(spec)) if spec else 0.5

        tracker = ProgressTracker(job, self.records, self.output_index, estimate_seconds, on_progress)
        tracker.percent = job.progress
        story: Brief | Story = from_json(job.story_json) if job.story_json else record.story
        is_own_story = job.story_json is None
        story, warnings = self.service.import_inputs(story, None, run_id=record.id, stop=stop)
        if is_own_story:
            self.records.save_progress(record.id, story, warnings)
        if isinstance(story, Brief):
            tracker.set_range(0, 99 if job.target == "storyboard" else STORYBOARD_PERCENT)
            story, warnings = self.service.write(story, tracker, run_id=record.id, stop=stop)
            self.records.save_progress(record.id, story, warnings)
            self.output_index.invalidate(record.id)
            on_progress(tracker.percent)
        if job.target == "storyboard":
            return JobOutput(superseded=self.service.retain(record.id, story))
        story = story.model_copy(update={"title": record.title or story.title})
        until = PLAN_STAGES[job.target]
        plan = plan_story(story, self.service.catalog, until).plan
        plans.append(plan)
        step_ids = [step.id for step in plan if step.kind in SCENE_KINDS] if job.target == "scenes" else None
        tracker.set_range(tracker.percent, 99)
        result = self.service.run(story, until, tracker, only=step_ids, run_id=record.id, stop=stop)
        if is_own_story:
            self.records.save_progress(record.id, story, result.warnings)
        current = self.records.get(record.id)  # the job may have run another story, made of clips
        kept_films = [current.film] if current.film else []
        return JobOutput(_film_digest(result), self.service.retain(record.id, current.story, result, kept_films))


def _film_digest(result: RunResult) -> str | None:
    action = result.actions.get(COMPOSE_ID)
    return (
        next((output.digest for output in action.outputs if output.name == OutputName.FILM), None) if action else None
    )

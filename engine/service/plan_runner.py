"""Running of plans on the shared executor, with timings, memory modes and references."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from threading import Event as StopEvent

from engine.execution.errors import RunCancelled, RunFailed
from engine.execution.estimates import Forecast, TimingEstimator, forecast
from engine.execution.memory_modes import MemoryModeStore
from engine.execution.protocol import Executor, FailureCode
from engine.execution.run_events import EventCallback, RunEvent, StepDone, StepFailed, StepWarning
from engine.execution.runner import ExecutionResult, Runner
from engine.execution.shared import ExecutorMultiplexer
from engine.planning.plan import PlanResult
from engine.planning.planner import with_check_steps
from engine.storage.artifact_store import Action, ArtifactStore
from engine.storage.database import Database
from pipelines.base import Kind

_log = logging.getLogger(__name__)


@dataclass
class _EventRecorder:
    """Forwards events, collects warnings, stores timings and memory modes."""

    on_event: EventCallback
    estimator: TimingEstimator
    memory_modes: MemoryModeStore
    plan_result: PlanResult
    retain: Callable[[str], None]
    warnings: dict[str, None] = field(default_factory=dict)

    def __call__(self, event: RunEvent) -> None:
        match event:
            case StepWarning(step=step, message=message):
                self.warnings[f"{step}: {message}"] = None
            case StepFailed(step=step, error=error):
                expected = error.code in (FailureCode.BAD_INPUT, FailureCode.REJECTED)  # caused by the request
                level = logging.INFO if expected else logging.ERROR
                _log.log(level, "%s failed: %s: %s\n%s", step, error.code, error.message, error.detail)
            case StepDone(step=step, key=key, cached=cached):
                self.retain(key)
                if not cached:
                    self.estimator.record(self.plan_result.plan[step], event)
                    self.memory_modes.record(event.model, event.memory_mode)
        self.on_event(event)


class PlanRunner:
    """Runs plans on views of one executor. Thread-safe."""

    def __init__(self, store: ArtifactStore, database: Database, executor: Executor) -> None:
        self.store, self.database = store, database
        self.estimator, self.memory_modes = TimingEstimator(database), MemoryModeStore(database)
        self.multiplexer = ExecutorMultiplexer(executor)
        self.runner = self._create_runner(executor)  # for cache lookups; each run has a view of the executor

    def execute(
        self,
        plan_result: PlanResult,
        step_ids: Iterable[str] | None,
        on_event: EventCallback,
        run_id: str | None,
        stop: StopEvent | None,
    ) -> tuple[ExecutionResult, tuple[str, ...]]:
        """Run steps of a plan (None: all) and return the result and its warnings. Raises RunFailed, RunCancelled.

        `run_id`: the run that keeps the finished steps from garbage collection."""

        def retain(key: str) -> None:
            if run_id:
                self.database.add_references(run_id, keys=[key])

        recorder = _EventRecorder(on_event, self.estimator, self.memory_modes, plan_result, retain)
        view = self.multiplexer.view()
        try:
            result = self._create_runner(view).run(plan_result.plan, step_ids, recorder, stop)
        finally:
            view.stop()
        if result.failed:
            raise RunFailed(result.failed)
        if result.cancelled:
            raise RunCancelled("cancelled; finished steps stay cached")
        return result, tuple(recorder.warnings)

    def check_inputs(self, plan_result: PlanResult, run_id: str | None, stop: StopEvent | None) -> Mapping[str, Action]:
        """Run the steps that sanitize and check input files; return their actions. Raises RunFailed, RunCancelled."""
        input_steps = [
            step.id
            for step in plan_result.plan
            if step.kind in (Kind.SANITIZE_IMAGE, Kind.SAMPLE_FRAMES) and not step.dependencies()
        ]
        if not input_steps:
            return {}
        result, _ = self.execute(
            plan_result, with_check_steps(input_steps, plan_result.plan), lambda event: None, run_id, stop
        )
        return result.actions

    def forecast(self, plan_result: PlanResult) -> Forecast:
        """Return the forecast of a plan."""
        return forecast(
            plan_result.plan, self.runner.get_cached(plan_result.plan), self.estimator, self.multiplexer.slots()
        )

    def _create_runner(self, executor: Executor) -> Runner:
        return Runner(self.store, executor, estimate=self.estimator.estimate_seconds, memory_mode=self.memory_modes.get)

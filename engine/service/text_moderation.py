"""Text moderation in this process."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock

from engine.execution.errors import RunFailed
from engine.execution.inline import InlineExecutor
from engine.execution.protocol import Failure, Task, TaskResult
from engine.execution.runner import Runner
from engine.planning.plan import Step
from engine.planning.planner import plan_text_check
from engine.story.model import Brief, Story
from pipelines.models.catalog import Catalog


class TextModerator:
    """Checks texts at once, also when all workers are busy, so that a request can be rejected immediately.
    Thread-safe."""

    def __init__(self, catalog: Catalog, runner: Runner) -> None:
        self._catalog, self._runner = catalog, runner
        self._executor, self._lock = InlineExecutor(), Lock()

    def close(self) -> None:
        """Unload the model."""
        self._executor.stop()

    def check(self, story: Brief | Story) -> None:
        """Check all texts of a story, unless the check is cached. The result is not stored. Raises PlanningError,
        RunFailed."""
        plan = plan_text_check(story, self._catalog).plan
        cached = self._runner.get_cached(plan)
        for step in plan:
            if step.id not in cached and (failure := self._run_check(step)):
                raise RunFailed({step.id: failure})

    def _run_check(self, step: Step) -> Failure | None:
        with self._lock, TemporaryDirectory() as folder:
            params = step.params.model_dump(mode="json")
            self._executor.submit(Task(step.id, step.kind, step.spec, params, {}, Path(folder) / "out", step.seed))
            *_, result = self._executor.events()
            assert isinstance(result, TaskResult)
            return result.error

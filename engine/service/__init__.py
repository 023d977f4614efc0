"""The service: import, plan, run and delete stories. The command line and the server both use it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from threading import Event as StopEvent

from engine.execution.protocol import Executor
from engine.execution.run_events import EventCallback
from engine.execution.run_result import RunResult
from engine.inputs.importer import InputImporter
from engine.planning.plan import Plan, Step
from engine.planning.planner import PlanStage, plan_brief, plan_story, with_check_steps
from engine.service.brief_writer import BriefWriter
from engine.service.plan_runner import PlanRunner
from engine.service.run_tracker import RunTracker
from engine.service.text_moderation import TextModerator
from engine.settings import Settings
from engine.storage.artifact_store import ArtifactStore
from engine.storage.database import Database
from engine.story.model import AnyStory, Brief, Story
from pipelines.models.catalog import Catalog


class Service:
    """One store, one database, one executor, for several threads. A context manager that starts and stops the
    workers."""

    def __init__(self, settings: Settings, catalog: Catalog, executor: Executor) -> None:
        self.settings, self.catalog, self.executor = settings, catalog, executor
        self.store = ArtifactStore(settings.store)
        self.database = Database(settings.database)
        self.plans = PlanRunner(self.store, self.database, executor)
        self.runner = self.plans.runner
        self.moderator = TextModerator(catalog, self.runner)
        self.runs = RunTracker(self.store, self.database, catalog, self.runner)
        self.writer = BriefWriter(self.store, catalog, self.plans, self.moderator, self._importer)
        self.check_text, self.write, self.forecast = self.moderator.check, self.writer.write, self.plans.forecast
        self.start_run, self.finish_run, self.fail_run = self.runs.start_run, self.runs.finish_run, self.runs.fail_run
        self.retain, self.takes, self.gc = self.runs.retain, self.runs.takes, self.runs.gc

    def __enter__(self) -> Service:
        self.store.remove_orphans()
        self.executor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.executor.stop()
        self.moderator.close()
        self.store.close()
        self.database.close()

    def import_inputs(
        self, story: AnyStory, base: Path | None, *, run_id: str | None = None, stop: StopEvent | None = None
    ) -> tuple[AnyStory, tuple[str, ...]]:
        """Import the input files of a story; see `InputImporter.import_inputs`. The run `run_id` keeps them."""
        return self._importer(run_id).import_inputs(story, base, stop)

    def _importer(self, run_id: str | None) -> InputImporter:
        def retain(digest: str) -> None:
            if run_id:
                self.database.add_references(run_id, digests=[digest])

        return InputImporter(self.store, self.settings.allow_private_urls, retain)

    def run(
        self,
        story: Story,
        until: PlanStage = "film",
        on_event: EventCallback = lambda event: None,
        *,
        only: Iterable[str] | None = None,
        run_id: str | None = None,
        stop: StopEvent | None = None,
    ) -> RunResult:
        """Run the steps of a story until a stage, or only the steps `only` and their dependencies.

        Texts and input files are checked first. Finished steps are kept from garbage collection for `run_id`, also if
        the run fails. Raises PlanningError, RunFailed, RunCancelled."""
        plan_result = plan_story(story, self.catalog, until)
        self.check_text(story)
        self.plans.check_inputs(plan_result, run_id, stop)
        step_ids = None if only is None else with_check_steps(only, plan_result.plan)
        result, warnings = self.plans.execute(plan_result, step_ids, on_event, run_id, stop)
        return RunResult(story, plan_result, result.actions, result.cached, (*plan_result.warnings, *warnings))

    def full_plan(self, story: Brief | Story) -> Plan:
        """Return all steps of a story up to the film; a brief is written first, or taken from the cache."""
        steps: dict[str, Step] = {}
        if isinstance(story, Brief):
            steps |= plan_brief(story, self.catalog).plan.by_id
            story, _ = self.write(story)
        steps |= plan_story(story, self.catalog).plan.by_id
        return Plan(tuple(steps.values()))


def run_id_for(spec: Path, out: Path) -> str:
    """Return the id of the run of a file into a folder; the same pair continues the same run."""
    return hashlib.sha256(f"{spec.resolve()}\n{out.resolve()}".encode()).hexdigest()[:12]

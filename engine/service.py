"""What can be done with a story: take its files in, plan it, make it, make part of it anew, forget it. The command line and
the server both call this, and nothing else makes a film."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event as StopEvent
from threading import Lock
from typing import Any

from engine.execution.errors import RunCancelled, RunFailed, failure_field
from engine.execution.estimates import Forecast, TimingEstimator, forecast
from engine.execution.inline import InlineExecutor
from engine.execution.memory_modes import MemoryModeStore
from engine.execution.protocol import Executor, Failure, FailureCode, Task, TaskResult
from engine.execution.run_events import EventCallback, RunEvent, StepDone, StepFailed, StepWarning
from engine.execution.run_result import RunResult
from engine.execution.runner import ExecutionResult, Runner
from engine.execution.shared import ExecutorMultiplexer
from engine.inputs.importer import PAGE_NOT_READ, InputImporter
from engine.inputs.page_images import SKIPPED_MESSAGE, add_image_objects, fetch_page_images, is_too_small
from engine.planning.plan import Plan, PlanningError, PlanResult, Step
from engine.planning.planner import PlanStage, plan_brief, plan_story, plan_text_check, with_check_steps
from engine.planning.step_ids import COMPOSE_ID, READ_ID, WRITE_ID, sanitize_id
from engine.settings import Settings
from engine.storage.artifact_store import Action, ArtifactStore
from engine.storage.database import Database, Run
from engine.story.assembly import assemble_story
from engine.story.field_path import FieldPath
from engine.story.model import AnyStory, Brief, Story, input_files
from pipelines.base import Kind
from pipelines.models.catalog import Catalog
from pipelines.storyboard import Storyboard

_log = logging.getLogger(__name__)


@dataclass
class _EventRecorder:
    """Passes events on, and keeps what must be known afterwards."""

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
                theirs = error.code in (FailureCode.BAD_INPUT, FailureCode.REJECTED)  # no mistake of ours
                level = logging.INFO if theirs else logging.ERROR
                _log.log(level, "%s failed: %s: %s\n%s", step, error.code, error.message, error.detail)
            case StepDone(step=step, key=key, cached=cached):
                self.retain(key)
                if not cached:
                    self.estimator.record(self.plan_result.plan[step], event)
                    self.memory_modes.record(event.model, event.memory_mode)
        self.on_event(event)


class Service:
    """One store, one history, one executor. Use it as a context manager; it starts and stops its workers. Several threads may make
    something at the same time."""

    def __init__(self, settings: Settings, catalog: Catalog, executor: Executor) -> None:
        self.settings, self.catalog, self.executor = settings, catalog, executor
        self.store = ArtifactStore(settings.store)
        self.database = Database(settings.database)
        self.estimator, self.memory_modes = TimingEstimator(self.database), MemoryModeStore(self.database)
        self.multiplexer = ExecutorMultiplexer(executor)
        self.runner = self._create_runner(executor)  # recalls; what runs gets a view of the executor
        # Words are looked at here and now: a request can be refused while all workers are busy with others.
        self._inline_executor = InlineExecutor()
        self._check_lock = Lock()

    def _create_runner(self, executor: Executor) -> Runner:
        return Runner(self.store, executor, estimate=self.estimator.estimate_seconds, memory_mode=self.memory_modes.get)

    def __enter__(self) -> Service:
        self.store.remove_orphans()
        self.executor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.executor.stop()
        self._inline_executor.stop()
        self.store.close()
        self.database.close()

    def import_inputs(
        self, story: AnyStory, base: Path | None, *, run_id: str | None = None, stop: StopEvent | None = None
    ) -> tuple[AnyStory, tuple[str, ...]]:
        """Put every given file into the store; a run of that id needs each from then on. As `Receiver.take_in`."""
        return self._importer(run_id).import_inputs(story, base, stop)

    def _importer(self, run_id: str | None) -> InputImporter:
        def retain(digest: str) -> None:
            if run_id:
                self.database.add_references(run_id, digests=[digest])

        return InputImporter(self.store, self.settings.allow_private_urls, retain)

    # Planning and making

    def check_text(self, story: Brief | Story) -> None:
        """Look whether the words may be told, before anything is made of them. What it finds is kept by the run that makes
        something of them, not by this, so that a request costs little. Raises PlanningError, RunFailed."""
        plan = plan_text_check(story, self.catalog).plan
        known = self.runner.get_cached(plan)
        for step in plan:
            if step.id not in known and (failure := self._run_check(step)):
                raise RunFailed({step.id: failure})

    def _run_check(self, step: Step) -> Failure | None:
        with self._check_lock, TemporaryDirectory() as folder:
            params = step.params.model_dump(mode="json")
            self._inline_executor.submit(
                Task(step.id, step.kind, step.spec, params, {}, Path(folder) / "out", step.seed)
            )
            *_, result = self._inline_executor.events()
            assert isinstance(result, TaskResult)
            return result.error

    def write(
        self,
        brief: Brief,
        on_event: EventCallback = lambda event: None,
        *,
        run_id: str | None = None,
        stop: StopEvent | None = None,
    ) -> tuple[Story, tuple[str, ...]]:
        """The story of a brief, with the warnings of its writing; both are checked. Raises PlanningError, RunFailed, RunCancelled."""
        self.check_text(brief)
        brief, page_warnings = self._read_page(brief, run_id, stop)
        plan_result = plan_brief(brief, self.catalog)
        self._check_inputs(plan_result, run_id, stop)
        result, warnings = self._execute(plan_result, None, on_event, run_id, stop)
        path = self.store.path(_output_digest(result.actions[WRITE_ID], "storyboard.json"))
        storyboard = Storyboard.model_validate_json(path.read_bytes())
        story = assemble_story(brief, storyboard)
        self.check_text(story)
        image_warnings: tuple[str, ...] = ()
        if brief.page_pictures and READ_ID in result.actions:
            page = json.loads(self.store.path(_output_digest(result.actions[READ_ID], "page.json")).read_bytes())
            story, image_warnings = self._add_page_images(page, brief.page_pictures, story, run_id, stop)
        return story, (*page_warnings, *plan_result.warnings, *warnings, *image_warnings)

    def _read_page(self, brief: Brief, run_id: str | None, stop: StopEvent | None) -> tuple[Brief, tuple[str, ...]]:
        """The brief without its page where that says nothing: the idea stands without it."""
        if brief.page is None:
            return brief, ()
        plan_result = plan_brief(brief, self.catalog)
        try:
            self._execute(plan_result, plan_result.plan.closure([READ_ID]).by_id, lambda event: None, run_id, stop)
        except RunFailed as error:
            failure = error.failures.get(READ_ID)
            if failure is None or failure.code != FailureCode.BAD_INPUT:
                raise
            return brief.model_copy(update={"page": None}), (f"{PAGE_NOT_READ}: page: {failure.message}",)
        return brief, ()

    def _add_page_images(
        self, page: Mapping[str, Any], count: int, story: Story, run_id: str | None, stop: StopEvent | None
    ) -> tuple[Story, tuple[str, ...]]:
        """The story with pictures of its page as objects. Those that cannot be had, read or shown are left out with a warning."""
        pictures, warnings = fetch_page_images(page, count, partial(self._importer(run_id).fetch, stop=stop))
        first = len(story.objects)
        while pictures:
            candidate = add_image_objects(story, pictures)
            plan_result = plan_story(candidate, self.catalog, "portraits")
            reasons: dict[int, str] = {}
            try:
                self.check_text(candidate)
                actions = self._check_inputs(plan_result, run_id, stop)
                for number in range(len(pictures)):
                    sanitized = actions[sanitize_id(FieldPath("objects", first + number, "reference_url"))]
                    if is_too_small(self.store.path(_output_digest(sanitized, "image.png"))):
                        reasons[number] = "is too small"
            except RunFailed as error:
                for step, failure in error.failures.items():
                    field = failure_field(step, failure) or FieldPath.parse(failure.field)
                    index = field.index_in("objects")
                    if index is None or index < first:
                        raise
                    reasons[index - first] = "was refused" if failure.code == FailureCode.REJECTED else failure.message
            if not reasons:
                return candidate, tuple(dict.fromkeys(warnings))
            warnings += [f"{SKIPPED_MESSAGE} {reason}" for reason in reasons.values()]
            pictures = [one for n, one in enumerate(pictures) if n not in reasons]
        return story, tuple(dict.fromkeys(warnings))

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
        """Bring the story about as far as `until`, or only the steps `only` and what they need. What the client wrote and gave
        is looked at first, so that what is refused or unusable costs no work. What a run of that id has made, `collect` keeps, also
        when the run does not get to its end. Raises PlanningError, RunFailed, RunCancelled."""
        plan_result = plan_story(story, self.catalog, until)
        self.check_text(story)
        self._check_inputs(plan_result, run_id, stop)
        step_ids = None if only is None else with_check_steps(only, plan_result.plan)
        result, warnings = self._execute(plan_result, step_ids, on_event, run_id, stop)
        return RunResult(story, plan_result, result.actions, result.cached, (*plan_result.warnings, *warnings))

    def _check_inputs(
        self, plan_result: PlanResult, run_id: str | None, stop: StopEvent | None
    ) -> Mapping[str, Action]:
        input_steps = [
            step.id
            for step in plan_result.plan
            if step.kind in (Kind.SANITIZE_IMAGE, Kind.SAMPLE_FRAMES) and not step.dependencies()
        ]
        if not input_steps:
            return {}
        result, _ = self._execute(
            plan_result, with_check_steps(input_steps, plan_result.plan), lambda event: None, run_id, stop
        )
        return result.actions

    def full_plan(self, story: Brief | Story) -> Plan:
        """Every step from the first word to the film. A brief is written for that, or its writing recalled."""
        steps: dict[str, Step] = {}
        if isinstance(story, Brief):
            steps |= plan_brief(story, self.catalog).plan.by_id
            story, _ = self.write(story)
        steps |= plan_story(story, self.catalog).plan.by_id
        return Plan(tuple(steps.values()))

    def forecast(self, plan_result: PlanResult) -> Forecast:
        """What is in the store already, and what the rest will take."""
        return forecast(
            plan_result.plan, self.runner.get_cached(plan_result.plan), self.estimator, self.multiplexer.slots()
        )

    def _execute(
        self,
        plan_result: PlanResult,
        step_ids: Iterable[str] | None,
        on_event: EventCallback,
        run_id: str | None,
        stop: StopEvent | None,
    ) -> tuple[ExecutionResult, tuple[str, ...]]:
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
            raise RunCancelled("stopped; what was finished is kept")
        return result, tuple(recorder.warnings)

    # History

    def start_run(self, run_id: str, story: Brief | Story, *, source: str, out: str) -> None:
        """Note that a run begins. What it will need of the store is safe from collection from here on."""
        self.database.start_run(
            run_id, title=story.title or Path(source).stem, source=source, output_folder=out, story=_to_dict(story)
        )
        self.database.add_references(run_id, digests=[picture.digest for picture in input_files(story).values()])

    def retain(
        self, run_id: str, story: Brief | Story, result: RunResult | None = None, digests: Iterable[str] = ()
    ) -> bool:
        """The run needs of the store what there is of `told`, what was made last, and `digests`; nothing of what it was before.
        Gives whether that leaves something to collect. Raises KeyError when the run was forgotten meanwhile."""
        try:
            plan = (
                plan_story(story, self.catalog) if isinstance(story, Story) else plan_brief(story, self.catalog)
            ).plan
        except PlanningError:  # a film of it could not be made here, so what there is of it cannot be told apart
            return False
        actions = (*self.runner.get_cached(plan).values(), *(result.actions.values() if result else ()))
        files = (*(picture.digest for picture in input_files(story).values()), *digests)
        return self.database.add_references(
            run_id, keys=[action.key for action in actions], digests=files, exclusive=True
        )

    def finish_run(self, run_id: str, result: RunResult) -> None:
        """Note what the run made, and that it needs nothing else of the store any more."""
        self.retain(run_id, result.story, result)
        film = result.actions.get(COMPOSE_ID)
        self.database.finish_run(
            run_id, "done", film=_output_digest(film, "film.mp4") if film else None, warnings=result.warnings
        )

    def fail_run(self, run_id: str, error: BaseException) -> None:
        """Note that the run ended before its goal."""
        cancelled = isinstance(error, RunCancelled | KeyboardInterrupt)
        self.database.finish_run(run_id, "cancelled" if cancelled else "failed", error=str(error))

    def takes(self, run_id: str) -> Mapping[str, int]:
        """What was made anew on purpose in the last run of that id."""
        try:
            run: Run = self.database.get_run(run_id)
        except KeyError:
            return {}
        return dict(run.story.get("takes", {}))

    def gc(self, *, grace: float = 3600.0) -> tuple[int, int]:
        """Remove from the store what no run refers to. Gives how many files went and how many bytes they had."""
        self.store.remove_orphans()
        return self.store.gc(self.database.live_keys(), self.database.live_digests(), grace=grace)


def run_id_for(spec: Path, out: Path) -> str:
    """Running the same file into the same folder again continues the same run."""
    return hashlib.sha256(f"{spec.resolve()}\n{out.resolve()}".encode()).hexdigest()[:12]


def _output_digest(action: Action, name: str) -> str:
    return next(output.digest for output in action.outputs if output.name == name)


def _to_dict(story: Brief | Story) -> Mapping[str, object]:
    content: Mapping[str, object] = json.loads(story.model_dump_json())
    return content

"""What can be done with a story: take its files in, plan it, make it, make part of it anew, forget it. The command line and
the server both call this, and nothing else makes a film."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event as StopSign
from threading import Lock
from typing import Any

from engine.execution.errors import RunCancelled, RunFailed
from engine.execution.estimates import Forecast, Learned, forecast
from engine.execution.inline import InlineExecutor
from engine.execution.memory_modes import Economies
from engine.execution.protocol import BAD_INPUT, REJECTED, Done, Executor, Failure, Task
from engine.execution.run_events import Event, OnEvent, StepDone, StepFailed, StepWarned
from engine.execution.run_result import RunResult
from engine.execution.runner import Result, Runner
from engine.execution.shared import Shared
from engine.inputs.importer import NOT_READ, Receiver
from engine.inputs.page_images import LEFT_OUT, gathered, is_small, with_objects
from engine.planning.plan import Plan, Planned, PlanningError, Step
from engine.planning.planner import Upto, check_of, plan_brief, plan_story, with_checks
from engine.planning.step_ids import intake_id
from engine.settings import Settings
from engine.storage.artifact_store import Action, Store
from engine.storage.database import Jobs, Run
from engine.story.assembly import story_of
from engine.story.model import Brief, Story, Tale, given
from pipelines.base import Kind
from pipelines.models.catalog import Catalog
from pipelines.storyboard import Storyboard

_log = logging.getLogger(__name__)


@dataclass
class _Watch:
    """Passes events on, and keeps what must be known afterwards."""

    on_event: OnEvent
    learned: Learned
    economies: Economies
    plan: Planned
    keep: Callable[[str], None]
    warnings: dict[str, None] = field(default_factory=dict)

    def __call__(self, event: Event) -> None:
        match event:
            case StepWarned(step=step, message=message):
                self.warnings[f"{step}: {message}"] = None
            case StepFailed(step=step, error=error):
                theirs = error.type in (BAD_INPUT, REJECTED)  # no mistake of ours
                level = logging.INFO if theirs else logging.ERROR
                _log.log(level, "%s failed: %s: %s\n%s", step, error.type, error.message, error.detail)
            case StepDone(step=step, key=key, recalled=recalled):
                self.keep(key)
                if not recalled:
                    self.learned.add(self.plan.plan[step], event)
                    self.economies.add(event.model, event.economy)
        self.on_event(event)


class Service:
    """One store, one history, one executor. Use it as a context manager; it starts and stops its workers. Several threads may make
    something at the same time."""

    def __init__(self, settings: Settings, catalog: Catalog, executor: Executor) -> None:
        self.settings, self.catalog, self.executor = settings, catalog, executor
        self.store = Store(settings.store)
        self.jobs = Jobs(settings.database)
        self.learned, self.economies = Learned(self.jobs), Economies(self.jobs)
        self.shared = Shared(executor)
        self.runner = self._runner(executor)  # recalls; what runs gets a view of the executor
        # Words are looked at here and now: a request can be refused while all workers are busy with others.
        self._inline = InlineExecutor()
        self._checking = Lock()

    def _runner(self, executor: Executor) -> Runner:
        return Runner(self.store, executor, estimate=self.learned.seconds, economy=self.economies.of)

    def __enter__(self) -> Service:
        self.store.sweep()
        self.executor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.executor.stop()
        self._inline.stop()
        self.store.close()
        self.jobs.close()

    def take_in(
        self, told: Tale, base: Path | None, *, run_id: str | None = None, stop: StopSign | None = None
    ) -> tuple[Tale, tuple[str, ...]]:
        """Put every given file into the store; a run of that id needs each from then on. As `Receiver.take_in`."""
        return self._receiver(run_id).take_in(told, base, stop)

    def _receiver(self, run_id: str | None) -> Receiver:
        def keep(digest: str) -> None:
            if run_id:
                self.jobs.refer(run_id, digests=[digest])

        return Receiver(self.store, self.settings.allow_private_urls, keep)

    # Planning and making

    def check(self, told: Brief | Story) -> None:
        """Look whether the words may be told, before anything is made of them. What it finds is kept by the run that makes
        something of them, not by this, so that a request costs little. Raises PlanningError, RunFailed."""
        plan = check_of(told, self.catalog).plan
        known = self.runner.recall(plan)
        for step in plan:
            if step.id not in known and (failure := self._checked(step)):
                raise RunFailed({step.id: failure})

    def _checked(self, step: Step) -> Failure | None:
        with self._checking, TemporaryDirectory() as folder:
            params = step.params.model_dump(mode="json")
            self._inline.submit(Task(step.id, step.kind, step.spec, params, {}, Path(folder) / "out", step.seed))
            *_, done = self._inline.events()
            assert isinstance(done, Done)
            return done.error

    def write(
        self,
        brief: Brief,
        on_event: OnEvent = lambda event: None,
        *,
        run_id: str | None = None,
        stop: StopSign | None = None,
    ) -> tuple[Story, tuple[str, ...]]:
        """The story of a brief, with the warnings of its writing; both are checked. Raises PlanningError, RunFailed, RunCancelled."""
        self.check(brief)
        brief, not_read = self._with_page(brief, run_id, stop)
        planned = plan_brief(brief, self.catalog)
        self._look_at_given(planned, run_id, stop)
        made, warnings = self._run(planned, None, on_event, run_id, stop)
        path = self.store.path(_output(made.made["write"], "storyboard.json"))
        storyboard = Storyboard.model_validate_json(path.read_bytes())
        story = story_of(brief, storyboard)
        self.check(story)
        left_out: tuple[str, ...] = ()
        if brief.page_pictures and "read" in made.made:
            page = json.loads(self.store.path(_output(made.made["read"], "page.json")).read_bytes())
            story, left_out = self._with_pictures_of(page, brief.page_pictures, story, run_id, stop)
        return story, (*not_read, *planned.warnings, *warnings, *left_out)

    def _with_page(self, brief: Brief, run_id: str | None, stop: StopSign | None) -> tuple[Brief, tuple[str, ...]]:
        """The brief without its page where that says nothing: the idea stands without it."""
        if brief.page is None:
            return brief, ()
        planned = plan_brief(brief, self.catalog)
        try:
            self._run(planned, planned.plan.closure(["read"]).by_id, lambda event: None, run_id, stop)
        except RunFailed as error:
            failure = error.failures.get("read")
            if failure is None or failure.type != BAD_INPUT:
                raise
            return brief.model_copy(update={"page": None}), (f"{NOT_READ}: page: {failure.message}",)
        return brief, ()

    def _with_pictures_of(
        self, page: Mapping[str, Any], count: int, story: Story, run_id: str | None, stop: StopSign | None
    ) -> tuple[Story, tuple[str, ...]]:
        """The story with pictures of its page as objects. Those that cannot be had, read or shown are left out with a warning."""
        pictures, warnings = gathered(page, count, partial(self._receiver(run_id).fetched, stop=stop))
        first = len(story.objects)
        while pictures:
            told = with_objects(story, pictures)
            planned = plan_story(told, self.catalog, "portraits")
            reasons: dict[int, str] = {}
            try:
                self.check(told)
                actions = self._look_at_given(planned, run_id, stop)
                for number in range(len(pictures)):
                    intake = actions[intake_id(f"objects[{first + number}].reference_url")]
                    if is_small(self.store.path(_output(intake, "picture.png"))):
                        reasons[number] = "is too small"
            except RunFailed as error:
                for step, failure in error.failures.items():
                    place = re.search(r"objects\[(\d+)\]", f"{step} {failure.field}")
                    if place is None or int(place[1]) < first:
                        raise
                    reasons[int(place[1]) - first] = "was refused" if failure.type == REJECTED else failure.message
            if not reasons:
                return told, tuple(dict.fromkeys(warnings))
            warnings += [f"{LEFT_OUT} {reason}" for reason in reasons.values()]
            pictures = [one for n, one in enumerate(pictures) if n not in reasons]
        return story, tuple(dict.fromkeys(warnings))

    def make(
        self,
        story: Story,
        upto: Upto = "film",
        on_event: OnEvent = lambda event: None,
        *,
        only: Iterable[str] | None = None,
        run_id: str | None = None,
        stop: StopSign | None = None,
    ) -> RunResult:
        """Bring the story about as far as `upto`, or only the steps `only` and what they need. What the client wrote and gave
        is looked at first, so that what is refused or unusable costs no work. What a run of that id has made, `collect` keeps, also
        when the run does not get to its end. Raises PlanningError, RunFailed, RunCancelled."""
        planned = plan_story(story, self.catalog, upto)
        self.check(story)
        self._look_at_given(planned, run_id, stop)
        wanted = None if only is None else with_checks(only, planned.plan)
        result, warnings = self._run(planned, wanted, on_event, run_id, stop)
        return RunResult(story, planned, result.made, result.recalled, (*planned.warnings, *warnings))

    def _look_at_given(self, planned: Planned, run_id: str | None, stop: StopSign | None) -> Mapping[str, Action]:
        given_ones = [step.id for step in planned.plan if step.kind in (Kind.INTAKE, Kind.GLIMPSE) and not step.needs()]
        if not given_ones:
            return {}
        result, _ = self._run(planned, with_checks(given_ones, planned.plan), lambda event: None, run_id, stop)
        return result.made

    def whole_plan(self, told: Brief | Story) -> Plan:
        """Every step from the first word to the film. A brief is written for that, or its writing recalled."""
        steps: dict[str, Step] = {}
        if isinstance(told, Brief):
            steps |= plan_brief(told, self.catalog).plan.by_id
            told, _ = self.write(told)
        steps |= plan_story(told, self.catalog).plan.by_id
        return Plan(tuple(steps.values()))

    def forecast(self, planned: Planned) -> Forecast:
        """What is in the store already, and what the rest will take."""
        return forecast(planned.plan, self.runner.recall(planned.plan), self.learned, self.shared.slots())

    def _run(
        self,
        planned: Planned,
        want: Iterable[str] | None,
        on_event: OnEvent,
        run_id: str | None,
        stop: StopSign | None,
    ) -> tuple[Result, tuple[str, ...]]:
        def keep(key: str) -> None:
            if run_id:
                self.jobs.refer(run_id, keys=[key])

        watch = _Watch(on_event, self.learned, self.economies, planned, keep)
        view = self.shared.view()
        try:
            result = self._runner(view).run(planned.plan, want, watch, stop)
        finally:
            view.stop()
        if result.failed:
            raise RunFailed(result.failed)
        if result.cancelled:
            raise RunCancelled("stopped; what was finished is kept")
        return result, tuple(watch.warnings)

    # History

    def begin(self, run_id: str, told: Brief | Story, *, source: str, out: str) -> None:
        """Note that a run begins. What it will need of the store is safe from collection from here on."""
        self.jobs.start_run(run_id, title=told.title or Path(source).stem, source=source, out=out, story=_plain(told))
        self.jobs.refer(run_id, digests=[picture.digest for picture in given(told).values()])

    def keep(
        self, run_id: str, told: Brief | Story, made: RunResult | None = None, digests: Iterable[str] = ()
    ) -> bool:
        """The run needs of the store what there is of `told`, what was made last, and `digests`; nothing of what it was before.
        Gives whether that leaves something to collect. Raises KeyError when the run was forgotten meanwhile."""
        try:
            plan = (plan_story(told, self.catalog) if isinstance(told, Story) else plan_brief(told, self.catalog)).plan
        except PlanningError:  # a film of it could not be made here, so what there is of it cannot be told apart
            return False
        actions = (*self.runner.recall(plan).values(), *(made.actions.values() if made else ()))
        files = (*(picture.digest for picture in given(told).values()), *digests)
        return self.jobs.refer(run_id, keys=[action.key for action in actions], digests=files, only=True)

    def finish(self, run_id: str, made: RunResult) -> None:
        """Note what the run made, and that it needs nothing else of the store any more."""
        self.keep(run_id, made.story, made)
        film = made.actions.get("compose")
        self.jobs.finish_run(run_id, "done", film=_output(film, "film.mp4") if film else None, warnings=made.warnings)

    def end(self, run_id: str, error: BaseException) -> None:
        """Note that the run ended before its goal."""
        cancelled = isinstance(error, RunCancelled | KeyboardInterrupt)
        self.jobs.finish_run(run_id, "cancelled" if cancelled else "failed", error=str(error))

    def takes(self, run_id: str) -> Mapping[str, int]:
        """What was made anew on purpose in the last run of that id."""
        try:
            run: Run = self.jobs.get_run(run_id)
        except KeyError:
            return {}
        return dict(run.story.get("takes", {}))

    def collect(self, *, grace: float = 3600.0) -> tuple[int, int]:
        """Remove from the store what no run refers to. Gives how many files went and how many bytes they had."""
        self.store.sweep()
        return self.store.gc(self.jobs.live_keys(), self.jobs.live_digests(), grace=grace)


def run_id_of(spec: Path, out: Path) -> str:
    """Running the same file into the same folder again continues the same run."""
    return hashlib.sha256(f"{spec.resolve()}\n{out.resolve()}".encode()).hexdigest()[:12]


def _output(action: Action, name: str) -> str:
    return next(output.digest for output in action.outputs if output.name == name)


def _plain(told: Brief | Story) -> Mapping[str, object]:
    content: Mapping[str, object] = json.loads(told.model_dump_json())
    return content

"""What can be done with a story: take its files in, plan it, make it, make part of it anew, forget it. The command line and
the server both call this, and nothing else makes a film."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event as StopSign
from threading import Lock
from typing import Any

from engine.artifacts import Action, Output, Store, clearly
from engine.economies import Economies
from engine.estimate import Forecast, Learned, forecast
from engine.events import Event, OnEvent, StepDone, StepFailed, StepWarned
from engine.executor.base import BAD_INPUT, DISK_FULL, MISSING, REJECTED, Done, Executor, Failure, Task
from engine.executor.inline import InlineExecutor
from engine.executor.shared import Shared
from engine.fetch import CLIP, PAGE, PICTURE, SOUND, Door, FetchError, Want
from engine.jobs import Jobs, Run
from engine.pagepictures import LEFT_OUT, gathered, is_small, with_objects
from engine.plan import Plan, Planned, PlanningError, Step
from engine.planner import Upto, check_of, plan_brief, plan_story, with_checks
from engine.runner import Result, Runner
from engine.settings import Settings
from engine.sources import intake_id
from engine.story import SAMPLE, Brief, Picture, Story, StoryError, Tale, given, with_pictures
from engine.storyboard import story_of
from pipelines.base import Kind, Missing
from pipelines.catalog import Catalog
from pipelines.text.storyboard import Storyboard

_log = logging.getLogger(__name__)
NOT_READ = "the page was not read, the story goes on from the idea"


class RunFailed(RuntimeError):
    """Steps could not be done. `failures` says which and why; all that was finished is kept."""

    def __init__(self, failures: Mapping[str, Failure]) -> None:
        # A refusal is what the user must hear of first.
        self.failures = dict(sorted(failures.items(), key=lambda item: item[1].type != REJECTED))
        step, failure = next(iter(self.failures.items()))
        more = f" (and {len(self.failures) - 1} more)" if len(self.failures) > 1 else ""
        super().__init__(explained(step, failure) + more)

    @property
    def rejected(self) -> Failure | None:
        """The refusal by the rules about content, where that is why."""
        return next((failure for failure in self.failures.values() if failure.type == REJECTED), None)

    @property
    def exit_code(self) -> int:
        """2 for bad input, 4 for what this machine lacks, 3 for all else."""
        types = {failure.type for failure in self.failures.values()}
        return 2 if types & {BAD_INPUT, REJECTED} else 4 if types & {MISSING, DISK_FULL} else 3


class RunCancelled(RuntimeError):
    """The run was stopped; all that was finished is kept."""


@dataclass(frozen=True, slots=True)
class Made:
    """A story, how it was planned, and what is in the store for each step."""

    story: Story
    planned: Planned
    actions: Mapping[str, Action]
    recalled: frozenset[str]
    warnings: tuple[str, ...] = ()


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

    # Taking in

    def take_in(self, told: Tale, base: Path | None, *, stop: StopSign | None = None) -> tuple[Tale, tuple[str, ...]]:
        """Put every given file into the store; relative paths start at `base` (None: no file of this machine may be named),
        web addresses go through the door. A page that cannot be had is left out with a warning, as the idea stands without
        it. Raises StoryError naming the field, RunCancelled when `stop` is set meanwhile."""
        warnings: list[str] = []
        if isinstance(told, Brief) and told.page:
            try:
                page = self._taken("page", told.page, base, PAGE, stop)
            except StoryError as error:
                page = None
                warnings.append(f"{NOT_READ}: {error}")
            told = told.model_copy(update={"page": page})
        return with_pictures(told, lambda at, file: self._taken(at, file, base, _want(at), stop)), tuple(warnings)

    def _taken(self, place: str, picture: Picture, base: Path | None, want: Want, stop: StopSign | None) -> Picture:
        if picture.digest:
            return picture
        if picture.source.startswith(("http://", "https://")):
            try:
                digest = self._fetched(picture.source, want, stop).digest
            except (FetchError, Missing) as error:
                raise StoryError(place, str(error)) from error
        elif base is None:
            raise StoryError(place, "is no http(s) address")
        else:
            digest = self.store.put(_local_file(place, picture.source, base, want), name="given").digest
        return picture.model_copy(update={"digest": digest})

    def _fetched(self, url: str, want: Want, stop: StopSign | None) -> Output:
        """What an address leads to, in the store. Raises FetchError, Missing, StoreError, RunCancelled."""
        folder = self.store.workspace()
        try:
            with clearly("store what was fetched"):
                door = Door(allow_private=self.settings.allow_private_urls)
                path = door.fetch(url, folder / "fetched", want, stop=stop).path
            return self.store.put(path, name="given", consume=True)
        except FetchError:
            if stop is not None and stop.is_set():
                raise RunCancelled("stopped; what was finished is kept") from None
            raise
        finally:
            shutil.rmtree(folder, ignore_errors=True)

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
        pictures, warnings = gathered(page, count, lambda url, want: self._fetched(url, want, stop))
        if run_id:
            self.jobs.refer(run_id, digests=[picture.digest for _, picture in pictures])
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
    ) -> Made:
        """Bring the story about as far as `upto`, or only the steps `only` and what they need. What the client wrote and gave
        is looked at first, so that what is refused or unusable costs no work. What a run of that id has made, `collect` keeps, also
        when the run does not get to its end. Raises PlanningError, RunFailed, RunCancelled."""
        planned = plan_story(story, self.catalog, upto)
        self.check(story)
        self._look_at_given(planned, run_id, stop)
        wanted = None if only is None else with_checks(only, planned.plan)
        result, warnings = self._run(planned, wanted, on_event, run_id, stop)
        return Made(story, planned, result.made, result.recalled, (*planned.warnings, *warnings))

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

    def keep(self, run_id: str, told: Brief | Story, made: Made | None = None, digests: Iterable[str] = ()) -> bool:
        """The run needs of the store what there is of `told`, what was made last, and `digests`; nothing of what it was before.
        Gives whether that leaves something to collect. Raises KeyError when the run was forgotten meanwhile."""
        try:
            plan = (plan_story(told, self.catalog) if isinstance(told, Story) else plan_brief(told, self.catalog)).plan
        except PlanningError:  # a film of it could not be made here, so what there is of it cannot be told apart
            return False
        actions = (*self.runner.recall(plan).values(), *(made.actions.values() if made else ()))
        files = (*(picture.digest for picture in given(told).values()), *digests)
        return self.jobs.refer(run_id, keys=[action.key for action in actions], digests=files, only=True)

    def finish(self, run_id: str, made: Made) -> None:
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


def _want(place: str) -> Want:
    """What the file at a place of a story must be."""
    if place.endswith(".clip"):
        return CLIP
    return SOUND if place.startswith(("audio_urls[", SAMPLE)) else PICTURE


def run_id_of(spec: Path, out: Path) -> str:
    """Running the same file into the same folder again continues the same run."""
    return hashlib.sha256(f"{spec.resolve()}\n{out.resolve()}".encode()).hexdigest()[:12]


def explained(step: str, failure: Failure) -> str:
    """A failure in the client's words: the field where there is one, else the step."""
    if failure.type == REJECTED:
        return f"{failure.field}: content_rejected ({failure.category}: {failure.message})"
    place = _field_of(step, failure)
    hint = "" if failure.type == BAD_INPUT else f" [{failure.type}]"
    return f"{place}: {failure.message}{hint}"


def _field_of(step: str, failure: Failure) -> str:
    kind, _, rest = step.partition(":")
    if step.startswith(intake_id("")):
        return rest
    if failure.type == BAD_INPUT:
        if kind == "narrate":
            return SAMPLE if failure.field == SAMPLE else f"scenes[{int(rest) - 1}].narration"
        if kind == "glimpse":
            return f"scenes[{int(rest) - 1}].clip"
        if kind == "keyframe":
            return f"scenes[{int(rest) - 1}].prompt"
        if kind in ("write", "read"):
            return failure.field or kind
    return step


def _local_file(place: str, source: str, base: Path, want: Want) -> Path:
    path = base / Path(source).expanduser()
    try:
        size = path.stat().st_size
    except (OSError, ValueError, RuntimeError):
        raise StoryError(place, f'no file "{source}" (looked for {path})') from None
    if not path.is_file():
        raise StoryError(place, f'"{source}" is not a file')
    if not 0 < size <= want.limit_bytes:
        limit = want.limit_bytes >> 20
        raise StoryError(place, f'"{source}" has {size:,} bytes; a {want.what} may have 1 byte to {limit} MB')
    return path


def _output(action: Action, name: str) -> str:
    return next(output.digest for output in action.outputs if output.name == name)


def _plain(told: Brief | Story) -> Mapping[str, object]:
    content: Mapping[str, object] = json.loads(told.model_dump_json())
    return content

"""What can be done with a story: take its files in, plan it, make it, make part of it anew, forget it. The command line and
the server both call this, and nothing else makes a film."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event as StopSign

from engine.artifacts import Action, Store
from engine.estimate import Forecast, Learned, forecast
from engine.events import Event, OnEvent, StepDone, StepWarned
from engine.executor.base import BAD_INPUT, Executor, Failure
from engine.jobs import Jobs, Run
from engine.planner import Planned, Upto, intake_id, plan_brief, plan_story
from engine.runner import Result, Runner
from engine.settings import Settings
from engine.spec import with_base
from engine.story import Brief, Picture, Story, StoryError, Tale, given, with_pictures
from engine.storyboard import story_of
from pipelines.base import Kind
from pipelines.catalog import Catalog
from pipelines.text.storyboard import Storyboard

MAX_PICTURE_BYTES = 25 * 1024 * 1024


class RunFailed(RuntimeError):
    """Steps could not be done. `failures` says which and why; all that was finished is kept."""

    def __init__(self, failures: Mapping[str, Failure]) -> None:
        self.failures = dict(failures)
        step, failure = next(iter(self.failures.items()))
        super().__init__(explained(step, failure))


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
    plan: Planned
    keep: Callable[[str], None]
    warnings: dict[str, None] = field(default_factory=dict)

    def __call__(self, event: Event) -> None:
        match event:
            case StepWarned(step=step, message=message):
                self.warnings[f"{step}: {message}"] = None
            case StepDone(step=step, key=key, recalled=recalled):
                self.keep(key)
                if not recalled:
                    self.learned.add(self.plan.plan[step], event)
        self.on_event(event)


class Service:
    """One store, one history, one executor. Use it as a context manager; it starts and stops its workers."""

    def __init__(self, settings: Settings, catalog: Catalog, executor: Executor) -> None:
        self.settings, self.catalog, self.executor = settings, catalog, executor
        self.store = Store(settings.store)
        self.jobs = Jobs(settings.database)
        self.learned = Learned(self.jobs)
        self.runner = Runner(self.store, executor, estimate=self.learned.seconds)

    def __enter__(self) -> Service:
        self.store.sweep()
        self.executor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.executor.stop()
        self.store.close()
        self.jobs.close()

    # Taking in

    def take_in(self, told: Tale, base: Path, fetch: Callable[[str, str], Path] | None = None) -> Tale:
        """Put every given file into the store. Relative paths start at `base`; `fetch(field, address)` gives the file behind
        an http(s) address. Raises StoryError naming the field."""

        def take(place: str, picture: Picture) -> Picture:
            if picture.digest:
                return picture
            path = _local_file(place, picture.source, base, fetch)
            return picture.model_copy(update={"digest": self.store.put(path, name="given").digest})

        return with_pictures(told, take)

    # Planning and making

    def write(
        self,
        brief: Brief,
        on_event: OnEvent = lambda event: None,
        *,
        run_id: str | None = None,
        stop: StopSign | None = None,
    ) -> tuple[Story, tuple[str, ...]]:
        """The story of a brief, with the warnings of its writing. Raises PlanningError, RunFailed, RunCancelled."""
        planned = plan_brief(brief, self.catalog)
        made, warnings = self._run(planned, None, on_event, run_id, stop)
        path = self.store.path(_output(made.made["write"], "storyboard.json"))
        storyboard = Storyboard.model_validate_json(path.read_bytes())
        return story_of(brief, storyboard), (*planned.warnings, *warnings)

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
        """Bring the story about as far as `upto`, or only the steps `only` and what they need. What the client gave is
        looked at first, so that an unusable picture costs no work. What a run of that id has made, `collect` keeps, also
        when the run does not get to its end. Raises PlanningError, RunFailed, RunCancelled."""
        planned = plan_story(story, self.catalog, upto)
        intakes = [step.id for step in planned.plan if step.kind is Kind.INTAKE]
        if intakes:
            self._run(planned, intakes, lambda event: None, run_id, stop)
        result, warnings = self._run(planned, only, on_event, run_id, stop)
        return Made(story, planned, result.made, result.recalled, (*planned.warnings, *warnings))

    def forecast(self, planned: Planned) -> Forecast:
        """What is in the store already, and what the rest will take."""
        return forecast(planned.plan, self.runner.recall(planned.plan), self.learned, self.executor.slots())

    def _run(
        self,
        planned: Planned,
        want: Iterable[str] | None,
        on_event: OnEvent,
        run_id: str | None,
        stop: StopSign | None,
    ) -> tuple[Result, tuple[str, ...]]:
        keep = (lambda key: self.jobs.refer(run_id, keys=[key])) if run_id else (lambda key: None)
        watch = _Watch(on_event, self.learned, planned, keep)
        result = self.runner.run(planned.plan, want, watch, stop)
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

    def finish(self, run_id: str, made: Made) -> None:
        """Note what the run made, and that it needs nothing else of the store any more."""
        self.jobs.refer(run_id, keys=[action.key for action in made.actions.values()], only=True)
        self.jobs.refer(run_id, digests=[picture.digest for picture in given(made.story).values()])
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


def explained(step: str, failure: Failure) -> str:
    """A failure in the client's words: the field where there is one, else the step."""
    place = _field_of(step, failure)
    hint = "" if failure.type == BAD_INPUT else f" [{failure.type}]"
    return f"{place}: {failure.message}{hint}"


def _field_of(step: str, failure: Failure) -> str:
    kind, _, rest = step.partition(":")
    if step.startswith(intake_id("")):
        return rest
    if failure.type == BAD_INPUT:
        if kind == "narrate":
            return f"scenes[{int(rest) - 1}].narration"
        if kind == "keyframe":
            return f"scenes[{int(rest) - 1}].prompt"
        if kind in ("write", "read"):
            return failure.field or kind
    return step


def _local_file(place: str, source: str, base: Path, fetch: Callable[[str, str], Path] | None) -> Path:
    if source.startswith(("http://", "https://")):
        if fetch is None:
            raise StoryError(place, "is a web address, and fetching is switched off here; give a local path")
        return fetch(place, source)
    path = with_base(base, source)
    try:
        size = path.stat().st_size
    except (OSError, ValueError):
        raise StoryError(place, f'no file "{source}" (looked for {path})') from None
    if not path.is_file():
        raise StoryError(place, f'"{source}" is not a file')
    if not 0 < size <= MAX_PICTURE_BYTES:
        raise StoryError(place, f'"{source}" has {size:,} bytes; 1 to {MAX_PICTURE_BYTES >> 20} MB are taken')
    return path


def _output(action: Action, name: str) -> str:
    return next(output.digest for output in action.outputs if output.name == name)


def _plain(told: Brief | Story) -> Mapping[str, object]:
    content: Mapping[str, object] = json.loads(told.model_dump_json())
    return content

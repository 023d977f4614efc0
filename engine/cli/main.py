"""The command line. It parses, calls the service, and shows; nothing is decided here.

Exit codes: 0 done · 2 the command or the story is wrong · 3 steps failed, the rest is kept · 4 this machine lacks something
(room, rights, a package) · 130 stopped.
"""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from engine.cli import models, serve

if TYPE_CHECKING:
    from engine.service import Service
    from engine.story.model import Brief, Story

WRONG, FAILED, LACKING, STOPPED = 2, 3, 4, 130
LOG = "engine.log"

app = typer.Typer(
    name="engine",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Turns stories into films on this machine, with open models.",
    epilog="Exit codes: 0 done, 2 wrong command or story, 3 steps failed, 4 this machine lacks something, 130 stopped.",
)
models.register(app)
serve.register(app)

Spec = Annotated[Path, typer.Argument(help="A story: JSON or YAML, the body of a request of either hosted API.")]
Form = Annotated[
    str | None,
    typer.Option(
        "--as", help="Which request the file is, when its fields do not tell: generate-story, idea-2-video, …"
    ),
]
Out = Annotated[Path | None, typer.Option(help="Folder for the film and its parts [default: films/NAME].")]
ProfileOption = Annotated[
    str | None, typer.Option("--profile", help="A named choice of models; auto: the best installed.")
]
Overlay = Annotated[list[Path] | None, typer.Option("--models", help="A file like models.yaml that wins over it.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object per line: every event as it happens.")]
UptoOption = Annotated[str, typer.Option(help="How far to go: portraits, keyframes, clips or film.")]


def main() -> None:
    """Run the command line; errors become one clear line and an exit code."""
    signal.signal(signal.SIGTERM, _stop)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    try:
        app()
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(1) from None
    except Exception as error:
        code = _code_of(error)
        if code is None:
            raise
        _end(code, str(error) + (f"; the cause is in {_log_file()}" if code == FAILED else ""))


@app.command()
def run(
    spec: Spec,
    out: Out = None,
    form: Form = None,
    profile: ProfileOption = None,
    models: Overlay = None,
    upto: UptoOption = "film",
    only: Annotated[
        list[str] | None, typer.Option(help='Only this part: "scene 3", "portrait Mara", "clips" …')
    ] = None,
    as_json: AsJson = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Plan only; make nothing.")] = False,
) -> None:
    """Make the film of a story. Running it again makes only what has changed."""
    if dry_run:
        plan(spec, out, form, profile, models, upto, as_json)
        return
    told = _read(spec, form, profile)
    with _service(models) as service:
        _make(service, told, spec, _out(spec, out), upto, only or [], as_json, {})


@app.command()
def reroll(
    spec: Spec,
    target: Annotated[
        list[str], typer.Argument(help='What to make anew: scene 3 · portrait Mara · portrait "Mara/soaked" · music')
    ],
    out: Out = None,
    form: Form = None,
    profile: ProfileOption = None,
    models: Overlay = None,
    upto: UptoOption = "film",
    as_json: AsJson = False,
) -> None:
    """Make one part of a story anew, with another seed, and whatever depends on it."""
    from engine.planning.targets import steps_of
    from engine.service import run_id_of

    told = _read(spec, form, profile)
    place = _out(spec, out)
    with _service(models) as service:
        takes = service.takes(run_id_of(spec, place))
        taken, _ = service.take_in(told.model_copy(update={"takes": takes}), spec.parent)
        again = {step: takes.get(step, 0) + 1 for step in steps_of(" ".join(target), service.whole_plan(taken))}
        _make(service, told, spec, place, upto, [], as_json, again)


@app.command()
def plan(
    spec: Spec,
    out: Out = None,
    form: Form = None,
    profile: ProfileOption = None,
    models: Overlay = None,
    upto: UptoOption = "film",
    as_json: AsJson = False,
) -> None:
    """Show what would be made, what is there already, and what the rest takes."""
    from engine.cli.tables import forecast_json, forecast_text
    from engine.planning.planner import plan_brief, plan_story
    from engine.service import run_id_of
    from engine.story.model import Brief

    told = _read(spec, form, profile)
    _upto(upto)
    with _service(models) as service:
        told, warnings = service.take_in(told, spec.parent)
        told = told.model_copy(update={"takes": dict(service.takes(run_id_of(spec, _out(spec, out))))})
        partial = False
        if isinstance(told, Brief):
            planned = plan_brief(told, service.catalog)
            forecast = service.forecast(planned)
            partial = not all(row.cached for row in forecast.rows)
            if not partial:
                told, _ = service.write(told)
        if not isinstance(told, Brief):
            planned = plan_story(told, service.catalog, _upto(upto))
            forecast = service.forecast(planned)
        if as_json:
            print(forecast_json(planned, forecast, warnings, partial=partial))
        else:
            print(forecast_text(planned, forecast, warnings, partial=partial))


@app.command("ls")
def list_runs(limit: Annotated[int, typer.Option(help="How many, newest first.")] = 20) -> None:
    """List what was made."""
    from engine.cli.tables import runs_text

    with _service(None) as service:
        print(runs_text(service.jobs.list_runs(limit)))


@app.command()
def show(
    run_id: Annotated[str, typer.Argument(help="Id of a run, as `ls` shows it; the first letters are enough.")],
) -> None:
    """Show one run: its story, state, warnings and files."""
    from engine.cli.tables import run_text

    with _service(None) as service:
        print(run_text(_run_of(service, run_id)))


@app.command("open")
def open_run(run_id: Annotated[str, typer.Argument(help="Id of a run, as `ls` shows it.")]) -> None:
    """Open the storyboard page of a run."""
    from engine.outputs.export import SHEET

    with _service(None) as service:
        page = Path(_run_of(service, run_id).out) / SHEET
    if not page.is_file():
        _end(WRONG, f"{page} is not there; run the story again to write it")
    print(page)
    typer.launch(str(page))


@app.command()
def gc(grace: Annotated[float, typer.Option(help="Hours for which unused files are kept.")] = 1.0) -> None:
    """Remove from the store what no run refers to."""
    with _service(None) as service:
        files, size = service.collect(grace=grace * 3600)
    print(f"{files} files removed, {size / 1e6:.1f} MB freed")


@app.command()
def forget(run_id: Annotated[str, typer.Argument(help="Id of a run, as `ls` shows it.")]) -> None:
    """Remove a run from the history; `gc` then frees what only it used. Its folder is left alone."""
    with _service(None) as service:
        service.jobs.forget_run(_run_of(service, run_id).id)


@app.command()
def doctor() -> None:
    """Look at this machine: devices, memory, disk, ffmpeg, fonts, installed models, and what to install for more."""
    from engine.cli.doctor import examine
    from engine.settings import Settings

    print(examine(Settings.read()))


@app.command()
def schema(
    form: Annotated[str, typer.Option("--as", help="Which request.")] = "generate-story",
    page: Annotated[bool, typer.Option("--page", help="The whole documentation of spec files, as Markdown.")] = False,
) -> None:
    """Print the JSON Schema of a spec file, for editors."""
    import json

    from engine.schemas.reference_page import body_of, documentation

    print(documentation() if page else json.dumps(body_of(form).model_json_schema(), ensure_ascii=False, indent=2))


# --- underneath -------------------------------------------------------------------------------------------------------


def _make(
    service: Service,
    told: Story | Brief,
    spec: Path,
    out: Path,
    upto: str,
    only: list[str],
    as_json: bool,
    again: dict[str, int],
) -> None:
    from engine.cli.progress import view
    from engine.outputs.export import export, slug
    from engine.planning.planner import plan_story
    from engine.planning.targets import steps_of
    from engine.service import run_id_of
    from engine.story.model import Brief

    far = _upto(upto)
    told, warnings = service.take_in(told, spec.parent)
    run_id = run_id_of(spec, out)
    told = told.model_copy(update={"takes": {**service.takes(run_id), **again}})
    _writable(out)
    service.begin(run_id, told, source=str(spec), out=str(out))
    try:
        with view(as_json=as_json) as watch:
            if told.choices.profile == "auto":
                watch.say(_profile_line(service))
            if isinstance(told, Brief):
                story, written = service.write(told, watch, run_id=run_id)
                warnings += written
            else:
                story = told
            planned = plan_story(story, service.catalog, far)
            wanted = [step for target in only for step in steps_of(target, planned.plan)] or None
            watch.expect(service.forecast(planned))
            for warning in (*warnings, *planned.warnings):
                watch.say(f"note: {warning}")
            made = service.make(story, far, watch, only=wanted, run_id=run_id)
            film = export(made, service.store, out, slug(spec.stem, "film"), warnings)
            service.finish(run_id, made)
            watch.say(str(film))
    except KeyboardInterrupt as stopped:  # said here, as the library that parses commands would only say "Aborted"
        service.end(run_id, stopped)
        _end(STOPPED, "Stopped. What was finished is kept; the same command goes on from there.")
    except BaseException as error:
        service.end(run_id, error)
        raise


def _profile_line(service: Service) -> str:
    name = service.catalog.profile("auto")
    return f"profile {name}: {service.catalog.profiles[name].about} (the best that is installed and fits this machine)"


def _read(spec: Path, form: str | None, profile: str | None) -> Story | Brief:
    from engine.schemas.spec_file import read_spec

    told = read_spec(spec, form)
    return (
        told.model_copy(update={"choices": told.choices.model_copy(update={"profile": profile})}) if profile else told
    )


def _upto(upto: str) -> Upto:
    from typing import get_args

    from engine.planning.planner import Upto as Known
    from engine.story.model import StoryError
    from pipelines.models.catalog import suggest

    if upto not in get_args(Known):
        raise StoryError("--upto", f'no "{upto}"{suggest(upto, get_args(Known))}')
    return upto  # type: ignore[return-value]


def _out(spec: Path, out: Path | None) -> Path:
    from engine.outputs.export import slug

    return out or Path("films") / slug(spec.stem, "film")


def _writable(out: Path) -> None:
    """Found out before any work is done."""
    from engine.outputs.export import ExportError

    probe = out / ".writable"
    try:
        out.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ExportError(f"{out}: cannot be written ({error.strerror}); choose another folder with --out") from error


@contextlib.contextmanager
def _service(models: list[Path] | None) -> Iterator[Service]:
    from engine.execution.devices import cpu_places, device_places, largest_mb
    from engine.execution.local import LocalExecutor
    from engine.service import Service
    from engine.settings import Settings, log_to
    from pipelines.models.catalog import load

    settings = Settings.read()
    log_to(settings.logs / LOG)
    places = (*cpu_places(), *device_places())
    catalog = load(*(models or []), home=settings.weights, device_mb=largest_mb(places))
    with Service(settings, catalog, LocalExecutor(places, logs=settings.logs)) as service:
        yield service


def _run_of(service: Service, run_id: str) -> Run:
    found = service.jobs.find_runs(run_id)
    if len(found) != 1:
        _end(WRONG, f'{"no run" if not found else "several runs"} "{run_id}"; `ls` lists them')
    return found[0]


def _code_of(error: Exception) -> int | None:
    """The exit code of an error that speaks to the user; None for a defect of ours, which shows where it happened."""
    from engine.execution.errors import RunFailed
    from engine.outputs.export import ExportError
    from engine.planning.plan import PlanningError
    from engine.storage.artifact_store import StoreError
    from engine.storage.database import JobsError
    from engine.story.model import StoryError
    from pipelines.base import Missing
    from pipelines.models.catalog import CatalogError

    if isinstance(error, StoryError | PlanningError | CatalogError):
        return WRONG
    if isinstance(error, RunFailed):
        return error.exit_code
    if isinstance(error, StoreError | JobsError | ExportError | Missing):
        return LACKING
    return None


def _end(code: int, message: str) -> NoReturn:
    print(message, file=sys.stderr)
    raise SystemExit(code)


def _log_file() -> Path:
    from engine.settings import Settings

    return Settings.read().logs / LOG


def _stop(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


if TYPE_CHECKING:
    from engine.planning.planner import Upto
    from engine.storage.database import Run

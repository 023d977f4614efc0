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

EXIT_USAGE, EXIT_FAILED, EXIT_UNAVAILABLE, EXIT_INTERRUPTED = 2, 3, 4, 130
LOG_FILE_NAME = "engine.log"

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
RequestTypeOption = Annotated[
    str | None,
    typer.Option(
        "--as", help="Which request the file is, when its fields do not tell: generate-story, idea-2-video, …"
    ),
]
OutOption = Annotated[Path | None, typer.Option(help="Folder for the film and its parts [default: films/NAME].")]
ProfileOption = Annotated[
    str | None, typer.Option("--profile", help="A named choice of models; auto: the best installed.")
]
OverlayOption = Annotated[
    list[Path] | None, typer.Option("--models", help="A file like models.yaml that wins over it.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object per line: every event as it happens.")]
UntilOption = Annotated[str, typer.Option(help="How far to go: portraits, keyframes, clips or film.")]


def main() -> None:
    """Run the command line; errors become one clear line and an exit code."""
    signal.signal(signal.SIGTERM, _handle_sigterm)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    try:
        app()
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(1) from None
    except Exception as error:
        code = _exit_code(error)
        if code is None:
            raise
        _exit(code, str(error) + (f"; the cause is in {_log_file()}" if code == EXIT_FAILED else ""))


@app.command()
def run(
    spec: Spec,
    out: OutOption = None,
    request_type: RequestTypeOption = None,
    profile: ProfileOption = None,
    models: OverlayOption = None,
    until: UntilOption = "film",
    only: Annotated[
        list[str] | None, typer.Option(help='Only this part: "scene 3", "portrait Mara", "clips" …')
    ] = None,
    as_json: JsonOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Plan only; make nothing.")] = False,
) -> None:
    """Make the film of a story. Running it again makes only what has changed."""
    if dry_run:
        plan(spec, out, request_type, profile, models, until, as_json)
        return
    request = _load_request(spec, request_type, profile)
    with _service(models) as service:
        _run_story(service, request, spec, _output_folder(spec, out), until, only or [], as_json, {})


@app.command()
def reroll(
    spec: Spec,
    target: Annotated[
        list[str], typer.Argument(help='What to make anew: scene 3 · portrait Mara · portrait "Mara/soaked" · music')
    ],
    out: OutOption = None,
    request_type: RequestTypeOption = None,
    profile: ProfileOption = None,
    models: OverlayOption = None,
    until: UntilOption = "film",
    as_json: JsonOption = False,
) -> None:
    """Make one part of a story anew, with another seed, and whatever depends on it."""
    from engine.planning.targets import resolve_target
    from engine.service import run_id_for

    request = _load_request(spec, request_type, profile)
    output_folder = _output_folder(spec, out)
    with _service(models) as service:
        takes = service.takes(run_id_for(spec, output_folder))
        imported, _ = service.import_inputs(request.model_copy(update={"takes": takes}), spec.parent)
        new_takes = {
            step: takes.get(step, 0) + 1 for step in resolve_target(" ".join(target), service.full_plan(imported))
        }
        _run_story(service, request, spec, output_folder, until, [], as_json, new_takes)


@app.command()
def plan(
    spec: Spec,
    out: OutOption = None,
    request_type: RequestTypeOption = None,
    profile: ProfileOption = None,
    models: OverlayOption = None,
    until: UntilOption = "film",
    as_json: JsonOption = False,
) -> None:
    """Show what would be made, what is there already, and what the rest takes."""
    from engine.cli.tables import forecast_json, forecast_text
    from engine.planning.planner import plan_brief, plan_story
    from engine.service import run_id_for
    from engine.story.model import Brief

    request = _load_request(spec, request_type, profile)
    _parse_stage(until)
    with _service(models) as service:
        request, warnings = service.import_inputs(request, spec.parent)
        request = request.model_copy(update={"takes": dict(service.takes(run_id_for(spec, _output_folder(spec, out))))})
        partial = False
        if isinstance(request, Brief):
            plan_result = plan_brief(request, service.catalog)
            forecast = service.forecast(plan_result)
            partial = not all(row.cached for row in forecast.rows)
            if not partial:
                request, _ = service.write(request)
        if not isinstance(request, Brief):
            plan_result = plan_story(request, service.catalog, _parse_stage(until))
            forecast = service.forecast(plan_result)
        if as_json:
            print(forecast_json(plan_result, forecast, warnings, partial=partial))
        else:
            print(forecast_text(plan_result, forecast, warnings, partial=partial))


@app.command("ls")
def list_runs(limit: Annotated[int, typer.Option(help="How many, newest first.")] = 20) -> None:
    """List what was made."""
    from engine.cli.tables import runs_text

    with _service(None) as service:
        print(runs_text(service.database.list_runs(limit)))


@app.command()
def show(
    run_id: Annotated[str, typer.Argument(help="Id of a run, as `ls` shows it; the first letters are enough.")],
) -> None:
    """Show one run: its story, state, warnings and files."""
    from engine.cli.tables import run_text

    with _service(None) as service:
        print(run_text(_find_run(service, run_id)))


@app.command("open")
def open_run(run_id: Annotated[str, typer.Argument(help="Id of a run, as `ls` shows it.")]) -> None:
    """Open the storyboard page of a run."""
    from engine.outputs.export import PAGE_FILE

    with _service(None) as service:
        page = Path(_find_run(service, run_id).output_folder) / PAGE_FILE
    if not page.is_file():
        _exit(EXIT_USAGE, f"{page} is not there; run the story again to write it")
    print(page)
    typer.launch(str(page))


@app.command()
def gc(grace: Annotated[float, typer.Option(help="Hours for which unused files are kept.")] = 1.0) -> None:
    """Remove from the store what no run refers to."""
    with _service(None) as service:
        files, size = service.gc(grace=grace * 3600)
    print(f"{files} files removed, {size / 1e6:.1f} MB freed")


@app.command()
def forget(run_id: Annotated[str, typer.Argument(help="Id of a run, as `ls` shows it.")]) -> None:
    """Remove a run from the history; `gc` then frees what only it used. Its folder is left alone."""
    with _service(None) as service:
        service.database.delete_run(_find_run(service, run_id).id)


@app.command()
def doctor() -> None:
    """Look at this machine: devices, memory, disk, ffmpeg, fonts, installed models, and what to install for more."""
    from engine.cli.doctor import machine_report
    from engine.settings import Settings

    print(machine_report(Settings.read()))


@app.command()
def schema(
    request_type: Annotated[str, typer.Option("--as", help="Which request.")] = "generate-story",
    page: Annotated[bool, typer.Option("--page", help="The whole documentation of spec files, as Markdown.")] = False,
) -> None:
    """Print the JSON Schema of a spec file, for editors."""
    import json

    from engine.schemas.reference_page import get_body, render_page

    print(
        render_page() if page else json.dumps(get_body(request_type).model_json_schema(), ensure_ascii=False, indent=2)
    )


# --- underneath -------------------------------------------------------------------------------------------------------


def _run_story(
    service: Service,
    request: Story | Brief,
    spec: Path,
    out: Path,
    until: str,
    only: list[str],
    as_json: bool,
    new_takes: dict[str, int],
) -> None:
    from engine.cli.progress import create_view
    from engine.outputs.export import export, slug
    from engine.planning.planner import plan_story
    from engine.planning.targets import resolve_target
    from engine.service import run_id_for
    from engine.story.model import Brief

    stage = _parse_stage(until)
    request, warnings = service.import_inputs(request, spec.parent)
    run_id = run_id_for(spec, out)
    request = request.model_copy(update={"takes": {**service.takes(run_id), **new_takes}})
    _check_writable(out)
    service.start_run(run_id, request, source=str(spec), out=str(out))
    try:
        with create_view(as_json=as_json) as progress:
            if request.choices.profile == "auto":
                progress.print_message(_profile_line(service))
            if isinstance(request, Brief):
                story, write_warnings = service.write(request, progress, run_id=run_id)
                warnings += write_warnings
            else:
                story = request
            plan_result = plan_story(story, service.catalog, stage)
            step_ids = [step for target in only for step in resolve_target(target, plan_result.plan)] or None
            progress.set_forecast(service.forecast(plan_result))
            for warning in (*warnings, *plan_result.warnings):
                progress.print_message(f"note: {warning}")
            result = service.run(story, stage, progress, only=step_ids, run_id=run_id)
            film = export(result, service.store, out, slug(spec.stem, "film"), warnings)
            service.finish_run(run_id, result)
            progress.print_message(str(film))
    except KeyboardInterrupt as stopped:  # said here, as the library that parses commands would only say "Aborted"
        service.fail_run(run_id, stopped)
        _exit(EXIT_INTERRUPTED, "Stopped. What was finished is kept; the same command goes on from there.")
    except BaseException as error:
        service.fail_run(run_id, error)
        raise


def _profile_line(service: Service) -> str:
    name = service.catalog.profile("auto")
    return f"profile {name}: {service.catalog.profiles[name].description} (the best that is installed and fits this machine)"


def _load_request(spec: Path, request_type: str | None, profile: str | None) -> Story | Brief:
    from engine.schemas.spec_file import read_spec

    request = read_spec(spec, request_type)
    return (
        request.model_copy(update={"choices": request.choices.model_copy(update={"profile": profile})})
        if profile
        else request
    )


def _parse_stage(until: str) -> PlanStage:
    from typing import get_args

    from engine.planning.planner import PlanStage
    from engine.story.model import StoryError
    from pipelines.models.catalog import suggest

    if until not in get_args(PlanStage):
        raise StoryError("--until", f'no "{until}"{suggest(until, get_args(PlanStage))}')
    return until  # type: ignore[return-value]


def _output_folder(spec: Path, out: Path | None) -> Path:
    from engine.outputs.export import slug

    return out or Path("films") / slug(spec.stem, "film")


def _check_writable(out: Path) -> None:
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
    from engine.execution.devices import cpu_placements, device_placements, largest_device_mb
    from engine.execution.local import LocalExecutor
    from engine.service import Service
    from engine.settings import Settings, configure_file_logging
    from pipelines.models.catalog import load

    settings = Settings.read()
    configure_file_logging(settings.logs / LOG_FILE_NAME)
    placements = (*cpu_placements(), *device_placements())
    catalog = load(*(models or []), home=settings.weights, device_mb=largest_device_mb(placements))
    with Service(settings, catalog, LocalExecutor(placements, logs=settings.logs)) as service:
        yield service


def _find_run(service: Service, run_id: str) -> Run:
    found = service.database.find_runs(run_id)
    if len(found) != 1:
        _exit(EXIT_USAGE, f'{"no run" if not found else "several runs"} "{run_id}"; `ls` lists them')
    return found[0]


def _exit_code(error: Exception) -> int | None:
    """The exit code of an error that speaks to the user; None for a defect of ours, which shows where it happened."""
    from engine.execution.errors import RunFailed
    from engine.outputs.export import ExportError
    from engine.planning.plan import PlanningError
    from engine.storage.artifact_store import StoreError
    from engine.storage.database import DatabaseError
    from engine.story.model import StoryError
    from pipelines.base import MissingDependency
    from pipelines.models.catalog import CatalogError

    if isinstance(error, StoryError | PlanningError | CatalogError):
        return EXIT_USAGE
    if isinstance(error, RunFailed):
        return error.exit_code
    if isinstance(error, StoreError | DatabaseError | ExportError | MissingDependency):
        return EXIT_UNAVAILABLE
    return None


def _exit(code: int, message: str) -> NoReturn:
    print(message, file=sys.stderr)
    raise SystemExit(code)


def _log_file() -> Path:
    from engine.settings import Settings

    return Settings.read().logs / LOG_FILE_NAME


def _handle_sigterm(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


if TYPE_CHECKING:
    from engine.planning.planner import PlanStage
    from engine.storage.database import Run

"""The command line. It parses arguments, calls the service and prints results; decisions belong to the service.

Exit codes: 0 success · 2 invalid command or story · 3 steps failed (finished steps are kept) · 4 disk space,
permissions, a package or model weights are missing · 130 interrupted.
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
    help="Turn stories into films on this machine, with open models.",
    epilog="Exit codes: 0 success, 2 invalid command or story, 3 steps failed, 4 disk space, permissions, a package "
    "or model weights are missing, 130 interrupted.",
)
models.register(app)
serve.register(app)

Spec = Annotated[Path, typer.Argument(help="Story file, JSON or YAML: the request body of either hosted API.")]
RequestTypeOption = Annotated[
    str | None,
    typer.Option(
        "--type", help="Request type of the file: generate-story, idea-2-video, … [default: detected from its fields]."
    ),
]
OutOption = Annotated[Path | None, typer.Option(help="Output folder of the film and its parts [default: films/NAME].")]
ProfileOption = Annotated[
    str | None, typer.Option("--profile", help="Named set of models, or auto for the best installed profile.")
]
OverlayOption = Annotated[
    list[Path] | None, typer.Option("--models", help="Overlay file whose entries override models.yaml.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print each event as one line of JSON.")]
UntilOption = Annotated[str, typer.Option(help="Last stage: portraits, keyframes, clips or film.")]


def main() -> None:
    """Run the command line. Print an expected error as one line and exit with its code."""
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
        _exit(code, str(error) + (f"; see the log {_log_file()}" if code == EXIT_FAILED else ""))


@app.command()
def run(
    spec: Spec,
    out: OutOption = None,
    request_type: RequestTypeOption = None,
    profile: ProfileOption = None,
    models: OverlayOption = None,
    until: UntilOption = "film",
    only: Annotated[
        list[str] | None, typer.Option(help='Make only this part: "scene 3", "portrait Mara", "clips", …')
    ] = None,
    as_json: JsonOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and exit.")] = False,
) -> None:
    """Make the film of a story. A second run repeats only the steps that changed."""
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
        list[str], typer.Argument(help='Part to make again: scene 3 · portrait Mara · portrait "Mara/soaked" · music')
    ],
    out: OutOption = None,
    request_type: RequestTypeOption = None,
    profile: ProfileOption = None,
    models: OverlayOption = None,
    until: UntilOption = "film",
    as_json: JsonOption = False,
) -> None:
    """Make one part of a story again with another seed. Steps that depend on it run again too."""
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
    """Show the steps of a story and their cost: cached, or the time, memory and disk space of each step."""
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
def list_runs(limit: Annotated[int, typer.Option(help="Maximum number of runs, newest first.")] = 20) -> None:
    """List the runs in the history."""
    from engine.cli.tables import runs_text

    with _service(None) as service:
        print(runs_text(service.database.list_runs(limit)))


@app.command()
def show(
    run_id: Annotated[str, typer.Argument(help="Run id from `ls`; a unique prefix is enough.")],
) -> None:
    """Show one run: story, state, takes, warnings and output folder."""
    from engine.cli.tables import run_text

    with _service(None) as service:
        print(run_text(_find_run(service, run_id)))


@app.command("open")
def open_run(run_id: Annotated[str, typer.Argument(help="Run id from `ls`.")]) -> None:
    """Open the storyboard page of a run in the browser."""
    from engine.outputs.export import PAGE_FILE

    with _service(None) as service:
        page = Path(_find_run(service, run_id).output_folder) / PAGE_FILE
    if not page.is_file():
        _exit(EXIT_USAGE, f"{page} does not exist; run the story again to create it")
    print(page)
    typer.launch(str(page))


@app.command()
def gc(grace: Annotated[float, typer.Option(help="Keep unused files younger than this many hours.")] = 1.0) -> None:
    """Delete files of the artifact store that no run refers to."""
    with _service(None) as service:
        files, size = service.gc(grace=grace * 3600)
    print(f"{files} files removed, {size / 1e6:.1f} MB freed")


@app.command("rm")
def remove_run(run_id: Annotated[str, typer.Argument(help="Run id from `ls`.")]) -> None:
    """Remove a run from the history. `gc` then frees its files in the store; the output folder stays."""
    with _service(None) as service:
        service.database.delete_run(_find_run(service, run_id).id)


@app.command()
def doctor() -> None:
    """Report devices, disk space and installed models. Shows the commands that install missing requirements."""
    from engine.cli.doctor import machine_report
    from engine.settings import Settings

    print(machine_report(Settings.read()))


@app.command()
def schema(
    request_type: Annotated[str, typer.Option("--type", help="Request type.")] = "generate-story",
    record: Annotated[bool, typer.Option("--record", help="Print the JSON Schema of story.json instead.")] = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the reference of story files and story.json as Markdown.")
    ] = False,
) -> None:
    """Print the JSON Schema of story files or story.json."""
    import json

    from engine.outputs.story_record import StoryRecord
    from engine.schemas.reference_page import get_body, render_page

    if markdown:
        print(render_page())
        return
    model = StoryRecord if record else get_body(request_type)
    print(json.dumps(model.model_json_schema(), ensure_ascii=False, indent=2))


# --- helpers ----------------------------------------------------------------------------------------------------------


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
    except KeyboardInterrupt as interrupt:  # Typer would print only "Aborted"
        service.fail_run(run_id, interrupt)
        _exit(EXIT_INTERRUPTED, "Interrupted. Finished steps are kept; run the same command to resume.")
    except BaseException as error:
        service.fail_run(run_id, error)
        raise


def _profile_line(service: Service) -> str:
    name = service.catalog.profile("auto")
    description = service.catalog.profiles[name].description
    return f"profile {name}: {description} (the best installed profile that fits this machine)"


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
    """Fail before any work starts when the output folder is not writable. Raises ExportError."""
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
        _exit(EXIT_USAGE, f'{"no run" if not found else "several runs match"} "{run_id}"; `ls` lists all runs')
    return found[0]


def _exit_code(error: Exception) -> int | None:
    """Return the exit code of an expected error; None for a bug, which keeps its traceback."""
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

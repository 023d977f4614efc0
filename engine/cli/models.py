"""The commands `models list`, `pull`, `verify` and `rm`. Each command imports its dependencies when it runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from pipelines.models.manager import DownloadSource, ModelManager

EXIT_USAGE, EXIT_UNAVAILABLE, EXIT_INTERRUPTED = 2, 4, 130

models_app = typer.Typer(no_args_is_help=True, help="List, download and verify models.")

OverlayOption = Annotated[
    list[Path] | None, typer.Option("--models", help="Overlay file whose entries override models.yaml.")
]
NamesArgument = Annotated[
    list[str], typer.Argument(help="Models or profiles; a profile stands for the best model of each of its picks.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.add_typer(models_app, name="models")


@models_app.command("list")
def list_models(
    models: OverlayOption = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the reference of all models as Markdown.")
    ] = False,
) -> None:
    """List models and profiles: kinds of steps, installed or missing, GPU memory, languages and licence."""
    from engine.cli.tables import models_text
    from pipelines.models.reference_page import render_page

    manager = _create_manager(models)
    if markdown:
        print(render_page(manager.catalog))
        return
    print(models_text(manager.catalog))
    for path, lock in manager.unused_weights().items():
        print(f"no model uses {lock.repo} ({lock.size / 1e9:.1f} GB, {path.stem}); `models rm --unused` deletes it")
    for folder in manager.unused_environments():
        print(f"no model uses the environment {folder.name}; `models rm --unused` deletes it")


@models_app.command()
def pull(
    names: NamesArgument,
    origin: Annotated[
        str,
        typer.Option(
            "--from",
            help="URL of a mirror, or a folder with the files [default: HF_ENDPOINT or the public hub].",
        ),
    ] = "",
    offline: Annotated[
        bool,
        typer.Option(
            "--offline", envvar="HF_HUB_OFFLINE", help="Use no network, only the hub's cache and local folders."
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    models: OverlayOption = None,
) -> None:
    """Download or repair model weights. Shows sizes, licences and free disk space first; interrupted downloads resume.
    The SHA-256 of each file is checked against the hub's after the download and again before each load.
    """
    from engine.cli.tables import download_plan_text
    from pipelines.models.catalog import install_hint, missing_modules

    manager = _create_manager(models)
    chosen = manager.resolve_names(names)
    download_plan = manager.plan_downloads(chosen, _parse_download_source(origin, offline))
    if download_plan:
        print(download_plan_text(download_plan, manager.store.home, manager.free_bytes(), manager.catalog.device_mb))
        if not yes and not _confirm():
            _exit(EXIT_INTERRUPTED, "Nothing was downloaded.")
        try:
            manager.execute(download_plan, print)
        except KeyboardInterrupt:
            _exit(EXIT_INTERRUPTED, "Interrupted. Downloaded data is kept; run the same command to resume.")
    for state, names in (
        ("all weights are installed", [model.name for model in chosen if model.weights or model.env]),
        ("no weights needed", [model.name for model in chosen if not (model.weights or model.env)]),
    ):
        if names:
            print(f"{', '.join(names)}: {state}")
    for command in dict.fromkeys(install_hint(model) for model in chosen if missing_modules(model)):
        print(f"missing packages: {command}")


@models_app.command()
def verify(
    names: Annotated[list[str] | None, typer.Argument(help="Models or profiles [default: all].")] = None,
    models: OverlayOption = None,
) -> None:
    """Verify checksums of downloaded files. Exits with 4 if any is corrupt."""
    manager = _create_manager(models)
    if not manager.verify(manager.resolve_names(names or manager.catalog.models), print):
        raise SystemExit(EXIT_UNAVAILABLE)


@models_app.command("rm")
def remove_models(
    names: Annotated[list[str] | None, typer.Argument(help="Models or profiles.")] = None,
    unused: Annotated[bool, typer.Option("--unused", help="Delete weights that no model refers to.")] = False,
    models: OverlayOption = None,
) -> None:
    """Delete downloaded weights, except those that other models share. `file:` folders are never deleted."""
    manager = _create_manager(models)
    if not names and not unused:
        _exit(EXIT_USAGE, "name a model, or pass --unused")
    freed = manager.remove_models(manager.resolve_names(names or ()), print) + (
        manager.remove_unused() if unused else 0
    )
    print(f"{freed / 1e9:.2f} GB freed")


# --- helpers ----------------------------------------------------------------------------------------------------------


def _create_manager(models: list[Path] | None) -> ModelManager:
    from engine.execution.devices import device_placements, largest_device_mb
    from engine.settings import Settings
    from pipelines.models.catalog import load
    from pipelines.models.manager import ModelManager

    home = Settings.read().weights
    return ModelManager(home, load(*(models or []), home=home, device_mb=largest_device_mb(device_placements())))


def _parse_download_source(origin: str, offline: bool) -> DownloadSource:
    from pipelines.models.manager import DownloadSource

    if origin.startswith(("http://", "https://")):
        return DownloadSource(mirror=origin.rstrip("/"), offline=offline)
    folder = Path(origin).expanduser() if origin else None
    if folder is not None and not folder.is_dir():
        _exit(EXIT_USAGE, f"--from {origin}: neither a URL nor a folder")
    return DownloadSource(folder=folder, offline=offline)


def _confirm() -> bool:
    if not sys.stdin.isatty():
        _exit(EXIT_USAGE, "stdin is not a terminal; pass --yes")
    return typer.confirm("Continue?")


def _exit(code: int, message: str) -> NoReturn:
    print(message, file=sys.stderr)
    raise SystemExit(code)

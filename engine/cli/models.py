"""The commands about models: `models list`, `pull`, `verify`, `rm`. What they need is imported when they run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from pipelines.models.manager import DownloadSource, ModelManager

EXIT_USAGE, EXIT_UNAVAILABLE, EXIT_INTERRUPTED = 2, 4, 130

models_app = typer.Typer(no_args_is_help=True, help="What can make what, and bringing weights here.")

OverlayOption = Annotated[
    list[Path] | None, typer.Option("--models", help="A file like models.yaml that wins over it.")
]
NamesArgument = Annotated[list[str], typer.Argument(help="Models, or profiles: the best of each of its picks.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.add_typer(models_app, name="models")


@models_app.command("list")
def list_models(
    models: OverlayOption = None,
    page: Annotated[bool, typer.Option("--page", help="The documentation of all models, as Markdown.")] = False,
) -> None:
    """List models: what they do, whether they are here and fit this machine, their licences."""
    from engine.cli.tables import models_text
    from pipelines.models.reference_page import render_page

    manager = _create_manager(models)
    if page:
        print(render_page(manager.catalog))
        return
    print(models_text(manager.catalog))
    for path, lock in manager.unused_weights().items():
        print(f"no model uses {lock.repo} ({lock.size / 1e9:.1f} GB, {path.stem}); `models rm --unused` removes it")
    for folder in manager.unused_environments():
        print(f"no model uses the environment {folder.name}; `models rm --unused` removes it")


@models_app.command()
def pull(
    names: NamesArgument,
    origin: Annotated[
        str,
        typer.Option(
            "--from",
            help="Address of a mirror, or a folder that holds the files [default: HF_ENDPOINT or the public hub].",
        ),
    ] = "",
    offline: Annotated[
        bool,
        typer.Option("--offline", envvar="HF_HUB_OFFLINE", help="Ask no network: the hub's cache and folders alone."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    models: OverlayOption = None,
) -> None:
    """Bring the weights of models here, or mend them. Sizes, licences and the room on the disk are shown first. What breaks off goes on
    where it ended. Every file is compared with the SHA-256 that the hub states, and again with that before each time it is loaded.
    """
    from engine.cli.tables import download_plan_text
    from pipelines.models.catalog import install_hint, missing_modules

    manager = _create_manager(models)
    chosen = manager.resolve_names(names)
    download_plan = manager.plan_downloads(chosen, _parse_download_source(origin, offline))
    if download_plan:
        print(download_plan_text(download_plan, manager.store.home, manager.free_bytes(), manager.catalog.device_mb))
        if not yes and not _confirm():
            _exit(EXIT_INTERRUPTED, "Nothing was pulled.")
        try:
            manager.execute(download_plan, print)
        except KeyboardInterrupt:
            _exit(EXIT_INTERRUPTED, "Stopped. What has arrived is kept; the same command goes on from there.")
    for what, names in (
        ("all weights are here", [model.name for model in chosen if model.weights or model.env]),
        ("no weights are needed", [model.name for model in chosen if not (model.weights or model.env)]),
    ):
        if names:
            print(f"{', '.join(names)}: {what}")
    for command in dict.fromkeys(install_hint(model) for model in chosen if missing_modules(model)):
        print(f"still needed: {command}")


@models_app.command()
def verify(
    names: Annotated[list[str] | None, typer.Argument(help="Models or profiles [default: all].")] = None,
    models: OverlayOption = None,
) -> None:
    """Hash every file of what was pulled. Exit code 4 when something is not what it was."""
    manager = _create_manager(models)
    if not manager.verify(manager.resolve_names(names or manager.catalog.models), print):
        raise SystemExit(EXIT_UNAVAILABLE)


@models_app.command("rm")
def remove_models(
    names: Annotated[list[str] | None, typer.Argument(help="Models or profiles.")] = None,
    unused: Annotated[bool, typer.Option("--unused", help="What no model refers to any more.")] = False,
    models: OverlayOption = None,
) -> None:
    """Remove what was pulled for models, except what others share. Folders that models.yaml names by `file:` are left alone."""
    manager = _create_manager(models)
    if not names and not unused:
        _exit(EXIT_USAGE, "name a model, or say --unused")
    freed = manager.remove_models(manager.resolve_names(names or ()), print) + (
        manager.remove_unused() if unused else 0
    )
    print(f"{freed / 1e9:.2f} GB freed")


# --- underneath -------------------------------------------------------------------------------------------------------


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
        _exit(EXIT_USAGE, f"--from {origin}: neither an address nor a folder")
    return DownloadSource(folder=folder, offline=offline)


def _confirm() -> bool:
    if not sys.stdin.isatty():
        _exit(EXIT_USAGE, "nobody is here to ask; say --yes")
    return typer.confirm("Go on?")


def _exit(code: int, message: str) -> NoReturn:
    print(message, file=sys.stderr)
    raise SystemExit(code)

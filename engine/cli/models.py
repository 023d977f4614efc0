"""The commands about models: `models list`, `pull`, `verify`, `rm`. What they need is imported when they run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from pipelines.models.manager import Stock, Way

WRONG, LACKING, STOPPED = 2, 4, 130

models_app = typer.Typer(no_args_is_help=True, help="What can make what, and bringing weights here.")

Overlay = Annotated[list[Path] | None, typer.Option("--models", help="A file like models.yaml that wins over it.")]
Names = Annotated[list[str], typer.Argument(help="Models, or profiles: the best of each of its picks.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.add_typer(models_app, name="models")


@models_app.command("list")
def list_models(
    models: Overlay = None,
    page: Annotated[bool, typer.Option("--page", help="The documentation of all models, as Markdown.")] = False,
) -> None:
    """List models: what they do, whether they are here and fit this machine, their licences."""
    from engine.cli.tables import models_text
    from pipelines.models.reference_page import page as documentation

    stock = _stock(models)
    if page:
        print(documentation(stock.catalog))
        return
    print(models_text(stock.catalog))
    for path, lock in stock.unused().items():
        print(f"no model uses {lock.repo} ({lock.size / 1e9:.1f} GB, {path.stem}); `models rm --unused` removes it")
    for folder in stock.unused_environments():
        print(f"no model uses the environment {folder.name}; `models rm --unused` removes it")


@models_app.command()
def pull(
    names: Names,
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
    models: Overlay = None,
) -> None:
    """Bring the weights of models here, or mend them. Sizes, licences and the room on the disk are shown first. What breaks off goes on
    where it ended. Every file is compared with the SHA-256 that the hub states, and again with that before each time it is loaded.
    """
    from engine.cli.tables import order_text
    from pipelines.models.catalog import install_hint, missing_modules

    stock = _stock(models)
    chosen = stock.named(names)
    order = stock.order(chosen, _way(origin, offline))
    if order:
        print(order_text(order, stock.shelf.home, stock.free_bytes(), stock.catalog.device_mb))
        if not yes and not _agreed():
            _end(STOPPED, "Nothing was pulled.")
        try:
            stock.carry_out(order, print)
        except KeyboardInterrupt:
            _end(STOPPED, "Stopped. What has arrived is kept; the same command goes on from there.")
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
    models: Overlay = None,
) -> None:
    """Hash every file of what was pulled. Exit code 4 when something is not what it was."""
    stock = _stock(models)
    if not stock.verify(stock.named(names or stock.catalog.models), print):
        raise SystemExit(LACKING)


@models_app.command("rm")
def remove_models(
    names: Annotated[list[str] | None, typer.Argument(help="Models or profiles.")] = None,
    unused: Annotated[bool, typer.Option("--unused", help="What no model refers to any more.")] = False,
    models: Overlay = None,
) -> None:
    """Remove what was pulled for models, except what others share. Folders that models.yaml names by `file:` are left alone."""
    stock = _stock(models)
    if not names and not unused:
        _end(WRONG, "name a model, or say --unused")
    freed = stock.clear(stock.named(names or ()), print) + (stock.clear_unused() if unused else 0)
    print(f"{freed / 1e9:.2f} GB freed")


# --- underneath -------------------------------------------------------------------------------------------------------


def _stock(models: list[Path] | None) -> Stock:
    from engine.execution.devices import device_places, largest_mb
    from engine.settings import Settings
    from pipelines.models.catalog import load
    from pipelines.models.manager import Stock

    home = Settings.read().weights
    return Stock(home, load(*(models or []), home=home, device_mb=largest_mb(device_places())))


def _way(origin: str, offline: bool) -> Way:
    from pipelines.models.manager import Way

    if origin.startswith(("http://", "https://")):
        return Way(mirror=origin.rstrip("/"), offline=offline)
    folder = Path(origin).expanduser() if origin else None
    if folder is not None and not folder.is_dir():
        _end(WRONG, f"--from {origin}: neither an address nor a folder")
    return Way(folder=folder, offline=offline)


def _agreed() -> bool:
    if not sys.stdin.isatty():
        _end(WRONG, "nobody is here to ask; say --yes")
    return typer.confirm("Go on?")


def _end(code: int, message: str) -> NoReturn:
    print(message, file=sys.stderr)
    raise SystemExit(code)

"""The commands about models: `models list`. What they need is imported when they run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pipelines.catalog import Catalog

models_app = typer.Typer(no_args_is_help=True, help="What can make what.")

Overlay = Annotated[list[Path] | None, typer.Option("--models", help="A file like models.yaml that wins over it.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.add_typer(models_app, name="models")


@models_app.command("list")
def list_models(models: Overlay = None) -> None:
    """List models, what they do, whether they are installed, and their licences."""
    from engine.report import models_text

    print(models_text(_catalog(models)))


def _catalog(models: list[Path] | None) -> Catalog:
    from engine.executor.devices import device_places, largest_mb
    from engine.settings import Settings
    from pipelines.catalog import load

    return load(*(models or []), home=Settings.read().weights, device_mb=largest_mb(device_places()))

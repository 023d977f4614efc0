"""The commands `serve` and `keys`. Each command imports its dependencies when it runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.server.settings import describe_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.server.http.api_keys import ApiKeys

keys_app = typer.Typer(no_args_is_help=True, help="Manage the API keys of the server's clients.")
SETTINGS_HELP = (
    "Settings come from the environment or from the TOML file at ENGINE_CONFIG_FILE "
    "(names without ENGINE_, in lower case):"
    f"\n\n\b\n{describe_settings()}"
)


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command(epilog=SETTINGS_HELP)(serve)
    app.add_typer(keys_app, name="keys")


def serve(
    host: Annotated[
        str, typer.Option(help="Address to listen on. All but loopback addresses require an API key.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 picks a free one.")] = 8000,
    models: Annotated[
        list[Path] | None, typer.Option("--models", help="Overlay file whose entries override models.yaml.")
    ] = None,
) -> None:
    """Serve both hosted story APIs on one port."""
    from engine.server.run import ServerStartError
    from engine.server.run import serve as run
    from engine.server.settings import SettingsError

    try:
        run(host, port, models or [])
    except SettingsError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
    except ServerStartError as error:
        print(error, file=sys.stderr)
        raise SystemExit(4) from None


@keys_app.command("add")
def add_key(name: Annotated[str, typer.Argument(help="Owner of the key; each story belongs to an owner.")]) -> None:
    """Create a key and print it. It cannot be shown again."""
    for keys in _open_keys():
        try:
            print(keys.add(name))
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None


@keys_app.command("list")
def list_keys() -> None:
    """List the keys created on this machine, with their owners."""
    import datetime

    for keys in _open_keys():
        for key in keys.list_keys():
            print(f"{datetime.datetime.fromtimestamp(key.created):%Y-%m-%d %H:%M}  {key.name}")


@keys_app.command("revoke")
def revoke_key(name: Annotated[str, typer.Argument(help="Owner, from `keys list`.")]) -> None:
    """Revoke a key."""
    for keys in _open_keys():
        if not keys.revoke(name):
            raise typer.BadParameter(f'no key "{name}"')


def _open_keys() -> Iterator[ApiKeys]:
    from engine.server.http.api_keys import ApiKeys
    from engine.settings import Settings
    from engine.storage.database import Database

    with Database(Settings.read().database) as database:
        yield ApiKeys(database)

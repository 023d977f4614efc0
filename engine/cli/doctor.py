"""What this machine has, what is missing, and the command that mends it."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Iterable

import psutil

from engine.cli.tables import megabytes, table
from engine.execution.devices import Place, cpu_places, device_places, largest_mb
from engine.outputs.export import engine_version
from engine.settings import Settings
from pipelines.base import Kind, Missing, ModelSpec
from pipelines.models.catalog import Catalog, family_class, install_hint, lacks, load, missing_modules


def examine(settings: Settings) -> str:
    """A report for people: machine, folders, models, and what the installed models say of themselves."""
    devices = device_places()
    catalog = load(home=settings.weights, device_mb=largest_mb(devices))
    sections = [_machine(devices), _folders(settings), _models(catalog), _checkups(catalog), _profiles(catalog)]
    return "\n\n".join(sections)


def _machine(places: Iterable[Place]) -> str:
    memory = psutil.virtual_memory()
    devices = [f"{place.name} with {place.budget_mb} MB for models" for place in places]
    return table(
        [
            ["engine", engine_version()],
            ["python", f"{platform.python_version()} on {platform.system()} {platform.machine()} ({sys.executable})"],
            ["cpu slots", str(len(cpu_places()))],
            ["gpu", ", ".join(devices) or "none: what is made for one would run on the processor, very slowly"],
            ["memory", f"{megabytes(memory.total)}, {megabytes(memory.available)} free"],
        ]
    )


def _folders(settings: Settings) -> str:
    rows = []
    for name, path in (("store and history", settings.data), ("weights", settings.weights)):
        there = next(parent for parent in (path, *path.parents) if parent.exists())
        rows.append(
            [
                name,
                str(path),
                f"{megabytes(shutil.disk_usage(there).free)} free" + ("" if path.exists() else ", not made yet"),
            ]
        )
    return table(rows)


def _models(catalog: Catalog) -> str:
    """What is ready for each kind of step, and what else this machine could have. `encode` comes with the models that want it."""
    rows: list[list[str]] = []
    installs: dict[str, None] = {}
    for kind in Kind:
        if kind is Kind.ENCODE:
            continue
        able = [spec for spec in catalog.models.values() if kind in spec.kinds]
        ready = [spec.name for spec in able if not lacks(spec)]
        more = [spec for spec in able if lacks(spec) and _suits(spec, catalog.device_mb)]
        installs |= dict.fromkeys(install_hint(spec) for spec in more if missing_modules(spec))
        rows.append(
            [str(kind), ", ".join(ready) or "nothing", f"more: {_few(spec.name for spec in more)}" if more else ""]
        )
    lines = [table(rows), "", "To have more of these (all, with sizes and licences: python -m engine models list):"]
    return "\n".join(
        [*lines, *(f"  {line}" for line in (*filter(None, installs), "python -m engine models pull NAME"))]
    )


def _suits(spec: ModelSpec, device_mb: int) -> bool:
    """Whether this machine can run a model at the speed that it is made for."""
    return spec.device == "cpu" or spec.memory_mb <= device_mb


def _few(names: Iterable[str], most: int = 4) -> str:
    every = list(names)
    return ", ".join(every[:most]) + (f" and {len(every) - most} others" if len(every) > most else "")


def _checkups(catalog: Catalog) -> str:
    """Families that rest on something besides packages (a program, fonts, data) look for it themselves."""
    lines = []
    for spec in catalog.models.values():
        if lacks(spec):
            continue
        try:
            checkup = getattr(family_class(spec), "checkup", None)
            lines += [f"{spec.name}: {line}" for line in checkup()] if checkup else []
        except Missing as error:
            lines.append(f"{spec.name}: {error}")
        except ImportError as error:
            lines.append(f"{spec.name}: its family cannot be loaded ({error.name or 'import failed'})")
    return "\n".join(lines) or "nothing to report of installed models"


def _profiles(catalog: Catalog) -> str:
    auto = None
    try:
        auto = catalog.profile("auto")
    except ValueError as error:
        return str(error)
    lines = []
    for name, profile in catalog.profiles.items():
        short = catalog.short_of(name)
        lines.append(
            f"profile {name}{' (auto)' if name == auto else ''}: {profile.about}" + (f" [{short}]" if short else "")
        )
    return "\n".join(lines)

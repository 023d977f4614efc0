"""What this machine has, what is missing, and the command that mends it."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Iterable

import psutil

from engine.executor.devices import Place, cpu_places, device_places, largest_mb
from engine.export import engine_version
from engine.report import megabytes, table
from engine.settings import Settings
from pipelines.base import Kind, Missing
from pipelines.catalog import Catalog, family_class, install_hint, lacks, load, missing_modules, to_pull


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
            ["gpu", ", ".join(devices) or "none: models that need one are not offered"],
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
    rows = []
    for kind in Kind:
        able = [spec for spec in catalog.models.values() if kind in spec.kinds]
        ready = [spec.name for spec in able if not lacks(spec)]
        installs = dict.fromkeys(install_hint(spec) for spec in able if missing_modules(spec))
        pulls = [spec.name for spec in able if to_pull(spec)]
        more = [*filter(None, installs), *([f"models pull {' | '.join(pulls)}"] if pulls else [])]
        rows.append([str(kind), ", ".join(ready) or "nothing", f"more: {'; '.join(more)}" if more else ""])
    return table(rows)


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

"""The report of `doctor`: the state of this machine, missing requirements, and the commands that install them."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Iterable

import psutil

from engine.cli.tables import format_bytes, format_table
from engine.execution.devices import DevicePlacement, cpu_placements, device_placements, largest_device_mb
from engine.outputs.export import engine_version
from engine.settings import Settings
from pipelines.base import Kind, MissingDependency, ModelSpec
from pipelines.models.catalog import Catalog, family_class, install_hint, load, missing_modules, unavailable_reason


def machine_report(settings: Settings) -> str:
    """Return the report as text: machine, folders, models, checks of the installed families, profiles."""
    devices = device_placements()
    catalog = load(home=settings.weights, device_mb=largest_device_mb(devices))
    sections = [_machine(devices), _folders(settings), _models(catalog), _family_checks(catalog), _profiles(catalog)]
    return "\n\n".join(sections)


def _machine(placements: Iterable[DevicePlacement]) -> str:
    memory = psutil.virtual_memory()
    devices = [f"{placement.name} with {placement.budget_mb} MB for models" for placement in placements]
    return format_table(
        [
            ["engine", engine_version()],
            ["python", f"{platform.python_version()} on {platform.system()} {platform.machine()} ({sys.executable})"],
            ["cpu slots", str(len(cpu_placements()))],
            ["gpu", ", ".join(devices) or "none (GPU models would run on the CPU, very slowly)"],
            ["memory", f"{format_bytes(memory.total)}, {format_bytes(memory.available)} free"],
        ]
    )


def _folders(settings: Settings) -> str:
    rows = []
    for name, path in (("store, history", settings.data), ("weights", settings.weights)):
        existing = next(parent for parent in (path, *path.parents) if parent.exists())
        rows.append(
            [
                name,
                str(path),
                f"{format_bytes(shutil.disk_usage(existing).free)} free"
                + ("" if path.exists() else ", not created yet"),
            ]
        )
    return format_table(rows)


def _models(catalog: Catalog) -> str:
    """Return the installed models for each kind of step, and others that fit this machine.

    `encode_prompt` is left out: the models that need it bring it.
    """
    rows: list[list[str]] = []
    installs: dict[str, None] = {}
    for kind in Kind:
        if kind is Kind.ENCODE_PROMPT:
            continue
        capable = [spec for spec in catalog.models.values() if kind in spec.kinds]
        ready = [spec.name for spec in capable if not unavailable_reason(spec)]
        more = [spec for spec in capable if unavailable_reason(spec) and _fits_device(spec, catalog.device_mb)]
        installs |= dict.fromkeys(install_hint(spec) for spec in more if missing_modules(spec))
        rows.append(
            [
                str(kind),
                ", ".join(ready) or "none",
                f"available: {_shorten_list(spec.name for spec in more)}" if more else "",
            ]
        )
    lines = [
        format_table(rows),
        "",
        "To install more (sizes and licences: python -m engine models list):",
    ]
    return "\n".join(
        [*lines, *(f"  {line}" for line in (*filter(None, installs), "python -m engine models pull NAME"))]
    )


def _fits_device(spec: ModelSpec, device_mb: int) -> bool:
    """Return whether a model runs on the CPU or fits this machine's GPU."""
    return spec.device == "cpu" or spec.memory_mb <= device_mb


def _shorten_list(names: Iterable[str], most: int = 4) -> str:
    listed = list(names)
    return ", ".join(listed[:most]) + (f" and {len(listed) - most} others" if len(listed) > most else "")


def _family_checks(catalog: Catalog) -> str:
    """Return what the families of installed models report about programs, fonts and data that they need."""
    lines = []
    for spec in catalog.models.values():
        if unavailable_reason(spec):
            continue
        try:
            checkup = getattr(family_class(spec), "checkup", None)
            lines += [f"{spec.name}: {line}" for line in checkup()] if checkup else []
        except MissingDependency as error:
            lines.append(f"{spec.name}: {error}")
        except ImportError as error:
            lines.append(f"{spec.name}: its family cannot be imported ({error.name or 'import failed'})")
    return "\n".join(lines) or "no installed model has a check of its own"


def _profiles(catalog: Catalog) -> str:
    try:
        auto = catalog.profile("auto")
    except ValueError as error:
        return str(error)
    lines = []
    for name, profile in catalog.profiles.items():
        shortfall = catalog.profile_shortfall(name)
        lines.append(
            f"profile {name}{' (auto)' if name == auto else ''}: {profile.description}"
            + (f" [{shortfall}]" if shortfall else "")
        )
    return "\n".join(lines)

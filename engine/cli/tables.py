"""Plans, runs and models as tables of text and as JSON. Pure functions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from engine.cli.progress import format_duration
from engine.execution.estimates import Forecast
from engine.planning.plan import PlanResult
from engine.storage.database import Run
from pipelines.base import Kind, ModelSpec
from pipelines.models.catalog import Catalog, family_class, install_hint, missing_modules, pending_downloads
from pipelines.models.manager import DownloadPlan
from pipelines.models.reference_page import group_by_task
from pipelines.models.weights import format_gigabytes

STORYBOARD_PENDING = "The storyboard is not written yet; later steps are planned after it is written."


def format_table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of equal length as lines, each column as wide as its widest cell."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def format_bytes(size: float) -> str:
    """Return a number of bytes in MB or GB."""
    return f"{size / 1e6:.1f} MB" if size < 1e9 else f"{size / 1e9:.1f} GB"


def forecast_text(
    plan_result: PlanResult, forecast: Forecast, warnings: Iterable[str] = (), *, partial: bool = False
) -> str:
    """Return the plan as a table with the cost of each step, then the total cost and the warnings."""
    rows = [["step", "model", "depends on", "time", "memory", "disk"]]
    for row in forecast.rows:
        cost = (
            ["cached", "", ""]
            if row.cached
            else [format_duration(row.seconds), f"{row.memory_mb} MB", format_bytes(row.size)]
        )
        depends_on = ", ".join(sorted(row.step.dependencies()))
        if len(depends_on) > 48:
            depends_on = depends_on[:47] + "…"
        rows.append([row.step.id, row.step.spec.name, depends_on, *cost])
    cached = sum(row.cached for row in forecast.rows)
    source = (
        "measured on this machine"
        if forecast.measured
        else "partly estimated: some step kinds have not run on this machine"
    )
    lines = [
        format_table(rows),
        "",
        f"{len(forecast.rows)} steps: {cached} cached, {len(forecast.rows) - cached} to run "
        f"(profile {plan_result.profile})",
        f"about {format_duration(forecast.seconds)}, at most {forecast.memory_mb} MB of memory per step, "
        f"{format_bytes(forecast.size)} of disk space ({source})",
        *(f"note: {warning}" for warning in (*warnings, *plan_result.warnings)),
        *([STORYBOARD_PENDING] if partial else []),
    ]
    return "\n".join(lines)


def forecast_json(
    plan_result: PlanResult, forecast: Forecast, warnings: Iterable[str] = (), *, partial: bool = False
) -> str:
    """Return the plan as one JSON object; `complete` is false until the storyboard is written."""
    steps = [
        {
            "id": row.step.id,
            "kind": str(row.step.kind),
            "model": row.step.spec.name,
            "depends_on": sorted(row.step.dependencies()),
            "cached": row.cached,
            "seconds": round(row.seconds, 3),
            "memory_mb": row.memory_mb,
            "bytes": row.size,
        }
        for row in forecast.rows
    ]
    content = {
        "profile": plan_result.profile,
        "complete": not partial,
        "seconds": round(forecast.seconds, 3),
        "memory_mb": forecast.memory_mb,
        "bytes": forecast.size,
        "measured": forecast.measured,
        "warnings": [*warnings, *plan_result.warnings],
        "steps": steps,
    }
    return json.dumps(content, ensure_ascii=False, indent=2)


def runs_text(runs: Sequence[Run]) -> str:
    """Return a table with one line per run."""
    if not runs:
        return "no runs yet"
    rows = [["id", "updated", "state", "title", "folder"]]
    rows += [[run.id, _format_time(run.updated), run.status, run.title[:40] or "–", run.output_folder] for run in runs]
    return format_table(rows)


def run_text(run: Run) -> str:
    """Return the details of a run, one per line."""
    takes = run.story.get("takes") or {}
    lines = [
        f"{run.title or 'Untitled'} ({run.id})",
        f"state    {run.status}" + (f": {run.error}" if run.error else ""),
        f"started  {_format_time(run.created)}, updated {_format_time(run.updated)}",
        f"story    {run.source}",
        f"folder   {run.output_folder}" + ("" if Path(run.output_folder).is_dir() else " (deleted)"),
        *(f"take     {step}: {take + 1}" for step, take in takes.items()),
        *(f"note     {warning}" for warning in run.warnings),
    ]
    return "\n".join(lines)


def download_plan_text(download_plan: DownloadPlan, home: Path, free: int, device_mb: int) -> str:
    """Return what `models pull` will download: files, sizes, licences, environments and free disk space."""
    lines = []
    for item in download_plan.items:
        model, pull = item.model, item.download
        if model.device != "cpu" and model.memory_mb > device_mb:
            lines.append(f"{model.name} {_gpu_shortfall_text(model, device_mb)}")
        if pull is None:
            lines.append(
                f"{model.name} ({model.licence or 'licence unknown'}): "
                f"{item.weights.repo} is hashed and locked in its folder"
            )
            continue
        listing = pull.listing
        gated = ", gated by its owner" if item.weights.gated else ""
        hub_licence = (
            f"; licence on the hub: {listing.licence}"
            if listing.licence.casefold() not in ("", model.licence.casefold())
            else ""
        )
        lines.append(f"{model.name} ({model.licence or 'licence unknown'}{hub_licence}{gated})")
        download_text = f"{format_bytes(pull.missing_bytes())} to download of {format_bytes(listing.size)}"
        lines.append(
            f"  {listing.repo} at {listing.commit[:12] or 'no commit'}: {download_text}, {len(listing.files)} files"
        )
        lines += [f"  {listing.note}"] if listing.note else []
    for model in download_plan.environments:
        assert model.env is not None
        packages = f"Python {model.env.python} with {', '.join(model.env.requires)}"
        size = f": about {format_bytes(model.env.gb * 1e9)} of packages" if model.env.gb else ""
        lines.append(f"{model.name}: a separate environment, {packages}{size}")
    lines.append(f"{format_bytes(download_plan.missing_bytes)} in total; {format_bytes(free)} free in {home}")
    return "\n".join(lines)


def models_text(catalog: Catalog) -> str:
    """Return a table of models per task (kinds, state, GPU memory, languages, licence), then the profiles."""
    lines = []
    for heading, specs in group_by_task(catalog.models.values()):
        rows = [
            [
                spec.name,
                ", ".join(kind for kind in spec.kinds if kind is not Kind.ENCODE_PROMPT),
                _install_state(spec),
                _gpu_fit_text(spec, catalog.device_mb),
                "yes" if spec.multiturn else "",
                ", ".join(spec.languages),
                spec.licence,
            ]
            for spec in specs
        ]
        head = ["model", "step kinds", "state", "GPU", "multi-turn", "languages", "licence"]
        used_columns = [column for column in range(len(head)) if any(row[column] for row in rows)]
        lines += [
            heading.upper(),
            format_table([[row[column] for column in used_columns] for row in [head, *rows]]),
            "",
        ]
    lines += [*_install_commands(catalog), ""]
    for name, profile in catalog.profiles.items():
        shortfall = catalog.profile_shortfall(name)
        lines.append(f"profile {name}: {profile.description}" + (f" [{shortfall}]" if shortfall else ""))
    return "\n".join(lines)


def _install_state(spec: ModelSpec) -> str:
    absent = missing_modules(spec)
    notes = [f"missing {', '.join(absent)}"] if absent else []
    notes += [f"to download: {', '.join(pending_downloads(spec))}"] if pending_downloads(spec) else []
    return "; ".join(notes) or "installed"


def _install_commands(catalog: Catalog) -> list[str]:
    """Return the commands that install missing packages and weights."""
    installs = dict.fromkeys(install_hint(spec) for spec in catalog.models.values() if missing_modules(spec))
    lines = [f"to install missing packages: {line}" for line in installs if line]
    if any(pending_downloads(spec) for spec in catalog.models.values()):
        lines.append("to download weights: python -m engine models pull MODEL (or PROFILE)")
    return lines


def _gpu_fit_text(spec: ModelSpec, device_mb: int) -> str:
    """Return the declared GPU memory of a model and whether it fits this machine's GPU."""
    if spec.device == "cpu":
        return ""
    if not device_mb:
        return f"{format_gigabytes(spec.memory_mb / 1000)}; no GPU"
    if spec.memory_mb <= device_mb:
        return f"{format_gigabytes(spec.memory_mb / 1000)}; fits"
    state = "fits with offloading, slower" if _supports_offloading(spec) else "too large"
    return f"{format_gigabytes(spec.memory_mb / 1000)}; {state}"


def _gpu_shortfall_text(spec: ModelSpec, device_mb: int) -> str:
    """Return the consequence of running a model that needs more GPU memory than this machine has."""
    needs = f"needs a GPU with {format_gigabytes(spec.memory_mb / 1000)}"
    if not device_mb:
        return f"{needs}; this machine has none: it would run on the CPU, very slowly"
    end = "it will run with offloading, slower" if _supports_offloading(spec) else "it is too large"
    return f"{needs}; this machine has {device_mb / 1000:.0f} GB: {end}"


def _supports_offloading(spec: ModelSpec) -> bool:
    return bool(getattr(family_class(spec), "memory_modes", ()))


def _format_time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M")

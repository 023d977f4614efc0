"""Plans, runs and models as text for people and JSON for programs. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from engine.cli.progress import duration
from engine.execution.estimates import Forecast
from engine.planning.plan import Planned
from engine.storage.database import Run
from pipelines.base import Kind, ModelSpec
from pipelines.models.catalog import Catalog, family_class, install_hint, missing_modules, to_pull
from pipelines.models.manager import Order
from pipelines.models.reference_page import by_job
from pipelines.models.weights import gigabytes

UNWRITTEN = "The storyboard is not written yet; the rest can be planned once it is."


def table(rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def megabytes(size: float) -> str:
    """Bytes in MB or GB."""
    return f"{size / 1e6:.1f} MB" if size < 1e9 else f"{size / 1e9:.1f} GB"


def forecast_text(planned: Planned, forecast: Forecast, warnings: Iterable[str] = (), *, partial: bool = False) -> str:
    """The graph with what each step takes, then what all of it takes."""
    rows = [["step", "model", "needs", "takes", "memory", "disk"]]
    for row in forecast.rows:
        cost = ["there", "", ""] if row.cached else [duration(row.seconds), f"{row.memory_mb} MB", megabytes(row.size)]
        needs = ", ".join(sorted(row.step.needs()))
        rows.append([row.step.id, row.step.spec.name, needs if len(needs) <= 48 else needs[:47] + "…", *cost])
    cached = sum(row.cached for row in forecast.rows)
    source = (
        "learned from this machine's earlier steps"
        if forecast.learned
        else "in part guessed: not all kinds of steps ran here yet"
    )
    lines = [
        table(rows),
        "",
        f"profile {planned.profile}: {len(forecast.rows)} steps, {cached} there, {len(forecast.rows) - cached} to make",
        f"about {duration(forecast.seconds)}, at most {forecast.memory_mb} MB in one step, {megabytes(forecast.size)} on disk ({source})",
        *(f"note: {warning}" for warning in (*warnings, *planned.warnings)),
        *([UNWRITTEN] if partial else []),
    ]
    return "\n".join(lines)


def forecast_json(planned: Planned, forecast: Forecast, warnings: Iterable[str] = (), *, partial: bool = False) -> str:
    """The same as one JSON object; `complete` is false while the storyboard is not written."""
    steps = [
        {
            "id": row.step.id,
            "kind": str(row.step.kind),
            "model": row.step.spec.name,
            "needs": sorted(row.step.needs()),
            "cached": row.cached,
            "seconds": round(row.seconds, 3),
            "memory_mb": row.memory_mb,
            "bytes": row.size,
        }
        for row in forecast.rows
    ]
    content = {
        "profile": planned.profile,
        "complete": not partial,
        "seconds": round(forecast.seconds, 3),
        "memory_mb": forecast.memory_mb,
        "bytes": forecast.size,
        "learned": forecast.learned,
        "warnings": [*warnings, *planned.warnings],
        "steps": steps,
    }
    return json.dumps(content, ensure_ascii=False, indent=2)


def runs_text(runs: Sequence[Run]) -> str:
    """One line per run."""
    if not runs:
        return "nothing was made yet"
    rows = [["id", "when", "state", "title", "folder"]]
    rows += [[run.id, _time(run.updated), run.status, run.title[:40] or "–", run.out] for run in runs]
    return table(rows)


def run_text(run: Run) -> str:
    """All that is known of a run."""
    takes = run.story.get("takes") or {}
    lines = [
        f"{run.title or 'Untitled'} ({run.id})",
        f"state    {run.status}" + (f": {run.error}" if run.error else ""),
        f"begun    {_time(run.created)}, last changed {_time(run.updated)}",
        f"story    {run.source}",
        f"folder   {run.out}" + ("" if Path(run.out).is_dir() else " (not there any more)"),
        *(f"take     {step}: {take + 1}" for step, take in takes.items()),
        *(f"note     {warning}" for warning in run.warnings),
    ]
    return "\n".join(lines)


def order_text(order: Order, home: Path, free: int, device_mb: int) -> str:
    """What a pull will bring here, before it is asked whether it shall."""
    lines = []
    for item in order.items:
        model, pull = item.model, item.pull
        if model.device != "cpu" and model.memory_mb > device_mb:
            lines.append(f"{model.name} {_unfit(model, device_mb)}")
        if pull is None:
            lines.append(
                f"{model.name} ({model.licence or 'licence unknown'}): {item.weights.repo} is hashed and locked in place"
            )
            continue
        listing = pull.listing
        gated = ", gated by its owner" if item.weights.gated else ""
        says = (
            f"; the hub says {listing.licence}"
            if listing.licence.casefold() not in ("", model.licence.casefold())
            else ""
        )
        lines.append(f"{model.name} ({model.licence or 'licence unknown'}{says}{gated})")
        brought = f"{megabytes(pull.missing_bytes())} to bring here of {megabytes(listing.size)}"
        lines.append(f"  {listing.repo} at {listing.commit[:12] or 'no commit'}: {brought}, {len(listing.files)} files")
        lines += [f"  {listing.note}"] if listing.note else []
    for model in order.environments:
        assert model.env is not None
        packages = f"Python {model.env.python} with {', '.join(model.env.requires)}"
        size = f": about {megabytes(model.env.gb * 1e9)} of packages" if model.env.gb else ""
        lines.append(f"{model.name}: an interpreter of its own, {packages}{size}")
    lines.append(f"{megabytes(order.bytes_to_bring)} in all; {megabytes(free)} are free in {home}")
    return "\n".join(lines)


def models_text(catalog: Catalog) -> str:
    """What each model does, whether it is here and fits this machine, what it may be used for; then the profiles."""
    lines = []
    for heading, specs in by_job(catalog.models.values()):
        rows = [
            [
                spec.name,
                ", ".join(kind for kind in spec.kinds if kind is not Kind.ENCODE),
                _state(spec),
                _fit(spec, catalog.device_mb),
                "yes" if spec.multiturn else "",
                ", ".join(spec.languages),
                spec.licence,
            ]
            for spec in specs
        ]
        head = ["model", "does", "state", "GPU", "multi-turn", "languages", "licence"]
        told = [column for column in range(len(head)) if any(row[column] for row in rows)]
        lines += [heading.upper(), table([[row[column] for column in told] for row in [head, *rows]]), ""]
    lines += [*_commands(catalog), ""]
    for name, profile in catalog.profiles.items():
        short = catalog.short_of(name)
        lines.append(f"profile {name}: {profile.about}" + (f" [{short}]" if short else ""))
    return "\n".join(lines)


def _state(spec: ModelSpec) -> str:
    absent = missing_modules(spec)
    facts = [f"missing {', '.join(absent)}"] if absent else []
    facts += [f"to pull: {', '.join(to_pull(spec))}"] if to_pull(spec) else []
    return "; ".join(facts) or "installed"


def _commands(catalog: Catalog) -> list[str]:
    """What brings here what is not."""
    installs = dict.fromkeys(install_hint(spec) for spec in catalog.models.values() if missing_modules(spec))
    lines = [f"for what is missing: {line}" for line in installs if line]
    if any(to_pull(spec) for spec in catalog.models.values()):
        lines.append("for what is to pull: python -m engine models pull MODEL (or PROFILE)")
    return lines


def _fit(spec: ModelSpec, device_mb: int) -> str:
    """Whether a model fits this machine's GPU, by what it is said to need before it was measured here."""
    if spec.device == "cpu":
        return ""
    if not device_mb:
        return f"{gigabytes(spec.memory_mb / 1000)}; none here"
    if spec.memory_mb <= device_mb:
        return f"{gigabytes(spec.memory_mb / 1000)}; fits"
    return f"{gigabytes(spec.memory_mb / 1000)}; {'in parts, slower' if _economical(spec) else 'too large'}"


def _unfit(spec: ModelSpec, device_mb: int) -> str:
    """What is to be known of a model that this machine's GPU does not hold."""
    needs = f"is made for a GPU with {gigabytes(spec.memory_mb / 1000)}"
    if not device_mb:
        return f"{needs}; none is here: it would run on the processor, very slowly"
    end = "it will run in parts, slower" if _economical(spec) else "it is too large"
    return f"{needs}; {device_mb / 1000:.0f} GB are here: {end}"


def _economical(spec: ModelSpec) -> bool:
    return bool(getattr(family_class(spec), "economies", ()))


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M")

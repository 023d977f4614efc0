"""A finished story as files that people open: film, portraits, keyframes, clips, voices, subtitles, `story.json`, `sheet.html`.

Names are made here; of the user's words only letters and digits of ASCII survive in them. Each file is written beside its place
and renamed, and what an earlier export left that no longer belongs is removed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePosixPath
from typing import Any

from engine.execution.run_result import RunResult
from engine.outputs.storyboard_page import render_storyboard_page
from engine.planning.plan import OutputRef
from engine.planning.step_ids import element_source, is_narrated, keyframe_source, portrait_source, scene_id
from engine.storage.artifact_store import Action, ArtifactStore
from engine.story.model import Story
from pipelines.base import Kind

RECORD_FILE, PAGE_FILE = "story.json", "sheet.html"


class ExportError(RuntimeError):
    """The output folder cannot be written; the message says why."""


@dataclass(frozen=True, slots=True)
class ExportFile:
    """One file of the export: where it goes, which output it is; for reference pictures whom or what it shows."""

    file: str
    source: OutputRef
    role: str = ""
    name: str = ""
    state: str | None = None


def slug(text: str, fallback: str) -> str:
    """Letters and digits of ASCII, small, joined by dashes; `fallback` where nothing is left."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:48] or fallback


def export_files(story: Story, stem: str) -> Iterator[ExportFile]:
    """Every file that a finished story can have, in the order of the story."""
    for number, character in enumerate(story.characters, start=1):
        name = f"{number:02d}-{slug(character.name, 'character')}"
        yield ExportFile(f"portraits/{name}.png", portrait_source(story, character.name), "character", character.name)
        for order, state in enumerate(character.states, start=1):
            file = f"portraits/{name}-{slug(state.name, f'state-{order}')}.png"
            source = portrait_source(story, character.name, state.name)
            yield ExportFile(file, source, "character", character.name, state.name)
    for role, places in (("location", story.locations), ("object", story.objects)):
        for number, place in enumerate(places, start=1):
            file = f"{role}s/{number:02d}-{slug(place.name, role)}.png"
            yield ExportFile(file, element_source(story, role, place.name), role, place.name)
    for number, scene in enumerate(story.scenes):
        name = f"scene-{number + 1:02d}"
        yield ExportFile(f"keyframes/{name}.png", keyframe_source(story, number))
        if is_narrated(story, scene):
            yield ExportFile(f"narration/{name}.wav", OutputRef(scene_id(Kind.NARRATE, number), "narration.wav"))
            yield ExportFile(
                f"narration/{name}.word_timings.json", OutputRef(scene_id(Kind.NARRATE, number), "word_timings.json")
            )
        yield ExportFile(f"clips/{name}.mp4", OutputRef(scene_id(Kind.ANIMATE, number), "clip.mp4"))
    yield ExportFile("timeline.json", OutputRef("schedule", "timeline.json"))
    yield ExportFile("music.wav", OutputRef("score", "music.wav"))
    yield ExportFile("subtitles.srt", OutputRef("subtitle", "subtitles.srt"))
    yield ExportFile("subtitles.ass", OutputRef("subtitle", "subtitles.ass"))
    yield ExportFile(f"{stem}.mp4", OutputRef("compose", "film.mp4"))


def export(result: RunResult, store: ArtifactStore, out: Path, stem: str, warnings: Iterable[str] = ()) -> Path:
    """Write everything that was made into `out`; gives the film, or the folder when there is no film yet. Raises ExportError."""
    files: dict[ExportFile, str] = {}
    try:
        out.mkdir(parents=True, exist_ok=True)
        before = _previous_files(out)
        for piece in export_files(result.story, stem):
            digest = _output_digest(result.actions, piece.source)
            if digest:
                _copy_file(store.path(digest), out / piece.file)
                files[piece] = digest
        record = build_record(result, store, files, warnings)
        _write_text(out / RECORD_FILE, json.dumps(record, ensure_ascii=False, indent=2) + "\n")
        _write_text(out / PAGE_FILE, render_storyboard_page(record))
        for stale in before - {piece.file for piece in files}:
            (out / stale).unlink(missing_ok=True)
    except OSError as error:
        raise ExportError(
            f"{error.filename or out}: cannot be written ({error.strerror}); what was made is kept"
        ) from error
    film = out / f"{stem}.mp4"
    return film if film.name in {piece.file for piece in files} else out


def build_record(
    result: RunResult, store: ArtifactStore, files: Mapping[ExportFile, str], warnings: Iterable[str]
) -> dict[str, Any]:
    """All that made the film: story, models, seeds, licences, timings, warnings."""
    steps = [_step_record(result, step.id) for step in result.planned.plan if step.id in result.actions]
    credits_ = dict.fromkeys(
        credit for step in steps for credit in (*step["credits"], *step["facts"].get("credits", ()))
    )
    models = {step["model"]: {"family": step["family"], "licence": step["licence"]} for step in steps}
    schedule = _output_digest(result.actions, OutputRef("schedule", "timeline.json"))
    return {
        "format": 1,
        "engine": engine_version(),
        "profile": result.planned.profile,
        "title": result.story.title,
        "story": json.loads(result.story.model_dump_json()),
        "timeline": json.loads(store.path(schedule).read_bytes()) if schedule else None,
        "models": models,
        "credits": list(credits_),
        "warnings": [*warnings, *result.warnings],
        "checked": {"texts": _checked_by(steps, Kind.CHECK_TEXT), "pictures": _checked_by(steps, Kind.CHECK_IMAGE)},
        "files": {piece.file: digest for piece, digest in files.items()},
        "references": [
            {"file": piece.file, "role": piece.role, "name": piece.name, "state": piece.state}
            for piece in files
            if piece.role
        ],
        "steps": steps,
    }


def _checked_by(steps: Iterable[Mapping[str, Any]], kind: Kind) -> str:
    """What looked at the texts or pictures, in words for people."""
    by = dict.fromkeys(step["facts"].get("checked_by", step["model"]) for step in steps if step["kind"] == kind)
    return ", ".join(by) or "not checked"


def engine_version() -> str:
    """The installed version of this engine."""
    try:
        return version("story-engine")
    except PackageNotFoundError:
        return "unknown"


def _step_record(result: RunResult, step_id: str) -> dict[str, Any]:
    action, step = result.actions[step_id], result.planned.plan[step_id]
    record = action.record
    return {
        "id": step_id,
        "kind": str(step.kind),
        "key": action.key,
        "outputs": {output.name: output.digest for output in action.outputs},
        **{
            name: record.get(name, default)
            for name, default in (
                ("model", step.spec.name),
                ("family", ""),
                ("family_version", ""),
                ("revision", ""),
                ("licence", ""),
                ("credits", []),
                ("seed", step.seed),
                ("take", step.take),
                ("seconds", 0.0),
                ("peak_memory_mb", 0),
                ("warnings", []),
                ("facts", {}),
            )
        },
    }


def _output_digest(actions: Mapping[str, Action], source: OutputRef) -> str | None:
    action = actions.get(source.step)
    return next((output.digest for output in action.outputs if output.name == source.name), None) if action else None


def _previous_files(out: Path) -> set[str]:
    """Which files an earlier export made here, as far as its record can be trusted: plain relative paths only."""
    try:
        files = json.loads((out / RECORD_FILE).read_bytes())["files"]
        paths = {str(file): PurePosixPath(str(file)) for file in files}
    except (OSError, ValueError, KeyError, TypeError):
        return set()
    return {file for file, path in paths.items() if not path.is_absolute() and ".." not in path.parts}


def _copy_file(blob: Path, target: Path) -> None:
    """A copy, never a link: what the user does to it must not reach the store."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        shutil.copyfile(blob, temporary)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _write_text(target: Path, text: str) -> None:
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        temporary.write_text(text, "utf-8")
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)

"""Export of a run to a folder: film, portraits, keyframes, clips, narration, subtitles, record, storyboard page.

File names keep only ASCII letters and digits of the user's text. Each file is written to a temporary name in its
folder and renamed. Files of an earlier export that the new one does not have are deleted.
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

from engine.execution.run_result import RunResult
from engine.outputs.story_record import (
    RECORD_FILE,
    ModelRecord,
    ModerationRecord,
    ReferenceRecord,
    ReferenceRole,
    StepRecord,
    StoryRecord,
    TimelineRecord,
)
from engine.outputs.storyboard_page import render_storyboard_page
from engine.planning.plan import OutputRef
from engine.planning.step_ids import (
    COMPOSE_ID,
    SCHEDULE_ID,
    SCORE_ID,
    SUBTITLE_ID,
    element_source,
    is_narrated,
    keyframe_source,
    portrait_source,
    scene_id,
)
from engine.storage.artifact_store import Action, ArtifactStore
from engine.story.model import Element, Story
from pipelines.base import Kind
from pipelines.step_params import OutputName

PAGE_FILE = "storyboard.html"


class ExportError(RuntimeError):
    """The output folder is not writable. The message names the file and the reason."""


@dataclass(frozen=True, slots=True)
class ExportFile:
    """One file of the export: its path, the step output that it copies and, for a reference image, its subject."""

    file: str
    source: OutputRef
    role: ReferenceRole | None = None
    name: str = ""
    state: str | None = None


def slug(text: str, fallback: str) -> str:
    """Return the ASCII letters and digits of a text in lower case, joined by dashes; `fallback` if it has none."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:48] or fallback


def export_files(story: Story, stem: str) -> Iterator[ExportFile]:
    """Yield every file that a finished story can have, in the order of the story."""
    for number, character in enumerate(story.characters, start=1):
        name = f"{number:02d}-{slug(character.name, 'character')}"
        yield ExportFile(f"portraits/{name}.png", portrait_source(story, character.name), "character", character.name)
        for order, state in enumerate(character.states, start=1):
            file = f"portraits/{name}-{slug(state.name, f'state-{order}')}.png"
            source = portrait_source(story, character.name, state.name)
            yield ExportFile(file, source, "character", character.name, state.name)
    elements: tuple[tuple[ReferenceRole, tuple[Element, ...]], ...] = (
        ("location", story.locations),
        ("object", story.objects),
    )
    for role, elements_of_role in elements:
        for number, element in enumerate(elements_of_role, start=1):
            file = f"{role}s/{number:02d}-{slug(element.name, role)}.png"
            yield ExportFile(file, element_source(story, role, element.name), role, element.name)
    for number, scene in enumerate(story.scenes):
        name = f"scene-{number + 1:02d}"
        yield ExportFile(f"keyframes/{name}.png", keyframe_source(story, number))
        if is_narrated(story, scene):
            yield ExportFile(f"narration/{name}.wav", OutputRef(scene_id(Kind.NARRATE, number), OutputName.NARRATION))
            yield ExportFile(
                f"narration/{name}.word_timings.json",
                OutputRef(scene_id(Kind.NARRATE, number), OutputName.WORD_TIMINGS),
            )
        yield ExportFile(f"clips/{name}.mp4", OutputRef(scene_id(Kind.ANIMATE, number), OutputName.CLIP))
    yield ExportFile("timeline.json", OutputRef(SCHEDULE_ID, OutputName.TIMELINE))
    yield ExportFile("music.wav", OutputRef(SCORE_ID, OutputName.MUSIC))
    yield ExportFile("subtitles.srt", OutputRef(SUBTITLE_ID, OutputName.SUBTITLES_SRT))
    yield ExportFile("subtitles.ass", OutputRef(SUBTITLE_ID, OutputName.SUBTITLES_ASS))
    yield ExportFile(f"{stem}.mp4", OutputRef(COMPOSE_ID, OutputName.FILM))


def export(result: RunResult, store: ArtifactStore, out: Path, stem: str, warnings: Iterable[str] = ()) -> Path:
    """Write the outputs of a run to `out`. Return the path of the film, or `out` without a film. Raises ExportError."""
    files: dict[ExportFile, str] = {}
    try:
        out.mkdir(parents=True, exist_ok=True)
        previous = _previous_files(out)
        for exported in export_files(result.story, stem):
            digest = _output_digest(result.actions, exported.source)
            if digest:
                _copy_file(store.path(digest), out / exported.file)
                files[exported] = digest
        record = build_record(result, store, files, warnings)
        _write_text(out / RECORD_FILE, record.to_json())
        _write_text(out / PAGE_FILE, render_storyboard_page(record))
        for stale in previous - {exported.file for exported in files}:
            (out / stale).unlink(missing_ok=True)
    except OSError as error:
        raise ExportError(
            f"{error.filename or out}: cannot be written ({error.strerror}); finished steps are kept in the store"
        ) from error
    return out / record.film if record.film else out


def build_record(
    result: RunResult, store: ArtifactStore, files: Mapping[ExportFile, str], warnings: Iterable[str]
) -> StoryRecord:
    """Return the record of a run; `files` gives the digest of each exported file."""
    steps = tuple(_step_record(result, step.id) for step in result.planned.plan if step.id in result.actions)
    timeline = _output_digest(result.actions, OutputRef(SCHEDULE_ID, OutputName.TIMELINE))
    return StoryRecord(
        engine=engine_version(),
        profile=result.planned.profile,
        title=result.story.title,
        story=result.story,
        timeline=TimelineRecord.model_validate_json(store.path(timeline).read_bytes()) if timeline else None,
        models={step.model: ModelRecord(family=step.family, licence=step.licence) for step in steps},
        credits=tuple(
            dict.fromkeys(credit for step in steps for credit in (*step.credits, *step.details.get("credits", ())))
        ),
        warnings=(*warnings, *result.warnings),
        moderation=ModerationRecord(
            text=_checked_by(steps, Kind.CHECK_TEXT), images=_checked_by(steps, Kind.CHECK_IMAGE)
        ),
        files={exported.file: digest for exported, digest in files.items()},
        references=tuple(
            ReferenceRecord(file=exported.file, role=exported.role, name=exported.name, state=exported.state)
            for exported in files
            if exported.role
        ),
        steps=steps,
    )


def _checked_by(steps: Iterable[StepRecord], kind: Kind) -> str:
    """Return the names of the checks that ran, as text for people, or `not checked`."""
    names = dict.fromkeys(str(step.details.get("checked_by", step.model)) for step in steps if step.kind == kind)
    return ", ".join(names) or "not checked"


def engine_version() -> str:
    """Return the installed version of the engine, or `unknown`."""
    try:
        return version("story-engine")
    except PackageNotFoundError:
        return "unknown"


def _step_record(result: RunResult, step_id: str) -> StepRecord:
    action, step = result.actions[step_id], result.planned.plan[step_id]
    record = action.record
    return StepRecord(
        id=step_id,
        kind=str(step.kind),
        key=action.key,
        outputs={output.name: output.digest for output in action.outputs},
        model=record.get("model", step.spec.name),
        family=record.get("family", ""),
        family_version=record.get("family_version", ""),
        revision=record.get("revision", ""),
        licence=record.get("licence", ""),
        credits=record.get("credits", ()),
        seed=record.get("seed", step.seed),
        take=record.get("take", step.take),
        seconds=record.get("seconds", 0.0),
        peak_memory_mb=record.get("peak_memory_mb", 0),
        warnings=record.get("warnings", ()),
        details=record.get("facts", {}),
    )


def _output_digest(actions: Mapping[str, Action], source: OutputRef) -> str | None:
    action = actions.get(source.step)
    return next((output.digest for output in action.outputs if output.name == source.name), None) if action else None


def _previous_files(out: Path) -> set[str]:
    """Return the files that the `story.json` of an earlier export lists. Only plain relative paths are trusted."""
    try:
        files = json.loads((out / RECORD_FILE).read_bytes())["files"]
        paths = {str(file): PurePosixPath(str(file)) for file in files}
    except (OSError, ValueError, KeyError, TypeError):
        return set()
    return {file for file, path in paths.items() if not path.is_absolute() and ".." not in path.parts}


def _copy_file(blob: Path, target: Path) -> None:
    """Copy a blob. A link would let edits by the user reach the store."""
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

"""The model of `story.json`: everything that a film was made from, written beside it by `engine.outputs.export`.

`python -m engine schema --record` prints its JSON Schema. `VERSION` increases when a field changes its name, type or
meaning.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.story.model import Story

VERSION: Literal[1] = 1
RECORD_FILE = "story.json"

ReferenceRole = Literal["character", "location", "object"]


class RecordError(ValueError):
    """A file is not a `story.json` that this engine can read. The message names the file and the reason."""


class RecordModel(BaseModel):
    """Immutable part of a record. Unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SceneTimingRecord(RecordModel):
    """Length of a scene's clip, in frames."""

    fps: int = Field(ge=1, description="Frames per second.")
    frames: int = Field(ge=1, description="Frames of the clip, including `head` and `tail`.")
    head: int = Field(0, ge=0, description="Frames shared with the previous scene.")
    tail: int = Field(0, ge=0, description="Frames shared with the next scene.")


class TimelineSceneRecord(RecordModel):
    """Position of a scene in the film."""

    start: int = Field(ge=0, description="First frame of the clip, counted from the start of the film.")
    timing: SceneTimingRecord
    narration: float | None = Field(None, description="Start of the narration, in seconds from the start of the film.")
    speech: float = Field(0.0, ge=0, description="Length of the speech, in seconds.")


class TimelineRecord(RecordModel):
    """Exact position and length of every scene: the content of `timeline.json`."""

    fps: int = Field(ge=1, description="Frames per second of the film.")
    scenes: tuple[TimelineSceneRecord, ...] = Field(min_length=1)

    @property
    def seconds(self) -> float:
        """Length of the film in seconds."""
        last = self.scenes[-1]
        return (last.start + last.timing.frames) / self.fps


class ModelRecord(RecordModel):
    """A model that made part of the film."""

    family: str = Field(description="Code that runs the model.")
    licence: str = Field(description="Licence of the model; empty for code of the engine.")


class ModerationRecord(RecordModel):
    """Checks of the texts and images: the name of each check, or `not checked`."""

    text: str = Field(description="Name of the text check.")
    images: str = Field(description="Name of the image check.")


class ReferenceRecord(RecordModel):
    """A reference image of a character, location or object."""

    file: str = Field(description="Path of the image, relative to `story.json`.")
    role: ReferenceRole = Field(description="Subject of the image.")
    name: str = Field(description="Name of the character, location or object.")
    state: str | None = Field(None, description="State of the character; null for the base look.")


class StepRecord(RecordModel):
    """One executed or cached step."""

    id: str = Field(description="Id of the step, such as `keyframe:1`.")
    kind: str = Field(description="Kind of the step, such as `keyframe`.")
    key: str = Field(description="Cache key of the step: a SHA-256 in hexadecimal.")
    outputs: Mapping[str, str] = Field(description="File name → SHA-256 of each output.")
    model: str = Field(description="Model that ran the step.")
    family: str = Field(description="Code that ran the model.")
    family_version: str = Field(description="Version of that code; part of the cache key.")
    revision: str = Field(description="Commit of the model's weights; empty for models without weights.")
    licence: str = Field(description="Licence of the model.")
    credits: tuple[str, ...] = Field(description="Attributions of the model.")
    seed: int = Field(description="Seed of the step.")
    take: int = Field(ge=0, description="Number of times that the step was re-rolled.")
    seconds: float = Field(ge=0, description="Run time of the step when it was executed.")
    peak_memory_mb: int = Field(ge=0, description="Peak memory of the step, in megabytes.")
    warnings: tuple[str, ...] = Field(description="Warnings of the step.")
    details: Mapping[str, Any] = Field(description="Values that the model's family reported, such as its options.")


class StoryRecord(RecordModel):
    """The content of `story.json`."""

    version: Literal[1] = Field(default=VERSION, description="Version of this format.")
    engine: str = Field(description="Version of the engine that wrote the record.")
    profile: str = Field(description="Profile that chose the models.")
    title: str = Field(description="Title of the film.")
    story: Story = Field(description="The complete story, after writing and with default values.")
    timeline: TimelineRecord | None = Field(None, description="Null until the scenes are scheduled.")
    models: Mapping[str, ModelRecord] = Field(description="Models by name.")
    credits: tuple[str, ...] = Field(description="Attributions that the film must carry.")
    warnings: tuple[str, ...] = Field(description="Warnings of the whole run.")
    moderation: ModerationRecord = Field(description="Checks of texts and images.")
    files: Mapping[str, str] = Field(description="Exported files: path relative to `story.json` → SHA-256.")
    references: tuple[ReferenceRecord, ...] = Field(description="Reference images.")
    steps: tuple[StepRecord, ...] = Field(description="Steps in the order of the plan.")

    @property
    def film(self) -> str | None:
        """File name of the film; None before it is composed."""
        return next((file for file in self.files if file.endswith(".mp4") and "/" not in file), None)

    def to_json(self) -> str:
        """Return the record as indented JSON that ends with a line break."""
        return self.model_dump_json(indent=2) + "\n"


def read_record(path: Path) -> StoryRecord:
    """Return the record in a `story.json`. Raises RecordError for another file or an unsupported version."""
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise RecordError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise RecordError(f"{path}: is not valid JSON") from error
    if not isinstance(content, dict):
        raise RecordError(f"{path}: is not a story record")
    version = content.get("version")
    if version != VERSION:
        raise RecordError(f"{path}: {_version_problem(version)}")
    try:
        return StoryRecord.model_validate_json(json.dumps(content))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise RecordError(f"{path}: is not a valid story record ({field}: {first['msg']})") from error


def _version_problem(version: object) -> str:
    if version is None:
        return f"has no `version`; run the story again to write version {VERSION}"
    if isinstance(version, int) and version > VERSION:
        return f"has version {version}, newer than {VERSION}, which this engine reads; update story-engine"
    return f"has version {version}, and this engine reads {VERSION}; run the story again to rewrite it"

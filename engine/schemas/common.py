"""Common parts of the request bodies of both hosted APIs: strict models, extension keys, frame sizes, errors."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.story.field_path import FieldPath
from engine.story.model import Audio, InputFile, MissingField, ModelChoices, Narrator, StoryError, Subtitles, Video
from pipelines.base import Kind
from pipelines.models.catalog import suggest
from pipelines.step_params import Language, Transition

AspectRatio = Literal["16:9", "4:3", "1:1", "3:4", "9:16"]
DEFAULT_SHORT_SIDE = 720
"""Default length of the shorter side of a film, in pixels."""

Body = TypeVar("Body", bound="RequestModel")


class RequestModel(BaseModel):
    """Strict, immutable part of a request. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class AudioOption(RequestModel):
    """Narration and music. A missing key keeps its default."""

    has_bg_music: bool = Field(True, description="Background music that fits the story.")
    has_narration: bool = Field(True, description="A narrator speaks the story; off if `native_audio` is on.")
    native_audio: bool = Field(False, description="The video model generates sound effects and speech.")
    narrator: str = Field("Rachel", description="One of 21 voices; ignored if narration is off.")
    narrator_sample: str | None = Field(
        None,
        min_length=1,
        description="Extension: path or URL of a recording of one voice, 5 to 30 seconds. "
        "A voice cloning model speaks with this voice.",
    )

    def to_audio(self, field: FieldPath, mood: str = "") -> Audio:
        """Return the effective audio settings. Raises StoryError for an unknown narrator if narration is on.

        `field`: the field of the request that holds these options."""
        narrates = self.has_narration and not self.native_audio
        narrators = typing.get_args(Narrator)
        if narrates and self.narrator not in narrators:
            raise StoryError(
                field.child("narrator"), f'no narrator "{self.narrator}"; one of: {", ".join(narrators)}', self.narrator
            )
        narrator = typing.cast("Narrator", self.narrator if self.narrator in narrators else "Rachel")
        sample = InputFile(source=self.narrator_sample) if narrates and self.narrator_sample else None
        return Audio(
            narration=narrates,
            music=self.has_bg_music,
            native=self.native_audio,
            narrator=narrator,
            voice_sample=sample,
            mood=mood,
        )


class VideoOptions(RequestModel):
    """Extension: frame size, frame rate, transitions and subtitles of the film."""

    width: int | None = Field(None, ge=64, le=4096, multiple_of=2, description="Pixels; default from the aspect ratio.")
    height: int | None = Field(
        None, ge=64, le=4096, multiple_of=2, description="Pixels; default from the aspect ratio."
    )
    fps: int = Field(24, ge=8, le=60, description="Frames per second of the film.")
    transition: Literal["none", Transition] | None = Field(
        None, description="Transition between scenes; default: by the request type."
    )
    transition_seconds: float = Field(0.75, gt=0, le=5, description="Length of each transition.")
    subtitles: Subtitles = Field(
        "soft", description="`soft`: a subtitle track; `burned`: drawn into the frames; `off`: none."
    )


class EngineOptions(RequestModel):
    """Extension keys of every request body: settings that the hosted APIs do not have."""

    seed: int = Field(
        0, ge=0, lt=2**63, description="Seed. The same story and seed give the same film on the same machine."
    )
    profile: str = Field("auto", description="Named set of models (`models list`); `auto`: the best installed profile.")
    models: dict[str, str] = Field({}, description='Model for a kind of step, e.g. `{"narrate": "espeak"}`.')
    video: VideoOptions = Field(VideoOptions(), description="Frame size, frame rate, transitions, subtitles.")
    enhance_image: bool = Field(False, description="Enhance the detail of scene images, at the same size.")
    music_mood: str = Field(
        "",
        description="Mood of the music, such as calm, energetic, happy, nostalgic or tender; default: from the story.",
    )

    def to_model_choices(self, image_tool: str | None = None, video_tool: str | None = None) -> ModelChoices:
        """Return the requested models. Raises StoryError for an unknown kind of step."""
        kinds = [str(kind) for kind in Kind]
        for kind in self.models:
            if kind not in kinds:
                raise StoryError("models", f'no kind of step "{kind}"{suggest(kind, kinds)}', kind)
        models = {Kind(kind): model for kind, model in self.models.items()}
        return ModelChoices(profile=self.profile, image_tool=image_tool, video_tool=video_tool, models=models)

    def to_video(self, ratio: tuple[int, int], transition: Transition | None, seconds: float = 5.0) -> Video:
        """Return the video options of the film; `video.transition` overrides `transition`."""
        width, height = frame_size(ratio)
        if self.video.transition is not None:
            transition = None if self.video.transition == "none" else self.video.transition
        return Video(
            width=self.video.width or width,
            height=self.video.height or height,
            fps=self.video.fps,
            transition=transition,
            transition_seconds=self.video.transition_seconds,
            seconds=seconds,
            subtitles=self.video.subtitles,
        )


def frame_size(ratio: tuple[int, int], short_side: float = DEFAULT_SHORT_SIDE) -> tuple[int, int]:
    """Return the frame size of an aspect ratio in even pixels: 16:9 → 1280 × 720, 9:16 → 720 × 1280."""
    unit = short_side / min(ratio)
    return _round_to_even(ratio[0] * unit), _round_to_even(ratio[1] * unit)


def with_frame_defaults(content: Mapping[str, Any], short_side: int, fps: int) -> dict[str, Any]:
    """Return a request body with this frame size and rate as defaults."""
    video = content.get("video") or {}
    ratio = content.get("aspect_ratio") or "16:9"
    if not isinstance(video, dict) or not isinstance(ratio, str):
        return dict(content)
    size: dict[str, Any] = {"fps": fps}
    if "width" not in video and "height" not in video:
        try:
            size["width"], size["height"] = frame_size(parse_aspect_ratio("aspect_ratio", ratio), short_side)
        except StoryError:
            return dict(content)
    return {**content, "video": {**size, **video}}


def parse_aspect_ratio(field: str, text: str) -> tuple[int, int]:
    """Return the two numbers of `W:H`. Raises StoryError with `field`."""
    match = re.fullmatch(r"(\d{1,4}):(\d{1,4})", text)
    across, down = (int(match[1]), int(match[2])) if match else (0, 0)
    if not across or not down or max(across, down) > 4 * min(across, down):
        raise StoryError(
            field, f'"{text}" is not an aspect ratio; use 16:9, 4:3, 1:1, 3:4, 9:16, or W:H up to 4:1', text
        )
    return across, down


def _round_to_even(pixels: float) -> int:
    return max(2, 2 * round(pixels / 2))


SCRIPT_LANGUAGES: Sequence[tuple[str, Language]] = (
    (r"[\uac00-\ud7af]", "Korean"),
    (r"[\u3040-\u30ff]", "Japanese"),
    (r"[\u4e00-\u9fff]", "Chinese"),
    (r"[\u0900-\u097f]", "Hindi"),
    (r"[\u0600-\u06ff]", "Arabic"),
)


def detect_language(text: str) -> Language:
    """Return the language of the script of most letters; English for Latin letters. Kana decide before Han."""
    letters = sum(char.isalpha() for char in text)
    for script, language in SCRIPT_LANGUAGES:
        share = len(re.findall(script, text)) / max(letters, 1)
        if share > (0.08 if language == "Japanese" else 0.3):
            return language
    return "English"


def parse(body: type[Body], content: Mapping[str, Any]) -> Body:
    """Validate a request body. Raises StoryError with the first invalid field."""
    try:
        return body.model_validate(content)
    except ValidationError as error:
        raise to_story_error(error, body) from None


def to_story_error(error: ValidationError, body: type[BaseModel]) -> StoryError:
    """Return the first validation error with its field path, and a suggestion for an unknown key."""
    first = min(
        error.errors(include_url=False), key=lambda e: (e["type"] == "missing", [str(part) for part in e["loc"]])
    )
    inner = first.get("ctx", {}).get("error")
    if isinstance(inner, StoryError):
        return StoryError(field_name(first["loc"]).child(*inner.field.parts), inner.message, inner.value)
    loc = first["loc"]
    message = str(first["msg"])
    if first["type"] == "extra_forbidden":
        message = f"unknown key{suggest(str(loc[-1]), known_keys(body, loc[:-1]))}"
    elif first["type"] in ("too_short", "too_long"):
        bounds = first["ctx"]
        limit = (
            f"at least {bounds['min_length']}" if first["type"] == "too_short" else f"at most {bounds['max_length']}"
        )
        message = f"must have {limit} items, has {len(first['input'])}"
    elif first["type"] == "missing":
        return MissingField(field_name(loc), "is missing")
    elif first["type"] == "literal_error":
        value = str(first["input"])[:60]
        return StoryError(field_name(loc), f'"{value}" is not one of {first["ctx"]["expected"]}', value)
    return StoryError(field_name(loc), message.removeprefix("Value error, "))


_UNION_MEMBER = re.compile(r"(literal|function|model|union|tagged|constrained|lax|strict|json|is-instance).*\[.*")
"""pydantic's own names for the members of a union, which it puts into the locations of errors."""


def field_name(loc: Sequence[int | str]) -> FieldPath:
    """Return the field of a location in a pydantic error: `("scenes", 2, "prompt")` → `scenes[2].prompt`."""
    return FieldPath(*(part for part in loc if isinstance(part, int) or not _UNION_MEMBER.fullmatch(part)))


def known_keys(body: type[BaseModel], loc: Sequence[int | str]) -> list[str]:
    """Return the keys of the object at a path of a body."""
    annotation: Any = body
    for part in loc:
        annotation = _child_annotation(annotation, part)
        if annotation is None:
            return []
    annotation = _model_class(annotation)
    return list(annotation.model_fields) if annotation else []


def _child_annotation(annotation: Any, part: int | str) -> Any:
    model = _model_class(annotation)
    if model:
        field = model.model_fields.get(str(part))
        return field.annotation if field else None
    for member in _union_members(annotation):
        arguments = typing.get_args(member)
        if typing.get_origin(member) in (list, tuple):
            return arguments[0]
        if typing.get_origin(member) is dict:
            return arguments[1]
    return None


def _union_members(annotation: Any) -> tuple[Any, ...]:
    is_union = typing.get_origin(annotation) in (typing.Union, types.UnionType)
    return typing.get_args(annotation) if is_union else (annotation,)


def _model_class(annotation: Any) -> type[BaseModel] | None:
    for member in _union_members(annotation):
        if isinstance(member, type) and issubclass(member, BaseModel):
            return member
    return None

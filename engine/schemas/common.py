"""What the bodies of both hosted APIs have in common: strictness, the engine's own extension keys, frames, errors in the client's words."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.story.model import Audio, InputFile, MissingField, ModelChoices, Narrator, StoryError, Subtitles, Video
from pipelines.base import Kind
from pipelines.models.catalog import suggest
from pipelines.step_params import Language, Transition

AspectRatio = Literal["16:9", "4:3", "1:1", "3:4", "9:16"]
DEFAULT_SHORT_SIDE = 720
"""Pixels of the shorter side of a film whose size nobody named."""

Body = TypeVar("Body", bound="RequestModel")


class RequestModel(BaseModel):
    """Part of a request, exactly as it is sent."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class AudioOption(RequestModel):
    """What is heard. A key that is left out keeps its default."""

    has_bg_music: bool = Field(True, description="Music is composed to fit the story.")
    has_narration: bool = Field(True, description="The story is told by a voice; off when `native_audio` is on.")
    native_audio: bool = Field(False, description="The video model makes effects and speech itself.")
    narrator: str = Field("Rachel", description="One of the 21 voices; looked at only when narration is on.")
    narrator_sample: str | None = Field(
        None,
        min_length=1,
        description="Extension: path or address of a recording, 5 to 30 seconds of one voice, with which a model that can do so speaks.",
    )

    def to_audio(self, mood: str = "") -> Audio:
        """The effective choice. Raises StoryError for an unknown narrator who would have to speak."""
        narrates = self.has_narration and not self.native_audio
        narrators = typing.get_args(Narrator)
        if narrates and self.narrator not in narrators:
            raise StoryError(
                "audio_option.narrator", f'no narrator "{self.narrator}"; one of: {", ".join(narrators)}', self.narrator
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
    """Extension: the frame of the film and how scenes follow one another."""

    width: int | None = Field(None, ge=64, le=4096, multiple_of=2, description="Pixels; default by aspect ratio.")
    height: int | None = Field(None, ge=64, le=4096, multiple_of=2, description="Pixels; default by aspect ratio.")
    fps: int = Field(24, ge=8, le=60, description="Frames per second of the film.")
    transition: Literal["none", "dissolve", "dip", "wipe", "match"] | None = Field(
        None, description="How one scene becomes the next."
    )
    transition_seconds: float = Field(0.75, gt=0, le=5)
    subtitles: Subtitles = Field("soft", description="A track to switch on, burned into the picture, or none.")


class EngineOptions(RequestModel):
    """Extension keys that every body takes: what the hosted services have no words for."""

    seed: int = Field(0, ge=0, lt=2**63, description="Same story, same seed, same machine: same film.")
    profile: str = Field("auto", description="A named choice of models (`models list`); `auto`: the best installed.")
    models: dict[str, str] = Field({}, description='Model by kind of step, e.g. `{"narrate": "espeak"}`.')
    video: VideoOptions = Field(VideoOptions(), description="Frame, rate, transitions, subtitles.")
    enhance_image: bool = Field(False, description="Scene pictures get a pass for detail, at the same size.")
    music_mood: str = Field(
        "", description="Mood words, such as calm, energetic, happy, nostalgic or tender; default: read from the story."
    )

    def to_model_choices(self, image_tool: str | None = None, video_tool: str | None = None) -> ModelChoices:
        """Which models the request wants. Raises StoryError for an unknown kind of step."""
        kinds = [str(kind) for kind in Kind]
        for kind in self.models:
            if kind not in kinds:
                raise StoryError("models", f'no kind of step "{kind}"{suggest(kind, kinds)}', kind)
        models = {Kind(kind): model for kind, model in self.models.items()}
        return ModelChoices(profile=self.profile, image_tool=image_tool, video_tool=video_tool, models=models)

    def to_video(self, ratio: tuple[int, int], transition: Transition | None, seconds: float = 5.0) -> Video:
        """The film's video options; `transition` is the request's own wish, which the extension overrules."""
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
    """Even pixels of a frame of that ratio: 16:9 → 1280 × 720, 9:16 → 720 × 1280."""
    unit = short_side / min(ratio)
    return _round_to_even(ratio[0] * unit), _round_to_even(ratio[1] * unit)


def with_frame_defaults(content: Mapping[str, Any], short_side: int, fps: int) -> dict[str, Any]:
    """A request body in which the film has this size and rate, unless it names its own."""
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
    """`W:H` → numbers. Raises StoryError naming `field`."""
    match = re.fullmatch(r"(\d{1,4}):(\d{1,4})", text)
    across, down = (int(match[1]), int(match[2])) if match else (0, 0)
    if not across or not down or max(across, down) > 4 * min(across, down):
        raise StoryError(
            field, f'"{text}" is no aspect ratio; one of 16:9, 4:3, 1:1, 3:4, 9:16, or W:H up to 4:1', text
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
    """The language that the script of most letters points to; English for Latin letters. Kana decide before Han."""
    letters = sum(char.isalpha() for char in text)
    for script, language in SCRIPT_LANGUAGES:
        share = len(re.findall(script, text)) / max(letters, 1)
        if share > (0.08 if language == "Japanese" else 0.3):
            return language
    return "English"


def parse(body: type[Body], content: Mapping[str, Any]) -> Body:
    """Validate a request body. Raises StoryError with the first thing that is wrong, in the client's words."""
    try:
        return body.model_validate(content)
    except ValidationError as error:
        raise to_story_error(error, body) from None


def to_story_error(error: ValidationError, body: type[BaseModel]) -> StoryError:
    """The first thing that is wrong: which field, what, and what would be right."""
    first = min(
        error.errors(include_url=False), key=lambda e: (e["type"] == "missing", [str(part) for part in e["loc"]])
    )
    inner = first.get("ctx", {}).get("error")
    if isinstance(inner, StoryError):
        field_path = field_name(first["loc"])
        return StoryError(".".join(part for part in (field_path, inner.field) if part), inner.message, inner.value)
    loc = first["loc"]
    message = str(first["msg"])
    if first["type"] == "extra_forbidden":
        message = f"unknown key{suggest(str(loc[-1]), known_keys(body, loc[:-1]))}"
    elif first["type"] in ("too_short", "too_long"):
        bounds = first["ctx"]
        limit = (
            f"at least {bounds['min_length']}" if first["type"] == "too_short" else f"at most {bounds['max_length']}"
        )
        message = f"must hold {limit}, holds {len(first['input'])}"
    elif first["type"] == "missing":
        return MissingField(field_name(loc), "is missing")
    elif first["type"] == "literal_error":
        value = str(first["input"])[:60]
        return StoryError(field_name(loc), f'"{value}" is not one of {first["ctx"]["expected"]}', value)
    return StoryError(field_name(loc), message.removeprefix("Value error, "))


def field_name(loc: Sequence[int | str]) -> str:
    """`("scenes", 2, "characters", 0, "name")` → `scenes[2].characters[0].name`."""
    text = ""
    for part in loc:
        if isinstance(part, int):
            text += f"[{part}]"
        elif re.fullmatch(r"(literal|function|model|union|tagged|constrained|lax|strict|json|is-instance).*\[.*", part):
            continue  # pydantic's own names for the arms of a union
        else:
            text += f".{part}" if text else part
    return text


def known_keys(body: type[BaseModel], loc: Sequence[int | str]) -> list[str]:
    """The keys that stand at a place of a body."""
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
    for arm in _union_members(annotation):
        arguments = typing.get_args(arm)
        if typing.get_origin(arm) in (list, tuple):
            return arguments[0]
        if typing.get_origin(arm) is dict:
            return arguments[1]
    return None


def _union_members(annotation: Any) -> tuple[Any, ...]:
    is_union = typing.get_origin(annotation) in (typing.Union, types.UnionType)
    return typing.get_args(annotation) if is_union else (annotation,)


def _model_class(annotation: Any) -> type[BaseModel] | None:
    for arm in _union_members(annotation):
        if isinstance(arm, type) and issubclass(arm, BaseModel):
            return arm
    return None

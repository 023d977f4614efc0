"""Request body of the Generate-story API → Story. Only this module and `generate_responses` know its field names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import Field, ValidationError

from engine.schemas.common import (
    AudioOption,
    EngineOptions,
    RequestModel,
    detect_language,
    frame_size,
    parse,
    parse_aspect_ratio,
    to_story_error,
)
from engine.story.field_path import FieldPath
from engine.story.model import (
    MAX_ELEMENTS,
    Character,
    Element,
    InputFile,
    Scene,
    SceneCharacter,
    SharedReference,
    State,
    Story,
    StoryError,
)
from pipelines.step_params import Language, Strictness

NAME = "generate-story"


class StateBody(RequestModel):
    """Another look of a character."""

    appearance: str = Field("", description="Differences from the base look.")
    reference_url: str | None = Field(None, description="Image of the character in this state: URL or local path.")


class CharacterBody(RequestModel):
    """A character with a description, a reference image, or both."""

    name: str = Field(min_length=1, max_length=200)
    appearance: str = Field("", description="Look of the character; required without `reference_url`.")
    reference_url: str | None = Field(None, description="Image of the character: URL or local path.")
    states: dict[str, StateBody] = Field({}, max_length=5, description="Other looks by name.")


class SceneCharacterBody(RequestModel):
    """A character of a scene, in one state."""

    name: str = Field(description="Name of one of `characters`.")
    state: str | None = Field(None, description="One of the character's `states`; default: the base look.")


class LocationBody(RequestModel):
    """A location that scenes refer to by name."""

    name: str = Field(min_length=1, max_length=200)
    description: str = Field("", description="Look of the location.")
    reference_url: str | None = Field(None, description="Image of the location: URL or local path.")


class ReferenceImageBody(RequestModel):
    """A reference image of all scenes."""

    description: str = Field(description="Content of the image.")
    url: str = Field(min_length=1, description="URL or local path.")


class SceneBody(RequestModel):
    """One scene. `narration`, `camera_movement` and `duration` are extensions."""

    prompt: str = Field("", description="Content of the scene image.")
    characters: list[SceneCharacterBody] = Field([], description="Characters of the scene.")
    location: str | None = Field(None, description="Name of one of `locations`.")
    aspect_ratio: str | None = Field(None, description="Overrides the request's.")
    narration: str | None = Field(
        None, description="Extension: text of the narration; default: drafted from the prompt."
    )
    camera_movement: str = Field(
        "",
        description="Extension: camera movement, such as slow push in, pull out, pan left, tilt up, track or static.",
    )
    duration: float | None = Field(None, gt=0, le=600, description="Extension: seconds, if the scene has no narration.")


class GenerateStoryBody(EngineOptions):
    """`POST /v1/generate/story`: a complete story, with the extension keys of this engine."""

    model: str = Field(description="Image model or alias that takes several reference images (`models list`).")
    characters: list[CharacterBody] = Field(min_length=1, max_length=10)
    scenes: list[SceneBody] = Field(min_length=2, max_length=10)
    aspect_ratio: str | None = Field(None, description="16:9 (default), 4:3, 1:1, 3:4, 9:16, or W:H.")
    image_size: str | None = Field(
        None, description="Size of scene images: WxH, 1K or 2K; default: the film's frame size."
    )
    locations: list[LocationBody] = Field([], max_length=MAX_ELEMENTS)
    prompt: str = Field("", description="Context for all scenes.")
    raw_prompts: bool | None = Field(None, description="Send scene prompts to the model unchanged.")
    reference_images: list[ReferenceImageBody] = Field([], max_length=5)
    setting: str | None = Field(None, description="Time and place of the story.")
    style: str | None = Field(None, description="Visual style of all images.")
    strictness: Strictness | None = Field(
        None, description="normal (default), or liberal, which allows brands, gore and adult scenes."
    )
    title: str = Field("", description="Extension: title of the film.")
    language: Language | None = Field(
        None, description="Extension: language of the narration; default: detected from its script."
    )
    audio: AudioOption = Field(
        AudioOption(), description="Extension: narration, music, narrator, as in `audio_option`."
    )


def to_story(content: Mapping[str, Any]) -> Story:
    """Return the Story of a request body. Raises StoryError with the field."""
    body = parse(GenerateStoryBody, content)
    ratio = parse_aspect_ratio("aspect_ratio", body.aspect_ratio or "16:9")
    scenes = tuple(_scene(number, scene, body, ratio) for number, scene in enumerate(body.scenes))
    spoken = " ".join(scene.narration for scene in scenes)
    audio = body.audio.to_audio(FieldPath("audio"), body.music_mood)
    try:
        return Story(
            title=body.title,
            language=body.language or detect_language(spoken),
            seed=body.seed,
            enhance=body.enhance_image,
            audio=audio,
            video=body.to_video(ratio, "dissolve"),
            choices=body.to_model_choices(image_tool=body.model),
            style=body.style or "",
            setting=body.setting or "",
            strictness=body.strictness or "normal",
            characters=tuple(_character(number, one) for number, one in enumerate(body.characters)),
            locations=tuple(
                Element(name=one.name, description=one.description, reference=_input_file(one.reference_url))
                for one in body.locations
            ),
            prompt=body.prompt,
            raw_prompts=bool(body.raw_prompts),
            shared_references=tuple(
                SharedReference(description=one.description, picture=InputFile(source=one.url))
                for one in body.reference_images
            ),
            scenes=scenes,
        )
    except ValidationError as error:
        raise to_story_error(error, Story) from None


def _character(number: int, body: CharacterBody) -> Character:
    if not (body.appearance.strip() or body.reference_url):
        raise StoryError(f"characters[{number}].appearance", "is missing: set `appearance` or `reference_url`")
    return Character(
        name=body.name,
        appearance=body.appearance,
        reference=_input_file(body.reference_url),
        states=tuple(
            State(name=name, appearance=state.appearance, reference=_input_file(state.reference_url))
            for name, state in body.states.items()
        ),
    )


def _scene(number: int, body: SceneBody, request: GenerateStoryBody, ratio: tuple[int, int]) -> Scene:
    if not (body.prompt.strip() or request.prompt.strip()):
        raise StoryError(f"scenes[{number}].prompt", "is missing: describe the scene")
    if body.aspect_ratio:
        ratio = parse_aspect_ratio(f"scenes[{number}].aspect_ratio", body.aspect_ratio)
    width, height = _image_size(request.image_size, ratio) if request.image_size or body.aspect_ratio else (None, None)
    return Scene(
        prompt=body.prompt,
        characters=tuple(SceneCharacter(name=one.name, state=one.state) for one in body.characters),
        location=body.location,
        narration=draft_narration(body.prompt) if body.narration is None else body.narration,
        camera=body.camera_movement,
        seconds=body.duration,
        width=width,
        height=height,
    )


def _image_size(size: str | None, ratio: tuple[int, int]) -> tuple[int, int]:
    if size is None:
        return frame_size(ratio)
    if size.upper() in ("1K", "2K"):
        long_side = 1024 * int(size[0])
        return frame_size(ratio, long_side * min(ratio) / max(ratio))
    match = re.fullmatch(r"(\d{2,4})[xX×](\d{2,4})", size)
    width, height = (int(match[1]), int(match[2])) if match else (0, 0)
    if not (64 <= width <= 4096 and 64 <= height <= 4096):
        raise StoryError("image_size", f'"{size}" is not supported; use WxH (64 to 4096 pixels each), 1K or 2K', size)
    return width, height


def _input_file(source: str | None) -> InputFile | None:
    return InputFile(source=source) if source else None


def draft_narration(prompt: str, limit: int = 220) -> str:
    """Return a narration for a scene without one: the first sentences of its prompt, without those about the camera."""
    sentences = re.split(r"(?<=[.!?…])\s+|(?<=[。！？।؟])\s*", prompt.strip())
    camera = re.compile(
        r"\b(camera|shot|close[- ]up|wide angle|lens|bokeh|zoom|pan(s|ning)?|4k|8k|cinematic)\b", re.IGNORECASE
    )
    kept = [sentence for sentence in sentences if sentence and not camera.search(sentence)] or sentences[:1]
    text = kept[0]
    for sentence in kept[1:]:
        if len(text) + len(sentence) > limit:
            break
        text += f" {sentence}"
    return text

"""Step-by-step mode of the Story API: request bodies, and the edit of a Story by a submitted storyboard."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.schemas.common import AspectRatio, AudioOption, RequestModel, frame_size, parse_aspect_ratio, to_story_error
from engine.schemas.generate_requests import draft_narration
from engine.schemas.story_requests import MAX_SCENES
from engine.story.field_path import FieldPath
from engine.story.model import (
    MAX_ELEMENTS,
    Character,
    Element,
    InputFile,
    Scene,
    SceneCharacter,
    State,
    Story,
    StoryError,
)

ImageOption = Literal[
    "Seedream", "FluxPro", "FluxTurbo", "NanoBananaPro", "NanoBanana", "FluxKontextPro", "FluxFinetuned", "QwenImage",
    "StableDiffusion3.5", "LeonardoImage", "GPTImage", "Auto",
]  # fmt: skip
MotionType = Literal[
    "Auto", "AutoT3", "KlingAI", "KlingT4", "LumaAI", "LumaRay2", "VeoFast", "Veo", "RunwayML", "MinimaxHailuo",
    "Seedance", "SeedanceFast", "Hunyuan", "Pixverse", "PixverseT3", "PicoMotion", "StaticMotion", "Wan", "Sora",
    "SoraPro",
]  # fmt: skip
ELEMENT_FIELDS: Mapping[str, str] = {"characters": "characters", "environments": "locations", "objects": "objects"}
"""Arrays of elements in a storyboard → fields of a Story."""
STORYBOARD_ARRAYS: Mapping[str, str] = {field: array for array, field in ELEMENT_FIELDS.items()}
"""Fields of a Story → arrays of elements in a storyboard."""


class SubmittedModel(BaseModel):
    """Part of a submitted storyboard. Unknown keys are stored and returned."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True, allow_inf_nan=False)

    @property
    def extra_fields(self) -> dict[str, Any]:
        return dict(self.__pydantic_extra__ or {})


class SubmittedElement(SubmittedModel):
    """A character, environment or object."""

    name: str = Field(min_length=1, max_length=200)
    description: str | None = None
    image_url: str | None = None
    URL: str | None = None


class SubmittedScene(SubmittedModel):
    """A scene. `narrator` is the text of the narration; `narration` and `camera` are aliases that clients use."""

    name: str | None = Field(None, max_length=20_000)
    image_description: str | None = Field(None, max_length=20_000)
    narrator: str | None = Field(None, max_length=20_000)
    narration: str | None = Field(None, max_length=20_000)
    camera_movement: str | None = Field(None, max_length=20_000)
    camera: str | None = Field(None, max_length=20_000)
    image_url: str | None = None
    narration_url: str | None = None
    video_url: str | None = None


class SubmittedStoryboard(SubmittedModel):
    """A storyboard. Each array replaces the stored one; a missing array changes nothing."""

    characters: list[SubmittedElement] | None = Field(None, max_length=MAX_ELEMENTS)
    environments: list[SubmittedElement] | None = Field(None, max_length=MAX_ELEMENTS)
    objects: list[SubmittedElement] | None = Field(None, max_length=MAX_ELEMENTS)
    scenes: list[SubmittedScene] | None = Field(None, max_length=MAX_SCENES)


class StepBody(RequestModel):
    """Fields of steps 1.5 and 2."""

    option: ImageOption | None = Field(None, description="Image model; default Seedream.")
    aspect_ratio: AspectRatio | None = Field(None, description="Default: from the previous steps, else 16:9.")
    storyboard: SubmittedStoryboard | None = Field(
        None, description="JSON of the storyboard; its arrays replace the stored ones."
    )
    enhance_image: bool = Field(False, description="Enhance the detail of the images, at the same size.")


class ElementsStepBody(StepBody):
    """`POST /story/{story_id}/elements` (step 1.5): images of characters, environments and objects."""


class ScenesStepBody(StepBody):
    """`POST /story/{story_id}/scenes` (step 2): images and narrations of the scenes."""

    audio_option: AudioOption | None = Field(None, description="JSON; replaces the value of step 1.")


class VideosStepBody(RequestModel):
    """`POST /story/{story_id}/videos` (step 3): the film."""

    title: str | None = Field(None, max_length=20_000, description="Empty: keep the title.")
    storyboard: SubmittedStoryboard | None = Field(
        None, description="JSON of the storyboard with the scenes of the film."
    )
    is_transition: bool = Field(False, description="Transition clips between scenes.")
    motion_type: MotionType = "Auto"
    duration: int = Field(5, ge=1, le=10, description="Seconds per scene without narration.")
    loop: int = Field(1, ge=1, le=6, description="Repetitions of the motion in scenes without narration.")
    webhook_url: str | None = None


class StoryPutBody(RequestModel):
    """`PUT /story/{story_id}`: missing fields keep their values."""

    title: str | None = Field(None, max_length=20_000)
    description: str | None = Field(None, max_length=20_000)
    visibility_status: Literal["0", "1", "2", 0, 1, 2] | None = Field(
        None, description="0 private, 1 unlisted, 2 public."
    )
    additional_videos: list[Any] | None = Field(None, description="JSON array; stored and returned unchanged.")


class ConcatBody(RequestModel):
    """`POST /story/{story_id}/concat`: a new film from clips."""

    concat_video_urls: list[str] | None = Field(
        None, max_length=200, description="Clips in the order of the film; default: the scene videos."
    )
    audio_urls: list[str] | None = Field(None, max_length=20, description="Audio tracks mixed over the film.")
    webhook_url: str | None = None


@dataclass(frozen=True, slots=True)
class StoryboardContext:
    """Context of a submitted storyboard.

    `resolve_file(field, url)` returns the file of a URL and raises StoryError. `current_digests` are the digests of the
    images that the story shows, by `characters/NAME`, `environments/NAME`, `objects/NAME` and `scenes/NUMBER` (from 0).
    """

    resolve_file: Callable[[str, str], InputFile]
    current_digests: Mapping[str, str] = field(default_factory=dict)

    def is_unchanged(self, key: str, submitted: InputFile, stored: InputFile | None) -> bool:
        """Return whether a submitted image is the stored or the shown one."""
        if stored is not None and submitted.source == stored.source:
            return True
        return bool(submitted.digest) and submitted.digest == self.current_digests.get(key)


@dataclass(frozen=True, slots=True)
class StoryEdit:
    """An edited story, the unknown keys of its storyboard by part, and the elements that were submitted with images."""

    story: Story
    extra_fields: Mapping[str, Any]
    elements_with_images: frozenset[str]


def apply_storyboard(
    story: Story,
    extra_fields: Mapping[str, Any],
    submitted: SubmittedStoryboard,
    context: StoryboardContext,
    *,
    keep_images: bool,
) -> StoryEdit:
    """Return the story with the arrays of a submitted storyboard. Texts are stored unchanged.

    With `keep_images`, a scene keeps its submitted image even if its text changed. Raises StoryError with the field.
    """
    updates: dict[str, Any] = {}
    extra: dict[str, Any] = {**extra_fields, **({"": submitted.extra_fields} if submitted.extra_fields else {})}
    elements_with_images: set[str] = set()
    renamed: dict[str, dict[str, str]] = {}
    for part, own in ELEMENT_FIELDS.items():
        entries: list[SubmittedElement] | None = getattr(submitted, part)
        if entries is None:
            continue
        stored: Sequence[Character | Element] = getattr(story, own)
        by_name = {one.name: one for one in stored}
        elements = []
        for number, entry in enumerate(entries):
            field_path = f"storyboard.{part}[{number}]"
            old = by_name.get(entry.name)
            reference, has_image = _element_image(
                field_path, f"{part}/{entry.name}", entry, old.reference if old else None, context
            )
            if has_image:
                elements_with_images.add(f"{part}/{entry.name}")
            elements.append(_build_element(part, entry, old, reference))
        updates[own] = tuple(elements)
        renamed[own] = _find_renames([one.name for one in stored], [entry.name for entry in entries])
        extra[part] = {entry.name: entry.extra_fields for entry in entries if entry.extra_fields}
    cast = {own: [one.name for one in updates.get(own, getattr(story, own))] for own in ELEMENT_FIELDS.values()}
    scenes = [_apply_renames(scene, cast, renamed) for scene in story.scenes]
    if submitted.scenes:
        scenes = list(_merge_scenes(story, scenes, submitted.scenes, cast, context, keep_images=keep_images))
        extra["scenes"] = [scene.extra_fields for scene in submitted.scenes]
    updates["scenes"] = tuple(scenes)
    return StoryEdit(validate_story(story, updates), extra, frozenset(elements_with_images))


def apply_audio_option(story: Story, option: AudioOption | None) -> Story:
    """Return the story with other audio settings. If narration is on, draft it for scenes without one."""
    audio = option.to_audio(FieldPath("audio_option"), story.audio.mood) if option else story.audio
    scenes = story.scenes
    if audio.narration:
        scenes = tuple(
            scene
            if scene.narration.strip() or not scene.prompt.strip() or not option
            else scene.model_copy(update={"narration": draft_narration(scene.prompt)})
            for scene in scenes
        )
    return story.model_copy(update={"audio": audio, "scenes": scenes})


def apply_aspect_ratio(story: Story, ratio: str | None) -> Story:
    """Return the story with another aspect ratio and the same length of the shorter side."""
    if ratio is None:
        return story
    short = min(story.video.width, story.video.height)
    width, height = frame_size(parse_aspect_ratio("aspect_ratio", ratio), short)
    return story.model_copy(update={"video": story.video.model_copy(update={"width": width, "height": height})})


def validate_story(story: Story, updates: Mapping[str, Any]) -> Story:
    """Return the story with validated updates. Raises StoryError with the field of the storyboard."""
    fields = {name: getattr(story, name) for name in Story.model_fields} | dict(updates)
    try:
        return Story.model_validate(fields)
    except ValidationError as error:
        story_error = to_story_error(error, Story)
        field = FieldPath("storyboard", *story_error.field.with_root(STORYBOARD_ARRAYS).parts)
        raise StoryError(field, story_error.message, story_error.value) from None


def _element_image(
    field_path: str, key: str, entry: SubmittedElement, stored: InputFile | None, context: StoryboardContext
) -> tuple[InputFile | None, bool]:
    """Return the image of an element and whether the client sent one. Of two URLs, prefer the one that changed."""
    candidates = [
        context.resolve_file(f"{field_path}.{name}", url)
        for name, url in (("image_url", entry.image_url), ("URL", entry.URL))
        if url and url.strip()
    ]
    if not candidates:
        return None, False
    new = [image for image in candidates if not context.is_unchanged(key, image, stored)]
    return (new[0] if new else stored), True


def _build_element(
    part: str, entry: SubmittedElement, old: Character | Element | None, reference: InputFile | None
) -> Character | Element:
    description = entry.description or ""
    if part == "characters":
        states: tuple[State, ...] = old.states if isinstance(old, Character) else ()
        return Character(name=entry.name, appearance=description, reference=reference, states=states)
    return Element(name=entry.name, description=description, reference=reference)


def _find_renames(before: Sequence[str], after: Sequence[str]) -> dict[str, str]:
    """Return old → new names at the same index, where the old name disappeared and the new one did not exist."""
    if len(before) != len(after):
        return {}
    pairs = zip(before, after, strict=True)
    return {old: new for old, new in pairs if old not in after and new not in before}


def _apply_renames(scene: Scene, cast: Mapping[str, list[str]], renamed: Mapping[str, Mapping[str, str]]) -> Scene:
    """Return the scene with renamed elements and without deleted ones."""

    def current_names(own: str, names: Iterable[str]) -> list[str]:
        changed = (renamed.get(own, {}).get(name, name) for name in names)
        return [name for name in dict.fromkeys(changed) if name in cast[own]]

    states = {one.name: one.state for one in scene.characters}
    old_names = {new: old for old, new in renamed.get("characters", {}).items()}
    people = current_names("characters", (one.name for one in scene.characters))
    locations = current_names("locations", [scene.location] if scene.location else [])
    return scene.model_copy(
        update={
            "characters": tuple(
                SceneCharacter(name=name, state=states.get(old_names.get(name, name))) for name in people
            ),
            "location": locations[0] if locations else None,
            "objects": tuple(current_names("objects", scene.objects)),
        }
    )


def _merge_scenes(
    story: Story,
    before: Sequence[Scene],
    submitted: Sequence[SubmittedScene],
    cast: Mapping[str, list[str]],
    context: StoryboardContext,
    *,
    keep_images: bool,
) -> Iterable[Scene]:
    numbers = _match_scenes(before, submitted)
    for number, entry in enumerate(submitted):
        old_number = numbers[number]
        old = before[old_number] if old_number is not None else None
        narration = entry.narrator if entry.narrator is not None else entry.narration
        camera = entry.camera_movement if entry.camera_movement is not None else entry.camera
        prompt = entry.image_description if entry.image_description is not None else (old.prompt if old else "")
        if narration is None:
            narration = old.narration if old else draft_narration(prompt) if story.audio.narration and prompt else ""
        scene = (old or Scene()).model_copy(
            update={
                "name": entry.name if entry.name is not None else (old.name if old else ""),
                "prompt": prompt,
                "narration": narration,
                "camera": camera if camera is not None else (old.camera if old else ""),
            }
        )
        if old is None:
            scene = scene.model_copy(update=_mentioned_elements(f"{prompt} {narration}", cast))
        changed = old is None or old.prompt != prompt
        picture = old.picture if old else None
        if entry.image_url and entry.image_url.strip():
            submitted_image = context.resolve_file(f"storyboard.scenes[{number}].image_url", entry.image_url)
            unchanged = old_number is not None and context.is_unchanged(
                f"scenes/{old_number}", submitted_image, picture
            )
            if not unchanged or (keep_images and changed and submitted_image.digest):
                picture = submitted_image
        yield scene.model_copy(update={"picture": picture})


def _match_scenes(before: Sequence[Scene], submitted: Sequence[SubmittedScene]) -> list[int | None]:
    """Return the index of the stored scene of each submitted one: by a unique name, else by position."""
    names = [scene.name for scene in before]
    free = set(range(len(before)))
    found: list[int | None] = []
    for entry in submitted:
        number = names.index(entry.name) if entry.name and names.count(entry.name) == 1 else None
        number = number if number in free else None
        free.discard(number if number is not None else -1)
        found.append(number)
    for number in range(len(found)):
        if found[number] is None and number in free:
            found[number] = number
            free.discard(number)
    return found


def _mentioned_elements(text: str, cast: Mapping[str, list[str]]) -> dict[str, Any]:
    """Return the characters, location and objects whose names are in the text of a new scene."""
    folded = text.casefold()
    people, locations, objects = (
        [name for name in cast[own] if name.casefold() in folded] for own in ELEMENT_FIELDS.values()
    )
    return {
        "characters": tuple(SceneCharacter(name=name) for name in people),
        "location": locations[0] if locations else None,
        "objects": tuple(objects),
    }

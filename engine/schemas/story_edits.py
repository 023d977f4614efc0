"""The Story API's advanced mode: the bodies of its steps, and what a storyboard that a client sends back means for a Story."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.schemas.common import AspectRatio, AudioOption, Wire, explained, frame_of, ratio_of
from engine.schemas.generate_requests import drafted_narration
from engine.schemas.story_requests import MAX_SCENES
from engine.story.model import MAX_THINGS, Character, Picture, Place, Presence, Scene, State, Story, StoryError

ImageOption = Literal[
    "Seedream", "FluxPro", "FluxTurbo", "NanoBananaPro", "NanoBanana", "FluxKontextPro", "FluxFinetuned", "QwenImage",
    "StableDiffusion3.5", "LeonardoImage", "GPTImage", "Auto",
]  # fmt: skip
MotionType = Literal[
    "Auto", "AutoT3", "KlingAI", "KlingT4", "LumaAI", "LumaRay2", "VeoFast", "Veo", "RunwayML", "MinimaxHailuo", "Seedance",
    "SeedanceFast", "Hunyuan", "Pixverse", "PixverseT3", "PicoMotion", "StaticMotion", "Wan", "Sora", "SoraPro",
]  # fmt: skip
PARTS: Mapping[str, str] = {"characters": "characters", "environments": "locations", "objects": "objects"}
"""The arrays of a storyboard that hold elements, and what a Story calls them."""


class Sent(BaseModel):
    """Part of a storyboard as a client sends it. What is not known is kept and given back."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True, allow_inf_nan=False)

    @property
    def unknown(self) -> dict[str, Any]:
        return dict(self.__pydantic_extra__ or {})


class SentElement(Sent):
    """A character, environment or object."""

    name: str = Field(min_length=1, max_length=200)
    description: str | None = None
    image_url: str | None = None
    URL: str | None = None


class SentScene(Sent):
    """A scene; `narrator` holds the words to be spoken, `narration` and `camera` are other names that clients use."""

    name: str | None = Field(None, max_length=20_000)
    image_description: str | None = Field(None, max_length=20_000)
    narrator: str | None = Field(None, max_length=20_000)
    narration: str | None = Field(None, max_length=20_000)
    camera_movement: str | None = Field(None, max_length=20_000)
    camera: str | None = Field(None, max_length=20_000)
    image_url: str | None = None
    narration_url: str | None = None
    video_url: str | None = None


class SentStoryboard(Sent):
    """A storyboard. An array that is there replaces the stored one; one that is not there leaves it as it is."""

    characters: list[SentElement] | None = Field(None, max_length=MAX_THINGS)
    environments: list[SentElement] | None = Field(None, max_length=MAX_THINGS)
    objects: list[SentElement] | None = Field(None, max_length=MAX_THINGS)
    scenes: list[SentScene] | None = Field(None, max_length=MAX_SCENES)


class StepBody(Wire):
    """What steps 1.5 and 2 share."""

    option: ImageOption | None = Field(None, description="Which image model draws; default Seedream.")
    aspect_ratio: AspectRatio | None = Field(None, description="Default: that of the steps before, else 16:9.")
    storyboard: SentStoryboard | None = Field(
        None, description="JSON of the storyboard, edited or not; its arrays replace the stored ones."
    )
    enhance_image: bool = Field(False, description="A pass for detail at the same size.")


class ElementsStepBody(StepBody):
    """`POST /story/{story_id}/elements` (step 1.5): pictures of characters, environments and objects."""


class ScenesStepBody(StepBody):
    """`POST /story/{story_id}/scenes` (step 2): pictures and narrations of the scenes."""

    audio_option: AudioOption | None = Field(None, description="JSON; replaces that of step 1.")


class VideosStepBody(Wire):
    """`POST /story/{story_id}/videos` (step 3): the film."""

    title: str | None = Field(None, max_length=20_000, description="Empty: the title stays.")
    storyboard: SentStoryboard | None = Field(None, description="JSON of the storyboard; its scenes are filmed.")
    is_transition: bool = Field(False, description="Transition clips between scenes.")
    motion_type: MotionType = "Auto"
    duration: int = Field(5, ge=1, le=10, description="Seconds per scene, when nobody speaks.")
    loop: int = Field(1, ge=1, le=6, description="Repetitions of the motion, when nobody speaks.")
    webhook_url: str | None = None


class StoryPutBody(Wire):
    """`PUT /story/{story_id}`: what is not sent stays."""

    title: str | None = Field(None, max_length=20_000)
    description: str | None = Field(None, max_length=20_000)
    visibility_status: Literal["0", "1", "2", 0, 1, 2] | None = Field(
        None, description="0 private, 1 unlisted, 2 public."
    )
    additional_videos: list[Any] | None = Field(None, description="JSON array; kept.")


class ConcatBody(Wire):
    """`POST /story/{story_id}/concat`: clips become a new film."""

    concat_video_urls: list[str] | None = Field(
        None, max_length=200, description="The film, in this order; left out: the scene videos."
    )
    audio_urls: list[str] | None = Field(
        None, max_length=20, description="Sound laid over the film; several are mixed."
    )
    webhook_url: str | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What must be known to read a sent storyboard: how an address becomes a picture (`find` raises StoryError), and the
    digests of what the story shows now, by `characters/NAME` … and `scenes/NUMBER` (from 0)."""

    find: Callable[[str, str], Picture]
    shown: Mapping[str, str] = field(default_factory=dict)

    def is_shown(self, place: str, picture: Picture, stored: Picture | None) -> bool:
        """Whether a picture that came is the one that is there already."""
        if stored is not None and picture.source == stored.source:
            return True
        return bool(picture.digest) and picture.digest == self.shown.get(place)


@dataclass(frozen=True, slots=True)
class Edited:
    """A story after a storyboard was sent: what is not known to the engine, by part; which elements came with pictures."""

    story: Story
    unknown: Mapping[str, Any]
    with_picture: frozenset[str]


def with_storyboard(
    story: Story, unknown: Mapping[str, Any], sent: SentStoryboard, known: Known, *, keep_pictures: bool
) -> Edited:
    """The story with the arrays of `sent` in place of its own. Texts stay as sent. With `keep_pictures` a scene whose
    picture came back keeps it although its words changed. Raises StoryError naming the place."""
    updates: dict[str, Any] = {}
    extra: dict[str, Any] = {**unknown, **({"": sent.unknown} if sent.unknown else {})}
    pictured: set[str] = set()
    renamed: dict[str, dict[str, str]] = {}
    for part, own in PARTS.items():
        entries: list[SentElement] | None = getattr(sent, part)
        if entries is None:
            continue
        stored: Sequence[Character | Place] = getattr(story, own)
        by_name = {one.name: one for one in stored}
        made = []
        for number, entry in enumerate(entries):
            place = f"storyboard.{part}[{number}]"
            old = by_name.get(entry.name)
            reference, came = _picture(place, f"{part}/{entry.name}", entry, old.reference if old else None, known)
            if came:
                pictured.add(f"{part}/{entry.name}")
            made.append(_element(part, entry, old, reference))
        updates[own] = tuple(made)
        renamed[own] = _renamed([one.name for one in stored], [entry.name for entry in entries])
        extra[part] = {entry.name: entry.unknown for entry in entries if entry.unknown}
    cast = {own: [one.name for one in updates.get(own, getattr(story, own))] for own in PARTS.values()}
    scenes = [_recast(scene, cast, renamed) for scene in story.scenes]
    if sent.scenes:
        scenes = list(_scenes(story, scenes, sent.scenes, cast, known, keep_pictures=keep_pictures))
        extra["scenes"] = [scene.unknown for scene in sent.scenes]
    updates["scenes"] = tuple(scenes)
    return Edited(checked(story, updates), extra, frozenset(pictured))


def with_audio(story: Story, option: AudioOption | None) -> Story:
    """The story with another audio choice; where a voice is wanted and a scene has no words, they are drafted."""
    audio = option.audio(story.audio.mood) if option else story.audio
    scenes = story.scenes
    if audio.narration:
        scenes = tuple(
            scene
            if scene.narration.strip() or not scene.prompt.strip() or not option
            else scene.model_copy(update={"narration": drafted_narration(scene.prompt)})
            for scene in scenes
        )
    return story.model_copy(update={"audio": audio, "scenes": scenes})


def with_ratio(story: Story, ratio: str | None) -> Story:
    """The story in another shape, its shorter side as long as before."""
    if ratio is None:
        return story
    short = min(story.video.width, story.video.height)
    width, height = frame_of(ratio_of("aspect_ratio", ratio), short)
    return story.model_copy(update={"video": story.video.model_copy(update={"width": width, "height": height})})


def checked(story: Story, updates: Mapping[str, Any]) -> Story:
    """A story with changes, all its rules looked at. Raises StoryError in the words of a storyboard."""
    fields = {name: getattr(story, name) for name in Story.model_fields} | dict(updates)
    try:
        return Story.model_validate(fields)
    except ValidationError as error:
        told = explained(error, Story)
        raise StoryError(
            f"storyboard.{told.field.replace('locations', 'environments')}", told.message, told.got
        ) from None


def _picture(
    place: str, key: str, entry: SentElement, stored: Picture | None, known: Known
) -> tuple[Picture | None, bool]:
    """The picture of an element, and whether one came: of two different addresses the one that is new."""
    came = [
        known.find(f"{place}.{name}", url)
        for name, url in (("image_url", entry.image_url), ("URL", entry.URL))
        if url and url.strip()
    ]
    if not came:
        return None, False
    new = [picture for picture in came if not known.is_shown(key, picture, stored)]
    return (new[0] if new else stored), True


def _element(
    part: str, entry: SentElement, old: Character | Place | None, reference: Picture | None
) -> Character | Place:
    words = entry.description or ""
    if part == "characters":
        states: tuple[State, ...] = old.states if isinstance(old, Character) else ()
        return Character(name=entry.name, appearance=words, reference=reference, states=states)
    return Place(name=entry.name, description=words, reference=reference)


def _renamed(before: Sequence[str], after: Sequence[str]) -> dict[str, str]:
    """Names that changed in their place: the old one is gone, the new one was not there."""
    if len(before) != len(after):
        return {}
    pairs = zip(before, after, strict=True)
    return {old: new for old, new in pairs if old not in after and new not in before}


def _recast(scene: Scene, cast: Mapping[str, list[str]], renamed: Mapping[str, Mapping[str, str]]) -> Scene:
    """The scene with the new names, without those that are no more."""

    def now(own: str, names: Iterable[str]) -> list[str]:
        changed = (renamed.get(own, {}).get(name, name) for name in names)
        return [name for name in dict.fromkeys(changed) if name in cast[own]]

    states = {presence.name: presence.state for presence in scene.characters}
    back = {new: old for old, new in renamed.get("characters", {}).items()}
    people = now("characters", (presence.name for presence in scene.characters))
    place = now("locations", [scene.location] if scene.location else [])
    return scene.model_copy(
        update={
            "characters": tuple(Presence(name=name, state=states.get(back.get(name, name))) for name in people),
            "location": place[0] if place else None,
            "objects": tuple(now("objects", scene.objects)),
        }
    )


def _scenes(
    story: Story,
    before: Sequence[Scene],
    sent: Sequence[SentScene],
    cast: Mapping[str, list[str]],
    known: Known,
    *,
    keep_pictures: bool,
) -> Iterable[Scene]:
    numbers = _matched(before, sent)
    for number, entry in enumerate(sent):
        old_number = numbers[number]
        old = before[old_number] if old_number is not None else None
        words = entry.narrator if entry.narrator is not None else entry.narration
        camera = entry.camera_movement if entry.camera_movement is not None else entry.camera
        prompt = entry.image_description if entry.image_description is not None else (old.prompt if old else "")
        if words is None:
            words = old.narration if old else drafted_narration(prompt) if story.audio.narration and prompt else ""
        scene = (old or Scene()).model_copy(
            update={
                "name": entry.name if entry.name is not None else (old.name if old else ""),
                "prompt": prompt,
                "narration": words,
                "camera": camera if camera is not None else (old.camera if old else ""),
            }
        )
        if old is None:
            scene = scene.model_copy(update=_mentioned(f"{prompt} {words}", cast))
        changed = old is None or old.prompt != prompt
        picture = old.picture if old else None
        if entry.image_url and entry.image_url.strip():
            came = known.find(f"storyboard.scenes[{number}].image_url", entry.image_url)
            shown = old_number is not None and known.is_shown(f"scenes/{old_number}", came, picture)
            if not shown or (keep_pictures and changed and came.digest):
                picture = came
        yield scene.model_copy(update={"picture": picture})


def _matched(before: Sequence[Scene], sent: Sequence[SentScene]) -> list[int | None]:
    """Which stored scene each sent one was: that of its name if the name is the only one, else that of its place."""
    names = [scene.name for scene in before]
    free = set(range(len(before)))
    found: list[int | None] = []
    for entry in sent:
        number = names.index(entry.name) if entry.name and names.count(entry.name) == 1 else None
        number = number if number in free else None
        free.discard(number if number is not None else -1)
        found.append(number)
    for number in range(len(found)):
        if found[number] is None and number in free:
            found[number] = number
            free.discard(number)
    return found


def _mentioned(text: str, cast: Mapping[str, list[str]]) -> dict[str, Any]:
    """Who and what a new scene speaks of."""
    low = text.casefold()
    people, places, things = ([name for name in cast[own] if name.casefold() in low] for own in PARTS.values())
    return {
        "characters": tuple(Presence(name=name) for name in people),
        "location": places[0] if places else None,
        "objects": tuple(things),
    }

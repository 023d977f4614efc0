"""The internal form of every request: complete, validated, immutable.

A `Brief` comes first: an idea, a page or pictures, which the `write` step turns into a `Story`. A file is named by its
`source` (path or URL as the client gave it) until the importer puts it into the store, then by its digest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from engine.story.field_path import FieldPath
from pipelines.base import Kind
from pipelines.models.catalog import suggest
from pipelines.step_params import Language, Strictness, Transition

Narrator = Literal[
    "Rachel", "Aria", "Roger", "Sarah", "Laura", "Charlie", "George", "Callum", "River", "Liam", "Charlotte",
    "Alice", "Matilda", "Will", "Jessica", "Eric", "Chris", "Brian", "Daniel", "Lily", "Bill",
]  # fmt: skip
Subtitles = Literal["soft", "burned", "off"]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Text = Annotated[str, Field(max_length=20_000)]
MAX_SCENES = 1000
MAX_ELEMENTS = 200
MAX_PAGE_IMAGES = 10
"""Most characters, locations or objects of a story, and most states of a character."""


class StoryError(ValueError):
    """An invalid value in a story. `field` is the path in the client's request, e.g. `scenes[2].characters[0].name`;
    `value` is the client's text that the message repeats in double quotes."""

    def __init__(self, field: str, message: str, value: str = "") -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.field, self.message, self.value = FieldPath.parse(field), message, value

    @property
    def redacted(self) -> str:
        """The message without the client's text, for logs and answers."""
        return self.message.replace(f'"{self.value}"', '"…"') if self.value else self.message


class MissingField(StoryError):
    """A required field that is absent or blank."""


class FrozenModel(BaseModel):
    """The base of all parts of a story: strict and immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class InputFile(FrozenModel):
    """A file that the client gave. `digest` is that of its bytes; empty until they are in the store."""

    source: str = Field(min_length=1)
    digest: str = ""


class State(FrozenModel):
    """Another look of a character: soaked, older, in a red coat."""

    name: Name
    appearance: Text = ""
    reference: InputFile | None = None


class Character(FrozenModel):
    """A character with the same look in every scene."""

    name: Name
    appearance: Text = ""
    reference: InputFile | None = None
    states: tuple[State, ...] = Field((), max_length=MAX_ELEMENTS)

    def get_state(self, name: str) -> State:
        return next(state for state in self.states if state.name == name)


class Element(FrozenModel):
    """A location or an object, to which scenes refer by name."""

    name: Name
    description: Text = ""
    reference: InputFile | None = None


class SharedReference(FrozenModel):
    """A reference picture for every scene."""

    description: str
    picture: InputFile


class SceneCharacter(FrozenModel):
    """A character in a scene, in one state (None: the base look)."""

    name: str
    state: str | None = None


class Scene(FrozenModel):
    """One scene. `picture` replaces its keyframe; `seconds` applies to scenes without narration."""

    prompt: Text = ""
    name: Text = ""
    characters: tuple[SceneCharacter, ...] = ()
    location: str | None = None
    objects: tuple[str, ...] = ()
    narration: Text = ""
    camera: Text = ""
    seconds: float | None = Field(None, gt=0, le=600)
    width: int | None = Field(None, ge=64, le=8192)
    height: int | None = Field(None, ge=64, le=8192)
    picture: InputFile | None = None
    clip: InputFile | None = Field(None, description="A given video: stands in for the moving form of the scene.")
    continues: bool = Field(False, description="Continues the scene before, even where they share nothing by name.")


class Audio(FrozenModel):
    """The sound of the film. `narration` is the effective value: never together with `native`."""

    narration: bool = True
    music: bool = True
    native: bool = False
    narrator: Narrator = "Rachel"
    voice_sample: InputFile | None = Field(
        None, description="A given recording of the voice that narrates, instead of `narrator`."
    )
    mood: Text = ""

    @model_validator(mode="after")
    def _check_narration_and_native_audio(self) -> Audio:
        if self.native and self.narration:
            raise ValueError("narration and native audio exclude one another")
        return self


class Video(FrozenModel):
    """The picture of the film: size, frame rate, transitions, subtitles."""

    width: int = Field(1280, ge=64, le=4096, multiple_of=2)
    height: int = Field(720, ge=64, le=4096, multiple_of=2)
    fps: int = Field(24, ge=8, le=60)
    transition: Transition | None = None
    transition_seconds: float = Field(0.75, gt=0, le=5)
    seconds: float = Field(5.0, gt=0, le=600, description="Length of a scene in which nobody speaks.")
    loop: int = Field(1, ge=1, le=6)
    subtitles: Subtitles = "soft"


class ModelChoices(FrozenModel):
    """The models that the client asks for; the profile chooses the others."""

    profile: str = "auto"
    image_tool: str | None = None
    video_tool: str | None = None
    models: Mapping[Kind, str] = Field(default_factory=dict)


class StoryBase(FrozenModel):
    """The common part of a Brief and a Story."""

    title: Text = ""
    description: Text = ""
    language: Language = "English"
    seed: int = Field(0, ge=0, lt=2**63)
    audio: Audio = Audio()
    video: Video = Video()
    choices: ModelChoices = ModelChoices()
    style: Text = ""
    setting: Text = ""
    strictness: Strictness = "normal"
    enhance: bool = Field(False, description="Scene pictures get a pass for detail, at the same size.")
    enhance_elements: bool = Field(False, description="So do portraits and the pictures of locations and objects.")
    characters: tuple[Character, ...] = Field((), max_length=MAX_ELEMENTS)
    locations: tuple[Element, ...] = Field((), max_length=MAX_ELEMENTS)
    objects: tuple[Element, ...] = Field((), max_length=MAX_ELEMENTS)
    takes: Mapping[str, int] = Field(
        default_factory=dict, description="Step id → how often it was made anew on purpose."
    )

    @model_validator(mode="after")
    def _check_unique_names(self) -> Self:
        for field, things in (
            ("characters", self.characters),
            ("locations", self.locations),
            ("objects", self.objects),
        ):
            _check_unique(field, [thing.name for thing in things])
        for number, character in enumerate(self.characters):
            _check_unique(f"characters[{number}].states", [state.name for state in character.states])
        return self

    def with_new_takes(self, steps: Iterable[str]) -> Self:
        """Return the story with the take of these steps raised by one."""
        takes = {**self.takes, **{step: self.takes.get(step, 0) + 1 for step in steps}}
        return self.model_copy(update={"takes": takes})


class Brief(StoryBase):
    """An idea, a page or pictures: the input of the `write` step."""

    idea: str = Field(min_length=1, max_length=100_000)
    scene_count: int | None = Field(None, ge=1, le=MAX_SCENES)
    pictures: tuple[InputFile, ...] = ()
    page: InputFile | None = Field(None, description="A saved page; `source` is its path or address.")
    page_pictures: int = Field(0, ge=0, description="So many pictures of the page become objects of the story.")


class Story(StoryBase):
    """Everything that a film is made from. Every name in a scene exists in the story."""

    prompt: Text = Field("", description="Context for all scenes.")
    raw_prompts: bool = False
    audio_tracks: tuple[InputFile, ...] = Field((), description="Given sound files, laid over the film.")
    shared_references: tuple[SharedReference, ...] = ()
    scenes: tuple[Scene, ...] = Field(min_length=1, max_length=MAX_SCENES)

    @model_validator(mode="after")
    def _check_scene_references(self) -> Self:
        cast = {character.name: character for character in self.characters}
        for number, scene in enumerate(self.scenes):
            self._check_scene(f"scenes[{number}]", scene, cast)
        return self

    def _check_scene(self, field_path: str, scene: Scene, cast: Mapping[str, Character]) -> None:
        seen: set[str] = set()
        for number, presence in enumerate(scene.characters):
            field = f"{field_path}.characters[{number}]"
            if presence.name not in cast:
                raise StoryError(
                    f"{field}.name", f'no character "{presence.name}"{suggest(presence.name, cast)}', presence.name
                )
            if presence.name in seen:
                raise StoryError(
                    f"{field}.name",
                    f'"{presence.name}" is in this scene twice; one character has one state in a scene',
                    presence.name,
                )
            seen.add(presence.name)
            states = [state.name for state in cast[presence.name].states]
            if presence.state is not None and presence.state not in states:
                known = suggest(presence.state, states) if states else f'; "{presence.name}" has no states'
                raise StoryError(
                    f"{field}.state", f'no state "{presence.state}" of "{presence.name}"{known}', presence.state
                )
        locations = [location.name for location in self.locations]
        if scene.location is not None and scene.location not in locations:
            raise StoryError(
                f"{field_path}.location",
                f'no location "{scene.location}"{suggest(scene.location, locations)}',
                scene.location,
            )
        objects = [thing.name for thing in self.objects]
        for number, name in enumerate(scene.objects):
            if name not in objects:
                raise StoryError(f"{field_path}.objects[{number}]", f'no object "{name}"{suggest(name, objects)}', name)

    def get_character(self, name: str) -> Character:
        return next(character for character in self.characters if character.name == name)

    def get_location(self, name: str) -> Element:
        return next(location for location in self.locations if location.name == name)

    def get_object(self, name: str) -> Element:
        return next(thing for thing in self.objects if thing.name == name)


AnyStory = TypeVar("AnyStory", bound=StoryBase)

NARRATOR_SAMPLE_FIELD = FieldPath("audio", "narrator_sample")
"""The field for a recording of the narrator's voice."""


def map_input_files(story: AnyStory, transform: Callable[[FieldPath, InputFile], InputFile]) -> AnyStory:
    """Return the story with every input file replaced by `transform(field, file)`; `field` is its path in the
    request."""

    def transform_optional(field: FieldPath, picture: InputFile | None) -> InputFile | None:
        return transform(field, picture) if picture else None

    def map_elements(array: str, those: tuple[Element, ...]) -> tuple[Element, ...]:
        return tuple(
            place.model_copy(
                update={"reference": transform_optional(FieldPath(array, n, "reference_url"), place.reference)}
            )
            for n, place in enumerate(those)
        )

    def map_states(field: FieldPath, those: tuple[State, ...]) -> tuple[State, ...]:
        return tuple(
            state.model_copy(
                update={
                    "reference": transform_optional(field.child("states", state.name, "reference_url"), state.reference)
                }
            )
            for state in those
        )

    updates: dict[str, Any] = {
        "characters": tuple(
            character.model_copy(
                update={
                    "reference": transform_optional(FieldPath("characters", n, "reference_url"), character.reference),
                    "states": map_states(FieldPath("characters", n), character.states),
                }
            )
            for n, character in enumerate(story.characters)
        ),
        "locations": map_elements("locations", story.locations),
        "objects": map_elements("objects", story.objects),
        "audio": story.audio.model_copy(
            update={"voice_sample": transform_optional(NARRATOR_SAMPLE_FIELD, story.audio.voice_sample)}
        ),
    }
    if isinstance(story, Brief):
        updates["pictures"] = tuple(
            transform(FieldPath("image_urls", n), picture) for n, picture in enumerate(story.pictures)
        )
        updates["page"] = transform_optional(FieldPath("page"), story.page)
    if isinstance(story, Story):
        updates["shared_references"] = tuple(
            shared.model_copy(update={"picture": transform(FieldPath("reference_images", n, "url"), shared.picture)})
            for n, shared in enumerate(story.shared_references)
        )
        updates["scenes"] = tuple(
            scene.model_copy(
                update={
                    "picture": transform_optional(FieldPath("scenes", n, "picture"), scene.picture),
                    "clip": transform_optional(FieldPath("scenes", n, "clip"), scene.clip),
                }
            )
            for n, scene in enumerate(story.scenes)
        )
        updates["audio_tracks"] = tuple(
            transform(FieldPath("audio_urls", n), sound) for n, sound in enumerate(story.audio_tracks)
        )
    return story.model_copy(update=updates)


def input_files(story: StoryBase) -> dict[FieldPath, InputFile]:
    """Return the input files of a story by their fields."""
    found: dict[FieldPath, InputFile] = {}

    def collect(field: FieldPath, picture: InputFile) -> InputFile:
        found[field] = picture
        return picture

    map_input_files(story, collect)
    return found


def user_texts(story: StoryBase) -> tuple[tuple[str, str], ...]:
    """Return all texts of the client or the writer with their fields, without blank ones. The field never contains a
    text that comes after it."""
    found: list[tuple[str, str]] = [("title", story.title), ("description", story.description)]
    if isinstance(story, Brief):
        found.append(("idea", story.idea))
    if isinstance(story, Story):
        found.append(("prompt", story.prompt))
    found += [("style", story.style), ("setting", story.setting), ("music_mood", story.audio.mood)]
    for number, one in enumerate(story.characters):
        prefix = f"characters[{number}]"
        found += [(f"{prefix}.name", one.name), (f"{prefix}.appearance", one.appearance)]
        for state in one.states:
            found += [(f"{prefix}.states", state.name), (f"{prefix}.states.{state.name}.appearance", state.appearance)]
    for part, places in (("locations", story.locations), ("objects", story.objects)):
        for number, element in enumerate(places):
            found += [(f"{part}[{number}].name", element.name), (f"{part}[{number}].description", element.description)]
    if isinstance(story, Story):
        found += [
            (f"reference_images[{n}].description", shared.description)
            for n, shared in enumerate(story.shared_references)
        ]
        for number, scene in enumerate(story.scenes):
            prefix = f"scenes[{number}]"
            found += [(f"{prefix}.name", scene.name), (f"{prefix}.prompt", scene.prompt)]
            found += [(f"{prefix}.narration", scene.narration), (f"{prefix}.camera_movement", scene.camera)]
    return tuple((field, text) for field, text in found if text.strip())


def to_json(story: Brief | Story) -> str:
    """Return a Brief or a Story as JSON that says which of both it is."""
    return f'{{"{"brief" if isinstance(story, Brief) else "story"}": {story.model_dump_json()}}}'


def from_json(text: str) -> Brief | Story:
    """Return the Brief or Story of a text by `to_json`."""
    if text.startswith('{"brief"'):
        return Brief.model_validate_json(text[len('{"brief": ') : -1])
    return Story.model_validate_json(text[len('{"story": ') : -1])


def _check_unique(field: str, names: list[str]) -> None:
    seen: set[str] = set()
    for number, name in enumerate(names):
        if name in seen:
            raise StoryError(f"{field}[{number}].name", f'"{name}" is there twice; names must be unique', name)
        seen.add(name)

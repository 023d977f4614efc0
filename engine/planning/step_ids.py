"""The ids of the steps of a story, and the step that makes each part of the film. Pure."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias
from urllib.parse import unquote

from engine.planning.plan import OutputRef, StepInput, StoredInput
from engine.story.field_path import FieldPath
from engine.story.model import InputFile, Scene, Story, StoryBase
from pipelines.base import Kind
from pipelines.step_params import OutputName

ELEMENT_ROLES = ("location", "object")


class PortraitSubject(NamedTuple):
    """A character in a state; `state` None: the base look."""

    name: str
    state: str | None = None


class ElementSubject(NamedTuple):
    """A `location` or an `object`."""

    role: str
    name: str


Subject: TypeAlias = "StepId | FieldPath | PortraitSubject | ElementSubject | int | str | None"
"""What a step is about: another step, a field of the request, a character, an element, a scene (from 0), a word;
None: the film."""


class StepId(str):
    """The id of a step: its kind, what it is about, and their text, such as `keyframe:3` or `portrait:Mara@soaked`.

    It is a `str`, so that plans, JSON and SQL take it as it is; decisions use `kind` and `subject`, never the text. The
    seed of a step depends on the text.
    """

    __slots__ = ("_kind", "_subject")
    _kind: Kind
    _subject: Subject

    def __new__(cls, kind: Kind, subject: Subject = None) -> StepId:
        """Return the id of the step of `kind` about `subject`."""
        step_id = super().__new__(cls, _id_text(kind, subject))
        step_id._kind, step_id._subject = kind, subject
        return step_id

    def __reduce__(self) -> tuple[type[StepId], tuple[Kind, Subject]]:
        return StepId, (self._kind, self._subject)

    @property
    def kind(self) -> Kind:
        """The kind of the step."""
        return self._kind

    @property
    def subject(self) -> Subject:
        """What the step is about."""
        return self._subject

    @property
    def scene(self) -> int | None:
        """The number of the scene (from 0) that the step is about; None for other steps."""
        return self._subject if isinstance(self._subject, int) else None

    @classmethod
    def parse(cls, text: str) -> StepId | None:
        """Return the id of a text from JSON, SQL or a command line; None if no step of a story has such an id."""
        if isinstance(text, StepId):
            return text
        prefix, colon, rest = text.partition(":")
        subject: Subject
        if prefix in ELEMENT_ROLES:
            found = cls(Kind.ELEMENT, ElementSubject(prefix, unquote(rest)))
        elif prefix not in Kind.__members__.values():
            return None
        else:
            kind = Kind(prefix)
            if not colon:
                subject = None
            elif kind is Kind.PORTRAIT:
                name, at, state = rest.partition("@")
                subject = PortraitSubject(unquote(name), unquote(state) if at else None)
            elif kind is Kind.SANITIZE_IMAGE:
                subject = FieldPath.parse(rest)
            elif kind is Kind.CHECK_TEXT:
                subject = rest
            elif rest.isdecimal():
                subject = int(rest) - 1
            elif (subject := cls.parse(rest)) is None:
                return None
            found = cls(kind, subject)
        return found if found == text else None


def _id_text(kind: Kind, subject: Subject) -> str:
    match subject:
        case None:
            return str(kind)
        case PortraitSubject(name, state):
            return f"{kind}:{_quote(name)}" + (f"@{_quote(state)}" if state is not None else "")
        case ElementSubject(role, name):
            return f"{role}:{_quote(name)}"
        case int():
            return f"{kind}:{subject + 1}"
        case _:
            return f"{kind}:{subject}"


def _quote(name: str) -> str:
    """Return a name with the characters that structure step ids escaped."""
    return name.replace("%", "%25").replace("@", "%40").replace(":", "%3A").replace("/", "%2F")


IDEA_CHECK_ID, TEXT_CHECK_ID = StepId(Kind.CHECK_TEXT, "idea"), StepId(Kind.CHECK_TEXT, "story")
"""The steps that check the texts of a brief and of a story."""
READ_ID, WRITE_ID, SCHEDULE_ID = StepId(Kind.READ), StepId(Kind.WRITE), StepId(Kind.SCHEDULE)
SCORE_ID, SUBTITLE_ID = StepId(Kind.SCORE), StepId(Kind.SUBTITLE)
MIX_ID, COMPOSE_ID = StepId(Kind.MIX), StepId(Kind.COMPOSE)


def portrait_id(name: str, state: str | None = None) -> StepId:
    """Return the id of a character's portrait; `state` None: the base look."""
    return StepId(Kind.PORTRAIT, PortraitSubject(name, state))


def element_id(role: str, name: str) -> StepId:
    """Return the id of the reference picture of a `location` or an `object`."""
    return StepId(Kind.ELEMENT, ElementSubject(role, name))


def sanitize_id(field_path: FieldPath) -> StepId:
    """Return the id of the step that re-encodes the picture given in a field."""
    return StepId(Kind.SANITIZE_IMAGE, field_path)


def image_check_id(step_id: str) -> StepId:
    """Return the id of the step that checks the picture of a step."""
    return StepId(Kind.CHECK_IMAGE, _parsed(step_id))


def scene_id(kind: Kind, number: int) -> StepId:
    """Return the id of the step of one kind for scene `number`, from 0. Its text counts from 1."""
    return StepId(kind, number)


def enhance_id(step_id: str) -> StepId:
    """Return the id of the step that adds detail to the picture of a step."""
    return StepId(Kind.ENHANCE, _parsed(step_id))


def encode_id(step_id: str) -> StepId:
    """Return the id of the step that encodes the prompt of a step."""
    return StepId(Kind.ENCODE_PROMPT, _parsed(step_id))


def _parsed(step_id: str) -> StepId | str:
    return StepId.parse(step_id) or step_id


def portrait_source(story: StoryBase, name: str, state: str | None = None) -> OutputRef:
    """Return the output that is a character's portrait: generated, or generated and enhanced."""
    return _image_source(story, portrait_id(name, state), OutputName.PORTRAIT)


def element_source(story: StoryBase, role: str, name: str) -> OutputRef:
    """Return the output that is the reference picture of a `location` or an `object`: generated, or generated and
    enhanced."""
    return _image_source(story, element_id(role, name), OutputName.ELEMENT)


def _image_source(story: StoryBase, step_id: str, name: str) -> OutputRef:
    return OutputRef(enhance_id(step_id), OutputName.IMAGE) if story.enhance_elements else OutputRef(step_id, name)


def keyframe_source(story: Story, number: int) -> OutputRef:
    """Return the output that is the picture of scene `number` (from 0): the client's own, else generated, or
    generated and enhanced."""
    if story.scenes[number].picture:
        return OutputRef(sanitize_id(FieldPath("scenes", number, "picture")), OutputName.IMAGE)
    if story.enhance:
        return OutputRef(scene_id(Kind.ENHANCE, number), OutputName.IMAGE)
    return OutputRef(scene_id(Kind.KEYFRAME, number), OutputName.KEYFRAME)


def clip_source(story: Story, number: int) -> StepInput:
    """Return the source of the clip of scene `number` (from 0): the client's own, else the generated one."""
    clip = story.scenes[number].clip
    return stored_input(clip) if clip else OutputRef(scene_id(Kind.ANIMATE, number), OutputName.CLIP)


def is_narrated(story: Story, scene: Scene) -> bool:
    """Return whether the scene has narration."""
    return story.audio.narration and bool(scene.narration.strip())


def timing_source(number: int) -> OutputRef:
    """Return the output with the timing of scene `number` (from 0)."""
    return OutputRef(SCHEDULE_ID, OutputName.SCENE_TIMINGS.of_scene(number))


def burned_subtitles_source(number: int) -> OutputRef:
    """Return the output with the subtitles to burn into scene `number` (from 0)."""
    return OutputRef(SUBTITLE_ID, OutputName.SCENE_SUBTITLES.of_scene(number))


def stored_input(picture: InputFile) -> StoredInput:
    """Return a file of the client as the input of a step."""
    # The client's file name is not part of the cache key, because it does not describe the bytes.
    return StoredInput(picture.digest, "input")

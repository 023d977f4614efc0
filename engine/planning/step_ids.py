"""How the steps of a story are called, and which of them makes what. Pure: whoever plans, shows or writes out asks here."""

from __future__ import annotations

from engine.planning.plan import OutputRef, StepInput, StoredInput
from engine.story.model import InputFile, Scene, Story, StoryBase
from pipelines.base import Kind

IDEA_CHECK_ID, TEXT_CHECK_ID = f"{Kind.CHECK_TEXT}:idea", f"{Kind.CHECK_TEXT}:story"
"""The steps that look whether the words of a brief, and of a story, may be told."""


def portrait_id(name: str, state: str | None = None) -> str:
    """The step of a character's portrait; `state` None: the base look."""
    return f"portrait:{_quote(name)}" + (f"@{_quote(state)}" if state is not None else "")


def element_id(role: str, name: str) -> str:
    """The step of the reference picture of a `location` or an `object`."""
    return f"{role}:{_quote(name)}"


def sanitize_id(field_path: str) -> str:
    """The step that makes a given picture safe; `place` is the field that named it."""
    return f"{Kind.SANITIZE_IMAGE}:{field_path}"


def image_check_id(step_id: str) -> str:
    """The step that looks whether the picture of step `step_id` may be shown."""
    return f"{Kind.CHECK_IMAGE}:{step_id}"


def scene_id(kind: Kind, number: int) -> str:
    """The step of one kind for scene `number`, counted from 0; people see it counted from 1."""
    return f"{kind}:{number + 1}"


def _quote(name: str) -> str:
    """A name that may hold anything, without the signs that structure step ids."""
    return name.replace("%", "%25").replace("@", "%40").replace(":", "%3A").replace("/", "%2F")


def enhance_id(step_id: str) -> str:
    """The step that gives the picture of step `step_id` more detail."""
    return f"{Kind.ENHANCE}:{step_id}"


def portrait_source(story: StoryBase, name: str, state: str | None = None) -> OutputRef:
    """Where a character's portrait comes from: drawn, or drawn and enhanced."""
    return _image_source(story, portrait_id(name, state), "portrait.png")


def element_source(story: StoryBase, role: str, name: str) -> OutputRef:
    """Where the reference picture of a `location` or an `object` comes from: drawn, or drawn and enhanced."""
    return _image_source(story, element_id(role, name), "element.png")


def _image_source(story: StoryBase, step_id: str, name: str) -> OutputRef:
    return OutputRef(enhance_id(step_id), "image.png") if story.enhance_elements else OutputRef(step_id, name)


def keyframe_source(story: Story, number: int) -> OutputRef:
    """Where the picture of scene `number` (from 0) comes from: the client's own, else drawn, else drawn and enhanced."""
    if story.scenes[number].picture:
        return OutputRef(sanitize_id(f"scenes[{number}].picture"), "image.png")
    if story.enhance:
        return OutputRef(scene_id(Kind.ENHANCE, number), "image.png")
    return OutputRef(scene_id(Kind.KEYFRAME, number), "keyframe.png")


def clip_source(story: Story, number: int) -> StepInput:
    """Where the moving form of scene `number` (from 0) comes from: the client's own, else made."""
    clip = story.scenes[number].clip
    return stored_input(clip) if clip else OutputRef(scene_id(Kind.ANIMATE, number), "clip.mp4")


def is_narrated(story: Story, scene: Scene) -> bool:
    """Whether somebody speaks in the scene."""
    return story.audio.narration and bool(scene.narration.strip())


def timing_source(number: int) -> OutputRef:
    """The frames of scene `number` (from 0)."""
    return OutputRef("schedule", f"scene-{number + 1:03d}.json")


def burned_subtitles_source(number: int) -> OutputRef:
    """The subtitles of scene `number` (from 0) that become part of the picture."""
    return OutputRef("subtitle", f"scene-{number + 1:03d}.ass")


def stored_input(picture: InputFile) -> StoredInput:
    """A file that the client gave."""
    # The client's file name says nothing about the bytes: it stays out of the key.
    return StoredInput(picture.digest, "input")

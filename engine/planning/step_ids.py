"""How the steps of a story are called, and which of them makes what. Pure: whoever plans, shows or writes out asks here."""

from __future__ import annotations

from engine.planning.plan import Given, Ref, Source
from engine.story.model import Picture, Scene, Story, Told
from pipelines.base import Kind

IDEA_CHECK, TEXT_CHECK = "check:idea", "check:texts"
"""The steps that look whether the words of a brief, and of a story, may be told."""


def portrait_id(name: str, state: str | None = None) -> str:
    """The step of a character's portrait; `state` None: the base look."""
    return f"portrait:{_quoted(name)}" + (f"@{_quoted(state)}" if state is not None else "")


def element_id(role: str, name: str) -> str:
    """The step of the reference picture of a `location` or an `object`."""
    return f"{role}:{_quoted(name)}"


def intake_id(place: str) -> str:
    """The step that makes a given picture safe; `place` is the field that named it."""
    return f"intake:{place}"


def inspection_id(step_id: str) -> str:
    """The step that looks whether the picture of step `step_id` may be shown."""
    return f"{Kind.INSPECT}:{step_id}"


def scene_id(kind: Kind, number: int) -> str:
    """The step of one kind for scene `number`, counted from 0; people see it counted from 1."""
    return f"{kind}:{number + 1}"


def _quoted(name: str) -> str:
    """A name that may hold anything, without the signs that structure step ids."""
    return name.replace("%", "%25").replace("@", "%40").replace(":", "%3A").replace("/", "%2F")


def enhanced_id(step_id: str) -> str:
    """The step that gives the picture of step `step_id` more detail."""
    return f"{Kind.ENHANCE}:{step_id}"


def portrait_source(told: Told, name: str, state: str | None = None) -> Ref:
    """Where a character's portrait comes from: drawn, or drawn and enhanced."""
    return _drawn(told, portrait_id(name, state), "portrait.png")


def element_source(told: Told, role: str, name: str) -> Ref:
    """Where the reference picture of a `location` or an `object` comes from: drawn, or drawn and enhanced."""
    return _drawn(told, element_id(role, name), "element.png")


def _drawn(told: Told, step_id: str, name: str) -> Ref:
    return Ref(enhanced_id(step_id), "picture.png") if told.enhance_elements else Ref(step_id, name)


def keyframe_source(story: Story, number: int) -> Ref:
    """Where the picture of scene `number` (from 0) comes from: the client's own, else drawn, else drawn and enhanced."""
    if story.scenes[number].picture:
        return Ref(intake_id(f"scenes[{number}].picture"), "picture.png")
    if story.enhance:
        return Ref(scene_id(Kind.ENHANCE, number), "picture.png")
    return Ref(scene_id(Kind.KEYFRAME, number), "keyframe.png")


def clip_source(story: Story, number: int) -> Source:
    """Where the moving form of scene `number` (from 0) comes from: the client's own, else made."""
    clip = story.scenes[number].clip
    return given_source(clip) if clip else Ref(scene_id(Kind.ANIMATE, number), "clip.mp4")


def is_narrated(story: Story, scene: Scene) -> bool:
    """Whether somebody speaks in the scene."""
    return story.audio.narration and bool(scene.narration.strip())


def timing(number: int) -> Ref:
    """The frames of scene `number` (from 0)."""
    return Ref("schedule", f"scene-{number + 1:03d}.json")


def burned_subtitles(number: int) -> Ref:
    """The subtitles of scene `number` (from 0) that become part of the picture."""
    return Ref("subtitle", f"scene-{number + 1:03d}.ass")


def given_source(picture: Picture) -> Given:
    """A file that the client gave."""
    # The client's file name says nothing about the bytes: it stays out of the key.
    return Given(picture.digest, "given")

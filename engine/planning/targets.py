"""Targets of re-rolls and partial runs: names of parts of a story (`scene 3`, `portrait Mara`, `music`) or step ids."""

from __future__ import annotations

from engine.planning.plan import Plan
from engine.planning.step_ids import (
    COMPOSE_ID,
    ELEMENT_ROLES,
    MIX_ID,
    SCORE_ID,
    SUBTITLE_ID,
    WRITE_ID,
    ElementSubject,
    PortraitSubject,
    StepId,
    element_id,
    portrait_id,
    scene_id,
)
from engine.story.model import StoryError
from pipelines.base import Kind
from pipelines.models.catalog import suggest

_NUMBERED_KINDS = {
    "scene": Kind.KEYFRAME,
    "keyframe": Kind.KEYFRAME,
    "picture": Kind.KEYFRAME,
    "narration": Kind.NARRATE,
    "voice": Kind.NARRATE,
    "clip": Kind.ANIMATE,
    "transition": Kind.TRANSITION,
}
_SINGLE_STEPS = {
    "storyboard": WRITE_ID,
    "music": SCORE_ID,
    "film": COMPOSE_ID,
    "subtitles": SUBTITLE_ID,
    "audio": MIX_ID,
}
_DISPLAY_NAMES = {
    Kind.KEYFRAME: "scene",
    Kind.NARRATE: "narration",
    Kind.ANIMATE: "clip",
    Kind.SCORE: "music",
    Kind.WRITE: "storyboard",
}
_KIND_GROUPS = {
    "portraits": Kind.PORTRAIT,
    "elements": Kind.ELEMENT,
    "keyframes": Kind.KEYFRAME,
    "scenes": Kind.KEYFRAME,
    "narrations": Kind.NARRATE,
    "clips": Kind.ANIMATE,
}


_CHECK_KINDS = (Kind.CHECK_TEXT, Kind.CHECK_IMAGE, Kind.SAMPLE_FRAMES)
"""Kinds of steps that a re-roll does not change."""


def resolve_target(target: str, plan: Plan) -> tuple[str, ...]:
    """Return the steps of a target, at least one. Raises StoryError with targets of the plan."""
    words = target.split()
    noun, rest = (words[0].lower(), " ".join(words[1:])) if words else ("", "")
    if target in plan:
        return (target,)
    if not rest and noun in _KIND_GROUPS:
        found = [step.id for step in plan if step.kind is _KIND_GROUPS[noun]]
    elif not rest:
        found = [_SINGLE_STEPS.get(noun, noun)]
    elif noun in _NUMBERED_KINDS and rest.isdecimal():
        found = [scene_id(_NUMBERED_KINDS[noun], int(rest) - 1)]
    elif noun == "portrait":
        name, _, state = rest.partition("/")
        found = [portrait_id(name, state or None)]
    elif noun in ELEMENT_ROLES:
        found = [element_id(noun, rest)]
    else:
        found = []
    if not found or any(step not in plan for step in found):
        known = [_display_name(step.id) for step in plan if step.kind not in _CHECK_KINDS]
        raise StoryError(
            "", f'there is no "{target}" to make in this story{suggest(target, known) or _examples(plan)}', target
        )
    return tuple(found)


def _display_name(step_id: str) -> str:
    """Return the target that people write for a step: `keyframe:3` → `scene 3`."""
    found = StepId.parse(step_id)
    if found is None:
        return step_id
    name = _DISPLAY_NAMES.get(found.kind, str(found.kind))
    match found.subject:
        case PortraitSubject(subject, state):
            return f"{name} {subject}" + (f"/{state}" if state else "")
        case ElementSubject(role, subject):
            return f"{role} {subject}"
        case int(number):
            return f"{name} {number + 1}"
        case None:
            return name
        case subject:
            return f"{name} {subject}"


def _examples(plan: Plan) -> str:
    names = [_display_name(step.id) for step in plan if step.kind not in _CHECK_KINDS]
    return "; for instance: " + ", ".join(dict.fromkeys(names[:6]))

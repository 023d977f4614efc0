"""What people call the parts of a story → steps of its plan: `scene 3`, `portrait Mara`, `music`, or a step's own id."""

from __future__ import annotations

from engine.planning.plan import Plan
from engine.planning.step_ids import element_id, portrait_id, scene_id
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
    "storyboard": "write",
    "music": "score",
    "score": "score",
    "film": "compose",
    "subtitles": "subtitle",
    "audio": "mix",
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
"""Steps that make nothing which could be made anew."""


def resolve_target(target: str, plan: Plan) -> tuple[str, ...]:
    """The steps that a target means, at least one. Raises StoryError saying what there is."""
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
    elif noun in ("location", "object"):
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
    """How a step is called by people: `keyframe:3` → `scene 3`."""
    kind, _, rest = step_id.partition(":")
    names = {"keyframe": "scene", "narrate": "narration", "animate": "clip", "score": "music", "write": "storyboard"}
    return f"{names.get(kind, kind)} {rest.replace('@', '/')}".strip()


def _examples(plan: Plan) -> str:
    names = [_display_name(step.id) for step in plan if step.kind not in _CHECK_KINDS]
    return "; for instance: " + ", ".join(dict.fromkeys(names[:6]))

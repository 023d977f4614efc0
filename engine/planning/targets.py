"""What people call the parts of a story → steps of its plan: `scene 3`, `portrait Mara`, `music`, or a step's own id."""

from __future__ import annotations

from engine.planning.plan import Plan
from engine.planning.step_ids import element_id, portrait_id, scene_id
from engine.story.model import StoryError
from pipelines.base import Kind
from pipelines.models.catalog import suggest

_BY_NUMBER = {
    "scene": Kind.KEYFRAME,
    "keyframe": Kind.KEYFRAME,
    "picture": Kind.KEYFRAME,
    "narration": Kind.NARRATE,
    "voice": Kind.NARRATE,
    "clip": Kind.ANIMATE,
    "bridge": Kind.BRIDGE,
    "transition": Kind.BRIDGE,
}
_WHOLE = {
    "storyboard": "write",
    "music": "score",
    "score": "score",
    "film": "compose",
    "subtitles": "subtitle",
    "sound": "mix",
}
_GROUPS = {
    "portraits": Kind.PORTRAIT,
    "elements": Kind.ELEMENT,
    "keyframes": Kind.KEYFRAME,
    "scenes": Kind.KEYFRAME,
    "narrations": Kind.NARRATE,
    "clips": Kind.ANIMATE,
}


_LOOKS = (Kind.CHECK, Kind.INSPECT, Kind.GLIMPSE)
"""Steps that make nothing which could be made anew."""


def steps_of(target: str, plan: Plan) -> tuple[str, ...]:
    """The steps that a target means, at least one. Raises StoryError saying what there is."""
    words = target.split()
    noun, rest = (words[0].lower(), " ".join(words[1:])) if words else ("", "")
    if target in plan:
        return (target,)
    if not rest and noun in _GROUPS:
        found = [step.id for step in plan if step.kind is _GROUPS[noun]]
    elif not rest:
        found = [_WHOLE.get(noun, noun)]
    elif noun in _BY_NUMBER and rest.isdecimal():
        found = [scene_id(_BY_NUMBER[noun], int(rest) - 1)]
    elif noun == "portrait":
        name, _, state = rest.partition("/")
        found = [portrait_id(name, state or None)]
    elif noun in ("location", "object"):
        found = [element_id(noun, rest)]
    else:
        found = []
    if not found or any(step not in plan for step in found):
        known = [_spoken(step.id) for step in plan if step.kind not in _LOOKS]
        raise StoryError(
            "", f'there is no "{target}" to make in this story{suggest(target, known) or _examples(plan)}', target
        )
    return tuple(found)


def _spoken(step_id: str) -> str:
    """How a step is called by people: `keyframe:3` → `scene 3`."""
    kind, _, rest = step_id.partition(":")
    names = {"keyframe": "scene", "narrate": "narration", "animate": "clip", "score": "music", "write": "storyboard"}
    return f"{names.get(kind, kind)} {rest.replace('@', '/')}".strip()


def _examples(plan: Plan) -> str:
    made = [_spoken(step.id) for step in plan if step.kind not in _LOOKS]
    return "; for instance: " + ", ".join(dict.fromkeys(made[:6]))

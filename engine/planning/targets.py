"""Targets of re-rolls and partial runs: names of parts of a story (`scene 3`, `portrait Mara`, `music`) or step ids."""

from __future__ import annotations

from engine.planning.plan import Plan
from engine.planning.step_ids import (
    ELEMENT_ROLES,
    ElementSubject,
    PortraitSubject,
    StepId,
    element_id,
    portrait_id,
    scene_id,
)
from engine.story.model import StoryError
from pipelines.models.catalog import suggest
from pipelines.step_params import CONTRACTS

_TARGETS = {name: kind for kind, contract in CONTRACTS.items() for name in (*contract.targets, str(kind))}
_GROUP_TARGETS = {name: kind for kind, contract in CONTRACTS.items() for name in contract.group_targets}


def resolve_target(target: str, plan: Plan) -> tuple[str, ...]:
    """Return the steps of a target, at least one. Raises StoryError with targets of the plan."""
    words = target.split()
    noun, rest = (words[0].lower(), " ".join(words[1:])) if words else ("", "")
    if target in plan:
        return (target,)
    if not rest and noun in _GROUP_TARGETS:
        found = [step.id for step in plan if step.kind is _GROUP_TARGETS[noun]]
    elif not rest and noun in _TARGETS:
        found = [StepId(_TARGETS[noun])]
    elif noun == "portrait":
        name, _, state = rest.partition("/")
        found = [portrait_id(name, state or None)]
    elif noun in ELEMENT_ROLES:
        found = [element_id(noun, rest)]
    elif noun in _TARGETS and rest.isdecimal():
        found = [scene_id(_TARGETS[noun], int(rest) - 1)]
    else:
        found = []
    if not found or any(step not in plan for step in found):
        known = [_display_name(step.id) for step in plan if CONTRACTS[step.kind].rerollable]
        raise StoryError(
            "", f'there is no "{target}" to make in this story{suggest(target, known) or _examples(plan)}', target
        )
    return tuple(found)


def _display_name(step_id: str) -> str:
    """Return the target that people write for a step: `keyframe:3` → `scene 3`."""
    found = StepId.parse(step_id)
    if found is None:
        return step_id
    name = next(iter(CONTRACTS[found.kind].targets), str(found.kind))
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
    names = [_display_name(step.id) for step in plan if CONTRACTS[step.kind].rerollable]
    return "; for instance: " + ", ".join(dict.fromkeys(names[:6]))

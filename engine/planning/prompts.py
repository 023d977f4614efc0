"""Prompts, and the reference pictures of keyframes and their order. Pure.

Multi-turn generation on any open model that takes several references is this selection: give the model the pictures of
earlier scenes that matter for the scene, within its limit, and say in the prompt what each one is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from engine.story.model import Character, Element, Scene, Story
from pipelines.step_params import CastMember, Role

MAX_CONTEXT_SCENES = 2
"""Most earlier scenes per keyframe; more would weaken the portraits."""
MAX_SHEET_IMAGES = 6
"""Most pictures on one contact sheet; smaller ones give a model no detail."""


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ReferenceImage:
    """One picture that a keyframe model gets. `number` (from 0) is that of the scene for the role `turn`, that of
    the shared reference for the role `shared`."""

    role: Role
    name: str = ""
    state: str | None = None
    description: str = ""
    number: int | None = None


def context_scenes(story: Story, number: int) -> tuple[int, ...]:
    """Return the earlier scenes that scene `number` (from 0) must agree with, latest first, at most
    `MAX_CONTEXT_SCENES`: the scene that it continues, the last one at the same location, the last one with the
    same characters. Scenes that share nothing are left out, so that both run in parallel."""
    scene = story.scenes[number]
    people = {presence.name for presence in scene.characters}
    found: set[int] = {number - 1} if scene.continues and number else set()
    same_place = [n for n in range(number) if scene.location is not None and story.scenes[n].location == scene.location]
    same_people = [n for n in range(number) if people & {presence.name for presence in story.scenes[n].characters}]
    found.update(same_place[-1:], same_people[-1:])
    return tuple(sorted(found, reverse=True)[:MAX_CONTEXT_SCENES])


def select_references(
    story: Story, number: int, limit: int | None, *, multiturn: bool = True
) -> tuple[ReferenceImage, ...]:
    """Return the reference pictures for scene `number` (from 0), most important first.

    `limit` is how many pictures the model takes (None: no limit). Pictures beyond it share a contact sheet in the last
    place (`pack_references`); those that do not fit on the sheet are left out. Characters come first, since changes in
    faces are the most visible; then the location, objects, shared references and earlier scenes.
    """
    scene = story.scenes[number]
    references = [
        ReferenceImage(
            "character",
            presence.name,
            presence.state,
            appearance_text(story.get_character(presence.name), presence.state),
        )
        for presence in scene.characters
    ]
    if scene.location is not None:
        references.append(
            ReferenceImage("location", scene.location, None, story.get_location(scene.location).description)
        )
    references += [ReferenceImage("object", name, None, story.get_object(name).description) for name in scene.objects]
    references += [
        ReferenceImage("shared", f"reference {n + 1}", None, shared.description, number=n)
        for n, shared in enumerate(story.shared_references)
    ]
    if multiturn:
        references += [
            ReferenceImage("turn", f"scene {n + 1}", None, story.scenes[n].prompt, number=n)
            for n in context_scenes(story, number)
        ]
    return tuple(references if limit is None else references[: max(0, limit - 1 + MAX_SHEET_IMAGES) if limit else 0])


def pack_references(items: Sequence[T], limit: int | None) -> tuple[tuple[T, ...], ...]:
    """Return items in groups, one per picture of a model that takes `limit`: single items, and those beyond the
    limit together in the last group; no groups for a limit of 0."""
    if limit == 0:
        return ()
    if limit is None or len(items) <= limit:
        return tuple((thing,) for thing in items)
    return (*((thing,) for thing in items[: limit - 1]), tuple(items[limit - 1 :]))


def appearance_text(character: Character, state: str | None) -> str:
    """Return the description of a character in a state."""
    if state is None:
        return character.appearance
    return _join_nonempty(", ", character.appearance, character.get_state(state).appearance or state)


def characters_on_stage(story: Story, scene: Scene) -> tuple[CastMember, ...]:
    """Return the characters of a scene with their descriptions."""
    return tuple(
        CastMember(
            name=presence.name,
            state=presence.state,
            appearance=appearance_text(story.get_character(presence.name), presence.state),
        )
        for presence in scene.characters
    )


def scene_prompt(story: Story, number: int, references: Sequence[ReferenceImage], limit: int | None = None) -> str:
    """Return the prompt of a scene: style, prompt, a caption for each picture of a model that takes `limit`,
    setting, location, characters, objects. What the pictures show as well comes last, because models ignore text
    after some hundred words. With `raw_prompts` it is the scene's prompt alone; the model gets the pictures all
    the same."""
    scene = story.scenes[number]
    if story.raw_prompts:
        return scene.prompt
    location_text = ""
    if scene.location is not None:
        location_text = _element_text(story.get_location(scene.location))
    people = [
        _join_nonempty(": ", presence.name, appearance_text(story.get_character(presence.name), presence.state))
        for presence in scene.characters
    ]
    things = [_element_text(story.get_object(name)) for name in scene.objects]
    return _join_sentences(
        story.style,
        scene.prompt,
        *_number_captions(pack_references([_reference_caption(picture) for picture in references], limit)),
        story.prompt,
        story.setting,
        f"Location: {location_text}" if location_text else "",
        f"Characters: {'; '.join(people)}" if people else "",
        f"Objects: {'; '.join(things)}" if things else "",
    )


def portrait_prompt(
    story: Story, character: Character, state: str | None, *, has_input_image: bool = False, limit: int | None = None
) -> str:
    """Return the prompt of a portrait with a caption for each picture of a model that takes `limit`: the client's own
    (`has_input_image`) and, for a state, the portrait of the base look."""
    subject = f"Portrait of {character.name}" + (f" ({state})" if state else "")
    captions = []
    if has_input_image:
        captions.append(f"shows {character.name}: keep face, hair and clothes exactly")
    if state:
        captions.append(f"shows {character.name} as usual: keep face and hair, and change only what the words say")
    return _join_sentences(
        story.style,
        _join_nonempty(": ", subject, appearance_text(character, state)),
        "Whole face visible, plain background",
        *_number_captions(pack_references(captions, limit)),
    )


def element_prompt(story: Story, element: Element, *, has_input_image: bool = False, limit: int | None = None) -> str:
    """Return the prompt of the reference picture of a location or an object; arguments as for a portrait."""
    captions = [f"shows {element.name}: keep it the same"] if has_input_image else []
    return _join_sentences(
        story.style,
        story.setting,
        _element_text(element),
        "Nobody in the picture",
        *_number_captions(pack_references(captions, limit)),
    )


def _number_captions(groups: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the captions of pictures, or of the parts of a contact sheet, with their numbers."""
    for number, group in enumerate(groups):
        if len(group) == 1:
            yield f"Picture {number + 1} {group[0]}"
            continue
        parts = "; ".join(f"part {n + 1} {words}" for n, words in enumerate(group))
        yield f"Picture {number + 1} is a sheet of {len(group)} parts, counted row by row from the top left: {parts}"


def _reference_caption(reference: ReferenceImage) -> str:
    match reference.role:
        case "character":
            who = reference.name + (f" ({reference.state})" if reference.state else "")
            return f"shows {who}: keep face, hair and clothes exactly"
        case "location" | "object":
            return f"shows {reference.name}: keep it the same"
        case "shared":
            return f"is a reference: {reference.description}"
        case "turn":
            return f"is {reference.name} of the same story: keep its look, do not repeat its composition"


def _element_text(element: Element) -> str:
    return _join_nonempty(", ", element.name, element.description)


def _join_nonempty(separator: str, *parts: str) -> str:
    return separator.join(part.strip() for part in parts if part.strip())


def _join_sentences(*parts: str) -> str:
    ended = (part.strip() for part in parts if part.strip())
    return " ".join(part if part[-1] in ".!?…。！？।؟" else part + "." for part in ended)

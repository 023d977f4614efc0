"""Which pictures a keyframe sees, in which order, and the words around them. Pure: a story in, a choice out.

Multi-turn generation on any open model that takes several references comes down to this choice: show the pictures of the
conversation that matter for the scene, within the model's limit, and say in the prompt what each one is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from engine.story.model import Character, Place, Scene, Story
from pipelines.step_params import OnStage, Role

MAX_TURNS = 2
"""How many earlier scenes are shown at most: more of them water down the portraits."""
SHEET = 6
"""How many pictures share one sheet at most: smaller ones tell a model nothing."""


Thing = TypeVar("Thing")


@dataclass(frozen=True, slots=True)
class Shown:
    """One picture that a keyframe sees. `turn` is the number of an earlier scene (from 0), for the role `turn`."""

    role: Role
    name: str = ""
    state: str | None = None
    description: str = ""
    turn: int | None = None


def earlier(story: Story, number: int) -> tuple[int, ...]:
    """Scenes before scene `number` (from 0) that it must agree with, latest first, at most `MAX_TURNS`: the one it
    continues, the last at the same location, the last with the same people. What shares nothing is not among them,
    so it can be made at the same time."""
    scene = story.scenes[number]
    people = {presence.name for presence in scene.characters}
    found: set[int] = {number - 1} if scene.continues and number else set()
    same_place = [n for n in range(number) if scene.location is not None and story.scenes[n].location == scene.location]
    same_people = [n for n in range(number) if people & {presence.name for presence in story.scenes[n].characters}]
    found.update(same_place[-1:], same_people[-1:])
    return tuple(sorted(found, reverse=True)[:MAX_TURNS])


def shown(story: Story, number: int, limit: int | None, *, multiturn: bool = True) -> tuple[Shown, ...]:
    """The pictures for scene `number` (from 0), most important first. `limit` is how many pictures the model sees (None: as
    many as there are); what is beyond shares the last of them as a sheet (`grouped`), and what does not fit there is left out.

    Faces come first, since their drift is seen first; then the place, the things, what the client shared with all scenes,
    and the scenes before.
    """
    scene = story.scenes[number]
    pictures = [
        Shown("character", presence.name, presence.state, look(story.character(presence.name), presence.state))
        for presence in scene.characters
    ]
    if scene.location is not None:
        pictures.append(Shown("location", scene.location, None, story.location(scene.location).description))
    pictures += [Shown("object", name, None, story.thing(name).description) for name in scene.objects]
    pictures += [
        Shown("shared", f"reference {n + 1}", None, shared.description) for n, shared in enumerate(story.shared)
    ]
    if multiturn:
        pictures += [
            Shown("turn", f"scene {n + 1}", None, story.scenes[n].prompt, turn=n) for n in earlier(story, number)
        ]
    return tuple(pictures if limit is None else pictures[: max(0, limit - 1 + SHEET) if limit else 0])


def grouped(things: Sequence[Thing], limit: int | None) -> tuple[tuple[Thing, ...], ...]:
    """Pictures, or what is said of them, as a model gets them that takes `limit`: each alone, those beyond the limit together
    on a last sheet; none where it takes none."""
    if limit == 0:
        return ()
    if limit is None or len(things) <= limit:
        return tuple((thing,) for thing in things)
    return (*((thing,) for thing in things[: limit - 1]), tuple(things[limit - 1 :]))


def look(character: Character, state: str | None) -> str:
    """How a character looks in a state, in words."""
    if state is None:
        return character.appearance
    return _joined(", ", character.appearance, character.state(state).appearance or state)


def on_stage(story: Story, scene: Scene) -> tuple[OnStage, ...]:
    """Who is in the scene, and how each looks there."""
    return tuple(
        OnStage(
            name=presence.name, state=presence.state, appearance=look(story.character(presence.name), presence.state)
        )
        for presence in scene.characters
    )


def scene_words(story: Story, number: int, pictures: Sequence[Shown], limit: int | None = None) -> str:
    """The whole prompt of a scene: look, the scene's words, what each picture is that a model sees which takes `limit`, setting,
    place, people. Models stop reading after some hundred words: what comes last is what the pictures show as well. With
    `raw_prompts` the scene's words alone; the pictures are given all the same."""
    scene = story.scenes[number]
    if story.raw_prompts:
        return scene.prompt
    place = ""
    if scene.location is not None:
        place = _described(story.location(scene.location))
    people = [
        _joined(": ", presence.name, look(story.character(presence.name), presence.state))
        for presence in scene.characters
    ]
    things = [_described(story.thing(name)) for name in scene.objects]
    return _sentences(
        story.style,
        scene.prompt,
        *_numbered(grouped([_picture_words(picture) for picture in pictures], limit)),
        story.prompt,
        story.setting,
        f"Location: {place}" if place else "",
        f"Characters: {'; '.join(people)}" if people else "",
        f"Objects: {'; '.join(things)}" if things else "",
    )


def portrait_words(
    story: Story, character: Character, state: str | None, *, given: bool = False, limit: int | None = None
) -> str:
    """The prompt of a portrait, and what each picture is that a model sees which takes `limit`: the client's own (`given`), and for a
    state the portrait of the base look."""
    who = f"Portrait of {character.name}" + (f" ({state})" if state else "")
    told = []
    if given:
        told.append(f"shows {character.name}: keep face, hair and clothes exactly")
    if state:
        told.append(f"shows {character.name} as usual: keep face and hair, and change only what the words say")
    return _sentences(
        story.style,
        _joined(": ", who, look(character, state)),
        "Whole face visible, plain background",
        *_numbered(grouped(told, limit)),
    )


def element_words(story: Story, place: Place, *, given: bool = False, limit: int | None = None) -> str:
    """The prompt of the reference picture of a location or an object; `given` and `limit` as for a portrait."""
    told = [f"shows {place.name}: keep it the same"] if given else []
    return _sentences(
        story.style, story.setting, _described(place), "Nobody in the picture", *_numbered(grouped(told, limit))
    )


def _numbered(groups: Sequence[Sequence[str]]) -> Iterator[str]:
    """What is said of each picture, or of each part of a sheet, with its number before it."""
    for number, group in enumerate(groups):
        if len(group) == 1:
            yield f"Picture {number + 1} {group[0]}"
            continue
        parts = "; ".join(f"part {n + 1} {words}" for n, words in enumerate(group))
        yield f"Picture {number + 1} is a sheet of {len(group)} parts, counted row by row from the top left: {parts}"


def _picture_words(picture: Shown) -> str:
    match picture.role:
        case "character":
            who = picture.name + (f" ({picture.state})" if picture.state else "")
            return f"shows {who}: keep face, hair and clothes exactly"
        case "location" | "object":
            return f"shows {picture.name}: keep it the same"
        case "shared":
            return f"is a reference: {picture.description}"
        case "turn":
            return f"is {picture.name} of the same story: keep its look, do not repeat its composition"


def _described(place: Place) -> str:
    return _joined(", ", place.name, place.description)


def _joined(separator: str, *parts: str) -> str:
    return separator.join(part.strip() for part in parts if part.strip())


def _sentences(*parts: str) -> str:
    ended = (part.strip() for part in parts if part.strip())
    return " ".join(part if part[-1] in ".!?…。！？।؟" else part + "." for part in ended)

"""Which pictures a keyframe sees, in which order, and the words around them. Pure: a story in, a choice out.

Multi-turn generation on any open model that takes several references comes down to this choice: show the pictures of the
conversation that matter for the scene, within the model's limit, and say in the prompt what each one is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.story import Character, Place, Scene, Story
from pipelines.kinds import OnStage, Role

MAX_TURNS = 2
"""How many earlier scenes are shown at most: more of them water down the portraits."""
SHEET = 6
"""How many pictures share one sheet at most: smaller ones tell a model nothing."""


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
    many as there are); what is beyond shares the last of them as a sheet (`seen`), and what does not fit there is left out.

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


def seen(pictures: Sequence[Shown], limit: int | None) -> tuple[tuple[Shown, ...], ...]:
    """The same pictures as a model sees them that takes `limit`: each alone, those beyond the limit together on a last sheet."""
    if limit is None or len(pictures) <= limit:
        return tuple((picture,) for picture in pictures)
    return (*((picture,) for picture in pictures[: limit - 1]), tuple(pictures[limit - 1 :]))


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
    """The whole prompt of a scene: look, setting, place, people, the scene's words, and what each picture is that a model sees
    which takes `limit`. With `raw_prompts` the scene's words alone; the pictures are given all the same."""
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
        story.prompt,
        story.setting,
        f"Location: {place}" if place else "",
        f"Characters: {'; '.join(people)}" if people else "",
        f"Objects: {'; '.join(things)}" if things else "",
        scene.prompt,
        *(_seen_words(n + 1, group) for n, group in enumerate(seen(pictures, limit))),
    )


def portrait_words(story: Story, character: Character, state: str | None) -> str:
    """The prompt of a portrait."""
    who = f"Portrait of {character.name}" + (f" ({state})" if state else "")
    return _sentences(story.style, _joined(": ", who, look(character, state)), "Whole face visible, plain background")


def element_words(story: Story, place: Place) -> str:
    """The prompt of the reference picture of a location or an object."""
    return _sentences(story.style, story.setting, _described(place), "Nobody in the picture")


def _seen_words(number: int, group: Sequence[Shown]) -> str:
    if len(group) == 1:
        return _picture_words(f"Picture {number}", group[0])
    parts = "; ".join(_picture_words(f"part {n + 1}", picture) for n, picture in enumerate(group))
    return f"Picture {number} is a sheet of {len(group)} parts, counted row by row from the top left: {parts}"


def _picture_words(which: str, picture: Shown) -> str:
    match picture.role:
        case "character":
            who = picture.name + (f" ({picture.state})" if picture.state else "")
            return f"{which} shows {who}: keep face, hair and clothes exactly"
        case "location" | "object":
            return f"{which} shows {picture.name}: keep it the same"
        case "shared":
            return f"{which} is a reference: {picture.description}"
        case "turn":
            return f"{which} is {picture.name} of the same story: keep its look, do not repeat its composition"


def _described(place: Place) -> str:
    return _joined(", ", place.name, place.description)


def _joined(separator: str, *parts: str) -> str:
    return separator.join(part.strip() for part in parts if part.strip())


def _sentences(*parts: str) -> str:
    ended = (part.strip() for part in parts if part.strip())
    return " ".join(part if part[-1] in ".!?…。！？।؟" else part + "." for part in ended)

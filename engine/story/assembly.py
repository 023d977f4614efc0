"""Brief + written storyboard → Story. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from engine.story.model import Brief, Character, Place, Presence, Scene, Story
from pipelines.storyboard import Storyboard, WrittenElement

Thing = TypeVar("Thing", Character, Place)


def story_of(brief: Brief, storyboard: Storyboard) -> Story:
    """The story that the writer wrote, with what the client gave in its place: elements keep their pictures and exact
    names, given pictures are the pictures of the scenes, in their order."""
    characters = _characters(brief, storyboard.characters)
    locations = _places(brief.locations, storyboard.locations)
    objects = _places(brief.objects, storyboard.objects)
    known = {"characters": {one.name for one in characters}, "objects": {one.name for one in objects}}
    places = {one.name for one in locations}
    scenes = tuple(
        Scene(
            name=written.name,
            prompt=written.image_description,
            characters=tuple(
                Presence(name=name) for name in dict.fromkeys(written.characters) if name in known["characters"]
            ),
            location=written.location if written.location in places else None,
            objects=tuple(name for name in dict.fromkeys(written.objects) if name in known["objects"]),
            narration=written.narration,
            camera=written.camera_movement,
            picture=brief.pictures[number] if number < len(brief.pictures) else None,
        )
        for number, written in enumerate(storyboard.scenes)
    )
    told = brief.model_dump(include=set(Brief.model_fields) & set(Story.model_fields))
    audio = brief.audio if brief.audio.mood else brief.audio.model_copy(update={"mood": storyboard.mood})
    return Story.model_validate(
        told
        | {
            "title": brief.title or storyboard.title,
            "description": brief.description or storyboard.description,
            "style": brief.style or storyboard.style,
            "audio": audio.model_dump(),
            "characters": characters,
            "locations": locations,
            "objects": objects,
            "scenes": scenes,
        }
    )


def _characters(brief: Brief, written: Iterable[WrittenElement]) -> tuple[Character, ...]:
    given = {one.name: one for one in brief.characters}
    rest = (Character(name=one.name, appearance=one.description) for one in written if one.name not in given)
    return (*brief.characters, *_once(rest))


def _places(given: tuple[Place, ...], written: Iterable[WrittenElement]) -> tuple[Place, ...]:
    names = {one.name for one in given}
    rest = (Place(name=one.name, description=one.description) for one in written if one.name not in names)
    return (*given, *_once(rest))


def _once(things: Iterable[Thing]) -> tuple[Thing, ...]:
    return tuple({thing.name: thing for thing in things}.values())

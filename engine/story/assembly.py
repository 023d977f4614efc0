"""Assembly of a Story from a Brief and a storyboard. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from engine.story.model import Brief, Character, Element, Scene, SceneCharacter, Story
from pipelines.storyboard import Storyboard, StoryboardElement

ElementT = TypeVar("ElementT", Character, Element)


def assemble_story(brief: Brief, storyboard: Storyboard) -> Story:
    """Return the story of a storyboard, with the client's own parts in place: elements keep their pictures and exact
    names, and the pictures of the brief become those of the scenes, in order."""
    characters = _characters(brief, storyboard.characters)
    locations = _elements(brief.locations, storyboard.locations)
    objects = _elements(brief.objects, storyboard.objects)
    known = {"characters": {one.name for one in characters}, "objects": {one.name for one in objects}}
    places = {one.name for one in locations}
    scenes = tuple(
        Scene(
            name=written.name,
            prompt=written.image_description,
            characters=tuple(
                SceneCharacter(name=name) for name in dict.fromkeys(written.characters) if name in known["characters"]
            ),
            location=written.location if written.location in places else None,
            objects=tuple(name for name in dict.fromkeys(written.objects) if name in known["objects"]),
            narration=written.narration,
            camera=written.camera_movement,
            picture=brief.pictures[number] if number < len(brief.pictures) else None,
        )
        for number, written in enumerate(storyboard.scenes)
    )
    brief_fields = brief.model_dump(include=set(Brief.model_fields) & set(Story.model_fields))
    audio = brief.audio if brief.audio.mood else brief.audio.model_copy(update={"mood": storyboard.mood})
    return Story.model_validate(
        brief_fields
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


def _characters(brief: Brief, written: Iterable[StoryboardElement]) -> tuple[Character, ...]:
    brief_characters = {one.name: one for one in brief.characters}
    rest = (Character(name=one.name, appearance=one.description) for one in written if one.name not in brief_characters)
    return (*brief.characters, *_unique_by_name(rest))


def _elements(brief_elements: tuple[Element, ...], written: Iterable[StoryboardElement]) -> tuple[Element, ...]:
    names = {one.name for one in brief_elements}
    rest = (Element(name=one.name, description=one.description) for one in written if one.name not in names)
    return (*brief_elements, *_unique_by_name(rest))


def _unique_by_name(things: Iterable[ElementT]) -> tuple[ElementT, ...]:
    return tuple({thing.name: thing for thing in things}.values())

"""What the `write` step makes: a complete storyboard, before anything is drawn."""

from __future__ import annotations

from pydantic import Field

from pipelines.base import Params


class StoryboardElement(Params):
    """A character, location or object: `description` is how it looks, in words that an image model understands."""

    name: str = Field(min_length=1)
    description: str = ""


class StoryboardScene(Params):
    """`image_description` is what is seen; `narration` the words to be spoken, in the story's language; the names in
    `characters`, `location` and `objects` are names of the storyboard."""

    name: str = ""
    image_description: str = Field(min_length=1)
    narration: str = ""
    camera_movement: str = ""
    characters: tuple[str, ...] = ()
    location: str | None = None
    objects: tuple[str, ...] = ()


class Storyboard(Params):
    """A whole story in words."""

    title: str = Field(min_length=1)
    description: str = ""
    style: str = ""
    mood: str = Field("", description="One or two English mood words for the music: calm, tense, joyful …")
    characters: tuple[StoryboardElement, ...] = ()
    locations: tuple[StoryboardElement, ...] = ()
    objects: tuple[StoryboardElement, ...] = ()
    scenes: tuple[StoryboardScene, ...] = Field(min_length=1)

"""The Story API: its request bodies ⇄ Brief. No other file knows its field names."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator

from engine.schemas.common import AspectRatio, AudioOption, Extensions, Wire, explained, parse, ratio_of
from engine.story.model import MAX_PAGE_IMAGES, MAX_THINGS, SAMPLE, Brief, Character, Lacking, Picture, Place, Told
from pipelines.step_params import Language, Strictness

ImageTool = Literal["Seedream", "FluxTurbo", "NanoBanana", "QwenImage"]
VideoTool = Literal["Auto", "KlingAI", "Seedance", "Pixverse", "VeoFast"]
MAX_SCENES = 20
CLOSING = ".,;:!?\"'»”’"
PICTURE_IDEA = "A story told by these pictures."


class ElementBody(Wire):
    """A character, environment or object with a name; its picture is used when it has one."""

    name: str = Field(min_length=1, max_length=200)
    description: str = ""
    image_url: str | None = Field(None, description="Address or local path.")
    URL: str | None = Field(None, description="The same as `image_url`.")

    def picture(self) -> Picture | None:
        source = self.image_url or self.URL
        return Picture(source=source) if source else None


class ElementsBody(Wire):
    """What the story must contain, under these exact names."""

    characters: list[ElementBody] = Field([], max_length=MAX_THINGS)
    environments: list[ElementBody] = Field([], max_length=MAX_THINGS)
    objects: list[ElementBody] = Field([], max_length=MAX_THINGS)


class _CreatingBody(Extensions):
    """What all creating requests share."""

    audio_option: AudioOption = Field(
        AudioOption(), description="Narration, music, narrator; an object, or JSON text of one."
    )
    aspect_ratio: AspectRatio = "16:9"
    language: Language = "English"
    title: str = ""
    strictness: Strictness | None = Field(
        None, description="Extension: normal, or liberal, which lets brands, gore and adult scenes pass."
    )

    @field_validator("audio_option", "elements", mode="before", check_fields=False)
    @classmethod
    def _json_text(cls, value: Any) -> Any:
        """Forms carry objects as JSON text."""
        if not isinstance(value, str):
            return value
        if not value.strip():
            return {}
        try:
            return json.loads(value)
        except ValueError:
            raise ValueError("is not valid JSON") from None


class _FilmBody(_CreatingBody):
    """What the automatic endpoints share."""

    video_tool: VideoTool = "Auto"
    is_transition: bool = Field(False, description="Transition clips between scenes.")
    scene_duration: Literal["5", "10", 5, 10] = Field("5", description="Seconds per scene, when nobody speaks.")
    webhook_url: str | None = None


class IdeaBody(_FilmBody):
    """`POST /story/idea-2-video`: an idea becomes a film."""

    idea: str
    scene_count: int | None = Field(None, ge=1, le=MAX_SCENES, description="Default 3.")
    image_tool: ImageTool = "Seedream"
    elements: ElementsBody | None = None


class UrlBody(IdeaBody):
    """`POST /story/url-2-video`: the page whose address stands in `idea` becomes a film. `page` is an extension."""

    page: str | None = Field(None, description="Extension: local path of the saved page (HTML or text).")
    page_pictures: int = Field(
        0, ge=0, le=MAX_PAGE_IMAGES, description="Extension: so many pictures of the page become objects of the story."
    )


class ImagesBody(_FilmBody):
    """`POST /story/images-2-video`: given pictures become the scenes of a film, in their order."""

    idea: str | None = None
    image_urls: list[str] = Field([], description="Addresses or local paths; one scene each.")
    image_files: list[str] = Field([], description="Local paths; win over `image_urls`.")


class StoryboardBody(_CreatingBody):
    """`POST /story` (step 1): an idea, or an idea and pictures."""

    idea: str
    scene_count: int | None = Field(
        None, ge=1, le=MAX_SCENES, description="Default 3; ignored when there are pictures."
    )
    elements: ElementsBody | None = None
    image_urls: list[str] = Field([])
    image_files: list[str] = Field([])


BODIES: Mapping[str, type[IdeaBody | UrlBody | ImagesBody | StoryboardBody]] = {
    "idea-2-video": IdeaBody,
    "url-2-video": UrlBody,
    "images-2-video": ImagesBody,
    "storyboard": StoryboardBody,
}

IGNORED: Mapping[str, frozenset[str]] = {"images-2-video": frozenset({"image_tool", "scene_count", "elements"})}
"""Fields of the other endpoints that clients send here too; they have no effect."""


def brief(name: str, content: Mapping[str, Any]) -> Brief:
    """The Brief of a request body; `name` is one of `BODIES`. Raises StoryError naming the field."""
    ignored = IGNORED.get(name, frozenset())
    present = {key: value for key, value in content.items() if value not in ("", None) and key not in ignored}
    body = parse(BODIES[name], present)
    elements = getattr(body, "elements", None) or ElementsBody()
    pictures = getattr(body, "image_files", []) or getattr(body, "image_urls", [])
    idea = (body.idea or "").strip()
    if isinstance(body, ImagesBody):
        if not pictures:
            raise Lacking("image_urls", "is missing: give image_files or image_urls")
        idea = idea or PICTURE_IDEA
    if not idea:
        raise Lacking("idea", "is blank: say what the story is about")
    page = None
    if isinstance(body, UrlBody):
        address = body.page or address_in(idea)
        if not address:
            raise Lacking("idea", "holds no http(s) address, and there is no `page`")
        page = Picture(source=address)
    seconds = float(getattr(body, "scene_duration", 5))
    try:
        return Brief(
            title=body.title,
            language=body.language,
            seed=body.seed,
            enhance=body.enhance_image,
            strictness=body.strictness or "normal",
            audio=body.audio_option.audio(body.music_mood),
            video=body.frame(
                ratio_of("aspect_ratio", body.aspect_ratio),
                "dissolve" if getattr(body, "is_transition", False) else None,
                seconds,
            ),
            choices=body.choices(getattr(body, "image_tool", None), getattr(body, "video_tool", None)),
            characters=tuple(
                Character(name=one.name, appearance=one.description, reference=one.picture())
                for one in elements.characters
            ),
            locations=_places(elements.environments),
            objects=_places(elements.objects),
            idea=idea,
            scene_count=len(pictures) or getattr(body, "scene_count", None) or 3,
            pictures=tuple(Picture(source=source) for source in pictures),
            page=page,
            page_pictures=getattr(body, "page_pictures", 0),
        )
    except ValidationError as error:
        raise explained(error, Brief) from None


def address_in(idea: str) -> str | None:
    """The first address in a text, without the punctuation and quotes that close a sentence behind it; a bracket that the address
    itself opens belongs to it."""
    match = re.search(r"https?://\S+", idea, re.IGNORECASE)
    if match is None:
        return None
    address = match[0]
    while address and (address[-1] in CLOSING or (address[-1] == ")" and address.count(")") > address.count("("))):
        address = address[:-1]
    return address


def spoken(place: str, told: Told) -> str:
    """A place of a story in the words of this API: where a client of it would change that."""
    part = "elements" if isinstance(told, Brief) else "storyboard"
    place = place.replace("locations[", "environments[").replace(SAMPLE, "audio_option.narrator_sample")
    place = re.sub(r"\b(characters|environments|objects)(\[\d+\])\.reference_url", rf"{part}.\1\2.image_url", place)
    return re.sub(r"\bscenes(\[\d+\])\.clip\b", r"concat_video_urls\1", place)


def _places(elements: list[ElementBody]) -> tuple[Place, ...]:
    return tuple(Place(name=one.name, description=one.description, reference=one.picture()) for one in elements)

"""The Story API: its request bodies ⇄ Brief. No other file knows its field names."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator

from engine.schemas.common import (
    AspectRatio,
    AudioOption,
    EngineOptions,
    RequestModel,
    parse,
    parse_aspect_ratio,
    to_story_error,
)
from engine.story.model import (
    MAX_ELEMENTS,
    MAX_PAGE_IMAGES,
    NARRATOR_SAMPLE_FIELD,
    Brief,
    Character,
    Element,
    InputFile,
    MissingField,
    StoryBase,
)
from pipelines.step_params import Language, Strictness

ImageTool = Literal["Seedream", "FluxTurbo", "NanoBanana", "QwenImage"]
VideoTool = Literal["Auto", "KlingAI", "Seedance", "Pixverse", "VeoFast"]
MAX_SCENES = 20
TRAILING_PUNCTUATION = ".,;:!?\"'»”’"
DEFAULT_IMAGES_IDEA = "A story told by these pictures."


class ElementBody(RequestModel):
    """A character, environment or object with a name; its picture is used when it has one."""

    name: str = Field(min_length=1, max_length=200)
    description: str = ""
    image_url: str | None = Field(None, description="Address or local path.")
    URL: str | None = Field(None, description="The same as `image_url`.")

    def input_file(self) -> InputFile | None:
        source = self.image_url or self.URL
        return InputFile(source=source) if source else None


class ElementsBody(RequestModel):
    """What the story must contain, under these exact names."""

    characters: list[ElementBody] = Field([], max_length=MAX_ELEMENTS)
    environments: list[ElementBody] = Field([], max_length=MAX_ELEMENTS)
    objects: list[ElementBody] = Field([], max_length=MAX_ELEMENTS)


class _CreateBody(EngineOptions):
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
    def _parse_json_text(cls, value: Any) -> Any:
        """Forms carry objects as JSON text."""
        if not isinstance(value, str):
            return value
        if not value.strip():
            return {}
        try:
            return json.loads(value)
        except ValueError:
            raise ValueError("is not valid JSON") from None


class _FilmBody(_CreateBody):
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


class StoryboardBody(_CreateBody):
    """`POST /story` (step 1): an idea, or an idea and pictures."""

    idea: str
    scene_count: int | None = Field(
        None, ge=1, le=MAX_SCENES, description="Default 3; ignored when there are pictures."
    )
    elements: ElementsBody | None = None
    image_urls: list[str] = Field([])
    image_files: list[str] = Field([])


REQUEST_BODIES: Mapping[str, type[IdeaBody | UrlBody | ImagesBody | StoryboardBody]] = {
    "idea-2-video": IdeaBody,
    "url-2-video": UrlBody,
    "images-2-video": ImagesBody,
    "storyboard": StoryboardBody,
}

IGNORED_FIELDS: Mapping[str, frozenset[str]] = {"images-2-video": frozenset({"image_tool", "scene_count", "elements"})}
"""Fields of the other endpoints that clients send here too; they have no effect."""


def to_brief(request_type: str, content: Mapping[str, Any]) -> Brief:
    """The Brief of a request body; `name` is one of `BODIES`. Raises StoryError naming the field."""
    ignored = IGNORED_FIELDS.get(request_type, frozenset())
    present = {key: value for key, value in content.items() if value not in ("", None) and key not in ignored}
    body = parse(REQUEST_BODIES[request_type], present)
    elements = getattr(body, "elements", None) or ElementsBody()
    pictures = getattr(body, "image_files", []) or getattr(body, "image_urls", [])
    idea = (body.idea or "").strip()
    if isinstance(body, ImagesBody):
        if not pictures:
            raise MissingField("image_urls", "is missing: give image_files or image_urls")
        idea = idea or DEFAULT_IMAGES_IDEA
    if not idea:
        raise MissingField("idea", "is blank: say what the story is about")
    page = None
    if isinstance(body, UrlBody):
        address = body.page or find_url(idea)
        if not address:
            raise MissingField("idea", "holds no http(s) address, and there is no `page`")
        page = InputFile(source=address)
    seconds = float(getattr(body, "scene_duration", 5))
    try:
        return Brief(
            title=body.title,
            language=body.language,
            seed=body.seed,
            enhance=body.enhance_image,
            strictness=body.strictness or "normal",
            audio=body.audio_option.to_audio(body.music_mood),
            video=body.to_video(
                parse_aspect_ratio("aspect_ratio", body.aspect_ratio),
                "dissolve" if getattr(body, "is_transition", False) else None,
                seconds,
            ),
            choices=body.to_model_choices(getattr(body, "image_tool", None), getattr(body, "video_tool", None)),
            characters=tuple(
                Character(name=one.name, appearance=one.description, reference=one.input_file())
                for one in elements.characters
            ),
            locations=_to_elements(elements.environments),
            objects=_to_elements(elements.objects),
            idea=idea,
            scene_count=len(pictures) or getattr(body, "scene_count", None) or 3,
            pictures=tuple(InputFile(source=source) for source in pictures),
            page=page,
            page_pictures=getattr(body, "page_pictures", 0),
        )
    except ValidationError as error:
        raise to_story_error(error, Brief) from None


def find_url(text: str) -> str | None:
    """The first address in a text, without the punctuation and quotes that close a sentence behind it; a bracket that the address
    itself opens belongs to it."""
    match = re.search(r"https?://\S+", text, re.IGNORECASE)
    if match is None:
        return None
    url = match[0]
    while url and (url[-1] in TRAILING_PUNCTUATION or (url[-1] == ")" and url.count(")") > url.count("("))):
        url = url[:-1]
    return url


def to_api_field(field_path: str, story: StoryBase) -> str:
    """A place of a story in the words of this API: where a client of it would change that."""
    part = "elements" if isinstance(story, Brief) else "storyboard"
    field_path = field_path.replace("locations[", "environments[").replace(
        NARRATOR_SAMPLE_FIELD, "audio_option.narrator_sample"
    )
    field_path = re.sub(
        r"\b(characters|environments|objects)(\[\d+\])\.reference_url", rf"{part}.\1\2.image_url", field_path
    )
    return re.sub(r"\bscenes(\[\d+\])\.clip\b", r"concat_video_urls\1", field_path)


def _to_elements(elements: list[ElementBody]) -> tuple[Element, ...]:
    return tuple(Element(name=one.name, description=one.description, reference=one.input_file()) for one in elements)

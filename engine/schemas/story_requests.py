"""Request bodies of the Story API → Brief. Only this package knows its field names."""

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
from engine.story.field_path import FieldPath
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
API_ARRAYS: Mapping[str, str] = {"locations": "environments"}
"""Arrays of a story that have another name in this API."""
DEFAULT_IMAGES_IDEA = "A story told by these pictures."


class ElementBody(RequestModel):
    """A character, environment or object, with an optional reference image."""

    name: str = Field(min_length=1, max_length=200)
    description: str = Field("", description="Look of the element.")
    image_url: str | None = Field(None, description="Reference image: URL or local path.")
    URL: str | None = Field(None, description="Same as `image_url`.")

    def input_file(self) -> InputFile | None:
        source = self.image_url or self.URL
        return InputFile(source=source) if source else None


class ElementsBody(RequestModel):
    """Elements that the story must contain, under these names."""

    characters: list[ElementBody] = Field([], max_length=MAX_ELEMENTS)
    environments: list[ElementBody] = Field([], max_length=MAX_ELEMENTS)
    objects: list[ElementBody] = Field([], max_length=MAX_ELEMENTS)


class _CreateBody(EngineOptions):
    """Fields of all requests that create a story."""

    audio_option: AudioOption = Field(
        AudioOption(), description="Narration, music, narrator: an object or its JSON text."
    )
    aspect_ratio: AspectRatio = Field("16:9", description="Aspect ratio of the film.")
    language: Language = Field("English", description="Language of the narration.")
    title: str = Field("", description="Title of the film; default: written with the story.")
    strictness: Strictness | None = Field(
        None, description="Extension: normal (default), or liberal, which allows brands, gore and adult scenes."
    )

    @field_validator("audio_option", "elements", mode="before", check_fields=False)
    @classmethod
    def _parse_json_text(cls, value: Any) -> Any:
        """Decode objects that forms send as JSON text."""
        if not isinstance(value, str):
            return value
        if not value.strip():
            return {}
        try:
            return json.loads(value)
        except ValueError:
            raise ValueError("is not valid JSON") from None


class _FilmBody(_CreateBody):
    """Fields of the endpoints that make a whole film."""

    video_tool: VideoTool = Field("Auto", description="Video model.")
    is_transition: bool = Field(False, description="Transition clips between scenes.")
    scene_duration: Literal["5", "10", 5, 10] = Field("5", description="Seconds per scene without narration.")
    webhook_url: str | None = Field(None, description="URL that the server notifies when the story ends.")


class IdeaBody(_FilmBody):
    """`POST /story/idea-2-video`: a film from an idea."""

    idea: str = Field(description="Idea of the story.")
    scene_count: int | None = Field(None, ge=1, le=MAX_SCENES, description="Default 3.")
    image_tool: ImageTool = Field("Seedream", description="Image model.")
    elements: ElementsBody | None = Field(None, description="Elements that the story must contain.")


class UrlBody(IdeaBody):
    """`POST /story/url-2-video`: a film from the web page whose URL is in `idea`."""

    page: str | None = Field(None, description="Extension: local path of a saved page (HTML or text).")
    page_pictures: int = Field(
        0,
        ge=0,
        le=MAX_PAGE_IMAGES,
        description="Extension: number of images of the page that become objects of the story.",
    )


class ImagesBody(_FilmBody):
    """`POST /story/images-2-video`: a film from images, one scene each, in their order."""

    idea: str | None = Field(None, description="Idea of the story.")
    image_urls: list[str] = Field([], description="URLs or local paths, one scene each.")
    image_files: list[str] = Field([], description="Local paths; override `image_urls`.")


class StoryboardBody(_CreateBody):
    """`POST /story` (step 1): a storyboard from an idea, or from an idea and images."""

    idea: str = Field(description="Idea of the story.")
    scene_count: int | None = Field(None, ge=1, le=MAX_SCENES, description="Default 3; ignored if images are given.")
    elements: ElementsBody | None = Field(None, description="Elements that the story must contain.")
    image_urls: list[str] = Field([], description="URLs or local paths, one scene each.")
    image_files: list[str] = Field([], description="Local paths; override `image_urls`.")


REQUEST_BODIES: Mapping[str, type[IdeaBody | UrlBody | ImagesBody | StoryboardBody]] = {
    "idea-2-video": IdeaBody,
    "url-2-video": UrlBody,
    "images-2-video": ImagesBody,
    "storyboard": StoryboardBody,
}

IGNORED_FIELDS: Mapping[str, frozenset[str]] = {"images-2-video": frozenset({"image_tool", "scene_count", "elements"})}
"""Fields of other endpoints that clients also send to this one; they have no effect."""


def to_brief(request_type: str, content: Mapping[str, Any]) -> Brief:
    """Return the Brief of a request body of a type in `REQUEST_BODIES`. Raises StoryError with the field."""
    ignored = IGNORED_FIELDS.get(request_type, frozenset())
    present = {key: value for key, value in content.items() if value not in ("", None) and key not in ignored}
    body = parse(REQUEST_BODIES[request_type], present)
    elements = getattr(body, "elements", None) or ElementsBody()
    images = getattr(body, "image_files", []) or getattr(body, "image_urls", [])
    idea = (body.idea or "").strip()
    if isinstance(body, ImagesBody):
        if not images:
            raise MissingField("image_urls", "is missing: set `image_files` or `image_urls`")
        idea = idea or DEFAULT_IMAGES_IDEA
    if not idea:
        raise MissingField("idea", "is blank: describe the story")
    page = None
    if isinstance(body, UrlBody):
        source = body.page or find_url(idea)
        if not source:
            raise MissingField("idea", "contains no http(s) URL, and `page` is not set")
        page = InputFile(source=source)
    seconds = float(getattr(body, "scene_duration", 5))
    try:
        return Brief(
            title=body.title,
            language=body.language,
            seed=body.seed,
            enhance=body.enhance_image,
            strictness=body.strictness or "normal",
            audio=body.audio_option.to_audio(FieldPath("audio_option"), body.music_mood),
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
            scene_count=len(images) or getattr(body, "scene_count", None) or 3,
            pictures=tuple(InputFile(source=source) for source in images),
            page=page,
            page_pictures=getattr(body, "page_pictures", 0),
        )
    except ValidationError as error:
        raise to_story_error(error, Brief) from None


def find_url(text: str) -> str | None:
    """Return the first URL in a text, or None.

    Punctuation and quotes at the end of a sentence are not part of the URL. A closing bracket is, if the URL opens it.
    """
    match = re.search(r"https?://\S+", text, re.IGNORECASE)
    if match is None:
        return None
    url = match[0]
    while url and (url[-1] in TRAILING_PUNCTUATION or (url[-1] == ")" and url.count(")") > url.count("("))):
        url = url[:-1]
    return url


def to_api_field(field_path: FieldPath, story: StoryBase) -> FieldPath:
    """Return the field of this API in which a client changes a field of a story."""
    if field_path == NARRATOR_SAMPLE_FIELD:
        return FieldPath("audio_option", "narrator_sample")
    match field_path.parts:
        case ("characters" | "locations" | "objects" as array, int(index), "reference_url"):
            body = "elements" if isinstance(story, Brief) else "storyboard"
            return FieldPath(body, API_ARRAYS.get(array, array), index, "image_url")
        case ("scenes", int(index), "clip"):
            return FieldPath("concat_video_urls", index)
    return field_path.with_root(API_ARRAYS)


def _to_elements(elements: list[ElementBody]) -> tuple[Element, ...]:
    return tuple(Element(name=one.name, description=one.description, reference=one.input_file()) for one in elements)

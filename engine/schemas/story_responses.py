"""Responses of the Story API: a stored story → the JSON of `response_models.Story`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from engine.planning.plan import OutputRef
from engine.planning.step_ids import (
    element_id,
    element_source,
    is_narrated,
    keyframe_source,
    portrait_id,
    portrait_source,
    sanitize_id,
    scene_id,
)
from engine.schemas.response_models import StoryStatus
from engine.schemas.story_edits import ELEMENT_FIELDS
from engine.story.field_path import FieldPath
from engine.story.model import Brief, InputFile, Story
from pipelines.base import Kind
from pipelines.step_params import OutputName

MediaUrl = Callable[[OutputRef], str | None]
"""Returns the URL of an output; None for a missing or hidden one."""


@dataclass(frozen=True, slots=True)
class StoryView:
    """The data of a story response. Times in seconds since 1970; `extra_fields`: the client's own keys, by part."""

    id: str
    status: StoryStatus
    progress: int
    story: Brief | Story
    media_url: MediaUrl
    title: str
    description: str
    visibility: str
    created: float
    updated: float
    film_url: str | None = None
    message: str | None = None
    extra_fields: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    expires: float | None = None
    used_credits: int = 0


def story_response(view: StoryView) -> dict[str, Any]:
    """Return the story. The URLs of unfinished images, narrations and clips are absent."""
    story = view.story
    storyboard = storyboard_response(view)
    scenes = [dict(scene) for scene in storyboard["scenes"]]
    count = len(story.scenes) if isinstance(story, Story) else len(story.pictures) or story.scene_count or 3
    ratio = _nearest_aspect_ratio(story.video.width, story.video.height)
    return {
        "id": view.id,
        "status": view.status,
        "progress_percentage": view.progress,
        "message": view.message,
        "video_url": view.film_url,
        "title": view.title,
        "description": view.description,
        "visibility_status": view.visibility,
        "scene_count": count,
        "used_credits": view.used_credits,
        "created_at": iso_timestamp(view.created),
        "updated_at": iso_timestamp(view.updated),
        "expires_at": iso_timestamp(view.expires) if view.expires else None,
        "aspect_ratio": ratio,
        "language": story.language,
        "audio_option": {
            "has_bg_music": story.audio.music,
            "has_narration": story.audio.narration,
            "native_audio": story.audio.native,
            "narrator": story.audio.narrator,
        },
        "warnings": list(view.warnings),
        "storyboard": storyboard,
        "scenes": scenes,
    }


def storyboard_response(view: StoryView) -> dict[str, Any]:
    """Return the storyboard: four arrays, empty before the storyboard exists."""
    story, extra_fields = view.story, view.extra_fields
    empty: dict[str, Any] = {"characters": [], "environments": [], "objects": [], "scenes": []}
    if isinstance(story, Brief):
        return empty
    found: dict[str, Any] = {**extra_fields.get("", {}), **empty}
    for part, own in ELEMENT_FIELDS.items():
        for number, one in enumerate(getattr(story, own)):
            url = _element_url(view, story, part, number, one.name, one.reference)
            entry = {
                **extra_fields.get(part, {}).get(one.name, {}),
                "name": one.name,
                "description": element_description(one),
            }
            found[part].append({**entry, "image_url": url, "URL": url} if url else entry)
    scene_extra_fields = extra_fields.get("scenes", [])
    for number, scene in enumerate(story.scenes):
        urls = {
            "image_url": view.media_url(keyframe_source(story, number)),
            "narration_url": view.media_url(OutputRef(scene_id(Kind.NARRATE, number), OutputName.NARRATION))
            if is_narrated(story, scene)
            else None,
            "video_url": view.media_url(OutputRef(scene_id(Kind.ANIMATE, number), OutputName.CLIP)),
        }
        found["scenes"].append(
            {
                **(scene_extra_fields[number] if number < len(scene_extra_fields) else {}),
                "name": scene.name,
                "image_description": scene.prompt,
                "narrator": scene.narration,
                "camera_movement": scene.camera,
                **{name: url for name, url in urls.items() if url},
            }
        )
    return found


def element_description(element: Any) -> str:
    """Return the description of an element: `appearance` of a character, `description` of a location or object."""
    description: str = getattr(element, "appearance", None) or getattr(element, "description", "") or ""
    return description


ELEMENT_ROLES: Mapping[str, str] = {"environments": "location", "objects": "object"}


def element_step_id(part: str, name: str) -> str:
    """Return the id of the step that generates the image of an element."""
    return portrait_id(name) if part == "characters" else element_id(ELEMENT_ROLES[part], name)


def element_image_ref(story: Story, part: str, name: str) -> OutputRef:
    """Return the output with the generated image of an element."""
    return portrait_source(story, name) if part == "characters" else element_source(story, ELEMENT_ROLES[part], name)


def input_image_ref(part: str, number: int) -> OutputRef:
    """Return the output with the sanitized image that the client submitted for an element."""
    return OutputRef(sanitize_id(FieldPath(ELEMENT_FIELDS[part], number, "reference_url")), OutputName.IMAGE)


def iso_timestamp(seconds: float) -> str:
    """Return a time in ISO 8601 with offset. `seconds`: since 1970."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _element_url(
    view: StoryView, story: Story, part: str, number: int, name: str, reference: InputFile | None
) -> str | None:
    """Return the image URL of an element: for a submitted image its own URL, else that of the generated image."""
    if reference is None:
        return view.media_url(element_image_ref(story, part, name))
    if reference.source.startswith(("http://", "https://")):
        return reference.source
    return view.media_url(input_image_ref(part, number))


def _nearest_aspect_ratio(width: int, height: int) -> str:
    ratios = {"16:9": 16 / 9, "4:3": 4 / 3, "1:1": 1.0, "3:4": 3 / 4, "9:16": 9 / 16}
    return min(ratios, key=lambda name: abs(ratios[name] - width / height))

"""The Story API's answers: a stored story → the story object."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from engine.planning.plan import Ref
from engine.planning.step_ids import (
    element_id,
    element_source,
    intake_id,
    is_narrated,
    keyframe_source,
    portrait_id,
    portrait_source,
    scene_id,
)
from engine.schemas.story_edits import PARTS
from engine.story.model import Brief, Picture, Story
from pipelines.base import Kind

Status = Literal["new", "processing", "success", "fail"]
Media = Callable[[Ref], str | None]
"""The address of what a step has made; None while it is not there or not asked for."""


@dataclass(frozen=True, slots=True)
class StoryView:
    """All that a story object shows. Times are seconds since 1970; `unknown` holds a client's own keys."""

    id: str
    status: Status
    progress: int
    told: Brief | Story
    media: Media
    title: str
    description: str
    visibility: str
    created: float
    updated: float
    film: str | None = None
    message: str | None = None
    unknown: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    expires: float | None = None
    used_credits: int = 0


def story_object(view: StoryView) -> dict[str, Any]:
    """The story as the API shows it. Keys of pictures, narrations and clips that are not made yet are absent."""
    told = view.told
    storyboard = storyboard_object(view)
    scenes = [dict(scene) for scene in storyboard["scenes"]]
    count = len(told.scenes) if isinstance(told, Story) else len(told.pictures) or told.scene_count or 3
    ratio = _ratio(told.video.width, told.video.height)
    return {
        "id": view.id,
        "status": view.status,
        "progress_percentage": view.progress,
        "message": view.message,
        "video_url": view.film,
        "title": view.title,
        "description": view.description,
        "visibility_status": view.visibility,
        "scene_count": count,
        "used_credits": view.used_credits,
        "created_at": moment(view.created),
        "updated_at": moment(view.updated),
        "expires_at": moment(view.expires) if view.expires else None,
        "aspect_ratio": ratio,
        "language": told.language,
        "audio_option": {
            "has_bg_music": told.audio.music,
            "has_narration": told.audio.narration,
            "native_audio": told.audio.native,
            "narrator": told.audio.narrator,
        },
        "warnings": list(view.warnings),
        "storyboard": storyboard,
        "scenes": scenes,
    }


def storyboard_object(view: StoryView) -> dict[str, Any]:
    """Four arrays, never null; empty before the storyboard is written."""
    told, unknown = view.told, view.unknown
    empty: dict[str, Any] = {"characters": [], "environments": [], "objects": [], "scenes": []}
    if isinstance(told, Brief):
        return empty
    found: dict[str, Any] = {**unknown.get("", {}), **empty}
    for part, own in PARTS.items():
        for number, one in enumerate(getattr(told, own)):
            url = _element_url(view, told, part, number, one.name, one.reference)
            entry = {**unknown.get(part, {}).get(one.name, {}), "name": one.name, "description": words_of(one)}
            found[part].append({**entry, "image_url": url, "URL": url} if url else entry)
    kept = unknown.get("scenes", [])
    for number, scene in enumerate(told.scenes):
        urls = {
            "image_url": view.media(keyframe_source(told, number)),
            "narration_url": view.media(Ref(scene_id(Kind.NARRATE, number), "narration.wav"))
            if is_narrated(told, scene)
            else None,
            "video_url": view.media(Ref(scene_id(Kind.ANIMATE, number), "clip.mp4")),
        }
        found["scenes"].append(
            {
                **(kept[number] if number < len(kept) else {}),
                "name": scene.name,
                "image_description": scene.prompt,
                "narrator": scene.narration,
                "camera_movement": scene.camera,
                **{name: url for name, url in urls.items() if url},
            }
        )
    return found


def words_of(one: Any) -> str:
    """What an element looks like: characters and places keep it under different names."""
    words: str = getattr(one, "appearance", None) or getattr(one, "description", "") or ""
    return words


ROLES: Mapping[str, str] = {"environments": "location", "objects": "object"}


def element_step(part: str, name: str) -> str:
    """The step that draws the picture of an element."""
    return portrait_id(name) if part == "characters" else element_id(ROLES[part], name)


def element_ref(told: Story, part: str, name: str) -> Ref:
    """Where the picture that was made of an element is."""
    return portrait_source(told, name) if part == "characters" else element_source(told, ROLES[part], name)


def given_ref(part: str, number: int) -> Ref:
    """Where a given picture of an element is, made safe."""
    return Ref(intake_id(f"{PARTS[part]}[{number}].reference_url"), "picture.png")


def moment(seconds: float) -> str:
    """ISO 8601 with offset."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _element_url(view: StoryView, told: Story, part: str, number: int, name: str, given: Picture | None) -> str | None:
    """A client's own picture is shown as it was named; nothing that was made stands in for it."""
    if given is None:
        return view.media(element_ref(told, part, name))
    if given.source.startswith(("http://", "https://")):
        return given.source
    return view.media(given_ref(part, number))


def _ratio(width: int, height: int) -> str:
    ratios = {"16:9": 16 / 9, "4:3": 4 / 3, "1:1": 1.0, "3:4": 3 / 4, "9:16": 9 / 16}
    return min(ratios, key=lambda name: abs(ratios[name] - width / height))

"""Responses of the Generate-story API: the JSON of `response_models.Job` and `ModelList`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from engine.planning.step_ids import keyframe_source, portrait_source
from engine.schemas.response_models import JobStatus
from engine.schemas.story_responses import MediaUrl, iso_timestamp
from engine.story.model import Story


@dataclass(frozen=True, slots=True)
class JobView:
    """The data of a job response. Times in seconds since 1970; `error`: an error code."""

    id: str
    status: JobStatus
    progress: int
    story: Story
    media_url: MediaUrl
    created: float
    updated: float
    error: str | None = None
    message: str | None = None
    warnings: tuple[str, ...] = ()
    expires: float | None = None


def job_response(view: JobView) -> dict[str, Any]:
    """Return the job; `result` is null until all scene images are finished."""
    keyframes = [view.media_url(keyframe_source(view.story, number)) for number in range(len(view.story.scenes))]
    done = view.status == "completed"
    return {
        "job_id": view.id,
        "status": view.status,
        "scenes_completed": sum(url is not None for url in keyframes),
        "scenes_total": len(view.story.scenes),
        "progress_percentage": view.progress,
        "result": _result_response(view, keyframes) if done else None,
        "error": view.error,
        "message": view.message,
        "warnings": list(view.warnings),
        "created_at": iso_timestamp(view.created),
        "updated_at": iso_timestamp(view.updated),
        "expires_at": iso_timestamp(view.expires) if view.expires else None,
    }


def _result_response(view: JobView, keyframes: list[str | None]) -> dict[str, Any]:
    video = view.story.video
    scenes = [
        {
            "index": number,
            "image_url": url,
            "width": view.story.scenes[number].width or video.width,
            "height": view.story.scenes[number].height or video.height,
        }
        for number, url in enumerate(keyframes)
    ]
    used = {(character.name, character.state) for scene in view.story.scenes for character in scene.characters}
    characters = [
        {"name": one.name, "state": state, "image_url": view.media_url(portrait_source(view.story, one.name, state))}
        for one in view.story.characters
        for state in (None, *(state.name for state in one.states if (one.name, state.name) in used))
    ]
    return {"scenes": scenes, "characters": characters}


def models_response(models: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the list of models."""
    return {"models": [dict(model) for model in models]}

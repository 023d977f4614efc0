"""Requests that create stories: parsing, validation, and enqueueing the first job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import Field
from starlette.concurrency import run_in_threadpool

from engine.schemas import story_requests
from engine.schemas.common import RequestModel, parse, with_frame_defaults
from engine.schemas.story_requests import IdeaBody, ImagesBody, StoryboardBody, UrlBody
from engine.server.http.forms import Form, decode_fields
from engine.server.jobs.queue import JobRequest, JobTarget
from engine.server.jobs.stories import Record, StoryUpdate
from engine.server.routes.state import AppState
from engine.server.routes.wait import wait_until_idle
from engine.story.model import Brief, InputFile, StoryError


class RequestExtensions(RequestModel):
    """Extensions of every creating request."""

    priority: int = Field(0, ge=-10, le=10, description="Extension: jobs with a higher priority run first.")
    expires_at: str | None = Field(
        None, max_length=64, description="Extension: expiry time, ISO 8601; the server deletes the story then."
    )
    webhook_url: str | None = None


class IdeaForm(RequestExtensions, IdeaBody):
    """Fields of `POST /story/idea-2-video`."""


class UrlForm(RequestExtensions, UrlBody):
    """Fields of `POST /story/url-2-video`: `idea` contains the URL of the page."""


class ImagesForm(RequestExtensions, ImagesBody):
    """Fields of `POST /story/images-2-video`."""


class StoryboardForm(RequestExtensions, StoryboardBody):
    """Fields of `POST /story` (step 1): an idea, optionally with images."""

    story_id: str | None = Field(None, description="Id of a story whose storyboard is replaced.")


CREATE_FORMS: Mapping[str, tuple[type[RequestExtensions], bool]] = {
    "idea-2-video": (IdeaForm, False),
    "url-2-video": (UrlForm, False),
    "images-2-video": (ImagesForm, True),
    "storyboard": (StoryboardForm, True),
}


@dataclass(frozen=True, slots=True)
class CreateRequest:
    """A parsed and validated creating request. `existing`: the story whose storyboard it replaces."""

    brief: Brief
    target: JobTarget
    extensions: RequestExtensions
    warnings: Sequence[str] = ()
    existing: Record | None = None


async def parse_request(state: AppState, owner: str, name: str, form: Form) -> CreateRequest:
    """Parse a creating request. Raises ApiError, StoryError."""
    body, has_files = CREATE_FORMS[name]
    fields = decode_fields(body, form)
    for path_field in ("image_files", "page"):  # local paths; clients of the server cannot name files of its machine
        fields.pop(path_field, None)
    extensions = parse(
        RequestExtensions, {key: fields.pop(key) for key in list(RequestExtensions.model_fields) if key in fields}
    )
    story_id = fields.pop("story_id", None)
    existing = await run_in_threadpool(state.access.get_or_404, owner, "story", story_id) if story_id else None
    files = form.files.get("image_files", ())[: state.settings.max_images + 1] if has_files else ()
    uploads = await state.attachments.store_uploads(files)
    brief, warnings = await run_in_threadpool(_parse_brief, state, owner, name, fields, uploads)
    return CreateRequest(brief, "storyboard" if name == "storyboard" else "film", extensions, warnings, existing)


async def start_story(state: AppState, owner: str, create_request: CreateRequest) -> Record:
    """Create the story, or reset the existing one, and enqueue its job. Raises ApiError, StoryError."""
    brief, extensions = create_request.brief, create_request.extensions
    webhook, expires_at = (
        state.attachments.parse_webhook_url(extensions.webhook_url),
        state.attachments.parse_expiry(extensions.expires_at),
    )
    await run_in_threadpool(state.admit, owner)
    cost = await run_in_threadpool(state.cost_preview.cost, brief, create_request.target)
    job_request, extra = (
        JobRequest(create_request.target, extensions.priority, cost),
        {"warnings": list(create_request.warnings)},
    )
    if create_request.existing is not None:
        existing = await wait_until_idle(state, create_request.existing)
        update = StoryUpdate(
            story=brief, title=brief.title or None, extra={**existing.extra, "unknown": {}, **extra}, webhook=webhook,
            drop_film=True, stages=(),
        )  # fmt: skip
        return await run_in_threadpool(state.update, existing, update, job_request)
    stages = () if create_request.target == "storyboard" else ("elements", "scenes", "film")
    return await run_in_threadpool(
        lambda: state.changes.create(
            owner, "story", brief, job_request, webhook=webhook, extra=extra, expires=expires_at, stages=stages
        )
    )


def _parse_brief(
    state: AppState, owner: str, name: str, fields: dict[str, Any], uploads: list[InputFile]
) -> tuple[Brief, list[str]]:
    warnings = []
    if uploads:
        if fields.pop("image_urls", None):
            warnings.append("image_urls is ignored: image_files takes precedence")
        fields["image_files"] = [picture.source for picture in uploads]
    pictures = fields.get("image_files") or fields.get("image_urls") or []
    if len(pictures) > state.settings.max_images:
        raise StoryError("image_files" if uploads else "image_urls", f"at most {state.settings.max_images} images")
    if pictures and fields.pop("scene_count", None):
        warnings.append("scene_count is ignored: each image becomes one scene")
    count = fields.get("scene_count")
    if isinstance(count, int) and count > state.settings.max_scenes:
        raise StoryError("scene_count", f"at most {state.settings.max_scenes} scenes")
    fields = with_frame_defaults(fields, state.settings.short_side, state.settings.fps)
    brief = story_requests.to_brief(name, fields)
    if state.settings.auto_scene_count and name != "storyboard" and not (pictures or count):
        brief = brief.model_copy(update={"scene_count": None})
    if not fields.get("strictness"):
        brief = brief.model_copy(update={"strictness": state.settings.strictness})
    state.check(brief)
    return state.attachments.resolve_urls(owner, brief, uploads), warnings

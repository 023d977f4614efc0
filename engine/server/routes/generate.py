"""The Generate-story API: `/v1/…`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from engine.planning.planner import plan_story
from engine.planning.targets import resolve_target
from engine.schemas import generate_requests
from engine.schemas.common import RequestModel, parse, with_frame_defaults
from engine.schemas.generate_requests import GenerateStoryBody
from engine.schemas.generate_responses import job_response, models_response
from engine.schemas.response_models import CostPreview, Job, JobCreated, ModelList
from engine.server.http.api_keys import authenticate
from engine.server.http.errors import ApiError
from engine.server.http.forms import drop_unknown_keys, read_json
from engine.server.http.openapi import (
    API_KEY_HEADER,
    BEARER_TOKEN,
    DRY_RUN_PARAMETER,
    IDEMPOTENCY_KEY_PARAMETER,
    operation,
)
from engine.server.jobs.queue import JobRequest
from engine.server.jobs.stories import Record, StoryUpdate
from engine.server.routes.access import busy_error
from engine.server.routes.poll import EventStreamResponse
from engine.server.routes.state import AppState
from engine.server.routes.story_steps import RerollBody
from engine.story.model import Story
from pipelines.base import Kind, ModelSpec
from pipelines.models.catalog import Catalog, CatalogError, unavailable_reason

router = APIRouter(tags=["Generate-story API"], dependencies=[API_KEY_HEADER, BEARER_TOKEN])
GENERATE_EXAMPLE = {
    "model": "local-story",
    "characters": [{"name": "Ilva", "appearance": "a girl with a red scarf"}],
    "scenes": [
        {"prompt": "Ilva finds a map", "characters": [{"name": "Ilva"}]},
        {"prompt": "Ilva crosses the river", "characters": [{"name": "Ilva"}]},
    ],
}


class GenerateExtensions(RequestModel):
    """Extensions of `POST /v1/generate/story`."""

    priority: int = Field(0, ge=-10, le=10, description="Extension: jobs with a higher priority run first.")
    expires_at: str | None = Field(
        None, max_length=64, description="Extension: expiry time, ISO 8601; the server deletes the job then."
    )


class GenerateBody(GenerateExtensions, GenerateStoryBody):
    """Body of `POST /v1/generate/story`."""


@router.post(
    "/v1/generate/story",
    status_code=202,
    **operation(
        (202, 200, 400, 401, 402, 403, 404, 409, 413, 422, 429, 451, 500, 503),
        JobCreated,
        other_responses={200: CostPreview},
        json_body=GenerateBody,
        parameters=(IDEMPOTENCY_KEY_PARAMETER, DRY_RUN_PARAMETER),
        example=GENERATE_EXAMPLE,
    ),
)
async def create_job(request: Request) -> Response:
    """Create a job: one portrait per character, then the scene images, each with the earlier images as context.

    The server validates everything except remote files before it responds."""
    state = _state(request)
    owner = authenticate(request)
    content = await read_json(request)
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    async def handle() -> tuple[int, Any]:
        story, extensions, warnings = await run_in_threadpool(_parse_story, state, owner, content)
        if request.query_params.get("dry_run", "").lower() in ("true", "1"):
            return 200, await run_in_threadpool(state.cost_preview.preview, story, "keyframes")
        expires_at = state.attachments.parse_expiry(extensions.expires_at)
        await run_in_threadpool(state.admit, owner)
        cost = await run_in_threadpool(state.cost_preview.cost, story, "keyframes")
        record = await run_in_threadpool(
            lambda: state.changes.create(
                owner,
                "v1",
                story,
                JobRequest("keyframes", extensions.priority, cost),
                extra={"warnings": warnings},
                expires=expires_at,
            )
        )
        poll_url = f"{state.presenter.base_url(request)}/v1/jobs/{record.id}"
        return 202, {"job_id": record.id, "poll_url": poll_url, "status": "pending"}

    return await state.idempotency.run_once(request, owner, digest, handle)


@router.get("/v1/jobs/{job_id}", **operation((200, 401, 403, 404, 422, 500), Job))
async def get_job(request: Request, job_id: str) -> Response:
    """Return the status of a job, and its images once it is completed."""
    state = _state(request)
    owner = authenticate(request)
    return await state.poll_cache.respond(
        state.presenter.base_url(request), owner, "v1", job_id,
        lambda record, base: job_response(state.presenter.job_view(record, base)),
    )  # fmt: skip


@router.delete("/v1/jobs/{job_id}", **operation((200, 401, 403, 404, 422, 500), Job))
def delete_job(request: Request, job_id: str) -> Response:
    """Extension: cancel and delete a job with its images. Return its last state."""
    state = _state(request)
    record = state.access.get_or_404(authenticate(request), "v1", job_id)
    body = job_response(state.presenter.job_view(record, state.presenter.base_url(request)))
    state.changes.delete(record.id)
    return JSONResponse(body)


@router.post(
    "/v1/jobs/{job_id}/reroll",
    status_code=202,
    **operation(
        (202, 400, 401, 402, 403, 404, 409, 413, 422, 429, 451, 500, 503),
        JobCreated,
        json_body=RerollBody,
        parameters=(IDEMPOTENCY_KEY_PARAMETER,),
        example={"target": "scene 1"},
    ),
)
async def reroll_job(request: Request, job_id: str) -> Response:
    """Extension: generate one image again with another seed, and every image that depends on it."""
    state = _state(request)
    owner = authenticate(request)
    record = await run_in_threadpool(state.access.get_or_404, owner, "v1", job_id)
    content = await read_json(request)
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    async def handle() -> tuple[int, Any]:
        body = parse(RerollBody, drop_unknown_keys(RerollBody, content))
        if record.is_active:
            raise busy_error("v1")
        assert isinstance(record.story, Story)
        plan = plan_story(record.story, state.service.catalog, "keyframes").plan
        story = record.story.with_new_takes(resolve_target(body.target, plan))
        await run_in_threadpool(state.admit, owner)
        cost = await run_in_threadpool(state.cost_preview.cost, story, "keyframes")
        await run_in_threadpool(state.update, record, StoryUpdate(story=story), JobRequest("keyframes", cost=cost))
        return 202, {
            "job_id": job_id,
            "poll_url": f"{state.presenter.base_url(request)}/v1/jobs/{job_id}",
            "status": "pending",
        }

    return await state.idempotency.run_once(request, owner, digest, handle)


@router.get(
    "/v1/jobs/{job_id}/events",
    **operation((200, 401, 403, 404, 422, 500), response_class=EventStreamResponse),
)
async def stream_job_events(request: Request, job_id: str) -> Response:
    """Extension: stream server-sent events of the progress until the job has ended."""
    state = _state(request)
    owner = authenticate(request)
    event_fields = ("job_id", "status", "scenes_completed", "progress_percentage", "message")

    def render(record: Record, base: str) -> dict[str, Any]:
        job = job_response(state.presenter.job_view(record, base))
        return {name: job[name] for name in event_fields}

    return await state.poll_cache.stream_events(
        state.presenter.base_url(request), owner, "v1", job_id, render,
        lambda state: state["status"] in ("completed", "failed"),
    )  # fmt: skip


@router.get("/v1/models", **operation((200, 401, 403, 500), ModelList))
def list_models(request: Request) -> Response:
    """List the values of `model`."""
    state = _state(request)
    authenticate(request)
    return JSONResponse(models_response(_list_image_models(state.service.catalog)))


def _list_image_models(catalog: Catalog) -> list[dict[str, Any]]:
    """Return every alias and model that generates scene images."""
    found = []
    for name in (*catalog.aliases, *catalog.models):
        specs = [spec for spec in catalog.candidates(name) if Kind.KEYFRAME in spec.kinds]
        if not specs:
            continue
        spec = next((spec for spec in specs if not unavailable_reason(spec)), specs[0])
        found.append(
            {
                "id": name,
                "supports_multiturn": spec.multiturn,
                "installed": not unavailable_reason(spec),
                "resolved_model": spec.name,
                "licence": spec.licence,
                "max_references": spec.max_references,
            }
        )
    return found


def _parse_story(
    state: AppState, owner: str, content: Mapping[str, Any]
) -> tuple[Story, GenerateExtensions, list[str]]:
    """Return the story, the extensions and the warnings of a request. Raises StoryError, ApiError."""
    known_fields = drop_unknown_keys(GenerateBody, content)
    warnings = [f"unknown key {key} ignored" for key in content if key not in known_fields]
    parse(GenerateBody, known_fields)
    extensions = parse(
        GenerateExtensions,
        {key: known_fields.pop(key) for key in list(GenerateExtensions.model_fields) if key in known_fields},
    )
    _check_model(state.service.catalog, known_fields["model"])
    if known_fields.get("strictness") is None:
        known_fields["strictness"] = state.settings.strictness
    story = generate_requests.to_story(with_frame_defaults(known_fields, state.settings.short_side, state.settings.fps))
    state.check(story)
    return state.attachments.resolve_urls(owner, story, https=True), extensions, warnings


def _check_model(catalog: Catalog, name: str) -> None:
    try:
        specs: list[ModelSpec] = [spec for spec in catalog.candidates(name) if Kind.KEYFRAME in spec.kinds]
    except CatalogError:
        specs = []
    if not specs:
        raise ApiError(404, "model not found; GET /v1/models lists the models", code="model_not_found")
    usable = [spec for spec in specs if not unavailable_reason(spec)]
    if not usable:
        raise ApiError(503, "model is not installed", code="model_unavailable")
    if not usable[0].multiturn:
        raise ApiError(
            422, "model does not support multi-image context; choose one with supports_multiturn",
            code="model_not_capable", details={"field": "model"},
        )  # fmt: skip


def _state(request: Request) -> AppState:
    state: AppState = request.app.state.app_state
    return state

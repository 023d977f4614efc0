"""The Story API: `/story…`. Each route validates a request, stores the change, and enqueues a job."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from engine.schemas.common import parse
from engine.schemas.response_models import (
    CostPreviewResponse,
    StoryListResponse,
    StoryOptionsResponse,
    StoryResponse,
)
from engine.schemas.story_edits import (
    ConcatBody,
    ElementsStepBody,
    ImageOption,
    MotionType,
    ScenesStepBody,
    StoryPutBody,
    VideosStepBody,
)
from engine.schemas.story_requests import ImageTool, VideoTool
from engine.schemas.story_responses import story_response
from engine.server.http.api_keys import authenticate
from engine.server.http.errors import ApiError
from engine.server.http.forms import Form, decode_fields, read_form
from engine.server.http.openapi import API_KEY_HEADER, DRY_RUN_PARAMETER, IDEMPOTENCY_KEY_PARAMETER, operation
from engine.server.jobs.queue import JobRequest, JobTarget
from engine.server.jobs.stories import Record, StoryUpdate
from engine.server.routes import story_steps
from engine.server.routes.access import not_found_error
from engine.server.routes.create_story import CREATE_FORMS, StoryboardForm, parse_request, start_story
from engine.server.routes.poll import EventStreamResponse
from engine.server.routes.state import AppState
from engine.server.routes.wait import Deadline, wait_finished, wait_until_idle
from engine.story.model import Narrator, Story
from pipelines.step_params import LANGUAGES

router = APIRouter(tags=["Story API"], dependencies=[API_KEY_HEADER])
CREATE_STATUS_CODES = (200, 400, 401, 402, 403, 409, 413, 422, 429, 451, 500, 503)
READ_STATUS_CODES = (200, 400, 401, 403, 404, 422, 500)
UPDATE_STATUS_CODES = (*CREATE_STATUS_CODES, 404)


def _create_operation(name: str, example: Mapping[str, Any]) -> dict[str, Any]:
    body, files = CREATE_FORMS[name]
    return operation(
        CREATE_STATUS_CODES,
        StoryResponse | CostPreviewResponse,
        form=body,
        files=files,
        parameters=(IDEMPOTENCY_KEY_PARAMETER, DRY_RUN_PARAMETER),
        example=example,
    )


@router.post("/story/idea-2-video", **_create_operation("idea-2-video", {"idea": "A fox starts a band in a meadow"}))
async def idea_to_video(request: Request) -> Response:
    """Make a film from an idea. Responds at once; poll the story until its status is `success`."""
    return await _create_story(request, "idea-2-video")


@router.post("/story/url-2-video", **_create_operation("url-2-video", {"idea": "Tell what https://example.com/ says"}))
async def url_to_video(request: Request) -> Response:
    """Make a film from a web page. `idea` contains the URL of the page. Responds at once."""
    return await _create_story(request, "url-2-video")


@router.post(
    "/story/images-2-video", **_create_operation("images-2-video", {"image_urls": ["https://example.com/a.png"]})
)
async def images_to_video(request: Request) -> Response:
    """Make a film from images: one scene per image, in their order. Responds at once."""
    return await _create_story(request, "images-2-video")


@router.post(
    "/story",
    **operation(
        (*CREATE_STATUS_CODES, 404),
        StoryResponse | CostPreviewResponse,
        form=StoryboardForm,
        files=True,
        parameters=(IDEMPOTENCY_KEY_PARAMETER, DRY_RUN_PARAMETER),
        example={"idea": "A fox starts a band in a meadow", "scene_count": 2},
    ),
)
async def create_storyboard(request: Request) -> Response:
    """Step 1: write the storyboard. Waits for the result; `processing` after `sync_wait_seconds`."""
    return await _create_story(request, "storyboard")


@router.get("/story", **operation(READ_STATUS_CODES, StoryListResponse))
def list_stories(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
) -> Response:
    """Extension: list the stories of the API key, newest first."""
    state = _state(request)
    found, total = state.records.list_page(authenticate(request), "story", limit, offset)
    base = state.presenter.base_url(request)
    stories = [story_response(state.presenter.story_view(record, base)) for record in found]
    return JSONResponse({"data": stories, "total": total, "limit": limit, "offset": offset})


@router.get("/story/options", **operation((200, 401, 403, 500), StoryOptionsResponse))
def list_options(request: Request) -> Response:
    """Extension: list the values of enumerated fields and the limits of this server."""
    state = _state(request)
    authenticate(request)
    settings = state.settings
    return JSONResponse(
        {
            "data": {
                "aspect_ratio": ["16:9", "4:3", "1:1", "3:4", "9:16"],
                "image_tool": list(typing.get_args(ImageTool)),
                "option": list(typing.get_args(ImageOption)),
                "video_tool": list(typing.get_args(VideoTool)),
                "motion_type": list(typing.get_args(MotionType)),
                "scene_duration": [5, 10],
                "language": list(LANGUAGES),
                "narrator": list(typing.get_args(Narrator)),
                "visibility_status": ["0", "1", "2"],
                "limits": {
                    "max_scenes": settings.max_scenes,
                    "max_images": settings.max_images,
                    "max_upload_mb": settings.max_upload_mb,
                },
            }
        }
    )


@router.get("/story/{story_id}", **operation(READ_STATUS_CODES, StoryResponse))
async def get_story(request: Request, story_id: str) -> Response:
    """Return a story: status, storyboard, scenes and film."""
    state = _state(request)
    owner = authenticate(request)
    return await state.poll_cache.respond(
        state.presenter.base_url(request), owner, "story", story_id,
        lambda record, base: {"data": story_response(state.presenter.story_view(record, base))},
    )  # fmt: skip


@router.put(
    "/story/{story_id}",
    **operation((*READ_STATUS_CODES, 413, 451), StoryResponse, form=StoryPutBody, example={"title": "Meadow Band"}),
)
async def update_story(request: Request, story_id: str) -> Response:
    """Update title, description and visibility. Absent fields stay unchanged."""
    state, record, form = await _load_request(request, story_id)
    body = parse(StoryPutBody, decode_fields(StoryPutBody, form))
    texts = {"title": body.title or "", "description": body.description or ""}
    await run_in_threadpool(state.check, record.story.model_copy(update=texts))
    extra = dict(record.extra)
    if body.additional_videos is not None:
        extra["additional_videos"] = body.additional_videos
    update = StoryUpdate(
        title=body.title,
        description=body.description,
        visibility=str(body.visibility_status) if body.visibility_status is not None else None,
        extra=extra if body.additional_videos is not None else None,
    )
    updated = await run_in_threadpool(state.update, record, update)
    return await run_in_threadpool(_story_response, state, request, updated)


@router.delete("/story/{story_id}", **operation(READ_STATUS_CODES, StoryResponse))
def delete_story(request: Request, story_id: str) -> Response:
    """Delete a story with its media, and cancel its job. Return its last state."""
    state = _state(request)
    record = state.access.get_or_404(authenticate(request), "story", story_id)
    body = {"data": story_response(state.presenter.story_view(record, state.presenter.base_url(request)))}
    state.changes.delete(record.id)
    return JSONResponse(body)


@router.post(
    "/story/{story_id}/elements",
    **operation(UPDATE_STATUS_CODES, StoryResponse, form=ElementsStepBody, parameters=(IDEMPOTENCY_KEY_PARAMETER,)),
)
async def create_elements(request: Request, story_id: str) -> Response:
    """Step 1.5: generate images of characters, environments and objects. Waits for the result."""
    return await _run_step(request, story_id, story_steps.prepare_elements)


@router.post(
    "/story/{story_id}/scenes",
    **operation(UPDATE_STATUS_CODES, StoryResponse, form=ScenesStepBody, parameters=(IDEMPOTENCY_KEY_PARAMETER,)),
)
async def create_scenes(request: Request, story_id: str) -> Response:
    """Step 2: generate images and narrations of the scenes. Waits for the result."""
    return await _run_step(request, story_id, story_steps.prepare_scenes)


@router.post(
    "/story/{story_id}/videos",
    **operation(UPDATE_STATUS_CODES, StoryResponse, form=VideosStepBody, parameters=(IDEMPOTENCY_KEY_PARAMETER,)),
)
async def create_videos(request: Request, story_id: str) -> Response:
    """Step 3: make the film. Responds at once."""
    return await _run_step(request, story_id, story_steps.prepare_videos)


@router.post(
    "/story/{story_id}/concat",
    **operation(UPDATE_STATUS_CODES, StoryResponse, form=ConcatBody, parameters=(IDEMPOTENCY_KEY_PARAMETER,)),
)
async def concat_videos(request: Request, story_id: str) -> Response:
    """Make a film of the scene videos, or of the given clips. Responds at once."""
    return await _run_step(request, story_id, story_steps.prepare_concat)


@router.post(
    "/story/{story_id}/reroll",
    **operation(
        UPDATE_STATUS_CODES,
        StoryResponse,
        form=story_steps.RerollBody,
        parameters=(IDEMPOTENCY_KEY_PARAMETER,),
        example={"target": "scene 1"},
    ),
)
async def reroll_story(request: Request, story_id: str) -> Response:
    """Extension: generate one part again with another seed, and every part that depends on it."""
    return await _run_step(request, story_id, story_steps.prepare_reroll)


@router.get("/story/{story_id}/events", **operation(READ_STATUS_CODES, response_class=EventStreamResponse))
async def stream_story_events(request: Request, story_id: str) -> Response:
    """Extension: stream server-sent events of the progress until the story is not `processing`."""
    state = _state(request)
    owner = authenticate(request)
    event_fields = ("id", "status", "progress_percentage", "message", "video_url")

    def render(record: Record, base: str) -> dict[str, Any]:
        story = story_response(state.presenter.story_view(record, base))
        return {name: story[name] for name in event_fields}

    return await state.poll_cache.stream_events(
        state.presenter.base_url(request),
        owner,
        "story",
        story_id,
        render,
        lambda state: state["status"] != "processing",
    )


# --- creating stories -------------------------------------------------------------------------------------------------


async def _create_story(request: Request, name: str) -> Response:
    state = _state(request)
    owner = authenticate(request)
    form = await _read_form(state, request)
    digest = await form.digest() if "idempotency-key" in request.headers else ""
    deadline = Deadline()

    async def handle() -> tuple[int, Any]:
        create_request = await parse_request(state, owner, name, form)
        if request.query_params.get("dry_run", "").lower() in ("true", "1"):
            return 200, {
                "data": await run_in_threadpool(state.cost_preview.preview, create_request.brief, create_request.target)
            }
        record = await start_story(state, owner, create_request)
        if create_request.target == "storyboard":
            await wait_finished(state, record.id, deadline.remaining(state.settings.sync_wait_seconds[0]))
        return 200, await run_in_threadpool(_story_body, state, request, record.id)

    return await state.idempotency.run_once(request, owner, digest, handle)


# --- steps ------------------------------------------------------------------------------------------------------------


SYNC_WAIT_INDEX: Mapping[JobTarget, int] = {"elements": 1, "scenes": 2}


async def _run_step(request: Request, story_id: str, prepare: story_steps.PrepareStep) -> Response:
    """Run a step on a story with a storyboard: store its update, enqueue its job, wait for steps 1.5 and 2."""
    state, record, form = await _load_request(request, story_id)
    digest = await form.digest() if "idempotency-key" in request.headers else ""
    deadline = Deadline()

    async def handle() -> tuple[int, Any]:
        idle_record = await wait_until_idle(state, record)
        if not isinstance(idle_record.story, Story):
            raise ApiError(
                400, "story has no storyboard yet; run step 1 first (POST /story)", code="step_required",
                details={"step": "storyboard"},
            )  # fmt: skip
        update, target, job_story = await run_in_threadpool(prepare, state, idle_record, form)
        if isinstance(update.story, Story):
            await run_in_threadpool(state.check, update.story)
        await run_in_threadpool(state.admit, idle_record.owner)
        cost = await run_in_threadpool(state.cost_preview.cost, job_story or update.story or idle_record.story, target)
        await run_in_threadpool(state.update, idle_record, update, JobRequest(target, cost=cost, story=job_story))
        if target in SYNC_WAIT_INDEX:
            await wait_finished(
                state, idle_record.id, deadline.remaining(state.settings.sync_wait_seconds[SYNC_WAIT_INDEX[target]])
            )
        return 200, await run_in_threadpool(_story_body, state, request, idle_record.id)

    return await state.idempotency.run_once(request, record.owner, digest, handle)


# --- helpers ----------------------------------------------------------------------------------------------------------


async def _load_request(request: Request, story_id: str) -> tuple[AppState, Record, Form]:
    """Return the story and the form of a request. Unknown ids are rejected before the body is read."""
    state = _state(request)
    owner = authenticate(request)
    record = await run_in_threadpool(state.access.get_or_404, owner, "story", story_id)
    return state, record, await _read_form(state, request)


async def _read_form(state: AppState, request: Request) -> Form:
    settings = state.settings
    return await read_form(request, settings.max_images + 10, settings.max_upload_mb << 20)


def _story_response(state: AppState, request: Request, record: Record) -> Response:
    return JSONResponse({"data": story_response(state.presenter.story_view(record, state.presenter.base_url(request)))})


def _story_body(state: AppState, request: Request, story_id: str) -> dict[str, Any]:
    try:
        record = state.records.get(story_id)
    except KeyError:
        raise not_found_error("story") from None
    return {"data": story_response(state.presenter.story_view(record, state.presenter.base_url(request)))}


def _state(request: Request) -> AppState:
    state: AppState = request.app.state.app_state
    return state

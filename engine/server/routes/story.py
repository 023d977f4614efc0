"""The Story API: `/story…`. Each route reads, checks, stores what is asked for, and lets the scheduler do it."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from engine.schemas.common import parse
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
from engine.schemas.story_responses import story_object
from engine.server.http.api_keys import owner_of
from engine.server.http.errors import ApiError
from engine.server.http.forms import Form, decoded, read_form
from engine.server.http.openapi import DRY_RUN, IDEMPOTENCY, operation
from engine.server.jobs.queue import Goal, Order
from engine.server.jobs.stories import Change, Record
from engine.server.routes import story_steps
from engine.server.routes.access import not_there
from engine.server.routes.create_story import CREATED, StoryboardForm, asked_for, begun
from engine.server.routes.state import Desk
from engine.server.routes.wait import Patience, free, waited
from engine.story.model import Narrator, Story
from pipelines.step_params import LANGUAGES

router = APIRouter(tags=["Story API"])
CREATING = (200, 400, 401, 402, 403, 409, 413, 422, 429, 451, 500, 503)
READING = (200, 400, 401, 403, 404, 422, 500)
CHANGING = (*CREATING, 404)


def _page(name: str, example: Mapping[str, Any]) -> dict[str, Any]:
    body, files = CREATED[name]
    return operation(CREATING, form=body, files=files, parameters=(IDEMPOTENCY, DRY_RUN), example=example)


@router.post("/story/idea-2-video", **_page("idea-2-video", {"idea": "A fox starts a band in a meadow"}))
async def idea_to_video(request: Request) -> Response:
    """An idea becomes a film."""
    return await _create(request, "idea-2-video")


@router.post("/story/url-2-video", **_page("url-2-video", {"idea": "Tell what https://example.com/ says"}))
async def url_to_video(request: Request) -> Response:
    """A page becomes a film: its address stands in `idea`."""
    return await _create(request, "url-2-video")


@router.post("/story/images-2-video", **_page("images-2-video", {"image_urls": ["https://example.com/a.png"]}))
async def images_to_video(request: Request) -> Response:
    """Pictures become the scenes of a film, in their order."""
    return await _create(request, "images-2-video")


@router.post(
    "/story",
    **operation(
        (*CREATING, 404), form=StoryboardForm, files=True, parameters=(IDEMPOTENCY, DRY_RUN),
        example={"idea": "A fox starts a band in a meadow", "scene_count": 2},
    ),
)  # fmt: skip
async def storyboard(request: Request) -> Response:
    """Step 1: the storyboard. Waits for it."""
    return await _create(request, "storyboard")


@router.get("/story", **operation(READING))
def list_stories(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
) -> Response:
    """Extension: your stories, newest first."""
    desk = _desk(request)
    found, total = desk.records.page(owner_of(request), "story", limit, offset)
    base = desk.showing.base(request)
    stories = [story_object(desk.showing.view(record, base)) for record in found]
    return JSONResponse({"data": stories, "total": total, "limit": limit, "offset": offset})


@router.get("/story/options", **operation((200, 401, 403, 500)))
def options(request: Request) -> Response:
    """Extension: all values that fields can have here, and the limits of this server."""
    desk = _desk(request)
    owner_of(request)
    settings = desk.settings
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


@router.get("/story/{story_id}", **operation(READING))
async def show(request: Request, story_id: str) -> Response:
    """The story: its state, storyboard, scenes and film."""
    desk = _desk(request)
    owner = owner_of(request)
    return await desk.polls.answer(
        desk.showing.base(request), owner, "story", story_id,
        lambda record, base: {"data": story_object(desk.showing.view(record, base))},
    )  # fmt: skip


@router.put("/story/{story_id}", **operation((*READING, 413, 451), form=StoryPutBody, example={"title": "Meadow Band"}))
async def change(request: Request, story_id: str) -> Response:
    """Title, description, visibility. What is not sent stays."""
    desk, record, form = await _asked(request, story_id)
    body = parse(StoryPutBody, decoded(StoryPutBody, form))
    words = {"title": body.title or "", "description": body.description or ""}
    await run_in_threadpool(desk.check, record.told.model_copy(update=words))
    extra = dict(record.extra)
    if body.additional_videos is not None:
        extra["additional_videos"] = body.additional_videos
    wanted = Change(
        title=body.title,
        description=body.description,
        visibility=str(body.visibility_status) if body.visibility_status is not None else None,
        extra=extra if body.additional_videos is not None else None,
    )
    changed = await run_in_threadpool(desk.change, record, wanted)
    return await run_in_threadpool(_shown, desk, request, changed)


@router.delete("/story/{story_id}", **operation(READING))
def delete(request: Request, story_id: str) -> Response:
    """Delete the story and its media; work on it is stopped."""
    desk = _desk(request)
    record = desk.owned.find(owner_of(request), "story", story_id)
    body = {"data": story_object(desk.showing.view(record, desk.showing.base(request)))}
    desk.delete(record.id)
    return JSONResponse(body)


@router.post("/story/{story_id}/elements", **operation(CHANGING, form=ElementsStepBody, parameters=(IDEMPOTENCY,)))
async def elements(request: Request, story_id: str) -> Response:
    """Step 1.5: pictures of characters, environments and objects. Waits for them."""
    return await _once(request, story_id, story_steps.elements)


@router.post("/story/{story_id}/scenes", **operation(CHANGING, form=ScenesStepBody, parameters=(IDEMPOTENCY,)))
async def scenes(request: Request, story_id: str) -> Response:
    """Step 2: pictures and narrations of the scenes. Waits for them."""
    return await _once(request, story_id, story_steps.scenes)


@router.post("/story/{story_id}/videos", **operation(CHANGING, form=VideosStepBody, parameters=(IDEMPOTENCY,)))
async def videos(request: Request, story_id: str) -> Response:
    """Step 3: the film. Answers at once."""
    return await _once(request, story_id, story_steps.videos)


@router.post("/story/{story_id}/concat", **operation(CHANGING, form=ConcatBody, parameters=(IDEMPOTENCY,)))
async def concat(request: Request, story_id: str) -> Response:
    """A new film of the scene videos, or of exactly the clips that are named. Answers at once."""
    return await _once(request, story_id, story_steps.concat)


@router.post(
    "/story/{story_id}/reroll",
    **operation(CHANGING, form=story_steps.RerollBody, parameters=(IDEMPOTENCY,), example={"target": "scene 1"}),
)
async def reroll(request: Request, story_id: str) -> Response:
    """Extension: make one part anew, with another seed, and whatever depends on it."""
    return await _once(request, story_id, story_steps.reroll)


@router.get(
    "/story/{story_id}/events",
    **operation(READING, answer={"text/event-stream": {"schema": {"type": "string"}}}),
)
async def events(request: Request, story_id: str) -> Response:
    """Extension: server-sent events of the story's progress, until nothing is being done any more."""
    desk = _desk(request)
    owner = owner_of(request)
    shown = ("id", "status", "progress_percentage", "message", "video_url")

    def render(record: Record, base: str) -> dict[str, Any]:
        story = story_object(desk.showing.view(record, base))
        return {name: story[name] for name in shown}

    return await desk.polls.events(
        desk.showing.base(request), owner, "story", story_id, render, lambda state: state["status"] != "processing"
    )


# --- creating ---------------------------------------------------------------------------------------------------------


async def _create(request: Request, name: str) -> Response:
    desk = _desk(request)
    owner = owner_of(request)
    form = await _form(desk, request)
    digest = await form.digest() if "idempotency-key" in request.headers else ""
    patience = Patience()

    async def make() -> tuple[int, Any]:
        asked = await asked_for(desk, owner, name, form)
        if request.query_params.get("dry_run", "").lower() in ("true", "1"):
            return 200, {"data": await run_in_threadpool(desk.quotes.forecast, asked.brief, asked.goal)}
        record = await begun(desk, owner, asked)
        if asked.goal == "storyboard":
            await waited(desk, record.id, patience.left(desk.settings.sync_wait_seconds[0]))
        return 200, await run_in_threadpool(_body, desk, request, record.id)

    return await desk.repeats.once(request, owner, digest, make)


# --- steps ------------------------------------------------------------------------------------------------------------


WAITS: Mapping[Goal, int] = {"elements": 1, "scenes": 2}


async def _once(request: Request, story_id: str, step: story_steps.Step) -> Response:
    """One step: the story must be free and have its storyboard; what `step` wants is stored, and waited for where the
    clients of that step wait."""
    desk, record, form = await _asked(request, story_id)
    digest = await form.digest() if "idempotency-key" in request.headers else ""
    patience = Patience()

    async def make() -> tuple[int, Any]:
        story = await free(desk, record)
        if not isinstance(story.told, Story):
            raise ApiError(
                400, "this story has no storyboard yet: make it first (POST /story, step 1)", word="step_required",
                details={"step": "storyboard"},
            )  # fmt: skip
        change, goal, told = await run_in_threadpool(step, desk, story, form)
        if isinstance(change.told, Story):
            await run_in_threadpool(desk.check, change.told)
        await run_in_threadpool(desk.admit, story.owner)
        cost = await run_in_threadpool(desk.quotes.cost, told or change.told or story.told, goal)
        await run_in_threadpool(desk.change, story, change, Order(goal, cost=cost, told=told))
        if goal in WAITS:
            await waited(desk, story.id, patience.left(desk.settings.sync_wait_seconds[WAITS[goal]]))
        return 200, await run_in_threadpool(_body, desk, request, story.id)

    return await desk.repeats.once(request, record.owner, digest, make)


# --- underneath -------------------------------------------------------------------------------------------------------


async def _asked(request: Request, story_id: str) -> tuple[Desk, Record, Form]:
    """The story that a request is about, found before its body is read any further."""
    desk = _desk(request)
    owner = owner_of(request)
    record = await run_in_threadpool(desk.owned.find, owner, "story", story_id)
    return desk, record, await _form(desk, request)


async def _form(desk: Desk, request: Request) -> Form:
    settings = desk.settings
    return await read_form(request, settings.max_images + 10, settings.max_upload_mb << 20)


def _shown(desk: Desk, request: Request, record: Record) -> Response:
    return JSONResponse({"data": story_object(desk.showing.view(record, desk.showing.base(request)))})


def _body(desk: Desk, request: Request, story_id: str) -> dict[str, Any]:
    try:
        record = desk.records.get(story_id)
    except KeyError:
        raise not_there("story") from None
    return {"data": story_object(desk.showing.view(record, desk.showing.base(request)))}


def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk

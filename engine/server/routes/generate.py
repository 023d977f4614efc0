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
from engine.planning.targets import steps_of
from engine.schemas import generate_requests
from engine.schemas.common import Wire, framed, parse
from engine.schemas.generate_requests import GenerateStoryBody
from engine.schemas.generate_responses import job_object, models_object
from engine.server.http.api_keys import owner_of
from engine.server.http.errors import ApiError
from engine.server.http.forms import known_only, read_json
from engine.server.http.openapi import DRY_RUN, IDEMPOTENCY, operation
from engine.server.jobs.queue import Order
from engine.server.jobs.stories import Change, Record
from engine.server.routes.access import busy
from engine.server.routes.state import Desk
from engine.server.routes.story_steps import RerollBody
from engine.story.model import Story
from pipelines.base import Kind, ModelSpec
from pipelines.models.catalog import Catalog, CatalogError, lacks

router = APIRouter(tags=["Generate-story API"])
EXAMPLE = {
    "model": "local-story",
    "characters": [{"name": "Ilva", "appearance": "a girl with a red scarf"}],
    "scenes": [
        {"prompt": "Ilva finds a map", "characters": [{"name": "Ilva"}]},
        {"prompt": "Ilva crosses the river", "characters": [{"name": "Ilva"}]},
    ],
}


class Wishes(Wire):
    """Extensions of the creating request."""

    priority: int = Field(0, ge=-10, le=10, description="Extension: more urgent work is done first.")
    expires_at: str | None = Field(None, max_length=64, description="Extension: when the job deletes itself.")


class GenerateBody(Wishes, GenerateStoryBody):
    """Portraits of the characters, then the pictures of the scenes, each with the earlier ones as context."""


@router.post(
    "/v1/generate/story",
    status_code=202,
    **operation(
        (202, 200, 400, 401, 402, 403, 404, 409, 413, 422, 429, 451, 500, 503),
        json_body=GenerateBody, parameters=(IDEMPOTENCY, DRY_RUN), example=EXAMPLE,
    ),
)  # fmt: skip
async def generate(request: Request) -> Response:
    """Begin a job. All that can be checked without the network is checked before the answer."""
    desk = _desk(request)
    owner = owner_of(request)
    content = await read_json(request)
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    async def make() -> tuple[int, Any]:
        story, wishes, warnings = await run_in_threadpool(_story, desk, owner, content)
        if request.query_params.get("dry_run", "").lower() in ("true", "1"):
            return 200, await run_in_threadpool(desk.quotes.forecast, story, "keyframes")
        expires = desk.incoming.expiry(wishes.expires_at)
        await run_in_threadpool(desk.admit, owner)
        cost = await run_in_threadpool(desk.quotes.cost, story, "keyframes")
        record = await run_in_threadpool(
            lambda: desk.create(
                owner,
                "v1",
                story,
                Order("keyframes", wishes.priority, cost),
                extra={"warnings": warnings},
                expires=expires,
            )
        )
        poll = f"{desk.showing.base(request)}/v1/jobs/{record.id}"
        return 202, {"job_id": record.id, "poll_url": poll, "status": "pending"}

    return await desk.repeats.once(request, owner, digest, make)


@router.get("/v1/jobs/{job_id}", **operation((200, 401, 403, 404, 422, 500)))
async def job(request: Request, job_id: str) -> Response:
    """The job: how far it is, and its pictures when it is completed."""
    desk = _desk(request)
    owner = owner_of(request)
    return await desk.polls.answer(
        desk.showing.base(request), owner, "v1", job_id,
        lambda record, base: job_object(desk.showing.job(record, base)),
    )  # fmt: skip


@router.delete("/v1/jobs/{job_id}", **operation((200, 401, 403, 404, 422, 500)))
def cancel(request: Request, job_id: str) -> Response:
    """Extension: stop the job and delete what it made."""
    desk = _desk(request)
    record = desk.owned.find(owner_of(request), "v1", job_id)
    body = job_object(desk.showing.job(record, desk.showing.base(request)))
    desk.delete(record.id)
    return JSONResponse(body)


@router.post(
    "/v1/jobs/{job_id}/reroll",
    status_code=202,
    **operation(
        (202, 400, 401, 402, 403, 404, 409, 413, 422, 429, 451, 500, 503), json_body=RerollBody, parameters=(IDEMPOTENCY,),
        example={"target": "scene 1"},
    ),
)  # fmt: skip
async def reroll(request: Request, job_id: str) -> Response:
    """Extension: make one picture anew, with another seed, and whatever depends on it."""
    desk = _desk(request)
    owner = owner_of(request)
    record = await run_in_threadpool(desk.owned.find, owner, "v1", job_id)
    content = await read_json(request)
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    async def make() -> tuple[int, Any]:
        body = parse(RerollBody, known_only(RerollBody, content))
        if record.active:
            raise busy("v1")
        assert isinstance(record.told, Story)
        plan = plan_story(record.told, desk.service.catalog, "keyframes").plan
        story = record.told.anew(steps_of(body.target, plan))
        await run_in_threadpool(desk.admit, owner)
        cost = await run_in_threadpool(desk.quotes.cost, story, "keyframes")
        await run_in_threadpool(desk.change, record, Change(told=story), Order("keyframes", cost=cost))
        return 202, {
            "job_id": job_id,
            "poll_url": f"{desk.showing.base(request)}/v1/jobs/{job_id}",
            "status": "pending",
        }

    return await desk.repeats.once(request, owner, digest, make)


@router.get(
    "/v1/jobs/{job_id}/events",
    **operation((200, 401, 403, 404, 422, 500), answer={"text/event-stream": {"schema": {"type": "string"}}}),
)
async def events(request: Request, job_id: str) -> Response:
    """Extension: server-sent events of the job's progress, until it has ended."""
    desk = _desk(request)
    owner = owner_of(request)
    shown = ("job_id", "status", "scenes_completed", "progress_percentage", "message")

    def render(record: Record, base: str) -> dict[str, Any]:
        job = job_object(desk.showing.job(record, base))
        return {name: job[name] for name in shown}

    return await desk.polls.events(
        desk.showing.base(request), owner, "v1", job_id, render,
        lambda state: state["status"] in ("completed", "failed"),
    )  # fmt: skip


@router.get("/v1/models", **operation((200, 401, 403, 500)))
def models(request: Request) -> Response:
    """What can be named as `model`."""
    desk = _desk(request)
    owner_of(request)
    return JSONResponse(models_object(_listed(desk.service.catalog)))


def _listed(catalog: Catalog) -> list[dict[str, Any]]:
    """Every alias, and every model, that makes pictures of scenes."""
    found = []
    for name in (*catalog.aliases, *catalog.models):
        specs = [spec for spec in catalog.candidates(name) if Kind.KEYFRAME in spec.kinds]
        if not specs:
            continue
        spec = next((spec for spec in specs if not lacks(spec)), specs[0])
        found.append(
            {
                "id": name,
                "supports_multiturn": spec.multiturn,
                "installed": not lacks(spec),
                "served_by": spec.name,
                "licence": spec.licence,
                "max_references": spec.max_references,
            }
        )
    return found


def _story(desk: Desk, owner: str, content: Mapping[str, Any]) -> tuple[Story, Wishes, list[str]]:
    """The story of a request. Raises StoryError, ApiError."""
    known = known_only(GenerateBody, content)
    warnings = [f"the key {key} is not known and was ignored" for key in content if key not in known]
    parse(GenerateBody, known)
    wishes = parse(Wishes, {key: known.pop(key) for key in list(Wishes.model_fields) if key in known})
    _check_model(desk.service.catalog, known["model"])
    if known.get("strictness") is None:
        known["strictness"] = desk.settings.strictness
    story = generate_requests.story(framed(known, desk.settings.short_side, desk.settings.fps))
    desk.check(story)
    return desk.incoming.resolved(owner, story, https=True), wishes, warnings


def _check_model(catalog: Catalog, name: str) -> None:
    try:
        specs: list[ModelSpec] = [spec for spec in catalog.candidates(name) if Kind.KEYFRAME in spec.kinds]
    except CatalogError:
        specs = []
    if not specs:
        raise ApiError(404, "there is no such model; GET /v1/models lists them", word="model_not_found")
    usable = [spec for spec in specs if not lacks(spec)]
    if not usable:
        raise ApiError(503, "this model is not installed here", word="model_unavailable")
    if not usable[0].multiturn:
        raise ApiError(
            422, "this model cannot be shown earlier pictures; choose one with supports_multiturn",
            word="model_not_capable", details={"field": "model"},
        )  # fmt: skip


def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk

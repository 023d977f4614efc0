"""The application: what the routes share is made, the scheduler and the sender run as long as it does."""

from __future__ import annotations

import asyncio
import logging
import re
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, JSONResponse, Response

from engine.execution.errors import RunFailed
from engine.inputs.fetch import Door, FetchError
from engine.planning.plan import PlanningError
from engine.server.http.api_keys import Keys
from engine.server.http.errors import ApiError, request_id, response, told
from engine.server.http.idempotency import Repeats
from engine.server.http.middleware import Edge
from engine.server.http.openapi import operation
from engine.server.http.rate_limit import Rate
from engine.server.http.signed_urls import TYPES, Media, secret
from engine.server.jobs.credits import Credits, prices
from engine.server.jobs.dry_run import Quotes
from engine.server.jobs.handler import Worker
from engine.server.jobs.housekeeping import Keeper
from engine.server.jobs.metrics import Metrics
from engine.server.jobs.notifications import Hub
from engine.server.jobs.output_cache import Shelf
from engine.server.jobs.scheduler import Scheduler, webhook_body
from engine.server.jobs.stories import Records
from engine.server.jobs.webhook_sender import Sender, new_secret
from engine.server.routes import generate, story
from engine.server.routes.access import Owned
from engine.server.routes.attachments import Incoming
from engine.server.routes.poll import Polls
from engine.server.routes.presenters import Showing
from engine.server.routes.state import Desk
from engine.server.settings import ServerSettings, SettingsError
from engine.service import Service
from engine.storage.artifact_store import StoreError
from engine.storage.database import JobsError
from engine.story.model import StoryError
from pipelines.base import Missing

log = logging.getLogger("engine.server")
ROOM = 200 << 20
"""Bytes of free disk below which the server says that it is not ready."""


def desk_of(service: Service, settings: ServerSettings) -> Desk:
    """What the routes share, over one service."""
    records = Records(service.jobs, Credits(service.jobs, settings.credits, prices(settings.credit_costs)))
    hub, shelf = Hub(), Shelf(service)
    private = service.settings.allow_private_urls
    try:
        webhook_door = Door(allow_private=private, allowed_hosts=settings.webhook_hosts)
    except ValueError as error:
        raise SettingsError(f"webhook_hosts: {error}") from None
    key = settings.webhook_secret or secret(service.jobs, "webhooks", new_secret)
    sender = Sender(records.outbox, webhook_door, key, settings.webhook_pauses)
    scheduler = Scheduler(
        Worker(service, records, shelf), records, hub, webhook_body(settings.customer_id), settings.max_running
    )
    repeats = Repeats(service.jobs)

    def tidy(seconds: float) -> None:
        records.outbox.tidy(seconds)
        repeats.tidy(seconds)

    keeper = Keeper(records, tidy, lambda grace: service.collect(grace=grace))
    scheduler.on_sent, scheduler.on_superseded = sender.wake, keeper.superseded
    media = Media(secret(service.jobs, "media"), settings.media_seconds)
    owned, showing = Owned(records), Showing(settings.public_url, media, shelf, scheduler)
    return Desk(
        settings=settings,
        service=service,
        records=records,
        keys=Keys(service.jobs, settings.api_keys),
        owned=owned,
        media=media,
        hub=hub,
        shelf=shelf,
        scheduler=scheduler,
        keeper=keeper,
        sender=sender,
        rate=Rate(settings.creations_per_minute),
        metrics=Metrics(records),
        showing=showing,
        polls=Polls(owned, showing, hub),
        incoming=Incoming(
            service.store, records, media, shelf, Door(allow_private=private), webhook_door, settings.retention_days
        ),
        quotes=Quotes(service, records.credits),
        repeats=repeats,
    )


def application(service: Service, settings: ServerSettings) -> FastAPI:
    """The server over a service. The caller starts and ends the service."""
    desk = desk_of(service, settings)

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        desk.hub.attach(asyncio.get_running_loop())
        desk.repeats.resume()
        desk.scheduler.start()
        desk.sender.start()
        desk.keeper.start(desk.delete)
        yield
        desk.hub.close()
        for one in (desk.scheduler, desk.sender, desk.keeper):
            await asyncio.to_thread(one.stop)

    app = FastAPIOffline(  # its page comes from this server, not from somebody's network
        title="Story engine",
        summary="Stories become films on this machine: the Story API and the Generate-story API, with open models behind them.",
        version="1",
        lifespan=life,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.desk = desk
    app.include_router(story.router)
    app.include_router(generate.router)
    _add_media(app)
    _add_probes(app)
    _add_errors(app)
    metrics = desk.metrics

    def observe(method: str, route: str, status: int, seconds: float) -> None:
        metrics.requests.labels(method, route, status).inc()
        metrics.seconds.labels(route).observe(seconds)

    app.add_middleware(Edge, max_body_bytes=settings.max_body_mb << 20, observe=observe)
    return app


def ranges_of(header: str) -> list[int] | None:
    """The first bytes of the parts that a Range header asks for (0 for those that count from the end); None where it is not one
    that can be followed."""
    match = re.fullmatch(r"bytes=\s*((?:\d{0,18}-\d{0,18}\s*,?\s*){1,20})", header)
    found = []
    for part in match[1].replace(" ", "").strip(",").split(",") if match else ():
        first, _, last = part.partition("-")
        if not (first or last) or (first and last and int(first) > int(last)):
            return None
        found.append(int(first) if first else 0)
    return found or None


def _add_media(app: FastAPI) -> None:
    codes: Sequence[int] = (200, 206, 304, 404, 416)
    page = operation(codes, answer={"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}})

    @app.api_route("/media/{token}/{name}", methods=["GET", "HEAD"], tags=["Media"], include_in_schema=False, **page)
    def media(request: Request, token: str, name: str) -> Response:
        """A picture, sound or film, by its signed address. Takes range requests; needs no key."""
        desk: Desk = request.app.state.desk
        found = desk.media.read(token)
        if found is None or desk.media.is_over(found) or desk.records.owner_of(found.story) is None:
            raise ApiError(404, "there is no such file, or its address is too old")
        try:
            path = desk.service.store.path(found.digest)
        except StoreError:
            raise ApiError(404, "there is no such file any more") from None
        kind = TYPES.get(name.rpartition(".")[2], "application/octet-stream")
        headers = {"Cache-Control": "private, max-age=3600, immutable", "ETag": f'"{found.digest}"',
                   "Content-Security-Policy": "default-src 'none'; sandbox"}  # fmt: skip
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        size = path.stat().st_size
        if (ranges := ranges_of(request.headers.get("range", ""))) is None:
            # Half-understood ranges are none (RFC 9110, 14.2); the file's own answer must not read them otherwise.
            request.scope["headers"] = [one for one in request.scope["headers"] if one[0] != b"range"]
        elif not any(first < size for first in ranges):
            raise ApiError(
                416, "the file has no such part", word="no_such_part", headers={"Content-Range": f"bytes */{size}"}
            )
        return FileResponse(path, media_type=kind, headers=headers)


def _add_probes(app: FastAPI) -> None:
    @app.get("/healthz", tags=["Operation"], **operation((200,)))
    def alive() -> Response:
        """The server answers."""
        return JSONResponse({"status": "ok"})

    @app.get("/readyz", tags=["Operation"], **operation((200, 503)))
    def ready(request: Request) -> Response:
        """Work is taken, the history can be read, there is room on the disk."""
        desk: Desk = request.app.state.desk
        free = shutil.disk_usage(desk.service.store.root).free
        checks = {
            "scheduler": desk.scheduler.alive(),
            "room": free >= ROOM,
            "history": desk.records.queue.waiting() >= 0,
        }
        return JSONResponse({"ready": all(checks.values()), "checks": checks}, 200 if all(checks.values()) else 503)

    @app.get("/metrics", tags=["Operation"], **operation((200,), answer={"text/plain": {"schema": {"type": "string"}}}))
    def metrics(request: Request) -> Response:
        """Figures for Prometheus."""
        desk: Desk = request.app.state.desk
        return Response(desk.metrics.text(), media_type="text/plain; version=0.0.4")


def _add_errors(app: FastAPI) -> None:
    def explained(request: Request, error: Exception) -> Response:
        answer = told(error, v1=request.url.path.startswith("/v1"))
        assert answer is not None
        if isinstance(error, RunFailed | StoreError | JobsError):
            log.error("a request failed", extra={"fields": {"request_id": request_id(request)}}, exc_info=error)
        return response(answer, request)

    def of_router(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        messages = {404: "there is nothing under this address", 405: "this address does not take this method"}
        message = messages.get(error.status_code, "the request cannot be answered")
        return response(ApiError(error.status_code, message, headers=dict(error.headers or {})), request)

    def of_parameters(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        place = str(first["loc"][-1])
        return response(ApiError(422, f"{place}: {first['msg']}", details={"field": place}), request)

    for kind in (ApiError, StoryError, FetchError, PlanningError, Missing, RunFailed, StoreError, JobsError):
        app.add_exception_handler(kind, explained)
    app.add_exception_handler(HTTPException, of_router)
    app.add_exception_handler(RequestValidationError, of_parameters)

"""Builds the application: its state, routes, error handlers, and the threads that run during its lifespan."""

from __future__ import annotations

import asyncio
import logging
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response

from engine.execution.errors import RunFailed
from engine.inputs.fetch import FetchError, UrlFetcher
from engine.planning.plan import PlanningError
from engine.schemas.response_models import Health, Readiness
from engine.server.http.api_keys import ApiKeys
from engine.server.http.errors import ApiError, error_response, request_id, to_api_error
from engine.server.http.idempotency import IdempotencyStore
from engine.server.http.middleware import RequestMiddleware
from engine.server.http.openapi import operation, operation_id
from engine.server.http.rate_limit import RateLimiter
from engine.server.http.signed_urls import MEDIA_TYPES, SignedUrls, get_or_create_secret
from engine.server.jobs.credits import Credits, parse_prices
from engine.server.jobs.dry_run import CostPreview
from engine.server.jobs.garbage_collection import GarbageCollector
from engine.server.jobs.handler import JobHandler
from engine.server.jobs.housekeeping import Housekeeper
from engine.server.jobs.metrics import Metrics
from engine.server.jobs.notifications import Notifier
from engine.server.jobs.output_cache import OutputIndex
from engine.server.jobs.scheduler import JobScheduler, make_webhook_body
from engine.server.jobs.stories import Records
from engine.server.jobs.story_changes import StoryChanges
from engine.server.jobs.webhook_sender import WebhookSender, generate_secret
from engine.server.routes import generate, story
from engine.server.routes.access import StoryAccess
from engine.server.routes.attachments import Attachments
from engine.server.routes.poll import PollCache
from engine.server.routes.presenters import Presenter
from engine.server.routes.state import AppState
from engine.server.settings import ServerSettings, SettingsError
from engine.service import Service
from engine.storage.artifact_store import StoreError
from engine.storage.database import DatabaseError
from engine.story.model import StoryError
from pipelines.base import MissingDependency

log = logging.getLogger("engine.server")
MIN_FREE_DISK_BYTES = 200 << 20
"""Free disk space, in bytes, below which the server is not ready."""


def build_state(service: Service, settings: ServerSettings) -> AppState:
    """Build the components of the server over a service. Raises SettingsError."""
    database = service.database
    credits = Credits(database, settings.credit_budget, parse_prices(settings.credit_costs))
    records = Records(database, credits)
    idempotency = IdempotencyStore(database)
    notifier, output_index = Notifier(), OutputIndex(service)
    media_fetcher, webhook_fetcher = _build_fetchers(service, settings)
    webhook_secret = settings.webhook_secret or get_or_create_secret(database, "webhooks", generate_secret)
    webhook_sender = WebhookSender(records.outbox, webhook_fetcher, webhook_secret, settings.webhook_retry_delays)
    garbage_collector = GarbageCollector(lambda grace: service.gc(grace=grace))
    scheduler = JobScheduler(
        JobHandler(service, records, output_index),
        records,
        notifier,
        make_webhook_body(settings.customer_id),
        threads=settings.max_concurrent_stories,
        on_job_finished=webhook_sender.wake,
        on_superseded=garbage_collector.schedule_after_update,
    )
    changes = StoryChanges(records, scheduler, output_index, notifier, garbage_collector)

    def prune(max_age: float) -> None:
        records.outbox.prune(max_age)
        idempotency.prune(max_age)

    signed_urls = SignedUrls(get_or_create_secret(database, "media"), settings.media_url_seconds)
    access, presenter = StoryAccess(records), Presenter(settings.public_url, signed_urls, output_index, scheduler)
    return AppState(
        settings=settings,
        service=service,
        records=records,
        changes=changes,
        api_keys=ApiKeys(database, settings.api_keys),
        access=access,
        signed_urls=signed_urls,
        notifier=notifier,
        output_index=output_index,
        scheduler=scheduler,
        housekeeper=Housekeeper(records, changes.delete, prune, garbage_collector),
        webhook_sender=webhook_sender,
        rate_limiter=RateLimiter(settings.creations_per_minute),
        metrics=Metrics(records),
        presenter=presenter,
        poll_cache=PollCache(access, presenter, notifier),
        attachments=Attachments(
            service.store, records, signed_urls, output_index, media_fetcher, webhook_fetcher, settings.retention_days
        ),
        cost_preview=CostPreview(service, credits),
        idempotency=idempotency,
    )


def _build_fetchers(service: Service, settings: ServerSettings) -> tuple[UrlFetcher, UrlFetcher]:
    """Return the fetchers of media and of webhooks. Raises SettingsError."""
    allow_private = service.settings.allow_private_urls
    try:
        webhook_fetcher = UrlFetcher(allow_private=allow_private, allowed_hosts=settings.webhook_allowed_hosts)
    except ValueError as error:
        raise SettingsError(f"webhook_allowed_hosts: {error}") from None
    return UrlFetcher(allow_private=allow_private), webhook_fetcher


def create_app(service: Service, settings: ServerSettings) -> FastAPI:
    """Return the application over a service; the caller starts and closes the service."""
    state = build_state(service, settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        state.notifier.attach_loop(asyncio.get_running_loop())
        state.idempotency.release_unfinished()
        state.scheduler.start()
        state.webhook_sender.start()
        state.housekeeper.start()
        yield
        state.notifier.close()
        for service_thread in (state.scheduler, state.webhook_sender, state.housekeeper):
            await asyncio.to_thread(service_thread.stop)

    app = FastAPIOffline(  # serves the scripts of /docs itself: no CDN
        title="Story engine",
        summary="Turns stories into films on your own machine: the Story API and the Generate-story API.",
        version="1",
        lifespan=lifespan,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=operation_id,
    )
    app.state.app_state = state
    app.include_router(story.router)
    app.include_router(generate.router)
    _add_media_route(app)
    _add_health_routes(app)
    _add_error_handlers(app)
    metrics = state.metrics

    def observe(method: str, route: str, status: int, seconds: float) -> None:
        metrics.requests.labels(method, route, status).inc()
        metrics.request_seconds.labels(route).observe(seconds)

    app.add_middleware(RequestMiddleware, max_body_bytes=settings.max_body_mb << 20, observe=observe)
    return app


def parse_range_header(header: str) -> list[int] | None:
    """Return the first byte of each part of a Range header (0 for suffix ranges); None for an invalid header."""
    match = re.fullmatch(r"bytes=\s*((?:\d{0,18}-\d{0,18}\s*,?\s*){1,20})", header)
    starts = []
    for part in match[1].replace(" ", "").strip(",").split(",") if match else ():
        first, _, last = part.partition("-")
        if not (first or last) or (first and last and int(first) > int(last)):
            return None
        starts.append(int(first) if first else 0)
    return starts or None


def _add_media_route(app: FastAPI) -> None:
    @app.api_route("/media/{token}/{name}", methods=["GET", "HEAD"], include_in_schema=False)
    def get_media(request: Request, token: str, name: str) -> Response:
        """Return an image, audio file or film by its signed URL. Accepts range requests; needs no key."""
        state: AppState = request.app.state.app_state
        media_token = state.signed_urls.parse_token(token)
        if (
            media_token is None
            or state.signed_urls.is_expired(media_token)
            or state.records.owner_of(media_token.story_id) is None
        ):
            raise ApiError(404, "media file not found or URL expired")
        try:
            path = state.service.store.path(media_token.digest)
        except StoreError:
            raise ApiError(404, "media file no longer exists") from None
        media_type = MEDIA_TYPES.get(name.rpartition(".")[2], "application/octet-stream")
        headers = {"Cache-Control": "private, max-age=3600, immutable", "ETag": f'"{media_token.digest}"',
                   "Content-Security-Policy": "default-src 'none'; sandbox"}  # fmt: skip
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        size = path.stat().st_size
        if (ranges := parse_range_header(request.headers.get("range", ""))) is None:
            # RFC 9110, 14.2: ignore an invalid Range header. FileResponse would parse it in another way.
            request.scope["headers"] = [one for one in request.scope["headers"] if one[0] != b"range"]
        elif not any(first < size for first in ranges):
            raise ApiError(
                416,
                "requested range not satisfiable",
                code="range_not_satisfiable",
                headers={"Content-Range": f"bytes */{size}"},
            )
        return FileResponse(path, media_type=media_type, headers=headers)


def _add_health_routes(app: FastAPI) -> None:
    @app.get("/healthz", tags=["Operation"], **operation((200,), Health))
    def get_health() -> Response:
        """Return 200 while the server runs (liveness)."""
        return JSONResponse({"status": "ok"})

    @app.get("/readyz", tags=["Operation"], **operation((200, 503), Readiness, other_responses={503: Readiness}))
    def get_readiness(request: Request) -> Response:
        """Check scheduler, database and free disk space (readiness). Returns 503 if a check fails."""
        state: AppState = request.app.state.app_state
        free = shutil.disk_usage(state.service.store.root).free
        checks = {
            "scheduler": state.scheduler.is_alive(),
            "disk_space": free >= MIN_FREE_DISK_BYTES,
            "database": state.records.queue.count_queued() >= 0,
        }
        return JSONResponse({"ready": all(checks.values()), "checks": checks}, 200 if all(checks.values()) else 503)

    @app.get("/metrics", tags=["Operation"], **operation((200,), response_class=PlainTextResponse))
    def get_metrics(request: Request) -> Response:
        """Return metrics for Prometheus."""
        state: AppState = request.app.state.app_state
        return Response(state.metrics.render(), media_type="text/plain; version=0.0.4")


def _add_error_handlers(app: FastAPI) -> None:
    def handle_known_error(request: Request, error: Exception) -> Response:
        api_error = to_api_error(error, v1=request.url.path.startswith("/v1"))
        assert api_error is not None
        if isinstance(error, RunFailed | StoreError | DatabaseError):
            log.error("request failed", extra={"fields": {"request_id": request_id(request)}}, exc_info=error)
        return error_response(api_error, request)

    def handle_http_exception(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        messages = {404: "not found", 405: "method not allowed"}
        message = messages.get(error.status_code, "request failed")
        return error_response(ApiError(error.status_code, message, headers=dict(error.headers or {})), request)

    def handle_validation_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        field = str(first["loc"][-1])
        return error_response(ApiError(422, f"{field}: {first['msg']}", details={"field": field}), request)

    for error_class in (
        ApiError,
        StoryError,
        FetchError,
        PlanningError,
        MissingDependency,
        RunFailed,
        StoreError,
        DatabaseError,
    ):
        app.add_exception_handler(error_class, handle_known_error)
    app.add_exception_handler(HTTPException, handle_http_exception)
    app.add_exception_handler(RequestValidationError, handle_validation_error)

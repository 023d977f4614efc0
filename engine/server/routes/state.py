"""The state that all routes share."""

from __future__ import annotations

from dataclasses import dataclass

from engine.execution.errors import RunFailed
from engine.schemas.story_requests import to_api_field
from engine.server.http.api_keys import ApiKeys
from engine.server.http.errors import ApiError
from engine.server.http.idempotency import IdempotencyStore
from engine.server.http.rate_limit import RateLimiter
from engine.server.http.signed_urls import SignedUrls
from engine.server.jobs.dry_run import CostPreview
from engine.server.jobs.housekeeping import Housekeeper
from engine.server.jobs.metrics import Metrics
from engine.server.jobs.notifications import Notifier
from engine.server.jobs.output_cache import OutputIndex
from engine.server.jobs.queue import JobRequest
from engine.server.jobs.scheduler import JobScheduler
from engine.server.jobs.stories import Record, Records, StoryBusy, StoryUpdate
from engine.server.jobs.story_changes import StoryChanges
from engine.server.jobs.webhook_sender import WebhookSender
from engine.server.routes.access import StoryAccess, busy_error, not_found_error
from engine.server.routes.attachments import Attachments
from engine.server.routes.poll import PollCache
from engine.server.routes.presenters import Presenter
from engine.server.settings import ServerSettings
from engine.service import Service
from engine.story.field_path import FieldPath
from engine.story.model import Brief, Story


@dataclass(frozen=True, slots=True)
class AppState:
    """The components of the server, built once by `engine.server.app.build_state`."""

    settings: ServerSettings
    service: Service
    records: Records
    access: StoryAccess
    api_keys: ApiKeys
    signed_urls: SignedUrls
    notifier: Notifier
    output_index: OutputIndex
    scheduler: JobScheduler
    housekeeper: Housekeeper
    changes: StoryChanges
    webhook_sender: WebhookSender
    rate_limiter: RateLimiter
    metrics: Metrics
    presenter: Presenter
    poll_cache: PollCache
    attachments: Attachments
    cost_preview: CostPreview
    idempotency: IdempotencyStore

    def admit(self, owner: str) -> None:
        """Raise ApiError 429 if the owner exceeds the rate limit or the queue is full."""
        seconds = self.rate_limiter.acquire(owner)
        if seconds:
            raise ApiError(
                429, "rate limit exceeded for this API key", headers={"Retry-After": str(max(1, round(seconds + 0.5)))}
            )
        if self.records.queue.count_queued() >= self.settings.max_queued_stories:
            raise ApiError(429, "the queue is full; try again later", code="queue_full", headers={"Retry-After": "60"})

    def check(self, story: Brief | Story) -> None:
        """Check the texts and models of a story.

        Raises ApiError 451 with field and category of a rejected text (never the text), PlanningError for unknown and
        MissingDependency for unavailable models."""
        try:
            self.service.check_text(story)
        except RunFailed as error:
            rejection = error.rejection
            if rejection is None:
                raise
            field_ = (
                to_api_field(FieldPath.parse(rejection.field), story) if isinstance(story, Brief) else rejection.field
            )
            raise ApiError(
                451, f"{field_}: {rejection.message}", details={"field": field_, "category": rejection.category}
            ) from None

    def update(self, record: Record, update: StoryUpdate, job_request: JobRequest | None = None) -> Record:
        """Update a story and enqueue a job.

        Raises ApiError: 402 for insufficient credits, 404 for a deleted story, 400 or 409 when another request enqueued
        a job meanwhile."""
        try:
            return self.changes.update(record, update, job_request)
        except KeyError:
            raise not_found_error(record.api) from None
        except StoryBusy:
            raise busy_error(record.api) from None

"""What all routes share, and how work on stories begins and ends. It decides nothing about films."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine.execution.errors import RunFailed
from engine.schemas.story_requests import spoken
from engine.server.http.api_keys import Keys
from engine.server.http.errors import ApiError
from engine.server.http.idempotency import Repeats
from engine.server.http.rate_limit import Rate
from engine.server.http.signed_urls import Media
from engine.server.jobs.dry_run import Quotes
from engine.server.jobs.housekeeping import Keeper
from engine.server.jobs.metrics import Metrics
from engine.server.jobs.notifications import Hub
from engine.server.jobs.output_cache import Shelf
from engine.server.jobs.queue import Order
from engine.server.jobs.scheduler import Scheduler
from engine.server.jobs.stories import Api, Busy, Change, Record, Records
from engine.server.jobs.webhook_sender import Sender
from engine.server.routes.access import Owned, busy, not_there
from engine.server.routes.attachments import Incoming
from engine.server.routes.poll import Polls
from engine.server.routes.presenters import Showing
from engine.server.settings import ServerSettings
from engine.service import Service
from engine.story.model import Brief, Story


@dataclass(frozen=True, slots=True)
class Desk:
    """Everything that a request may need."""

    settings: ServerSettings
    service: Service
    records: Records
    owned: Owned
    keys: Keys
    media: Media
    hub: Hub
    shelf: Shelf
    scheduler: Scheduler
    keeper: Keeper
    sender: Sender
    rate: Rate
    metrics: Metrics
    showing: Showing
    polls: Polls
    incoming: Incoming
    quotes: Quotes
    repeats: Repeats

    def admit(self, owner: str) -> None:
        """Whether something may be begun. Raises ApiError 429."""
        seconds = self.rate.take(owner)
        if seconds:
            raise ApiError(
                429, "too many requests from this key", headers={"Retry-After": str(max(1, round(seconds + 0.5)))}
            )
        if self.records.queue.waiting() >= self.settings.max_queue:
            raise ApiError(429, "the queue is full; try again later", word="queue_full", headers={"Retry-After": "60"})

    def check(self, told: Brief | Story) -> None:
        """Whether the words may be told, and the models that are named are there. Raises ApiError 451 naming field and category,
        never the words, PlanningError and Missing for models."""
        try:
            self.service.check(told)
        except RunFailed as error:
            refused = error.rejected
            if refused is None:
                raise
            field_ = spoken(refused.field, told) if isinstance(told, Brief) else refused.field
            raise ApiError(
                451, f"{field_}: {refused.message}", details={"field": field_, "category": refused.category}
            ) from None

    def create(self, owner: str, api: Api, told: Brief | Story, order: Order, **more: Any) -> Record:
        """A new story, and the work on it begins; `more` as `Records.create` takes it. Raises ApiError 402."""
        record = self.records.create(owner, api, told, order, **more)
        self.scheduler.wake()
        return record

    def change(self, record: Record, change: Change, order: Order | None = None) -> Record:
        """Store a change of a story, and begin the work on it that is ordered. Raises ApiError 402, that of `busy` when other work
        was begun meanwhile, and 404 for a story that was deleted."""
        try:
            changed = self.records.change(record, change, order)
        except KeyError:
            raise not_there(record.api) from None
        except Busy:
            raise busy(record.api) from None
        self.shelf.drop(record.id)
        self.scheduler.wake()
        self.hub.ring(record.id)
        return changed

    def delete(self, story_id: str) -> None:
        """Stop work on a story and forget it."""
        self.records.delete(story_id)
        self.scheduler.cancel(story_id)
        self.keeper.forgot()
        self.shelf.drop(story_id)
        self.hub.ring(story_id)

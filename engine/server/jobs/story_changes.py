"""Changes of stored stories, with everything that must follow them: jobs, caches, notifications, garbage collection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine.server.jobs.garbage_collection import GarbageCollector
from engine.server.jobs.notifications import Notifier
from engine.server.jobs.output_cache import OutputIndex
from engine.server.jobs.queue import JobRequest
from engine.server.jobs.scheduler import JobScheduler
from engine.server.jobs.stories import Api, Record, Records, StoryUpdate
from engine.story.model import Brief, Story


@dataclass(frozen=True, slots=True)
class StoryChanges:
    """Creates, updates and deletes stories. Thread-safe."""

    records: Records
    scheduler: JobScheduler
    output_index: OutputIndex
    notifier: Notifier
    garbage_collector: GarbageCollector

    def create(self, owner: str, api: Api, story: Brief | Story, job_request: JobRequest, **options: Any) -> Record:
        """Create a story and enqueue its first job; `options` as in `Records.create`. Raises ApiError 402."""
        record = self.records.create(owner, api, story, job_request, **options)
        self.scheduler.wake()
        return record

    def update(self, record: Record, update: StoryUpdate, job_request: JobRequest | None = None) -> Record:
        """Update a story and enqueue a job. Raises as `Records.update` does."""
        updated = self.records.update(record, update, job_request)
        self.output_index.invalidate(record.id)
        self.scheduler.wake()
        self.notifier.notify(record.id)
        return updated

    def delete(self, story_id: str) -> None:
        """Delete a story and cancel its job."""
        self.records.delete(story_id)
        self.scheduler.cancel(story_id)
        self.garbage_collector.schedule_after_delete()
        self.output_index.invalidate(story_id)
        self.notifier.notify(story_id)

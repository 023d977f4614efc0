"""Stored stories as clients see them: how far they are, and where what they have can be had."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from starlette.requests import Request

from engine.planning.plan import Ref
from engine.schemas.generate_responses import JobStatus, JobView
from engine.schemas.story_responses import Media as Addresses
from engine.schemas.story_responses import Status, StoryView
from engine.server.http.signed_urls import Media
from engine.server.jobs.output_cache import Files, Shelf, file_of
from engine.server.jobs.scheduler import Scheduler
from engine.server.jobs.stories import Record
from engine.story.model import Story

STAGE_OF = {
    "portrait": ("elements", "scenes", "film"),
    "location": ("elements", "scenes", "film"),
    "object": ("elements", "scenes", "film"),
    "keyframe": ("scenes", "film"),
    "enhance": ("scenes", "film"),
    "narrate": ("scenes", "film"),
    "animate": ("film",),
    "compose": ("film",),
}
"""What was asked for, so that what a step has made is shown: the store may know it already from another story."""
_ENHANCED_ELEMENT = re.compile(r"^enhance:(?!\d+$)")


@dataclass(frozen=True, slots=True)
class Showing:
    """Makes views of stored stories. `public_url`: how clients reach this server, where that is not as they ask."""

    public_url: str
    media: Media
    shelf: Shelf
    scheduler: Scheduler

    def base(self, request: Request) -> str:
        """How the client reaches this server."""
        return (self.public_url or str(request.base_url)).rstrip("/")

    def addresses(self, record: Record, base: str) -> Addresses:
        """Where what the story has can be had."""
        files: list[Mapping[str, Files]] = []

        def address(ref: Ref) -> str | None:
            # The enhanced picture of an element is shown when the element is.
            stages = STAGE_OF.get(_ENHANCED_ELEMENT.sub("", ref.step).partition(":")[0])
            if stages and record.api == "story" and not set(stages) & set(record.stages):
                return None
            if ref.step.startswith("intake:scenes[") and not {"scenes", "film"} & set(record.stages):
                return None
            if not files:
                files.append(self.shelf.of(record))
            digest = file_of(files[0], ref)
            return base + self.media.path(record.id, digest, _file_name(ref)) if digest else None

        return address

    def view(self, record: Record, base: str) -> StoryView:
        """The story as the Story API shows it."""
        status = status_of(record)
        film = None
        if record.film and status == "success":
            film = base + self.media.path(record.id, record.film, "film.mp4", record.film_number)
        work = record.work
        progress = 0
        if status == "success":
            progress = 100
        elif work and status != "new":
            progress = min(99, self.scheduler.percent(record.id, work.progress))
        return StoryView(
            id=record.id,
            status=status,
            progress=progress,
            told=record.told,
            media=self.addresses(record, base),
            title=record.title,
            description=record.description,
            visibility=record.visibility,
            created=record.created,
            updated=record.updated,
            film=film,
            message=work.message if work and status == "fail" else None,
            unknown=record.extra.get("unknown", {}),
            warnings=tuple(record.extra.get("warnings", ())),
            expires=record.expires,
            used_credits=record.used_credits,
        )

    def job(self, record: Record, base: str) -> JobView:
        """The job as the Generate-story API shows it."""
        assert isinstance(record.told, Story)
        work = record.work
        states: dict[str, JobStatus] = {
            "queued": "pending", "running": "processing", "done": "completed", "failed": "failed", "cancelled": "failed"
        }  # fmt: skip
        status = states[work.state] if work else "pending"
        failed = status == "failed" and work is not None
        return JobView(
            id=record.id,
            status=status,
            progress=100
            if status == "completed"
            else min(99, self.scheduler.percent(record.id, work.progress))
            if work
            else 0,
            story=record.told,
            media=self.addresses(record, base),
            created=record.created,
            updated=record.updated,
            error=(work.word or "backend_failed") if failed and work else None,
            message=(work.message or "cancelled") if failed and work else None,
            warnings=tuple(record.extra.get("warnings", ())),
            expires=record.expires,
        )


def status_of(record: Record) -> Status:
    """What the Story API calls the state of a story: it follows from the work on it and the film."""
    work = record.work
    if record.active:
        return "processing"
    if work and work.state == "failed":
        return "fail"
    return "success" if record.film else "new"


def _file_name(ref: Ref) -> str:
    """A plain name for a medium: what it is, with the ending that tells its type."""
    suffix = PurePosixPath(ref.name).suffix or ".bin"
    kind = re.sub(r"[^a-z]+", "-", ref.step.partition(":")[0].lower()).strip("-") or "file"
    return f"{kind}{suffix}"

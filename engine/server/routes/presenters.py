"""Stored stories as clients see them: status, progress, media URLs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from starlette.requests import Request

from engine.planning.plan import OutputRef
from engine.planning.step_ids import ElementSubject, StepId
from engine.schemas.generate_responses import JobView
from engine.schemas.response_models import JobStatus, StoryStatus
from engine.schemas.story_responses import MediaUrl, StoryView
from engine.server.http.signed_urls import SignedUrls
from engine.server.jobs.output_cache import OutputDigests, OutputIndex, output_digest
from engine.server.jobs.scheduler import JobScheduler
from engine.server.jobs.stories import Record
from engine.story.field_path import FieldPath
from engine.story.model import Story
from pipelines.base import Kind
from pipelines.step_params import CONTRACTS, OutputName


@dataclass(frozen=True, slots=True)
class Presenter:
    """Builds views of stored stories. `public_url`: base URL for clients; empty: that of the request."""

    public_url: str
    signed_urls: SignedUrls
    output_index: OutputIndex
    scheduler: JobScheduler

    def base_url(self, request: Request) -> str:
        """Return the base URL of this server for the client, without a trailing slash."""
        return (self.public_url or str(request.base_url)).rstrip("/")

    def media_url_resolver(self, record: Record, base_url: str) -> MediaUrl:
        """Return a function from outputs to their media URLs; None for hidden and missing outputs."""
        files: list[Mapping[str, OutputDigests]] = []

        def media_url(ref: OutputRef) -> str | None:
            step_id = StepId.parse(ref.step)
            stages = _visible_stages(step_id)
            if stages and record.api == "story" and not set(stages) & set(record.stages):
                return None
            if _is_scene_input(step_id) and not {"scenes", "film"} & set(record.stages):
                return None
            if not files:
                files.append(self.output_index.outputs_of(record))
            digest = output_digest(files[0], ref)
            return base_url + self.signed_urls.sign(record.id, digest, _media_file_name(ref)) if digest else None

        return media_url

    def story_view(self, record: Record, base_url: str) -> StoryView:
        """Return the view of a story for the Story API."""
        status = story_status(record)
        film = None
        if record.film and status == "success":
            film = base_url + self.signed_urls.sign(record.id, record.film, OutputName.FILM, record.film_number)
        job = record.job
        progress = 0
        if status == "success":
            progress = 100
        elif job and status != "new":
            progress = min(99, self.scheduler.progress_percent(record.id, job.progress))
        return StoryView(
            id=record.id,
            status=status,
            progress=progress,
            story=record.story,
            media_url=self.media_url_resolver(record, base_url),
            title=record.title,
            description=record.description,
            visibility=record.visibility,
            created=record.created,
            updated=record.updated,
            film_url=film,
            message=job.message if job and status == "fail" else None,
            extra_fields=record.extra.get("unknown", {}),
            warnings=tuple(record.extra.get("warnings", ())),
            expires=record.expires,
            used_credits=record.used_credits,
        )

    def job_view(self, record: Record, base_url: str) -> JobView:
        """Return the view of a job for the Generate-story API."""
        assert isinstance(record.story, Story)
        job = record.job
        states: dict[str, JobStatus] = {
            "queued": "pending", "running": "processing", "done": "completed", "failed": "failed", "cancelled": "failed"
        }  # fmt: skip
        status = states[job.state] if job else "pending"
        failed = status == "failed" and job is not None
        return JobView(
            id=record.id,
            status=status,
            progress=100
            if status == "completed"
            else min(99, self.scheduler.progress_percent(record.id, job.progress))
            if job
            else 0,
            story=record.story,
            media_url=self.media_url_resolver(record, base_url),
            created=record.created,
            updated=record.updated,
            error=(job.code or "backend_failed") if failed and job else None,
            message=(job.message or "cancelled") if failed and job else None,
            warnings=tuple(record.extra.get("warnings", ())),
            expires=record.expires,
        )


def story_status(record: Record) -> StoryStatus:
    """Return the status of a story in the Story API, derived from its latest job and its film."""
    job = record.job
    if record.is_active:
        return "processing"
    if job and job.state == "failed":
        return "fail"
    return "success" if record.film else "new"


def _media_file_name(ref: OutputRef) -> str:
    """Return the file name of a media URL: the kind of the step and the suffix of the output."""
    suffix = PurePosixPath(ref.name).suffix or ".bin"
    match StepId.parse(ref.step):
        case None:
            return f"file{suffix}"
        case StepId(subject=ElementSubject(role=role)):
            return f"{role}{suffix}"
        case step_id:
            return f"{step_id.kind.replace('_', '-')}{suffix}"


def _visible_stages(step_id: StepId | None) -> tuple[str, ...]:
    """Return the stages that show the outputs of a step; the enhanced image of an element has those of the element.

    The client must have requested one of them: the store can have the outputs already, from another story."""
    if step_id is None:
        return ()
    if step_id.kind is Kind.ENHANCE and isinstance(step_id.subject, StepId):
        return _visible_stages(step_id.subject)
    return CONTRACTS[step_id.kind].stages


def _is_scene_input(step_id: StepId | None) -> bool:
    """Return whether a step re-encodes the picture that the client gave for a scene."""
    return step_id is not None and isinstance(step_id.subject, FieldPath) and step_id.subject.root == "scenes"

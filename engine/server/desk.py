"""What all routes share: stories found and shown, work begun, pictures taken in. It decides nothing about films."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from engine.artifacts import CHUNK
from engine.estimate import Forecast
from engine.fetch import Door, FetchError
from engine.plan import Plan, Ref
from engine.planner import Planned, Upto, keyframe_source, plan_brief, plan_story
from engine.schemas.generate_view import JobStatus, JobView
from engine.schemas.story_api import spoken
from engine.schemas.story_steps import PARTS, Known
from engine.schemas.story_view import Media as Addresses
from engine.schemas.story_view import Status, StoryView, element_ref, given_ref
from engine.server.errors import ApiError
from engine.server.events import Hub
from engine.server.keeper import Keeper
from engine.server.keys import Keys
from engine.server.limits import Rate
from engine.server.media import Media
from engine.server.metrics import Metrics
from engine.server.records import Api, Busy, Change, Goal, Record, Records
from engine.server.scheduler import Scheduler
from engine.server.settings import ServerSettings
from engine.server.shelf import Files, Shelf, file_of
from engine.server.webhooks import Sender
from engine.service import RunFailed, Service
from engine.story import Brief, Picture, Story, StoryError, Tale, with_pictures
from engine.storyboard import story_of
from pipelines.text.storyboard import Storyboard, WrittenElement, WrittenScene

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
RENDERED, LONGEST_RENDERED = 1000, 200_000
"""Answers to polls that are kept, and the bytes that one of them may have: a client's own keys can make them long."""
LATEST = datetime(9999, 1, 1, tzinfo=UTC).timestamp()
"""When a story may delete itself at the latest: beyond lies what no answer could show as a time."""
OWN = "own:"
UPLOAD = "upload:"
SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")
_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")
_ENHANCED_ELEMENT = re.compile(r"^enhance:(?!\d+$)")


@dataclass
class Desk:
    """Everything that a request may need."""

    settings: ServerSettings
    service: Service
    records: Records
    keys: Keys
    media: Media
    hub: Hub
    shelf: Shelf
    scheduler: Scheduler
    keeper: Keeper
    sender: Sender
    door: Door
    webhook_door: Door
    rate: Rate
    metrics: Metrics
    _rendered: OrderedDict[tuple[Any, ...], bytes] = field(default_factory=OrderedDict)

    # Finding

    def find(self, owner: str, api: Api, story_id: str) -> Record:
        """The owner's story. Raises ApiError: 400 for what is no id, 404 for what is not there or another's."""
        if not _ID.fullmatch(story_id):
            if api == "v1":
                raise self._not_there(api)
            raise ApiError(400, "the story id is malformed", word="invalid_story_id")
        record = self.records.find(owner, api, story_id)
        if record is None:
            raise self._not_there(api)
        return record

    def _not_there(self, api: Api) -> ApiError:
        if api == "v1":
            return ApiError(404, "there is no such job", word="job_not_found")
        return ApiError(404, "there is no such story", word="story_not_found")

    def busy(self, api: Api) -> ApiError:
        """The answer while work on a story keeps other work from beginning."""
        if api == "v1":
            return ApiError(409, "this job is being worked on; wait until it is completed", word="job_busy")
        return ApiError(
            400, "this story is being worked on; wait until its status is not processing", word="story_busy"
        )

    # Showing

    async def polled(
        self, request: Request, owner: str, api: Api, story_id: str, render: Callable[[Record, str], Any]
    ) -> Response:
        """The story as `render` shows it. What has not changed since somebody asked is not shown anew: many poll."""
        seen = self.records.glance(story_id)
        if seen is None or seen.owner != owner or seen.api != api:
            await run_in_threadpool(self.find, owner, api, story_id)  # says what is wrong
        assert seen is not None
        base = self.base(request)
        percent = self.scheduler.percent(story_id, seen.progress)
        key = (story_id, seen.revision, seen.state, percent, self.shelf.news(story_id), base, self.media.until())
        body = self._rendered.get(key)
        if body is None or (seen.expires is not None and seen.expires <= self.records.clock()):
            record = await run_in_threadpool(self.find, owner, api, story_id)
            body = bytes((await run_in_threadpool(lambda: JSONResponse(render(record, base)))).body)
            if len(body) <= LONGEST_RENDERED:
                self._rendered[key] = body
            while len(self._rendered) > RENDERED:
                self._rendered.popitem(last=False)
        headers = {"Retry-After": "2"} if seen.state in ("queued", "running") else None
        return Response(body, 200, headers, "application/json")

    def base(self, request: Request) -> str:
        """How the client reaches this server."""
        return (self.settings.public_url or str(request.base_url)).rstrip("/")

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

    # Reading what clients send

    def known(self, record: Record) -> Known:
        """What is needed to read a storyboard that comes back."""
        files = self.shelf.of(record)
        shown: dict[str, str] = {}
        assert isinstance(record.told, Story)
        for part, own in PARTS.items():
            for number, one in enumerate(getattr(record.told, own)):
                ref = given_ref(part, number) if one.reference else element_ref(record.told, part, one.name)
                digest = file_of(files, ref)
                if digest:
                    shown[f"{part}/{one.name}"] = digest
        for number in range(len(record.told.scenes)):
            digest = file_of(files, keyframe_source(record.told, number))
            if digest:
                shown[f"scenes/{number}"] = digest
        return Known(lambda place, url: self.found(record.owner, place, url), shown)

    def found(self, owner: str, place: str, url: str) -> Picture:
        """What an address that a client names leads to: media of the client's own stories are read from disk, all else is
        fetched when work begins. Raises StoryError naming the place."""
        medium = self.media.find(url)
        if medium is not None:
            if self.records.owner_of(medium.story) != owner:
                raise StoryError(place, "leads to nothing here")
            return Picture(source=f"{OWN}{medium.digest}", digest=medium.digest)
        url = url.strip()
        try:
            self.door.check(url)
        except FetchError as error:
            raise StoryError(place, error.message) from None
        scheme, _, rest = url.partition("://")
        return Picture(source=f"{scheme.lower()}://{rest}")

    def resolved(self, owner: str, told: Tale, uploads: Sequence[Picture] = (), *, https: bool = False) -> Tale:
        """The same, with every address looked at, and uploads in their places. Raises StoryError."""
        own = {picture.source: picture for picture in uploads}

        def take(place: str, picture: Picture) -> Picture:
            if picture.source in own:
                return own[picture.source]
            if https and self.media.find(picture.source) is None:
                try:
                    self.door.check(picture.source.strip(), ("https",))
                except FetchError as error:
                    raise StoryError(place, error.message) from None
            return self.found(owner, place if https else spoken(place, told), picture.source)

        return with_pictures(told, take)

    async def uploaded(self, files: Sequence[UploadFile]) -> list[Picture]:
        """Uploads as files of the store under names of our own. Raises StoryError for what is plainly no picture."""
        pictures = []
        for number, file in enumerate(files):
            head = await file.read(16)
            await file.seek(0)
            if not (head.startswith(SIGNATURES) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")):
                raise ApiError(400, f"image_files[{number}]: is no JPEG, PNG or WebP picture", word="invalid_image")
            pictures.append(await run_in_threadpool(self._put, file, number))
        return pictures

    def _put(self, file: UploadFile, number: int) -> Picture:
        output = self.service.store.put_chunks(iter(lambda: file.file.read(CHUNK), b""), "given")
        return Picture(source=f"{UPLOAD}{number}:{output.digest}", digest=output.digest)

    def webhook(self, url: str | None) -> str | None:
        """An address for a webhook. Raises StoryError."""
        url = (url or "").strip()
        if not url:
            return None
        try:
            self.webhook_door.check(url)
        except FetchError as error:
            raise StoryError("webhook_url", error.message) from None
        return url

    def expiry(self, text: str | None) -> float | None:
        """When a story is deleted by itself. Raises StoryError."""
        if not text:
            days = self.settings.retention_days
            return min(self.records.clock() + days * 86400, LATEST) if days else None
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise StoryError("expires_at", "must be a time as 2030-01-31T12:00:00+00:00") from None
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        if seconds > LATEST:
            raise StoryError("expires_at", "must be before the year 9999")
        if seconds <= self.records.clock():
            raise StoryError("expires_at", "must be in the future")
        return seconds

    # Beginning work

    def admit(self, owner: str) -> None:
        """Whether something may be begun. Raises ApiError 429."""
        seconds = self.rate.take(owner)
        if seconds:
            raise ApiError(
                429, "too many requests from this key", headers={"Retry-After": str(max(1, round(seconds + 0.5)))}
            )
        if self.records.waiting() >= self.settings.max_queue:
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

    def begun(self) -> None:
        """Work was added."""
        self.scheduler.wake()

    def change(
        self,
        record: Record,
        change: Change,
        goal: Goal | None = None,
        *,
        priority: int = 0,
        told: Story | None = None,
        cost: int = 0,
    ) -> Record:
        """Store a change of a story, and begin the work on it that `goal` names. Raises ApiError 402, that of `busy` when other work
        was begun meanwhile, and 404 for a story that was deleted."""
        try:
            changed = self.records.change(record, change, goal, priority=priority, told=told, cost=cost)
        except KeyError:
            raise self._not_there(record.api) from None
        except Busy:
            raise self.busy(record.api) from None
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

    # Answering

    async def once(
        self, request: Request, owner: str, digest: str, make: Callable[[], Awaitable[tuple[int, Any]]]
    ) -> Response:
        """The answer of `make`; with an Idempotency-Key the first answer of that key, and 409 for another request."""
        key = request.headers.get("idempotency-key")
        if key is None:
            status, body = await make()
            return JSONResponse(body, status)
        if not 0 < len(key) <= 255:
            raise ApiError(422, "an Idempotency-Key has 1 to 255 characters")
        said = f"{request.method} {request.url.path}?{request.url.query} {digest}"
        first = await run_in_threadpool(self.records.reserve, owner, key, said)
        if first is not None:
            asked, status_, text = first
            if asked != said:
                raise ApiError(409, "this Idempotency-Key was used for another request")
            if status_ is None or text is None:
                raise ApiError(409, "the first request of this Idempotency-Key is still being answered")
            return Response(text, status_, {"Idempotency-Replayed": "true"}, "application/json")
        try:
            status, body = await make()
        except BaseException:
            await run_in_threadpool(self.records.release, owner, key)
            raise
        answer = JSONResponse(body, status)
        await run_in_threadpool(self.records.answer, owner, key, status, bytes(answer.body).decode())
        return answer

    def cost(self, told: Brief | Story, goal: Goal) -> int:
        """The credits that work of that goal takes, where they are counted."""
        if not self.records.credits.are_counted or goal in ("storyboard", "elements"):
            return 0
        return self.records.credits.cost(self._forecast(told, goal)[1])

    def _forecast(self, told: Brief | Story, goal: Goal) -> tuple[Planned, Forecast]:
        told = with_pictures(told, lambda place, file: file.model_copy(update={"digest": file.digest or "0" * 64}))
        planned = plan_brief(told, self.service.catalog) if isinstance(told, Brief) else None
        if planned is None or goal != "storyboard":
            upto: Upto = "keyframes" if goal in ("keyframes", "scenes") else "film"
            story = told if isinstance(told, Story) else _unwritten(told)
            made = plan_story(story, self.service.catalog, upto)
            steps = {**(planned.plan.by_id if planned else {}), **made.plan.by_id}
            planned = replace(made, plan=Plan(tuple(steps.values())))
        return planned, self.service.forecast(planned)

    def forecast(self, told: Brief | Story, goal: Goal) -> dict[str, Any]:
        """What a request would take, as far as it can be known before anything is read or written."""
        planned, found = self._forecast(told, goal)
        return {
            "dry_run": True,
            "profile": planned.profile,
            "complete": isinstance(told, Story),
            "seconds": round(found.seconds, 1),
            "memory_mb": found.memory_mb,
            "disk_bytes": found.size,
            "learned": found.learned,
            "credits": self.cost(told, goal),
            "warnings": list(planned.warnings),
            "steps": [
                {
                    "id": row.step.id,
                    "kind": str(row.step.kind),
                    "model": row.step.spec.name,
                    "cached": row.cached,
                    "seconds": round(row.seconds, 2),
                }
                for row in found.rows
            ],
        }


def status_of(record: Record) -> Status:
    """What the Story API calls the state of a story: it follows from the work on it and the film."""
    work = record.work
    if record.active:
        return "processing"
    if work and work.state == "failed":
        return "fail"
    return "success" if record.film else "new"


def _unwritten(brief: Brief) -> Story:
    """A story of the size that a brief will have: scenes with a few words each and one place for all."""
    scene = WrittenScene(image_description="…", narration=120 * "a", location="…")
    count = len(brief.pictures) or brief.scene_count or 3
    return story_of(brief, Storyboard(title="…", locations=(WrittenElement(name="…"),), scenes=(scene,) * count))


def _file_name(ref: Ref) -> str:
    """A plain name for a medium: what it is, with the ending that tells its type."""
    suffix = PurePosixPath(ref.name).suffix or ".bin"
    kind = re.sub(r"[^a-z]+", "-", ref.step.partition(":")[0].lower()).strip("-") or "file"
    return f"{kind}{suffix}"

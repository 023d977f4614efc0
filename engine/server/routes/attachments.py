"""What clients send along or name: addresses, uploads, times. It is looked at before work begins, and fetched by the work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from engine.inputs.fetch import Door, FetchError
from engine.planning.step_ids import keyframe_source
from engine.schemas.story_edits import PARTS, Known
from engine.schemas.story_requests import spoken
from engine.schemas.story_responses import element_ref, given_ref
from engine.server.http.errors import ApiError
from engine.server.http.signed_urls import Media
from engine.server.jobs.output_cache import Shelf, file_of
from engine.server.jobs.stories import Record, Records
from engine.storage.artifact_store import CHUNK, Store
from engine.story.model import Picture, Story, StoryError, Tale, with_pictures

LATEST = datetime(9999, 1, 1, tzinfo=UTC).timestamp()
"""When a story may delete itself at the latest: beyond lies what no answer could show as a time."""
OWN = "own:"
UPLOAD = "upload:"
SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")


@dataclass(frozen=True, slots=True)
class Incoming:
    """Reads what comes with requests. `door` leads to pictures and clips, `webhook_door` to receivers of webhooks; a story is kept for
    `retention_days` where the client says nothing (0: for ever)."""

    store: Store
    records: Records
    media: Media
    shelf: Shelf
    door: Door
    webhook_door: Door
    retention_days: float = 0.0

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
        output = self.store.put_chunks(iter(lambda: file.file.read(CHUNK), b""), "given")
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
            days = self.retention_days
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

"""URLs, uploads and expiry times of requests: validated before a job is enqueued, fetched by the job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from engine.inputs.fetch import FetchError, UrlFetcher
from engine.planning.step_ids import keyframe_source
from engine.schemas.story_edits import ELEMENT_FIELDS, StoryboardContext
from engine.schemas.story_requests import to_api_field
from engine.schemas.story_responses import element_image_ref, input_image_ref
from engine.server.http.errors import ApiError
from engine.server.http.signed_urls import SignedUrls
from engine.server.jobs.output_cache import OutputIndex, output_digest
from engine.server.jobs.stories import Record, Records
from engine.storage.artifact_store import CHUNK_BYTES, ArtifactStore
from engine.story.field_path import FieldPath
from engine.story.model import AnyStory, InputFile, Story, StoryError, map_input_files

MAX_EXPIRY = datetime(9999, 1, 1, tzinfo=UTC).timestamp()
"""Latest expiry, in seconds since 1970: later times have no ISO 8601 form with four digits of the year."""
OWN_MEDIA_PREFIX = "media:"
UPLOAD_PREFIX = "upload:"
IMAGE_SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")


@dataclass(frozen=True, slots=True)
class Attachments:
    """Resolves the URLs, uploads and times of requests.

    `fetcher` checks URLs of images, clips and audio, `webhook_fetcher` those of webhooks. `retention_days`: default
    lifetime of a story (0: unlimited)."""

    store: ArtifactStore
    records: Records
    signed_urls: SignedUrls
    output_index: OutputIndex
    fetcher: UrlFetcher
    webhook_fetcher: UrlFetcher
    retention_days: float = 0.0

    def storyboard_context(self, record: Record) -> StoryboardContext:
        """Return the context of a submitted storyboard: the URL resolver and the digests of the current images."""
        files = self.output_index.outputs_of(record)
        digests: dict[str, str] = {}
        assert isinstance(record.story, Story)
        for part, own in ELEMENT_FIELDS.items():
            for number, element in enumerate(getattr(record.story, own)):
                ref = (
                    input_image_ref(part, number)
                    if element.reference
                    else element_image_ref(record.story, part, element.name)
                )
                digest = output_digest(files, ref)
                if digest:
                    digests[f"{part}/{element.name}"] = digest
        for number in range(len(record.story.scenes)):
            digest = output_digest(files, keyframe_source(record.story, number))
            if digest:
                digests[f"scenes/{number}"] = digest
        return StoryboardContext(lambda field, url: self.resolve_url(record.owner, field, url), digests)

    def resolve_url(self, owner: str, field: str, url: str) -> InputFile:
        """Return the input file of a URL. Raises StoryError with the field.

        Media URLs of the owner's stories resolve to stored files; the job fetches other URLs."""
        media_token = self.signed_urls.parse_url(url)
        if media_token is not None:
            if self.records.owner_of(media_token.story_id) != owner:
                raise StoryError(field, "unknown or expired media URL")
            return InputFile(source=f"{OWN_MEDIA_PREFIX}{media_token.digest}", digest=media_token.digest)
        url = url.strip()
        try:
            self.fetcher.check(url)
        except FetchError as error:
            raise StoryError(field, error.message) from None
        scheme, _, rest = url.partition("://")
        return InputFile(source=f"{scheme.lower()}://{rest}")

    def resolve_urls(
        self, owner: str, story: AnyStory, uploads: Sequence[InputFile] = (), *, https: bool = False
    ) -> AnyStory:
        """Return the story with every URL resolved and uploads put in. `https`: reject http URLs. Raises StoryError."""
        uploads_by_source = {picture.source: picture for picture in uploads}

        def resolve(field: FieldPath, picture: InputFile) -> InputFile:
            if picture.source in uploads_by_source:
                return uploads_by_source[picture.source]
            if https and self.signed_urls.parse_url(picture.source) is None:
                try:
                    self.fetcher.check(picture.source.strip(), ("https",))
                except FetchError as error:
                    raise StoryError(field, error.message) from None
            return self.resolve_url(owner, field if https else to_api_field(field, story), picture.source)

        return map_input_files(story, resolve)

    async def store_uploads(self, files: Sequence[UploadFile]) -> list[InputFile]:
        """Store uploaded images. Raises ApiError 400 for a file without the signature of JPEG, PNG or WebP."""
        pictures = []
        for number, file in enumerate(files):
            head = await file.read(16)
            await file.seek(0)
            if not (head.startswith(IMAGE_SIGNATURES) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")):
                raise ApiError(400, f"image_files[{number}]: not a JPEG, PNG or WebP image", code="invalid_image")
            pictures.append(await run_in_threadpool(self._store_upload, file, number))
        return pictures

    def _store_upload(self, file: UploadFile, number: int) -> InputFile:
        output = self.store.put_chunks(iter(lambda: file.file.read(CHUNK_BYTES), b""), "input")
        return InputFile(source=f"{UPLOAD_PREFIX}{number}:{output.digest}", digest=output.digest)

    def parse_webhook_url(self, url: str | None) -> str | None:
        """Return the URL of a webhook, None for a blank one. Raises StoryError."""
        url = (url or "").strip()
        if not url:
            return None
        try:
            self.webhook_fetcher.check(url)
        except FetchError as error:
            raise StoryError("webhook_url", error.message) from None
        return url

    def parse_expiry(self, text: str | None) -> float | None:
        """Return the expiry in seconds since 1970, None for no expiry. `text`: ISO 8601. Raises StoryError."""
        if not text:
            days = self.retention_days
            return min(self.records.clock() + days * 86400, MAX_EXPIRY) if days else None
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise StoryError("expires_at", "must be an ISO 8601 time such as 2030-01-31T12:00:00+00:00") from None
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        if seconds > MAX_EXPIRY:
            raise StoryError("expires_at", "must be before the year 9999")
        if seconds <= self.records.clock():
            raise StoryError("expires_at", "must be in the future")
        return seconds

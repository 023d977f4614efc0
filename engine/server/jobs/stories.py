"""Stored stories, in the database of the run history."""

from __future__ import annotations

import contextlib
import json
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from engine.server.jobs.credits import Credits
from engine.server.jobs.queue import FinalState, Job, JobQueue, JobRequest, JobState
from engine.server.jobs.webhook_outbox import Outbox
from engine.storage.database import Database
from engine.story.model import Brief, Story, StoryBase, from_json, input_files, to_json

Api = Literal["story", "v1"]


class StoryBusy(Exception):
    """Another request enqueued a job for the story."""


@dataclass(frozen=True, slots=True)
class Record:
    """A stored story and its latest job.

    `stages`: the stages that the client has requested so far (elements, scenes, film); `extra`: warnings and keys of
    the client; `film`: digest; times in seconds since 1970."""

    id: str
    owner: str
    api: Api
    created: float
    updated: float
    revision: int
    story: Brief | Story
    title: str
    description: str
    visibility: str
    extra: Mapping[str, Any]
    stages: tuple[str, ...]
    film: str | None
    film_number: int
    webhook: str | None
    expires: float | None
    job: Job | None = None
    used_credits: int = 0

    @property
    def is_active(self) -> bool:
        """Return whether a job of the story is queued or running."""
        return self.job is not None and self.job.state in ("queued", "running")


@dataclass(frozen=True, slots=True)
class StatusSnapshot:
    """The columns of a story that polling needs: whether it has changed, and who may read it."""

    owner: str
    api: Api
    revision: int
    expires: float | None
    state: JobState | None
    progress: int


@dataclass(frozen=True, slots=True)
class StoryUpdate:
    """Changes of a story; None leaves a field unchanged. `stage` is added, `stages` replace the stored ones."""

    story: Brief | Story | None = None
    title: str | None = None
    description: str | None = None
    visibility: str | None = None
    extra: Mapping[str, Any] | None = None
    stage: str | None = None
    stages: tuple[str, ...] | None = None
    webhook: str | None = None
    drop_film: bool = False

    def to_columns(self, record: Record) -> dict[str, Any]:
        columns: dict[str, Any] = {}
        if self.story is not None:
            columns["story_json"] = to_json(self.story)
        for name in ("title", "description", "visibility"):
            if getattr(self, name) is not None:
                columns[name] = getattr(self, name)
        if self.webhook is not None:
            columns["webhook_url"] = self.webhook
        if self.extra is not None:
            columns["client_data"] = json.dumps(self.extra)
        if self.stages is not None:
            columns["stages"] = " ".join(self.stages)
        if self.stage is not None and self.stage not in record.stages:
            columns["stages"] = " ".join((*record.stages, self.stage))
        if self.drop_film:
            columns["film_digest"] = None
        return columns


@dataclass
class Records:
    """Reads and writes the table of stories. Thread-safe."""

    database: Database
    credits: Credits
    clock: Callable[[], float] = field(default=time.time)
    queue: JobQueue = field(init=False)
    outbox: Outbox = field(init=False)

    def __post_init__(self) -> None:
        self.queue = JobQueue(self.database, self.credits, self.clock)
        self.outbox = Outbox(self.database, self.clock)

    def create(
        self,
        owner: str,
        api: Api,
        story: Brief | Story,
        job_request: JobRequest,
        *,
        stages: Sequence[str] = (),
        webhook: str | None = None,
        extra: Mapping[str, Any] | None = None,
        expires: float | None = None,
    ) -> Record:
        """Create a story and enqueue its first job. Raises ApiError 402."""
        now, story_id = self.clock(), str(uuid.uuid4())
        story_fields = json.loads(story.model_dump_json())
        columns = {
            "id": story_id, "owner": owner, "api": api, "created": now, "updated": now, "revision": 1,
            "story_json": to_json(story), "title": story.title, "description": story.description, "visibility": "0",
            "client_data": json.dumps(extra or {}), "stages": " ".join(stages), "film_version": 0, "webhook_url": webhook,
            "expires": expires,
        }  # fmt: skip
        with self.database.transaction() as connection:
            self.database.start_run(story_id, title=story.title, source=f"{api} request", story=story_fields)
            self.database.add_references(story_id, digests=_digests(story))
            connection.execute(
                f"INSERT INTO stories ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})",  # noqa: S608
                tuple(columns.values()),
            )
            self.queue.enqueue(connection, owner, story_id, job_request)
        return self.get(story_id)

    def get(self, story_id: str) -> Record:
        """Return the story with that id. Raises KeyError."""
        for row in self.database.query("SELECT * FROM stories WHERE id = ?", story_id):
            return _to_record(row, self.queue.latest(story_id), self.credits.spent_on(story_id))
        raise KeyError(story_id)

    def find(self, owner: str, api: Api, story_id: str) -> Record | None:
        """Return the story with that id if it belongs to that owner and API and has not expired; else None."""
        try:
            record = self.get(story_id)
        except KeyError:
            return None
        expired = record.expires is not None and record.expires <= self.clock()
        return record if record.owner == owner and record.api == api and not expired else None

    def status_snapshot(self, story_id: str) -> StatusSnapshot | None:
        """Return the columns that polling needs, in one query; None for an unknown id."""
        rows = self.database.query(
            "SELECT owner, api, revision, expires, state, progress FROM stories LEFT JOIN jobs ON jobs.story_id = stories.id "
            "WHERE stories.id = ? ORDER BY jobs.id DESC LIMIT 1",
            story_id,
        )
        return StatusSnapshot(*rows[0]) if rows else None

    def owner_of(self, story_id: str) -> str | None:
        """Return the owner of a story; None for an unknown or expired one."""
        rows = self.database.query(
            "SELECT owner FROM stories WHERE id = ? AND (expires IS NULL OR expires > ?)", story_id, self.clock()
        )
        return rows[0]["owner"] if rows else None

    def list_page(self, owner: str, api: Api, limit: int, offset: int) -> tuple[list[Record], int]:
        """Return one page of an owner's stories, newest first, and their total number."""
        where = "FROM stories WHERE owner = ? AND api = ? AND (expires IS NULL OR expires > ?)"
        parameters = (owner, api, self.clock())
        rows = self.database.query(
            f"SELECT * {where} ORDER BY created DESC, id LIMIT ? OFFSET ?", *parameters, limit, offset
        )
        total = self.database.query(f"SELECT count(*) AS n {where}", *parameters)[0]["n"]
        return [_to_record(row, self.queue.latest(row["id"]), self.credits.spent_on(row["id"])) for row in rows], total

    def update(self, record: Record, update: StoryUpdate, job_request: JobRequest | None = None) -> Record:
        """Update a story and enqueue a job.

        Raises KeyError when the story was deleted, StoryBusy when another job was enqueued after `record` was read, and
        ApiError 402."""
        now = self.clock()
        columns = {**update.to_columns(record), "updated": now}
        with self.database.transaction() as connection:
            # A second request was prepared from the story before the first request changed it.
            if job_request and (record.is_active or self.queue.latest(record.id) != record.job):
                raise StoryBusy(record.id)
            assignments = ", ".join(f"{name} = ?" for name in columns)
            cursor = connection.execute(
                f"UPDATE stories SET {assignments}, revision = revision + 1 WHERE id = ?",  # noqa: S608
                (*columns.values(), record.id),
            )
            if not cursor.rowcount:
                raise KeyError(record.id)
            for story in (update.story, job_request.story if job_request else None):
                if story:  # keeps uploads until the job starts
                    self.database.add_references(record.id, digests=_digests(story))
            if job_request:
                self.queue.enqueue(connection, record.owner, record.id, job_request)
        return self.get(record.id)

    def delete(self, story_id: str) -> None:
        """Delete a story with its jobs and webhooks; garbage collection deletes its artifacts."""
        with self.database.transaction() as connection:
            self.queue.release_credits(connection, story_id)
            connection.execute("DELETE FROM stories WHERE id = ?", (story_id,))
            self.database.delete_run(story_id)

    def list_expired(self) -> list[str]:
        """Return the ids of expired stories."""
        rows = self.database.query("SELECT id FROM stories WHERE expires IS NOT NULL AND expires < ?", self.clock())
        return [row["id"] for row in rows]

    def save_progress(self, story_id: str, story: Brief | Story, new_warnings: Sequence[str] = ()) -> None:
        """Store the story as the running job has changed it, and add warnings."""
        with self.database.transaction() as connection:
            row = connection.execute("SELECT client_data FROM stories WHERE id = ?", (story_id,)).fetchone()
            if row is None:
                return
            extra = json.loads(row["client_data"])
            extra["warnings"] = list(dict.fromkeys((*extra.get("warnings", ()), *new_warnings)))
            connection.execute(
                "UPDATE stories SET story_json = ?, client_data = ?, updated = ?, revision = revision + 1 WHERE id = ?",
                (to_json(story), json.dumps(extra), self.clock(), story_id),
            )

    def finish_job(
        self,
        job: Job,
        state: FinalState,
        *,
        message: str = "",
        code: str = "",
        film: str | None = None,
        webhook_body: Callable[[Record], str] | None = None,
    ) -> None:
        """Store the final state of a job, its film, and the end of its run.

        The same transaction adds the webhook to the outbox, so that a crash cannot lose it."""
        now = self.clock()
        with self.database.transaction() as connection:
            self.queue.finish(connection, job, state, message, code)
            connection.execute(
                "UPDATE stories SET updated = ?, revision = revision + 1 WHERE id = ?", (now, job.story_id)
            )
            if film:
                connection.execute(
                    "UPDATE stories SET film_digest = ?, film_version = film_version + 1 WHERE id = ?",
                    (film, job.story_id),
                )
            row = connection.execute("SELECT * FROM stories WHERE id = ?", (job.story_id,)).fetchone()
            if row is None:
                return
            with contextlib.suppress(KeyError):  # the command line may have deleted the run
                self.database.finish_run(job.story_id, state, film=film, error=message)
            if row["webhook_url"] and webhook_body:
                self.outbox.add(connection, job.story_id, row["webhook_url"], webhook_body(_to_record(row, None)))

    def count_by_state(self) -> dict[str, int]:
        """Return the numbers of stories, jobs and webhooks: `stories`, `jobs.queued`, `webhooks.sent` …"""
        counts = {"stories": self.database.query("SELECT count(*) AS n FROM stories")[0]["n"]}
        for prefix, table in (("jobs", "jobs"), ("webhooks", "webhook_deliveries")):
            for row in self.database.query(f"SELECT state, count(*) AS n FROM {table} GROUP BY state"):  # noqa: S608
                counts[f"{prefix}.{row['state']}"] = row["n"]
        return counts


def _digests(story: StoryBase) -> list[str]:
    return [picture.digest for picture in input_files(story).values() if picture.digest]


def _to_record(row: Any, job: Job | None, used_credits: int = 0) -> Record:
    same_name = (
        "id",
        "owner",
        "api",
        "created",
        "updated",
        "revision",
        "title",
        "description",
        "visibility",
        "expires",
    )
    return Record(
        **{name: row[name] for name in same_name},
        story=from_json(row["story_json"]),
        film=row["film_digest"],
        film_number=row["film_version"],
        webhook=row["webhook_url"],
        extra=json.loads(row["client_data"]),
        stages=tuple(row["stages"].split()),
        job=job,
        used_credits=used_credits,
    )

"""Stories, as they are stored: a table in the same file as the history."""

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
SCHEMA = """
CREATE TABLE IF NOT EXISTS stories (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL, api TEXT NOT NULL, created REAL NOT NULL, updated REAL NOT NULL,
    revision INTEGER NOT NULL, told TEXT NOT NULL, title TEXT NOT NULL, description TEXT NOT NULL, visibility TEXT NOT NULL,
    extra TEXT NOT NULL, stages TEXT NOT NULL, film TEXT, film_number INTEGER NOT NULL, webhook TEXT, expires REAL
) STRICT;
CREATE INDEX IF NOT EXISTS stories_by_owner ON stories (owner, api, created DESC, id);
CREATE INDEX IF NOT EXISTS stories_by_expiry ON stories (expires) WHERE expires IS NOT NULL
"""


class StoryBusy(Exception):
    """Work on the story was begun meanwhile."""


@dataclass(frozen=True, slots=True)
class Record:
    """A stored story and the last work on it. `stages`: what was asked for so far; `extra`: keys of the client's own."""

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
        """Work on it waits or runs."""
        return self.job is not None and self.job.state in ("queued", "running")


@dataclass(frozen=True, slots=True)
class StatusSnapshot:
    """As much of a story as tells whether it has changed, and may be shown to whom."""

    owner: str
    api: Api
    revision: int
    expires: float | None
    state: JobState | None
    progress: int


@dataclass(frozen=True, slots=True)
class StoryUpdate:
    """What is to be different in a story; None: as it is."""

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
            columns["told"] = to_json(self.story)
        for name in ("title", "description", "visibility", "webhook"):
            if getattr(self, name) is not None:
                columns[name] = getattr(self, name)
        if self.extra is not None:
            columns["extra"] = json.dumps(self.extra)
        if self.stages is not None:
            columns["stages"] = " ".join(self.stages)
        if self.stage is not None and self.stage not in record.stages:
            columns["stages"] = " ".join((*record.stages, self.stage))
        if self.drop_film:
            columns["film"] = None
        return columns


@dataclass
class Records:
    """Reads and writes the tables. Safe from several threads."""

    database: Database
    credits: Credits
    clock: Callable[[], float] = field(default=time.time)
    queue: JobQueue = field(init=False)
    outbox: Outbox = field(init=False)

    def __post_init__(self) -> None:
        self.database.create_tables(SCHEMA)
        self.queue = JobQueue(self.database, self.credits, self.clock)
        self.outbox = Outbox(self.database, self.clock)

    # Stories

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
        """A new story and the first work on it. Raises ApiError 402."""
        now, story_id = self.clock(), str(uuid.uuid4())
        story_fields = json.loads(story.model_dump_json())
        row = (story_id, owner, api, now, now, 1, to_json(story), story.title, story.description, "0", json.dumps(extra or {}),
               " ".join(stages), None, 0, webhook, expires)  # fmt: skip
        with self.database.transaction() as connection:
            self.database.start_run(story_id, title=story.title, source=f"{api} request", story=story_fields)
            self.database.add_references(story_id, digests=_digests(story))
            connection.execute(f"INSERT INTO stories VALUES ({', '.join('?' * len(row))})", row)  # noqa: S608
            self.queue.enqueue(connection, owner, story_id, job_request)
        return self.get(story_id)

    def get(self, story_id: str) -> Record:
        """The story of that id. Raises KeyError."""
        for row in self.database.query("SELECT * FROM stories WHERE id = ?", story_id):
            return _to_record(row, self.queue.latest(story_id), self.credits.spent_on(story_id))
        raise KeyError(story_id)

    def find(self, owner: str, api: Api, story_id: str) -> Record | None:
        """The story of that id, if it is that owner's."""
        try:
            record = self.get(story_id)
        except KeyError:
            return None
        expired = record.expires is not None and record.expires <= self.clock()
        return record if record.owner == owner and record.api == api and not expired else None

    def status_snapshot(self, story_id: str) -> StatusSnapshot | None:
        """What polling needs, in one quick question."""
        rows = self.database.query(
            "SELECT owner, api, revision, expires, state, progress FROM stories LEFT JOIN work ON work.story = stories.id "
            "WHERE stories.id = ? ORDER BY number DESC LIMIT 1",
            story_id,
        )
        return StatusSnapshot(*rows[0]) if rows else None

    def owner_of(self, story_id: str) -> str | None:
        """Whose story that is; None when there is none."""
        rows = self.database.query(
            "SELECT owner FROM stories WHERE id = ? AND (expires IS NULL OR expires > ?)", story_id, self.clock()
        )
        return rows[0]["owner"] if rows else None

    def list_page(self, owner: str, api: Api, limit: int, offset: int) -> tuple[list[Record], int]:
        """Stories of an owner, newest first, and how many there are in all."""
        where = "FROM stories WHERE owner = ? AND api = ? AND (expires IS NULL OR expires > ?)"
        parameters = (owner, api, self.clock())
        rows = self.database.query(
            f"SELECT * {where} ORDER BY created DESC, id LIMIT ? OFFSET ?", *parameters, limit, offset
        )
        total = self.database.query(f"SELECT count(*) AS n {where}", *parameters)[0]["n"]
        return [_to_record(row, self.queue.latest(row["id"]), self.credits.spent_on(row["id"])) for row in rows], total

    def update(self, record: Record, update: StoryUpdate, job_request: JobRequest | None = None) -> Record:
        """Change a story, and begin the work on it that is ordered. Raises KeyError when the story is no more, Busy when other work
        was begun on it after `record` was read, ApiError 402."""
        now = self.clock()
        columns = {**update.to_columns(record), "updated": now}
        with self.database.transaction() as connection:
            # One at a time: what a second request wants was thought out before the first one changed the story.
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
                if story:  # what came with the request is needed until the work begins
                    self.database.add_references(record.id, digests=_digests(story))
            if job_request:
                self.queue.enqueue(connection, record.owner, record.id, job_request)
        return self.get(record.id)

    def delete(self, story_id: str) -> None:
        """Forget a story, the work on it and its webhooks; what only it used may be collected."""
        with self.database.transaction() as connection:
            self.queue.release_credits(connection, story_id)
            connection.execute("DELETE FROM stories WHERE id = ?", (story_id,))
            self.database.delete_run(story_id)

    def list_expired(self) -> list[str]:
        """Stories whose time is over."""
        rows = self.database.query("SELECT id FROM stories WHERE expires IS NOT NULL AND expires < ?", self.clock())
        return [row["id"] for row in rows]

    def save_progress(self, story_id: str, story: Brief | Story, new_warnings: Sequence[str] = ()) -> None:
        """What the work has found out about the story so far."""
        with self.database.transaction() as connection:
            row = connection.execute("SELECT extra FROM stories WHERE id = ?", (story_id,)).fetchone()
            if row is None:
                return
            extra = json.loads(row["extra"])
            extra["warnings"] = list(dict.fromkeys((*extra.get("warnings", ()), *new_warnings)))
            connection.execute(
                "UPDATE stories SET told = ?, extra = ?, updated = ?, revision = revision + 1 WHERE id = ?",
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
        """The work has ended, and with it the run of the story, if that is still there. Its webhook is saved in the same
        transaction, so that it can be sent after a crash."""
        now = self.clock()
        with self.database.transaction() as connection:
            self.queue.finish(connection, job, state, message, code)
            connection.execute(
                "UPDATE stories SET updated = ?, revision = revision + 1 WHERE id = ?", (now, job.story_id)
            )
            if film:
                connection.execute(
                    "UPDATE stories SET film = ?, film_number = film_number + 1 WHERE id = ?", (film, job.story_id)
                )
            row = connection.execute("SELECT * FROM stories WHERE id = ?", (job.story_id,)).fetchone()
            if row is None:
                return
            with contextlib.suppress(KeyError):  # the command line may have forgotten it
                self.database.finish_run(job.story_id, state, film=film, error=message)
            if row["webhook"] and webhook_body:
                self.outbox.add(connection, job.story_id, row["webhook"], webhook_body(_to_record(row, None)))

    def count_by_state(self) -> dict[str, int]:
        """How many stories there are, and pieces of work and webhooks in each state."""
        counts = {"stories": self.database.query("SELECT count(*) AS n FROM stories")[0]["n"]}
        for table in ("work", "deliveries"):
            for row in self.database.query(f"SELECT state, count(*) AS n FROM {table} GROUP BY state"):  # noqa: S608
                counts[f"{table}.{row['state']}"] = row["n"]
        return counts


def _digests(story: StoryBase) -> list[str]:
    return [picture.digest for picture in input_files(story).values() if picture.digest]


def _to_record(row: Any, job: Job | None, used_credits: int = 0) -> Record:
    plain_columns = ("id", "owner", "api", "created", "updated", "revision", "title", "description", "visibility", "film",
             "film_number", "webhook", "expires")  # fmt: skip
    return Record(
        **{name: row[name] for name in plain_columns},
        story=from_json(row["told"]),
        extra=json.loads(row["extra"]),
        stages=tuple(row["stages"].split()),
        job=job,
        used_credits=used_credits,
    )

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
from engine.server.jobs.queue import End, Order, Queue, State, Work
from engine.server.jobs.webhook_outbox import Outbox
from engine.storage.database import Jobs
from engine.story.model import Brief, Story, Told, given, told_of, told_text

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


class Busy(Exception):
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
    told: Brief | Story
    title: str
    description: str
    visibility: str
    extra: Mapping[str, Any]
    stages: tuple[str, ...]
    film: str | None
    film_number: int
    webhook: str | None
    expires: float | None
    work: Work | None = None
    used_credits: int = 0

    @property
    def active(self) -> bool:
        """Work on it waits or runs."""
        return self.work is not None and self.work.state in ("queued", "running")


@dataclass(frozen=True, slots=True)
class Glance:
    """As much of a story as tells whether it has changed, and may be shown to whom."""

    owner: str
    api: Api
    revision: int
    expires: float | None
    state: State | None
    progress: int


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be different in a story; None: as it is."""

    told: Brief | Story | None = None
    title: str | None = None
    description: str | None = None
    visibility: str | None = None
    extra: Mapping[str, Any] | None = None
    stage: str | None = None
    stages: tuple[str, ...] | None = None
    webhook: str | None = None
    drop_film: bool = False

    def columns(self, record: Record) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if self.told is not None:
            found["told"] = told_text(self.told)
        for name in ("title", "description", "visibility", "webhook"):
            if getattr(self, name) is not None:
                found[name] = getattr(self, name)
        if self.extra is not None:
            found["extra"] = json.dumps(self.extra)
        if self.stages is not None:
            found["stages"] = " ".join(self.stages)
        if self.stage is not None and self.stage not in record.stages:
            found["stages"] = " ".join((*record.stages, self.stage))
        if self.drop_film:
            found["film"] = None
        return found


@dataclass
class Records:
    """Reads and writes the tables. Safe from several threads."""

    jobs: Jobs
    credits: Credits
    clock: Callable[[], float] = field(default=time.time)
    queue: Queue = field(init=False)
    outbox: Outbox = field(init=False)

    def __post_init__(self) -> None:
        self.jobs.prepare(SCHEMA)
        self.queue = Queue(self.jobs, self.credits, self.clock)
        self.outbox = Outbox(self.jobs, self.clock)

    # Stories

    def create(
        self,
        owner: str,
        api: Api,
        told: Brief | Story,
        order: Order,
        *,
        stages: Sequence[str] = (),
        webhook: str | None = None,
        extra: Mapping[str, Any] | None = None,
        expires: float | None = None,
    ) -> Record:
        """A new story and the first work on it. Raises ApiError 402."""
        now, story_id = self.clock(), str(uuid.uuid4())
        plain = json.loads(told.model_dump_json())
        row = (story_id, owner, api, now, now, 1, told_text(told), told.title, told.description, "0", json.dumps(extra or {}),
               " ".join(stages), None, 0, webhook, expires)  # fmt: skip
        with self.jobs.writing() as connection:
            self.jobs.start_run(story_id, title=told.title, source=f"{api} request", story=plain)
            self.jobs.refer(story_id, digests=_digests(told))
            connection.execute(f"INSERT INTO stories VALUES ({', '.join('?' * len(row))})", row)  # noqa: S608
            self.queue.add(connection, owner, story_id, order)
        return self.get(story_id)

    def get(self, story_id: str) -> Record:
        """The story of that id. Raises KeyError."""
        for row in self.jobs.read("SELECT * FROM stories WHERE id = ?", story_id):
            return _record(row, self.queue.last(story_id), self.credits.used(story_id))
        raise KeyError(story_id)

    def find(self, owner: str, api: Api, story_id: str) -> Record | None:
        """The story of that id, if it is that owner's."""
        try:
            record = self.get(story_id)
        except KeyError:
            return None
        over = record.expires is not None and record.expires <= self.clock()
        return record if record.owner == owner and record.api == api and not over else None

    def glance(self, story_id: str) -> Glance | None:
        """What polling needs, in one quick question."""
        rows = self.jobs.read(
            "SELECT owner, api, revision, expires, state, progress FROM stories LEFT JOIN work ON work.story = stories.id "
            "WHERE stories.id = ? ORDER BY number DESC LIMIT 1",
            story_id,
        )
        return Glance(*rows[0]) if rows else None

    def owner_of(self, story_id: str) -> str | None:
        """Whose story that is; None when there is none."""
        rows = self.jobs.read(
            "SELECT owner FROM stories WHERE id = ? AND (expires IS NULL OR expires > ?)", story_id, self.clock()
        )
        return rows[0]["owner"] if rows else None

    def page(self, owner: str, api: Api, limit: int, offset: int) -> tuple[list[Record], int]:
        """Stories of an owner, newest first, and how many there are in all."""
        where = "FROM stories WHERE owner = ? AND api = ? AND (expires IS NULL OR expires > ?)"
        which = (owner, api, self.clock())
        rows = self.jobs.read(f"SELECT * {where} ORDER BY created DESC, id LIMIT ? OFFSET ?", *which, limit, offset)
        total = self.jobs.read(f"SELECT count(*) AS n {where}", *which)[0]["n"]
        return [_record(row, self.queue.last(row["id"]), self.credits.used(row["id"])) for row in rows], total

    def change(self, record: Record, change: Change, order: Order | None = None) -> Record:
        """Change a story, and begin the work on it that is ordered. Raises KeyError when the story is no more, Busy when other work
        was begun on it after `record` was read, ApiError 402."""
        now = self.clock()
        columns = {**change.columns(record), "updated": now}
        with self.jobs.writing() as connection:
            # One at a time: what a second request wants was thought out before the first one changed the story.
            if order and (record.active or self.queue.last(record.id) != record.work):
                raise Busy(record.id)
            sets = ", ".join(f"{name} = ?" for name in columns)
            done = connection.execute(
                f"UPDATE stories SET {sets}, revision = revision + 1 WHERE id = ?",  # noqa: S608
                (*columns.values(), record.id),
            )
            if not done.rowcount:
                raise KeyError(record.id)
            for told in (change.told, order.told if order else None):
                if told:  # what came with the request is needed until the work begins
                    self.jobs.refer(record.id, digests=_digests(told))
            if order:
                self.queue.add(connection, record.owner, record.id, order)
        return self.get(record.id)

    def delete(self, story_id: str) -> None:
        """Forget a story, the work on it and its webhooks; what only it used may be collected."""
        with self.jobs.writing() as connection:
            self.queue.drop(connection, story_id)
            connection.execute("DELETE FROM stories WHERE id = ?", (story_id,))
            self.jobs.forget_run(story_id)

    def expired(self) -> list[str]:
        """Stories whose time is over."""
        rows = self.jobs.read("SELECT id FROM stories WHERE expires IS NOT NULL AND expires < ?", self.clock())
        return [row["id"] for row in rows]

    def advance(self, story_id: str, told: Brief | Story, extra_warnings: Sequence[str] = ()) -> None:
        """What the work has found out about the story so far."""
        with self.jobs.writing() as connection:
            row = connection.execute("SELECT extra FROM stories WHERE id = ?", (story_id,)).fetchone()
            if row is None:
                return
            extra = json.loads(row["extra"])
            extra["warnings"] = list(dict.fromkeys((*extra.get("warnings", ()), *extra_warnings)))
            connection.execute(
                "UPDATE stories SET told = ?, extra = ?, updated = ?, revision = revision + 1 WHERE id = ?",
                (told_text(told), json.dumps(extra), self.clock(), story_id),
            )

    def end(
        self,
        work: Work,
        state: End,
        *,
        message: str = "",
        word: str = "",
        film: str | None = None,
        webhook_body: Callable[[Record], str] | None = None,
    ) -> None:
        """The work has ended, and with it the run of the story, if that is still there. Its webhook is saved in the same
        transaction, so that it can be sent after a crash."""
        now = self.clock()
        with self.jobs.writing() as connection:
            self.queue.end(connection, work, state, message, word)
            connection.execute(
                "UPDATE stories SET updated = ?, revision = revision + 1 WHERE id = ?", (now, work.story)
            )
            if film:
                connection.execute(
                    "UPDATE stories SET film = ?, film_number = film_number + 1 WHERE id = ?", (film, work.story)
                )
            row = connection.execute("SELECT * FROM stories WHERE id = ?", (work.story,)).fetchone()
            if row is None:
                return
            with contextlib.suppress(KeyError):  # the command line may have forgotten it
                self.jobs.finish_run(work.story, state, film=film, error=message)
            if row["webhook"] and webhook_body:
                self.outbox.add(connection, work.story, row["webhook"], webhook_body(_record(row, None)))

    def counts(self) -> dict[str, int]:
        """How many stories there are, and pieces of work and webhooks in each state."""
        found = {"stories": self.jobs.read("SELECT count(*) AS n FROM stories")[0]["n"]}
        for table in ("work", "deliveries"):
            for row in self.jobs.read(f"SELECT state, count(*) AS n FROM {table} GROUP BY state"):  # noqa: S608
                found[f"{table}.{row['state']}"] = row["n"]
        return found


def _digests(told: Told) -> list[str]:
    return [picture.digest for picture in given(told).values() if picture.digest]


def _record(row: Any, work: Work | None, used_credits: int = 0) -> Record:
    plain = ("id", "owner", "api", "created", "updated", "revision", "title", "description", "visibility", "film",
             "film_number", "webhook", "expires")  # fmt: skip
    return Record(
        **{name: row[name] for name in plain},
        told=told_of(row["told"]),
        extra=json.loads(row["extra"]),
        stages=tuple(row["stages"].split()),
        work=work,
        used_credits=used_credits,
    )

"""The work on stories: what waits, what runs, how it ended; a table in the same file as the history."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from engine.server.jobs.credits import Credits
from engine.storage.database import Database
from engine.story.model import Story, to_json

JobTarget = Literal["storyboard", "elements", "scenes", "film", "concat", "keyframes"]
JobState = Literal["queued", "running", "done", "failed", "cancelled"]
FinalState = Literal["done", "failed", "cancelled"]

SCHEMA = """
CREATE TABLE IF NOT EXISTS work (
    number INTEGER PRIMARY KEY AUTOINCREMENT, story TEXT NOT NULL REFERENCES stories (id) ON DELETE CASCADE,
    goal TEXT NOT NULL, priority INTEGER NOT NULL, state TEXT NOT NULL, progress INTEGER NOT NULL, told TEXT,
    message TEXT NOT NULL, word TEXT NOT NULL, created REAL NOT NULL, ended REAL
) STRICT;
CREATE INDEX IF NOT EXISTS work_of_story ON work (story, number DESC);
CREATE INDEX IF NOT EXISTS work_to_do ON work (priority DESC, number) WHERE state = 'queued';
CREATE TABLE IF NOT EXISTS deaths (
    work INTEGER PRIMARY KEY REFERENCES work (number) ON DELETE CASCADE, times INTEGER NOT NULL, progress INTEGER NOT NULL
) STRICT
"""

CRASHES_BEFORE_DEMOTION = 3
"""Deaths of the server without any progress of a piece of work, from which on other work comes first."""
MAX_CRASHES = 10
"""… and after which it is given up."""


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work on a story. `told` is what it makes where that is not the story itself."""

    id: int
    story_id: str
    target: JobTarget
    state: JobState
    progress: int
    story_json: str | None
    message: str
    code: str


@dataclass(frozen=True, slots=True)
class JobRequest:
    """Work that is to begin: how far, how urgent, for how many credits; `told` is what it makes where that is not the story itself."""

    target: JobTarget
    priority: int = 0
    cost: int = 0
    story: Story | None = None


@dataclass
class JobQueue:
    """Reads and writes its table. Safe from several threads."""

    database: Database
    credits: Credits
    clock: Callable[[], float] = field(default=time.time)

    def __post_init__(self) -> None:
        self.database.create_tables(SCHEMA)

    def enqueue(self, connection: Any, owner: str, story_id: str, job_request: JobRequest) -> None:
        """Work that waits from the end of this transaction on. Raises ApiError 402."""
        story_json = to_json(job_request.story) if job_request.story else None
        cursor = connection.execute(
            "INSERT INTO work (story, goal, priority, state, progress, told, message, word, created) "
            "VALUES (?, ?, ?, 'queued', 0, ?, '', '', ?)",
            (story_id, job_request.target, job_request.priority, story_json, self.clock()),
        )
        self.credits.reserve(connection, int(cursor.lastrowid), owner, story_id, job_request.cost)

    def latest(self, story_id: str) -> Job | None:
        """The latest work on a story."""
        rows = self.database.query("SELECT * FROM work WHERE story = ? ORDER BY number DESC LIMIT 1", story_id)
        return _to_job(rows[0]) if rows else None

    def is_active(self, story_id: str) -> bool:
        """Whether work on the story waits or runs."""
        query = "SELECT 1 FROM work WHERE story = ? AND state IN ('queued', 'running') LIMIT 1"
        return bool(self.database.query(query, story_id))

    def count_queued(self) -> int:
        """How much work waits."""
        count: int = self.database.query("SELECT count(*) AS n FROM work WHERE state = 'queued'")[0]["n"]
        return count

    def claim(self) -> Job | None:
        """The most urgent work that waits, from now on running."""
        with self.database.transaction() as connection:
            row = connection.execute(
                "SELECT work.* FROM work LEFT JOIN deaths ON deaths.work = number AND times >= ? WHERE state = 'queued' "
                "ORDER BY times IS NOT NULL, priority DESC, number LIMIT 1",
                (CRASHES_BEFORE_DEMOTION,),
            ).fetchone()
            if row is None:
                return None
            connection.execute("UPDATE work SET state = 'running' WHERE number = ?", (row["number"],))
        return _to_job(row)

    def requeue(self, job: Job) -> None:
        """Work that is interrupted on purpose waits again, in its old place."""
        with self.database.transaction() as connection:
            connection.execute("UPDATE work SET state = 'queued' WHERE number = ? AND state = 'running'", (job.id,))

    def requeue_interrupted(self) -> list[Job]:
        """Work during which a server died waits again, in its old place. Gives what it died of too often: nobody knows that it was
        this work, but time and again it came no further."""
        with self.database.transaction() as connection:
            connection.execute(
                "INSERT INTO deaths SELECT number, 1, progress FROM work WHERE state = 'running' ON CONFLICT (work) DO UPDATE "
                "SET times = iif(excluded.progress > progress, 1, times + 1), progress = excluded.progress"
            )
            connection.execute("UPDATE work SET state = 'queued' WHERE state = 'running'")
            rows = connection.execute(
                "SELECT work.* FROM work JOIN deaths ON deaths.work = number WHERE state = 'queued' AND times >= ?",
                (MAX_CRASHES,),
            ).fetchall()
        return [_to_job(row) for row in rows]

    def set_progress(self, job: Job, percent: int) -> None:
        """So far has it come."""
        with self.database.transaction() as connection:
            connection.execute(
                "UPDATE work SET progress = max(progress, ?) WHERE number = ? AND state = 'running'",
                (percent, job.id),
            )

    def finish(self, connection: Any, job: Job, state: FinalState, message: str, code: str) -> None:
        """The work has ended, in the transaction that saves what came of it."""
        connection.execute(
            "UPDATE work SET state = ?, message = ?, word = ?, ended = ?, progress = ? WHERE number = ?",
            (state, message, code, self.clock(), 100 if state == "done" else job.progress, job.id),
        )
        self.credits.settle(connection, job.id)

    def release_credits(self, connection: Any, story_id: str) -> None:
        """Forget all work on a story, in the transaction that forgets the story: what was put aside for it is free."""
        for row in connection.execute("SELECT number FROM work WHERE story = ?", (story_id,)).fetchall():
            self.credits.settle(connection, row["number"])


def _to_job(row: Any) -> Job:
    return Job(
        id=row["number"],
        story_id=row["story"],
        target=row["goal"],
        state=row["state"],
        progress=row["progress"],
        story_json=row["told"],
        message=row["message"],
        code=row["word"],
    )

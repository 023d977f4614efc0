"""The job queue, in the database of the run history."""

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
"""Server crashes without progress of a job, after which all other jobs take precedence."""
MAX_CRASHES = 10
"""Server crashes without progress of a job, after which the job fails."""


@dataclass(frozen=True, slots=True)
class Job:
    """One job on a story. `story_json`: the story to run, if it is not the stored one; `progress` in percent."""

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
    """A job to enqueue. `cost` in credits; `story`: the story to run, if it is not the stored one."""

    target: JobTarget
    priority: int = 0
    cost: int = 0
    story: Story | None = None


@dataclass
class JobQueue:
    """Reads and writes the table of jobs. Thread-safe."""

    database: Database
    credits: Credits
    clock: Callable[[], float] = field(default=time.time)

    def __post_init__(self) -> None:
        self.database.create_tables(SCHEMA)

    def enqueue(self, connection: Any, owner: str, story_id: str, job_request: JobRequest) -> None:
        """Add a job, in the transaction of the caller. Raises ApiError 402."""
        story_json = to_json(job_request.story) if job_request.story else None
        cursor = connection.execute(
            "INSERT INTO work (story, goal, priority, state, progress, told, message, word, created) "
            "VALUES (?, ?, ?, 'queued', 0, ?, '', '', ?)",
            (story_id, job_request.target, job_request.priority, story_json, self.clock()),
        )
        self.credits.reserve(connection, int(cursor.lastrowid), owner, story_id, job_request.cost)

    def latest(self, story_id: str) -> Job | None:
        """Return the latest job of a story."""
        rows = self.database.query("SELECT * FROM work WHERE story = ? ORDER BY number DESC LIMIT 1", story_id)
        return _to_job(rows[0]) if rows else None

    def is_active(self, story_id: str) -> bool:
        """Return whether a job of the story is queued or running."""
        query = "SELECT 1 FROM work WHERE story = ? AND state IN ('queued', 'running') LIMIT 1"
        return bool(self.database.query(query, story_id))

    def count_queued(self) -> int:
        """Return the number of queued jobs."""
        count: int = self.database.query("SELECT count(*) AS n FROM work WHERE state = 'queued'")[0]["n"]
        return count

    def claim(self) -> Job | None:
        """Mark the queued job with the highest priority as running and return it; None for an empty queue."""
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
        """Return a cancelled job to its place in the queue."""
        with self.database.transaction() as connection:
            connection.execute("UPDATE work SET state = 'queued' WHERE number = ? AND state = 'running'", (job.id,))

    def requeue_interrupted(self) -> list[Job]:
        """Return jobs that ran when the server crashed to their places in the queue, and count the crashes.

        Return the jobs that made no progress over MAX_CRASHES crashes; the caller fails them."""
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
        """Store the progress of a running job; it never falls."""
        with self.database.transaction() as connection:
            connection.execute(
                "UPDATE work SET progress = max(progress, ?) WHERE number = ? AND state = 'running'",
                (percent, job.id),
            )

    def finish(self, connection: Any, job: Job, state: FinalState, message: str, code: str) -> None:
        """Store the final state of a job, in the transaction that stores its result."""
        connection.execute(
            "UPDATE work SET state = ?, message = ?, word = ?, ended = ?, progress = ? WHERE number = ?",
            (state, message, code, self.clock(), 100 if state == "done" else job.progress, job.id),
        )
        self.credits.settle(connection, job.id)

    def release_credits(self, connection: Any, story_id: str) -> None:
        """Release the credits that jobs of a story reserved, in the transaction that deletes the story."""
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

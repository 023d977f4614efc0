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

    def enqueue(self, connection: Any, owner: str, story_id: str, job_request: JobRequest) -> None:
        """Add a job, in the transaction of the caller. Raises ApiError 402."""
        story_json = to_json(job_request.story) if job_request.story else None
        cursor = connection.execute(
            "INSERT INTO jobs (story_id, target, priority, state, progress, story_json, message, code, created) "
            "VALUES (?, ?, ?, 'queued', 0, ?, '', '', ?)",
            (story_id, job_request.target, job_request.priority, story_json, self.clock()),
        )
        self.credits.reserve(connection, int(cursor.lastrowid), owner, story_id, job_request.cost)

    def latest(self, story_id: str) -> Job | None:
        """Return the latest job of a story."""
        rows = self.database.query("SELECT * FROM jobs WHERE story_id = ? ORDER BY id DESC LIMIT 1", story_id)
        return _to_job(rows[0]) if rows else None

    def is_active(self, story_id: str) -> bool:
        """Return whether a job of the story is queued or running."""
        query = "SELECT 1 FROM jobs WHERE story_id = ? AND state IN ('queued', 'running') LIMIT 1"
        return bool(self.database.query(query, story_id))

    def count_queued(self) -> int:
        """Return the number of queued jobs."""
        count: int = self.database.query("SELECT count(*) AS n FROM jobs WHERE state = 'queued'")[0]["n"]
        return count

    def claim(self) -> Job | None:
        """Mark the queued job with the highest priority as running and return it; None for an empty queue."""
        with self.database.transaction() as connection:
            row = connection.execute(
                "SELECT jobs.* FROM jobs LEFT JOIN crash_counts ON job_id = id AND crashes >= ? WHERE state = 'queued' "
                "ORDER BY crashes IS NOT NULL, priority DESC, id LIMIT 1",
                (CRASHES_BEFORE_DEMOTION,),
            ).fetchone()
            if row is None:
                return None
            connection.execute("UPDATE jobs SET state = 'running' WHERE id = ?", (row["id"],))
        return _to_job(row)

    def requeue(self, job: Job) -> None:
        """Return a cancelled job to its place in the queue."""
        with self.database.transaction() as connection:
            connection.execute("UPDATE jobs SET state = 'queued' WHERE id = ? AND state = 'running'", (job.id,))

    def requeue_interrupted(self) -> list[Job]:
        """Return jobs that ran when the server crashed to their places in the queue, and count the crashes.

        Return the jobs that made no progress over MAX_CRASHES crashes; the caller fails them."""
        with self.database.transaction() as connection:
            connection.execute(
                "INSERT INTO crash_counts (job_id, crashes, progress) "
                "SELECT id, 1, progress FROM jobs WHERE state = 'running' ON CONFLICT (job_id) DO UPDATE "
                "SET crashes = iif(excluded.progress > progress, 1, crashes + 1), progress = excluded.progress"
            )
            connection.execute("UPDATE jobs SET state = 'queued' WHERE state = 'running'")
            rows = connection.execute(
                "SELECT jobs.* FROM jobs JOIN crash_counts ON job_id = id WHERE state = 'queued' AND crashes >= ?",
                (MAX_CRASHES,),
            ).fetchall()
        return [_to_job(row) for row in rows]

    def set_progress(self, job: Job, percent: int) -> None:
        """Store the progress of a running job; it never falls."""
        with self.database.transaction() as connection:
            connection.execute(
                "UPDATE jobs SET progress = max(progress, ?) WHERE id = ? AND state = 'running'",
                (percent, job.id),
            )

    def finish(self, connection: Any, job: Job, state: FinalState, message: str, code: str) -> None:
        """Store the final state of a job, in the transaction that stores its result."""
        connection.execute(
            "UPDATE jobs SET state = ?, message = ?, code = ?, finished_at = ?, progress = ? WHERE id = ?",
            (state, message, code, self.clock(), 100 if state == "done" else job.progress, job.id),
        )
        self.credits.settle(connection, job.id)

    def release_credits(self, connection: Any, story_id: str) -> None:
        """Release the credits that jobs of a story reserved, in the transaction that deletes the story."""
        for row in connection.execute("SELECT id FROM jobs WHERE story_id = ?", (story_id,)).fetchall():
            self.credits.settle(connection, row["id"])


def _to_job(row: Any) -> Job:
    return Job(
        id=row["id"],
        story_id=row["story_id"],
        target=row["target"],
        state=row["state"],
        progress=row["progress"],
        story_json=row["story_json"],
        message=row["message"],
        code=row["code"],
    )

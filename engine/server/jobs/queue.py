"""The work on stories: what waits, what runs, how it ended; a table in the same file as the history."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from engine.server.jobs.credits import Credits
from engine.storage.database import Jobs
from engine.story.model import Story, told_text

Goal = Literal["storyboard", "elements", "scenes", "film", "concat", "keyframes"]
State = Literal["queued", "running", "done", "failed", "cancelled"]
End = Literal["done", "failed", "cancelled"]

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

SUSPECT = 3
"""Deaths of the server without any progress of a piece of work, from which on other work comes first."""
HOPELESS = 10
"""… and after which it is given up."""


@dataclass(frozen=True, slots=True)
class Work:
    """One piece of work on a story. `told` is what it makes where that is not the story itself."""

    number: int
    story: str
    goal: Goal
    state: State
    progress: int
    told: str | None
    message: str
    word: str


@dataclass(frozen=True, slots=True)
class Order:
    """Work that is to begin: how far, how urgent, for how many credits; `told` is what it makes where that is not the story itself."""

    goal: Goal
    priority: int = 0
    cost: int = 0
    told: Story | None = None


@dataclass
class Queue:
    """Reads and writes its table. Safe from several threads."""

    jobs: Jobs
    credits: Credits
    clock: Callable[[], float] = field(default=time.time)

    def __post_init__(self) -> None:
        self.jobs.prepare(SCHEMA)

    def add(self, connection: Any, owner: str, story_id: str, order: Order) -> None:
        """Work that waits from the end of this transaction on. Raises ApiError 402."""
        told = told_text(order.told) if order.told else None
        done = connection.execute(
            "INSERT INTO work (story, goal, priority, state, progress, told, message, word, created) "
            "VALUES (?, ?, ?, 'queued', 0, ?, '', '', ?)",
            (story_id, order.goal, order.priority, told, self.clock()),
        )
        self.credits.put_aside(connection, int(done.lastrowid), owner, story_id, order.cost)

    def last(self, story_id: str) -> Work | None:
        """The latest work on a story."""
        rows = self.jobs.read("SELECT * FROM work WHERE story = ? ORDER BY number DESC LIMIT 1", story_id)
        return _work(rows[0]) if rows else None

    def is_active(self, story_id: str) -> bool:
        """Whether work on the story waits or runs."""
        query = "SELECT 1 FROM work WHERE story = ? AND state IN ('queued', 'running') LIMIT 1"
        return bool(self.jobs.read(query, story_id))

    def waiting(self) -> int:
        """How much work waits."""
        count: int = self.jobs.read("SELECT count(*) AS n FROM work WHERE state = 'queued'")[0]["n"]
        return count

    def take(self) -> Work | None:
        """The most urgent work that waits, from now on running."""
        with self.jobs.writing() as connection:
            row = connection.execute(
                "SELECT work.* FROM work LEFT JOIN deaths ON deaths.work = number AND times >= ? WHERE state = 'queued' "
                "ORDER BY times IS NOT NULL, priority DESC, number LIMIT 1",
                (SUSPECT,),
            ).fetchone()
            if row is None:
                return None
            connection.execute("UPDATE work SET state = 'running' WHERE number = ?", (row["number"],))
        return _work(row)

    def put_back(self, work: Work) -> None:
        """Work that is interrupted on purpose waits again, in its old place."""
        with self.jobs.writing() as connection:
            connection.execute(
                "UPDATE work SET state = 'queued' WHERE number = ? AND state = 'running'", (work.number,)
            )

    def resume(self) -> list[Work]:
        """Work during which a server died waits again, in its old place. Gives what it died of too often: nobody knows that it was
        this work, but time and again it came no further."""
        with self.jobs.writing() as connection:
            connection.execute(
                "INSERT INTO deaths SELECT number, 1, progress FROM work WHERE state = 'running' ON CONFLICT (work) DO UPDATE "
                "SET times = iif(excluded.progress > progress, 1, times + 1), progress = excluded.progress"
            )
            connection.execute("UPDATE work SET state = 'queued' WHERE state = 'running'")
            rows = connection.execute(
                "SELECT work.* FROM work JOIN deaths ON deaths.work = number WHERE state = 'queued' AND times >= ?",
                (HOPELESS,),
            ).fetchall()
        return [_work(row) for row in rows]

    def progress(self, work: Work, percent: int) -> None:
        """So far has it come."""
        with self.jobs.writing() as connection:
            connection.execute(
                "UPDATE work SET progress = max(progress, ?) WHERE number = ? AND state = 'running'",
                (percent, work.number),
            )

    def end(self, connection: Any, work: Work, state: End, message: str, word: str) -> None:
        """The work has ended, in the transaction that saves what came of it."""
        connection.execute(
            "UPDATE work SET state = ?, message = ?, word = ?, ended = ?, progress = ? WHERE number = ?",
            (state, message, word, self.clock(), 100 if state == "done" else work.progress, work.number),
        )
        self.credits.settle(connection, work.number)

    def drop(self, connection: Any, story_id: str) -> None:
        """Forget all work on a story, in the transaction that forgets the story: what was put aside for it is free."""
        for row in connection.execute("SELECT number FROM work WHERE story = ?", (story_id,)).fetchall():
            self.credits.settle(connection, row["number"])


def _work(row: Any) -> Work:
    return Work(**{name: row[name] for name in Work.__slots__})

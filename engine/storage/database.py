"""History in SQLite: which runs there were, what they refer to in the store, and how long things took on this machine.

Nothing here is needed to find finished work again: that is in the store. One file on a local disk; any number of
processes may read, one writes at a time and the others wait.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self

import psutil

from engine.storage.migrations import NewerSchema, migrate

BUSY_TIMEOUT_SECONDS = 30.0
"""How long to wait for another process that writes."""

MAX_TIMINGS = 50
"""How many of the last timings of a model an estimate is made from; older ones are dropped."""

RunStatus = Literal["running", "done", "failed", "cancelled", "interrupted"]


class DatabaseError(RuntimeError):
    """The history cannot be used; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a story. `status` is `interrupted` when the process that ran it is no more; `film` is a digest;
    `source` and `output_folder` are paths as the user gave them; times are seconds since 1970."""

    id: str
    created: float
    updated: float
    title: str
    source: str
    output_folder: str
    status: RunStatus
    story: Mapping[str, Any]
    film: str | None = None
    warnings: tuple[str, ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a step will take, by what such steps took before: `samples` of them."""

    seconds: float
    peak_memory_mb: int
    bytes: int
    samples: int


class Database:
    """The history in the file `path`, made when it is not there. May be used from several threads."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self.path, self._clock = path, clock
        self._write_lock, self._read_lock = threading.RLock(), threading.Lock()
        self._writer_thread: int | None = None  # the thread that is in a transaction
        with self._translate_errors():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)  # it holds the secrets that sign; what is there already stays as its owner made it
            # Two connections: who reads need not wait until what another thread writes is on the disk.
            self._connection, self._reader = self._connect(), self._connect()
            try:
                self._connection.execute("PRAGMA journal_mode = WAL")
                self._migrate()
                self._connection.execute("PRAGMA foreign_keys = ON")
            except BaseException:
                self._connection.close()
                self._reader.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the use of the file."""
        with self._write_lock, self._read_lock:
            self._connection.close()
            self._reader.close()

    # Runs

    def start_run(
        self, run_id: str, *, title: str, source: str = "", output_folder: str = "", story: Mapping[str, Any]
    ) -> Run:
        """A run begins, or one of that id begins again."""
        now = self._clock()
        columns = {
            "id": run_id,
            "created": now,
            "updated": now,
            "title": title,
            "source": source,
            "output_folder": output_folder,
            "status": "running",
            "process": _process_identity(),
            "story_json": json.dumps(story),
            "film": None,
            "warnings": "[]",
            "error": "",
        }
        updates = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in ("id", "created"))
        with self._transaction() as connection:
            connection.execute(
                f"INSERT INTO runs ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))}) "  # noqa: S608
                f"ON CONFLICT (id) DO UPDATE SET {updates}",
                tuple(columns.values()),
            )
        return self.get_run(run_id)

    def finish_run(
        self,
        run_id: str,
        status: Literal["done", "failed", "cancelled"],
        *,
        film: str | None = None,
        warnings: Sequence[str] = (),
        error: str = "",
    ) -> Run:
        """A run has ended."""
        with self._transaction() as connection:
            connection.execute(
                "UPDATE runs SET updated = ?, status = ?, film = ?, warnings = ?, error = ? WHERE id = ?",
                (self._clock(), status, film, json.dumps(list(warnings)), error, run_id),
            )
        return self.get_run(run_id)

    def get_run(self, run_id: str) -> Run:
        """The run of that id. Raises `KeyError`."""
        for row in self._query("SELECT * FROM runs WHERE id = ?", run_id):
            return _run_from_row(row)
        raise KeyError(run_id)

    def list_runs(self, limit: int = 50) -> list[Run]:
        """The latest runs, newest first."""
        return [
            _run_from_row(row) for row in self._query("SELECT * FROM runs ORDER BY created DESC, id LIMIT ?", limit)
        ]

    def find_runs(self, prefix: str, limit: int = 2) -> list[Run]:
        """Runs whose ids begin like that, newest first."""
        query = "SELECT * FROM runs WHERE substr(id, 1, ?) = ? ORDER BY created DESC LIMIT ?"
        return [_run_from_row(row) for row in self._query(query, len(prefix), prefix, limit)]

    def delete_run(self, run_id: str) -> None:
        """Remove a run; what only it referred to may be collected. Harmless when there is none."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM runs WHERE id = ?", (run_id,))

    # What runs refer to

    def add_references(
        self, run_id: str, *, keys: Iterable[str] = (), digests: Iterable[str] = (), exclusive: bool = False
    ) -> bool:
        """The run needs these actions and blobs of the store; with `only`, nothing else any more. Gives whether it needed
        something that it needs no more. Raises `KeyError` when the run was forgotten meanwhile."""
        rows = {(run_id, "key", key) for key in keys} | {(run_id, "digest", digest) for digest in digests}
        dropped: set[tuple[str, str, str]] = set()
        try:
            with self._transaction() as connection:
                if exclusive:
                    before = connection.execute(
                        "SELECT run_id, kind, value FROM run_references WHERE run_id = ?", (run_id,)
                    )
                    dropped = {tuple(row) for row in before} - rows
                    connection.executemany(
                        "DELETE FROM run_references WHERE run_id = ? AND kind = ? AND value = ?", dropped
                    )
                connection.executemany("INSERT OR IGNORE INTO run_references VALUES (?, ?, ?)", rows)
        except sqlite3.IntegrityError as error:
            raise KeyError(run_id) from error
        return bool(dropped)

    def live_keys(self) -> frozenset[str]:
        """The actions that any run needs."""
        return frozenset(row["value"] for row in self._query("SELECT value FROM run_references WHERE kind = 'key'"))

    def live_digests(self) -> frozenset[str]:
        """The blobs that any run needs besides those of its actions."""
        query = (
            "SELECT value FROM run_references WHERE kind = 'digest' UNION SELECT film FROM runs WHERE film IS NOT NULL"
        )
        return frozenset(row["value"] for row in self._query(query))

    # How long things take

    def add_timing(
        self, kind: str, model: str, *, work: float, seconds: float, peak_memory_mb: int = 0, size: int = 0
    ) -> None:
        """A step took this. `work` measures how much there was to do, in whatever unit fits the kind (pixels, characters,
        frames), as long as it is the same in `estimate`; `size` is the bytes that it made."""
        if not work > 0:
            raise ValueError(f"work must be positive, not {work}")
        with self._transaction() as connection:
            connection.execute(
                "INSERT INTO timings (kind, model, work_units, seconds, peak_memory_mb, output_bytes) VALUES (?, ?, ?, ?, ?, ?)",
                (kind, model, work, seconds, peak_memory_mb, size),
            )
            connection.execute(
                "DELETE FROM timings WHERE kind = ?1 AND model = ?2 AND id NOT IN "
                "(SELECT id FROM timings WHERE kind = ?1 AND model = ?2 ORDER BY id DESC LIMIT ?3)",
                (kind, model, MAX_TIMINGS),
            )

    def estimate(self, kind: str, model: str, *, work: float = 1.0) -> Estimate | None:
        """What so much work will take: the median of seconds and bytes per unit, the most memory. None without samples."""
        rows = self._query("SELECT * FROM timings WHERE kind = ? AND model = ?", kind, model)
        if not rows:
            return None
        return Estimate(
            seconds=statistics.median(row["seconds"] / row["work_units"] for row in rows) * work,
            peak_memory_mb=max(row["peak_memory_mb"] for row in rows),
            bytes=round(statistics.median(row["output_bytes"] / row["work_units"] for row in rows) * work),
            samples=len(rows),
        )

    def query(self, query: str, *values: object) -> list[sqlite3.Row]:
        """The rows of a query."""
        return self._query(query, *values)

    def transaction(self) -> contextlib.AbstractContextManager[sqlite3.Connection]:
        """One transaction of one's own; nothing of it stays when an exception leaves it. What is written and read within it,
        by this class too, is part of it."""
        return self._transaction()

    # Underneath

    def _migrate(self) -> None:
        """Bring the schema up to date. Of several processes one does it; the others wait."""
        with self._transaction() as connection:
            try:
                migrate(connection)
            except NewerSchema as error:
                raise DatabaseError(
                    f"{self.path} was written by a newer version of this program ({error}); update the program"
                ) from error

    def _query(self, query: str, *values: object) -> list[sqlite3.Row]:
        if self._writer_thread == threading.get_ident():
            return self._connection.execute(query, values).fetchall()
        with self._read_lock, self._translate_errors():
            return self._reader.execute(query, values).fetchall()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False
        )
        connection.row_factory = sqlite3.Row
        return connection

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """One transaction, begun as a writer so that it waits for others at its beginning and never fails later."""
        if self._writer_thread == threading.get_ident():
            yield self._connection
            return
        with self._write_lock, self._translate_errors():
            self._connection.execute("BEGIN IMMEDIATE")
            self._writer_thread = threading.get_ident()
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            finally:
                self._writer_thread = None
                if (
                    self._connection.in_transaction
                ):  # not after errors, such as a full disk, at which SQLite ends it itself
                    self._connection.execute("ROLLBACK")

    @contextlib.contextmanager
    def _translate_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.IntegrityError:
            raise
        except sqlite3.OperationalError as error:
            raise DatabaseError(
                f"{self.path} cannot be used ({error}); is the folder writable, the disk full?"
            ) from error
        except sqlite3.DatabaseError as error:
            raise DatabaseError(
                f"{self.path} is damaged ({error}); move it away to begin a new history, no finished work is lost"
            ) from error
        except OSError as error:
            raise DatabaseError(f"{self.path} cannot be used ({error.strerror})") from error


def _run_from_row(row: sqlite3.Row) -> Run:
    run = Run(
        **{
            name: row[name]
            for name in ("id", "created", "updated", "title", "source", "output_folder", "status", "film", "error")
        },
        story=json.loads(row["story_json"]),
        warnings=tuple(json.loads(row["warnings"])),
    )
    return replace(run, status="interrupted") if run.status == "running" and not _is_alive(row["process"]) else run


def _process_identity() -> str:
    return f"{os.getpid()} {_process_start(os.getpid())}"


def _is_alive(process: str) -> bool:
    """Numbers of processes are given again; their beginnings tell them apart."""
    number, _, started = process.partition(" ")
    return bool(started) and _process_start(int(number)) == started


def _process_start(pid: int) -> str:
    """When a process began; empty when there is none. On Linux in ticks since the machine's start, as the wall clock may
    be set meanwhile."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        if sys.platform == "linux":
            return ""
    try:
        return f"{psutil.Process(pid).create_time():.0f}"
    except psutil.Error:
        return ""

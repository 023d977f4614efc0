"""The SQLite database: run history, references of runs to artifacts, timings of steps.

The cache does not depend on it: finished steps are in the artifact store. The file must be on a local disk. Any number
of processes can read it; writers wait for each other.
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
"""Seconds to wait for the write lock of another process."""

MAX_TIMINGS = 50
"""Timings kept per kind and model; older ones are deleted."""

RunStatus = Literal["running", "done", "failed", "cancelled", "interrupted"]


class DatabaseError(RuntimeError):
    """The database is unusable; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a story.

    `status`: `interrupted` if the process of a running run has died; `film`: digest; `source` and `output_folder`:
    paths as the user wrote them; times in seconds since 1970."""

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
    """Expected cost of a step, from `samples` timings; `bytes`: size of the outputs."""

    seconds: float
    peak_memory_mb: int
    bytes: int
    samples: int


class Database:
    """The database in the file `path`, created if missing. Thread-safe."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self.path, self._clock = path, clock
        self._write_lock, self._read_lock = threading.RLock(), threading.Lock()
        self._writer_thread: int | None = None  # the thread that has an open transaction
        with self._translate_errors():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)  # it contains signing secrets; an existing file keeps its mode
            # Two connections: readers do not wait for the disk writes of another thread.
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
        """Close the connections."""
        with self._write_lock, self._read_lock:
            self._connection.close()
            self._reader.close()

    # Runs

    def start_run(
        self, run_id: str, *, title: str, source: str = "", output_folder: str = "", story: Mapping[str, Any]
    ) -> Run:
        """Insert a running run, or restart the run with that id."""
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
        """Store the end of a run. Raises KeyError."""
        with self._transaction() as connection:
            connection.execute(
                "UPDATE runs SET updated = ?, status = ?, film = ?, warnings = ?, error = ? WHERE id = ?",
                (self._clock(), status, film, json.dumps(list(warnings)), error, run_id),
            )
        return self.get_run(run_id)

    def get_run(self, run_id: str) -> Run:
        """Return the run with that id. Raises KeyError."""
        for row in self._query("SELECT * FROM runs WHERE id = ?", run_id):
            return _run_from_row(row)
        raise KeyError(run_id)

    def list_runs(self, limit: int = 50) -> list[Run]:
        """Return the latest runs, newest first."""
        return [
            _run_from_row(row) for row in self._query("SELECT * FROM runs ORDER BY created DESC, id LIMIT ?", limit)
        ]

    def find_runs(self, prefix: str, limit: int = 2) -> list[Run]:
        """Return runs whose ids start with `prefix`, newest first."""
        query = "SELECT * FROM runs WHERE substr(id, 1, ?) = ? ORDER BY created DESC LIMIT ?"
        return [_run_from_row(row) for row in self._query(query, len(prefix), prefix, limit)]

    def delete_run(self, run_id: str) -> None:
        """Delete a run and its references. Do nothing for an unknown id."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM runs WHERE id = ?", (run_id,))

    # References of runs to artifacts

    def add_references(
        self, run_id: str, *, keys: Iterable[str] = (), digests: Iterable[str] = (), exclusive: bool = False
    ) -> bool:
        """Add references of a run to actions (`keys`) and blobs (`digests`), which garbage collection keeps.

        With `exclusive` all other references of the run are deleted. Return whether any was deleted. Raises KeyError if
        the run does not exist."""
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
        """Return the keys of all referenced actions."""
        return frozenset(row["value"] for row in self._query("SELECT value FROM run_references WHERE kind = 'key'"))

    def live_digests(self) -> frozenset[str]:
        """Return the digests of all referenced blobs, without the outputs of referenced actions."""
        query = (
            "SELECT value FROM run_references WHERE kind = 'digest' UNION SELECT film FROM runs WHERE film IS NOT NULL"
        )
        return frozenset(row["value"] for row in self._query(query))

    # Timings

    def add_timing(
        self, kind: str, model: str, *, work: float, seconds: float, peak_memory_mb: int = 0, size: int = 0
    ) -> None:
        """Store the timing of a step.

        `work`: amount of work in the unit of the kind, as in `estimate`; `size`: bytes of the outputs. Raises
        ValueError unless `work` is positive."""
        if not work > 0:
            raise ValueError(f"work must be positive, not {work}")
        with self._transaction() as connection:
            connection.execute(
                "INSERT INTO timings (kind, model, work_units, seconds, peak_memory_mb, output_bytes) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (kind, model, work, seconds, peak_memory_mb, size),
            )
            connection.execute(
                "DELETE FROM timings WHERE kind = ?1 AND model = ?2 AND id NOT IN "
                "(SELECT id FROM timings WHERE kind = ?1 AND model = ?2 ORDER BY id DESC LIMIT ?3)",
                (kind, model, MAX_TIMINGS),
            )

    def estimate(self, kind: str, model: str, *, work: float = 1.0) -> Estimate | None:
        """Return the median of seconds and bytes per unit times `work`, and the peak memory; None without timings."""
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
        """Return the rows of a query. Within a transaction of this thread it sees its changes."""
        return self._query(query, *values)

    def transaction(self) -> contextlib.AbstractContextManager[sqlite3.Connection]:
        """Open a write transaction, rolled back if an exception leaves it.

        Methods of this class that the thread calls within it are part of it."""
        return self._transaction()

    # Internals

    def _migrate(self) -> None:
        """Apply the missing migrations. Other processes wait for the transaction."""
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
        """Open a write transaction, or join that of this thread. It waits for other writers at its start only."""
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
                if self._connection.in_transaction:  # SQLite itself rolls back after some errors, such as a full disk
                    self._connection.execute("ROLLBACK")

    @contextlib.contextmanager
    def _translate_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.IntegrityError:
            raise
        except sqlite3.OperationalError as error:
            raise DatabaseError(
                f"cannot use {self.path} ({error}); is the folder writable, is the disk full?"
            ) from error
        except sqlite3.DatabaseError as error:
            raise DatabaseError(
                f"{self.path} is corrupt ({error}); move it away to start a new history, finished steps stay cached"
            ) from error
        except OSError as error:
            raise DatabaseError(f"cannot use {self.path} ({error.strerror})") from error


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
    """Return whether a process runs. Process ids are reused, so its start time must match."""
    number, _, started = process.partition(" ")
    return bool(started) and _process_start(int(number)) == started


def _process_start(pid: int) -> str:
    """Return the start time of a process; empty if it does not exist.

    On Linux it is in clock ticks since boot, because the wall clock may be changed."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        if sys.platform == "linux":
            return ""
    try:
        return f"{psutil.Process(pid).create_time():.0f}"
    except psutil.Error:
        return ""

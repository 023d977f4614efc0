"""The artifact store: content-addressed files (blobs) and the action cache.

    blobs/ab/<digest>        content, read-only
    actions/ab/<key>.json    outputs of the step with that cache key, and its record
    locks/<key>.lock         held by the process that runs the step with that key
    tmp/<name>/              partial files of one process; tmp/<name>.lock is held until it exits

Every file is written under tmp/, flushed and renamed, so a file with its final name is complete. A blob is hashed
before its first use in a process and after every change of the file. SHA-256 hashes 1 to 2 GB per second and the files
of a film have a few hundred MB at most, so that takes less time than the start of the program.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import itertools
import json
import os
import shutil
import stat
import time
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from filelock import BaseFileLock

DISK_FULL_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Error numbers of writes that fail for lack of disk space."""

CHUNK_BYTES = 1 << 20
"""Bytes per read when a file is copied."""

MTIME_SETTLE_SECONDS = 0.1
"""Minimum age of a file, in seconds, for its modification time to prove that it has not changed: filesystem clocks are
coarse, so a change right after a check can leave the time as it was."""


class StoreError(RuntimeError):
    """An operation on the store failed; the message says which and why."""


class StoreFull(StoreError):
    """The disk is full. No partial file remains; finished files are kept."""


class CorruptBlob(StoreError):
    """A blob is missing or its content has changed."""


@dataclass(frozen=True, slots=True)
class Output:
    """One output file of a step; `size` in bytes."""

    name: str
    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class Action:
    """The outputs of the step with cache key `key`; `record`: how they were produced (free JSON)."""

    key: str
    outputs: tuple[Output, ...]
    record: Mapping[str, Any]


class KeyLock:
    """An exclusive lock on a cache key, until it is released or the process exits."""

    def __init__(self, lock: BaseFileLock) -> None:
        self._lock = lock

    def release(self) -> None:
        """Release the lock. A second call does nothing."""
        if self._lock.is_locked:
            with contextlib.suppress(OSError):  # Windows cannot delete open files
                Path(self._lock.lock_file).unlink()  # while held: no two processes may hold different files
            self._lock.release()


class ArtifactStore:
    """A folder of artifacts, shared by any number of processes. Raises StoreError if `root` is not writable."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self._blobs, self._actions = self.root / "blobs", self.root / "actions"
        self._locks, self._tmp = self.root / "locks", self.root / "tmp"
        self._verified: dict[str, tuple[int, ...]] = {}
        self._counter = itertools.count(1)
        self._process_folder: tuple[Path, BaseFileLock] | None = None
        with translate_os_errors(f"use {self.root} as artifact store"):
            for folder in (self._blobs, self._actions, self._locks, self._tmp):
                folder.mkdir(parents=True, exist_ok=True)
                if not os.access(folder, os.W_OK | os.X_OK):
                    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Blobs

    def put(self, path: Path, *, name: str | None = None, consume: bool = False) -> Output:
        """Store a file. With `consume` it is moved if possible, and deleted in any case."""
        with translate_os_errors(f"store {path.name}"):
            if not stat.S_ISREG(path.lstat().st_mode):
                raise StoreError(f"cannot store {path.name}: not a regular file")
            digest = _hash_file(path)
            if self._is_intact(digest):
                self._touch(self._blob(digest))
            elif consume and path.stat().st_nlink == 1 and _same_filesystem(path, self._tmp):
                self._publish(path, self._blob(digest))
            else:
                with path.open("rb") as file:
                    digest = self.put_chunks(iter(lambda: file.read(CHUNK_BYTES), b""), path.name).digest
            if consume:
                path.unlink(missing_ok=True)
            return Output(name or path.name, digest, self._blob(digest).stat().st_size)

    def put_bytes(self, data: bytes, name: str) -> Output:
        """Store bytes."""
        digest = hashlib.sha256(data).hexdigest()
        with translate_os_errors(f"store {name}"):
            if self._is_intact(digest):
                self._touch(self._blob(digest))
            else:
                self.put_chunks((data,), name)
        return Output(name, digest, len(data))

    def put_chunks(self, chunks: Iterable[bytes], name: str) -> Output:
        """Store a stream of bytes.

        The bytes are hashed while they are written, so the digest matches the copy even if the source changes
        meanwhile."""
        digest, size = hashlib.sha256(), 0

        def hashed() -> Iterator[bytes]:
            nonlocal size
            for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
                yield chunk

        with translate_os_errors(f"store {name}"):
            temporary = self._write_temporary(hashed())
            try:
                self._publish(temporary, self._blob(digest.hexdigest()))
            finally:
                temporary.unlink(missing_ok=True)
        return Output(name, digest.hexdigest(), size)

    def path(self, digest: str) -> Path:
        """Return the path of an intact blob. Raises CorruptBlob."""
        path = self._blob(digest)
        if not self._is_intact(digest):
            raise CorruptBlob(f"artifact {digest[:12]} is {'corrupt' if path.exists() else 'missing'}")
        return path

    def verify(self) -> tuple[str, ...]:
        """Hash every blob again and return the digests of corrupt blobs, sorted."""
        self._verified.clear()
        return tuple(sorted(path.name for path in self._blobs.glob("??/*") if not self._is_intact(path.name)))

    # Actions

    def get_cached(self, key: str) -> Action | None:
        """Return the action with that key if all its outputs are intact; else None."""
        path = self._action(key)
        action = self._read_action(path, key)
        if action is None or not all(self._is_intact(output.digest) for output in action.outputs):
            return None
        self._touch(path)
        return action

    def commit(self, key: str, outputs: Sequence[Output], record: Mapping[str, Any]) -> Action:
        """Store the outputs of the step with that key; the blobs must be in the store.

        If another process has committed the key with intact outputs, keep and return its action."""
        path = self._action(key)
        action = Action(key, tuple(outputs), record)
        text = json.dumps({"checksum": _checksum(action), **_action_to_json(action)}, indent=1)
        with translate_os_errors("commit a finished step"):
            temporary = self._write_temporary((text.encode(),))
            try:
                path.parent.mkdir(exist_ok=True)
                try:
                    os.link(temporary, path)  # fails if the name exists, so that the first commit wins
                except FileExistsError:
                    first = self.get_cached(key)
                    if first is not None:
                        return first
                    temporary.replace(path)
                except OSError as error:
                    if error.errno in DISK_FULL_ERRNOS:
                        raise
                    temporary.replace(path)  # a filesystem without hard links
                _sync_folder(path.parent)
            finally:
                temporary.unlink(missing_ok=True)
        return action

    # Locks and working folders

    def lock(self, key: str) -> KeyLock | None:
        """Lock a cache key. Return None if this process or another one holds the lock."""
        lock = _try_lock(self._locks / f"{key}.lock")
        return KeyLock(lock) if lock else None

    def workspace(self) -> Path:
        """Create an empty working folder on the filesystem of the store; `close` deletes it."""
        with translate_os_errors("create a working folder"):
            folder = self._create_process_folder() / f"work-{next(self._counter)}"
            folder.mkdir()
        return folder

    def link(self, digest: str, path: Path) -> None:
        """Hard-link a blob to `path`, or copy it if the filesystem has no hard links. Raises CorruptBlob."""
        blob = self.path(digest)
        with translate_os_errors(f"link {path.name}"):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(blob, path)
            except OSError as error:
                if error.errno in DISK_FULL_ERRNOS:
                    raise
                shutil.copyfile(blob, path)

    def close(self) -> None:
        """Delete the temporary files of this process."""
        if self._process_folder is None:
            return
        folder, lock = self._process_folder
        self._process_folder = None
        shutil.rmtree(folder, ignore_errors=True)
        KeyLock(lock).release()

    # Cleanup

    def remove_orphans(self) -> int:
        """Delete temporary files and locks of dead processes. Return their number."""
        count = 0
        for path in sorted(self._tmp.glob("*.lock")):
            lock = _try_lock(path)
            if lock is None:
                continue
            shutil.rmtree(path.with_suffix(""), ignore_errors=True)
            KeyLock(lock).release()
            count += 1
        for path in sorted(self._locks.glob("*.lock")):
            lock = _try_lock(path)
            if lock is not None:
                KeyLock(lock).release()
                count += 1
        return count

    def gc(self, keys: Collection[str], digests: Collection[str] = (), *, grace: float = 3600.0) -> tuple[int, int]:
        """Delete actions that are not in `keys`, then blobs that neither a remaining action nor `digests` refers to.

        Files used within the last `grace` seconds stay, because a run may be about to refer to them. Return the number
        of deleted files and their total size in bytes."""
        before = time.time() - grace
        live = set(digests)
        freed: list[int] = []
        for path in self._actions.glob("??/*.json"):
            if path.stem not in keys and (size := _remove_unused(path, before)) is not None:
                freed.append(size)
            elif action := self._read_action(path, path.stem):
                live.update(output.digest for output in action.outputs)
        for path in self._blobs.glob("??/*"):
            if path.name not in live and (size := _remove_unused(path, before)) is not None:
                freed.append(size)
        return len(freed), sum(freed)

    # Internals

    def _blob(self, digest: str) -> Path:
        return self._blobs / digest[:2] / digest

    def _action(self, key: str) -> Path:
        return self._actions / key[:2] / f"{key}.json"

    def _is_intact(self, digest: str) -> bool:
        path = self._blob(digest)
        try:
            found = path.stat()
            identity = (found.st_size, found.st_mtime_ns, found.st_ino)
            if self._verified.get(digest) == identity:
                return True
            intact = _hash_file(path) == digest
        except OSError:
            return False
        if intact and abs(time.time() - found.st_mtime) > MTIME_SETTLE_SECONDS:  # abs: the clock may have been set back
            self._verified[digest] = identity
        return intact

    def _read_action(self, path: Path, key: str) -> Action | None:
        try:
            content = json.loads(path.read_bytes())
            outputs = tuple(Output(item["name"], item["digest"], item["size"]) for item in content["outputs"])
            action = Action(content["key"], outputs, content["record"])
            return action if action.key == key and content["checksum"] == _checksum(action) else None
        except (OSError, ValueError, LookupError, TypeError):
            return None

    def _create_process_folder(self) -> Path:
        while self._process_folder is None:
            folder = self._tmp / uuid.uuid4().hex
            lock = _try_lock(folder.with_suffix(".lock"))
            if lock is not None:  # else `remove_orphans` deleted the new lock file
                folder.mkdir()
                self._process_folder = folder, lock
        return self._process_folder[0]

    def _write_temporary(self, chunks: Iterable[bytes]) -> Path:
        path = self._create_process_folder() / f"new-{next(self._counter)}"
        try:
            with path.open("wb") as file:
                for chunk in chunks:
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return path

    def _publish(self, path: Path, target: Path) -> None:
        """Flush a complete file and move it to its final name."""
        with path.open("rb") as file:
            os.fsync(file.fileno())
        path.chmod(0o444)
        target.parent.mkdir(exist_ok=True)
        path.replace(target)
        _sync_folder(target.parent)

    @staticmethod
    def _touch(path: Path) -> None:
        """Mark a file as used now, for the grace period of garbage collection."""
        with contextlib.suppress(OSError):
            os.utime(path)


def _action_to_json(action: Action) -> dict[str, Any]:
    outputs = [{"name": item.name, "digest": item.digest, "size": item.size} for item in action.outputs]
    return {"key": action.key, "outputs": outputs, "record": dict(action.record)}


def _checksum(action: Action) -> str:
    """Return the checksum of an action, which detects a corrupt entry."""
    return hashlib.sha256(json.dumps(_action_to_json(action), sort_keys=True).encode()).hexdigest()


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _remove_unused(path: Path, before: float) -> int | None:
    """Delete a file that has not been used since `before` and return its size; None if it stays or was already
    deleted."""
    with contextlib.suppress(FileNotFoundError):
        found = path.stat()
        if found.st_mtime <= before:
            path.unlink()
            return found.st_size
    return None


def _same_filesystem(one: Path, other: Path) -> bool:
    return one.stat().st_dev == other.stat().st_dev


def _sync_folder(folder: Path) -> None:
    """Flush a renamed entry to disk. Windows has no such call and needs none."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _try_lock(path: Path) -> BaseFileLock | None:
    from filelock import FileLock, Timeout

    lock = FileLock(path, blocking=False, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        return None
    return lock


@contextlib.contextmanager
def translate_os_errors(operation: str) -> Iterator[None]:
    """Convert OSError to StoreError or StoreFull."""
    try:
        yield
    except OSError as error:
        if error.errno in DISK_FULL_ERRNOS:
            raise StoreFull(f"cannot {operation}: no disk space left") from error
        raise StoreError(f"cannot {operation}: {error.strerror or error}") from error

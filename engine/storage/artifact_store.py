"""The store: files known by the digest of their bytes, and which step made which of them.

    blobs/ab/<digest>        the bytes; read-only once there
    actions/ab/<key>.json    what the step of that key made, with the record of how
    locks/<key>.lock         held while a process computes that key
    tmp/<name>/              half-made files of one process; tmp/<name>.lock is held as long as it lives

Every file is written under tmp/, flushed and renamed, so what has its final name is complete. Nothing at rest is trusted
for being there: a blob is hashed before it is used, once per process and version of the file. SHA-256 runs at 1 to 2 GB
a second and the files of a film are some hundred MB at most, so this stays below the time that it takes to start.
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
"""Error numbers of a write for which there is no room."""

CHUNK_BYTES = 1 << 20
"""Bytes that are copied at a time."""

MTIME_SETTLE_SECONDS = 0.1
"""Seconds that a file must have been left alone before its time stamp can vouch for it: clocks of filesystems tick
coarsely, so a change right after a check can leave the time stamp as it was."""


class StoreError(RuntimeError):
    """The store cannot do what was asked; the message says where and why."""


class StoreFull(StoreError):
    """There is no room left. Nothing half-written stays behind; what was finished before is kept."""


class CorruptBlob(StoreError):
    """A blob is missing, or its bytes are not those that were put."""


@dataclass(frozen=True, slots=True)
class Output:
    """One file that a step made, under the name that the step gave it; `size` in bytes."""

    name: str
    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class Action:
    """What the step of `key` made; `record` tells how (free JSON)."""

    key: str
    outputs: tuple[Output, ...]
    record: Mapping[str, Any]


class KeyLock:
    """The right to compute one key, until released or until this process ends."""

    def __init__(self, lock: BaseFileLock) -> None:
        self._lock = lock

    def release(self) -> None:
        """Give the right back; harmless when done twice."""
        if self._lock.is_locked:
            with contextlib.suppress(OSError):  # Windows keeps files that are open
                Path(self._lock.lock_file).unlink()  # while held, so that no two hold different files
            self._lock.release()


class ArtifactStore:
    """A folder of artifacts, shared by any number of processes. Raises `StoreError` when `root` cannot be written to."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self._blobs, self._actions = self.root / "blobs", self.root / "actions"
        self._locks, self._tmp = self.root / "locks", self.root / "tmp"
        self._verified: dict[str, tuple[int, ...]] = {}
        self._counter = itertools.count(1)
        self._process_folder: tuple[Path, BaseFileLock] | None = None
        with translate_os_errors(f"use {self.root} as a store"):
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
        """Take a file in. With `consume` it is moved where that is possible, and gone afterwards in any case."""
        with translate_os_errors(f"store {path.name}"):
            if not stat.S_ISREG(path.lstat().st_mode):
                raise StoreError(f"cannot store {path.name}: not a plain file")
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
        """Take bytes in."""
        digest = hashlib.sha256(data).hexdigest()
        with translate_os_errors(f"store {name}"):
            if self._is_intact(digest):
                self._touch(self._blob(digest))
            else:
                self.put_chunks((data,), name)
        return Output(name, digest, len(data))

    def put_chunks(self, chunks: Iterable[bytes], name: str) -> Output:
        """Take bytes in as they come. They are hashed while they are written: a file that somebody still changes gets the digest
        of its copy."""
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
        """Where the bytes lie. Raises `Damaged` unless they are there and whole."""
        path = self._blob(digest)
        if not self._is_intact(digest):
            raise CorruptBlob(f"artifact {digest[:12]} is {'damaged' if path.exists() else 'missing'}")
        return path

    def verify(self) -> tuple[str, ...]:
        """Hash every blob anew. Gives the digests of those that are not whole."""
        self._verified.clear()
        return tuple(sorted(path.name for path in self._blobs.glob("??/*") if not self._is_intact(path.name)))

    # Actions

    def get_cached(self, key: str) -> Action | None:
        """What the step of that key made, if all of it is there and whole; None otherwise."""
        path = self._action(key)
        action = self._read_action(path, key)
        if action is None or not all(self._is_intact(output.digest) for output in action.outputs):
            return None
        self._touch(path)
        return action

    def commit(self, key: str, outputs: Sequence[Output], record: Mapping[str, Any]) -> Action:
        """The step of that key made `outputs`, which are in the store. Where another process was first, and all that it
        made is whole, that stands and is what is returned."""
        path = self._action(key)
        action = Action(key, tuple(outputs), record)
        text = json.dumps({"check": _checksum(action), **_action_to_json(action)}, indent=1)
        with translate_os_errors("remember a finished step"):
            temporary = self._write_temporary((text.encode(),))
            try:
                path.parent.mkdir(exist_ok=True)
                try:
                    os.link(temporary, path)  # fails where the name is taken, so the first commit wins
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

    # Working

    def lock(self, key: str) -> KeyLock | None:
        """The right to compute `key`, or None while somebody else has it, in this process or in another one."""
        lock = _try_lock(self._locks / f"{key}.lock")
        return KeyLock(lock) if lock else None

    def workspace(self) -> Path:
        """A new empty folder on the filesystem of the store, for one step to work in; gone with this process."""
        with translate_os_errors("make a folder to work in"):
            folder = self._create_process_folder() / f"work-{next(self._counter)}"
            folder.mkdir()
        return folder

    def link(self, digest: str, path: Path) -> None:
        """Show the blob at `path`, without copying where the filesystem can. Raises `Damaged`."""
        blob = self.path(digest)
        with translate_os_errors(f"lay out {path.name}"):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(blob, path)
            except OSError as error:
                if error.errno in DISK_FULL_ERRNOS:
                    raise
                shutil.copyfile(blob, path)

    def close(self) -> None:
        """Remove what this process left under tmp/."""
        if self._process_folder is None:
            return
        folder, lock = self._process_folder
        self._process_folder = None
        shutil.rmtree(folder, ignore_errors=True)
        KeyLock(lock).release()

    # Keeping house

    def remove_orphans(self) -> int:
        """Remove what processes that are no more have left behind: half-made files, locks. Gives how many."""
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
        """Remove the actions whose key is not among `keys`, then the blobs that no remaining action and none of `digests`
        refers to. What was used within the last `grace` seconds stays: a run may be about to refer to it. Gives how many
        files went and how many bytes they had."""
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

    # Underneath

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
        if intact and abs(time.time() - found.st_mtime) > MTIME_SETTLE_SECONDS:  # the clock may have been set back
            self._verified[digest] = identity
        return intact

    def _read_action(self, path: Path, key: str) -> Action | None:
        try:
            content = json.loads(path.read_bytes())
            outputs = tuple(Output(item["name"], item["digest"], item["size"]) for item in content["outputs"])
            action = Action(content["key"], outputs, content["record"])
            return action if action.key == key and content["check"] == _checksum(action) else None
        except (OSError, ValueError, LookupError, TypeError):
            return None

    def _create_process_folder(self) -> Path:
        while self._process_folder is None:
            folder = self._tmp / uuid.uuid4().hex
            lock = _try_lock(folder.with_suffix(".lock"))
            if lock is not None:  # else a sweep took the new file for an orphan
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
        """Make a complete file durable and give it its final name."""
        with path.open("rb") as file:
            os.fsync(file.fileno())
        path.chmod(0o444)
        target.parent.mkdir(exist_ok=True)
        path.replace(target)
        _sync_folder(target.parent)

    @staticmethod
    def _touch(path: Path) -> None:
        """Used just now: garbage collection measures its grace from here."""
        with contextlib.suppress(OSError):
            os.utime(path)


def _action_to_json(action: Action) -> dict[str, Any]:
    outputs = [{"name": item.name, "digest": item.digest, "size": item.size} for item in action.outputs]
    return {"key": action.key, "outputs": outputs, "record": dict(action.record)}


def _checksum(action: Action) -> str:
    """Guards the entry itself against a flipped byte."""
    return hashlib.sha256(json.dumps(_action_to_json(action), sort_keys=True).encode()).hexdigest()


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _remove_unused(path: Path, before: float) -> int | None:
    """The bytes of a file that nobody has used since `before` and that is gone now; None when it stays, or another process was
    faster."""
    with contextlib.suppress(FileNotFoundError):
        found = path.stat()
        if found.st_mtime <= before:
            path.unlink()
            return found.st_size
    return None


def _same_filesystem(one: Path, other: Path) -> bool:
    return one.stat().st_dev == other.stat().st_dev


def _sync_folder(folder: Path) -> None:
    """Make a rename durable. Windows has no such call and needs none."""
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
    """Turn errors of the system into those of the store."""
    try:
        yield
    except OSError as error:
        if error.errno in DISK_FULL_ERRNOS:
            raise StoreFull(f"cannot {operation}: no room left on the disk") from error
        raise StoreError(f"cannot {operation}: {error.strerror or error}") from error

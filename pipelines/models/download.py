"""Bringing weights here. Nothing takes its place on the shelf before every byte of it is what its source states."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path

from filelock import FileLock, Timeout

from pipelines.base import MissingDependency, Weights
from pipelines.models.sources import Listing, RemoteFile, WeightSource
from pipelines.models.weights import LOCAL_PREFIX, CorruptWeights, FileFingerprint, Lock, WeightStore

ProgressCallback = Callable[[str], None]


class Download:
    """One set of weights on its way to the shelf. What is whole stays in the `partial` folder when a pull breaks off, so that the
    next one goes on from there."""

    def __init__(self, store: WeightStore, weights: Weights, listing: Listing, source: WeightSource) -> None:
        self.store, self.weights, self.listing, self.source = store, weights, listing, source
        name = store.lock_path(weights).stem
        version = listing.commit[:12] or "local"
        self._partial_folder = store.home / "partial" / f"{name}-{version}"
        self._target_folder = store.home / "snapshots" / name / version

    def missing_bytes(self) -> int:
        """How much must be downloaded, or copied from a folder, as far as sizes tell."""
        return sum(remote.size for remote in self.listing.files if not any(self._candidates(remote)))

    def run(self, on_progress: ProgressCallback = lambda line: None) -> Weights:
        """Bring every file here, verify it, and lock it. Raises Missing when the source fails, Damaged when it sends other bytes
        than it states, OSError when there is no room."""
        self._partial_folder.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(f"{self._partial_folder}.lock", blocking=False)
        try:
            lock.acquire()
        except Timeout:
            raise MissingDependency(f"{self.weights.repo} is being pulled by another process") from None
        try:
            pulled = self._download_all(on_progress)
        finally:
            lock.release()
        Path(lock.lock_file).unlink(missing_ok=True)
        return pulled

    def _download_all(self, on_progress: ProgressCallback) -> Weights:
        for number, remote in enumerate(self.listing.files, 1):
            how = self._obtain_file(remote)
            on_progress(f"  {number}/{len(self.listing.files)} {remote.name} ({how})")
        self._install()
        known = {remote.name: remote.sha256 for remote in self.listing.files if remote.sha256}
        pulled = self.store.lock_folder(
            self.weights, self._target_folder, commit=self.listing.commit, known_digests=known
        )
        self._remove_old_snapshots()
        return pulled

    def _obtain_file(self, remote: RemoteFile) -> str:
        """Have the file, whole, in the partial folder; says how."""
        target = self._partial_folder / remote.name
        target.parent.mkdir(parents=True, exist_ok=True)
        if remote.has_checksum and _matches(remote, target):
            return "here already"
        for found in self._candidates(remote):
            if found != target:
                _link_or_copy(found, target)
                if _matches(remote, target):
                    return "found on this machine"
        wrong = None
        for _ in range(2):  # what was begun in an earlier try may be what is wrong
            self.source.fetch(self.listing, remote, self._partial_folder)
            wrong = remote.mismatch_reason(target)
            if wrong is None:
                _fsync(target)
                return "downloaded, verified"
            target.unlink()
        raise CorruptWeights(
            f"{self.listing.repo}: {remote.name} did not arrive as it is stated ({wrong}); nothing of it was kept. Pull again, or "
            "from another mirror"
        )

    def _candidates(self, remote: RemoteFile) -> Iterator[Path]:
        """Files of this machine that are as large as this one and may be it."""
        for found in (
            self._partial_folder / remote.name,
            *self._stored_copies(remote),
            *self.source.local_candidates(self.listing, remote),
        ):
            with contextlib.suppress(OSError):
                if found.stat().st_size == remote.size:
                    yield found

    def _stored_copies(self, remote: RemoteFile) -> Iterator[Path]:
        """The same bytes under a lock, this one or another: models often share a text encoder. A file that was written to since
        is none."""
        for path, seen in self._files_by_digest.get(remote.sha256, ()):
            with contextlib.suppress(OSError):
                if seen.is_unchanged(path):
                    yield path

    @cached_property
    def _files_by_digest(self) -> Mapping[str, list[tuple[Path, FileFingerprint]]]:
        """All files on the shelf by their SHA-256."""
        found: dict[str, list[tuple[Path, FileFingerprint]]] = {}
        for lock in self.store.locks().values():
            for name, seen in lock.files.items():
                found.setdefault(seen.sha256, []).append((self.store.home / lock.folder / name, seen))
        return found

    def _install(self) -> None:
        self._target_folder.parent.mkdir(parents=True, exist_ok=True)
        older = self._partial_folder.with_name(f"{self._partial_folder.name}.old")
        shutil.rmtree(older, ignore_errors=True)
        with contextlib.suppress(FileNotFoundError):
            self._target_folder.rename(older)
        self._partial_folder.rename(self._target_folder)
        shutil.rmtree(older, ignore_errors=True)

    def _remove_old_snapshots(self) -> None:
        """The files of an earlier commit, now that the lock names this one."""
        for other in self._target_folder.parent.iterdir():
            if other != self._target_folder:
                shutil.rmtree(other, ignore_errors=True)


def remove(store: WeightStore, weights: Weights) -> int:
    """Take weights off the shelf; a folder of the user's own is left as it is. Returns how many bytes became free."""
    path = store.lock_path(weights)
    lock = Lock.read(path)
    path.unlink(missing_ok=True)
    freed = 0
    if lock is not None and not weights.repo.startswith(LOCAL_PREFIX):
        place = store.home / "snapshots" / path.stem
        freed = sum(file.stat().st_size for file in place.rglob("*") if file.is_file() and file.stat().st_nlink == 1)
        shutil.rmtree(place, ignore_errors=True)
    for rest in (store.home / "partial").glob(f"{path.stem}-*"):
        if rest.is_dir():
            shutil.rmtree(rest, ignore_errors=True)
    return freed


def _matches(remote: RemoteFile, path: Path) -> bool:
    """Whether the file is the one; a wrong one is removed."""
    if not path.is_file():
        return False
    if remote.mismatch_reason(path) is None:
        return True
    path.unlink()
    return False


def _link_or_copy(found: Path, target: Path) -> None:
    """The same file under another name where the file system allows it, else a copy."""
    target.unlink(missing_ok=True)
    try:
        os.link(found.resolve(), target)
    except OSError:
        shutil.copyfile(found, target)
        _fsync(target)


def _fsync(path: Path) -> None:
    """Have the bytes on the disk before anything says that they are there."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())

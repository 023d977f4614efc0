"""Verified, resumable downloads into the weight store. A file is installed only after its checksum matched."""

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
    """The download of one set of weights. An interrupted download keeps its files in the `partial` folder and resumes there."""

    def __init__(self, store: WeightStore, weights: Weights, listing: Listing, source: WeightSource) -> None:
        self.store, self.weights, self.listing, self.source = store, weights, listing, source
        name = store.lock_path(weights).stem
        version = listing.commit[:12] or "local"
        self._partial_folder = store.home / "partial" / f"{name}-{version}"
        self._target_folder = store.home / "snapshots" / name / version

    def missing_bytes(self) -> int:
        """Return the bytes to download or copy, judged by file sizes."""
        return sum(remote.size for remote in self.listing.files if not any(self._candidates(remote)))

    def run(self, on_progress: ProgressCallback = lambda line: None) -> Weights:
        """Download, verify and lock every file.

        Raises MissingDependency if the source fails, CorruptWeights on a checksum mismatch, OSError if the disk is
        full.
        """
        self._partial_folder.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(f"{self._partial_folder}.lock", blocking=False)
        try:
            lock.acquire()
        except Timeout:
            raise MissingDependency(f"{self.weights.repo} is being downloaded by another process") from None
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
        """Put the verified file into the partial folder and return how it got there."""
        target = self._partial_folder / remote.name
        target.parent.mkdir(parents=True, exist_ok=True)
        if remote.has_checksum and _matches(remote, target):
            return "already present"
        for found in self._candidates(remote):
            if found != target:
                _link_or_copy(found, target)
                if _matches(remote, target):
                    return "copied from this machine"
        wrong = None
        for _ in range(2):  # the partial file of an earlier attempt may be the cause
            self.source.fetch(self.listing, remote, self._partial_folder)
            wrong = remote.mismatch_reason(target)
            if wrong is None:
                _fsync(target)
                return "downloaded, verified"
            target.unlink()
        raise CorruptWeights(
            f"{self.listing.repo}: {remote.name} failed verification ({wrong}) and was deleted. Download again, or from "
            "another mirror"
        )

    def _candidates(self, remote: RemoteFile) -> Iterator[Path]:
        """Yield local files of the same size that may be the file."""
        for found in (
            self._partial_folder / remote.name,
            *self._stored_copies(remote),
            *self.source.local_candidates(self.listing, remote),
        ):
            with contextlib.suppress(OSError):
                if found.stat().st_size == remote.size:
                    yield found

    def _stored_copies(self, remote: RemoteFile) -> Iterator[Path]:
        """Yield unchanged files of the store with the same SHA-256: models often share a text encoder."""
        for path, seen in self._files_by_digest.get(remote.sha256, ()):
            with contextlib.suppress(OSError):
                if seen.is_unchanged(path):
                    yield path

    @cached_property
    def _files_by_digest(self) -> Mapping[str, list[tuple[Path, FileFingerprint]]]:
        """All files of the store by SHA-256."""
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
        """Delete the files of earlier commits."""
        for other in self._target_folder.parent.iterdir():
            if other != self._target_folder:
                shutil.rmtree(other, ignore_errors=True)


def remove(store: WeightStore, weights: Weights) -> int:
    """Delete weights from the store, except a local folder of the user. Return the freed bytes."""
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
    """Return whether the file matches; delete it if not."""
    if not path.is_file():
        return False
    if remote.mismatch_reason(path) is None:
        return True
    path.unlink()
    return False


def _link_or_copy(found: Path, target: Path) -> None:
    """Hard-link the file if the file system allows it, else copy it."""
    target.unlink(missing_ok=True)
    try:
        os.link(found.resolve(), target)
    except OSError:
        shutil.copyfile(found, target)
        _fsync(target)


def _fsync(path: Path) -> None:
    """Flush the file to disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())

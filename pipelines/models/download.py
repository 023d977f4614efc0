"""Bringing weights here. Nothing takes its place on the shelf before every byte of it is what its source states."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path

from filelock import FileLock, Timeout

from pipelines.base import Missing, Weights
from pipelines.models.sources import Listing, Remote, Source
from pipelines.models.weights import HERE, Damaged, Lock, Seen, Shelf

Say = Callable[[str], None]


class Pull:
    """One set of weights on its way to the shelf. What is whole stays in the `partial` folder when a pull breaks off, so that the
    next one goes on from there."""

    def __init__(self, shelf: Shelf, weights: Weights, listing: Listing, source: Source) -> None:
        self.shelf, self.weights, self.listing, self.source = shelf, weights, listing, source
        name = shelf.lock_path(weights).stem
        version = listing.commit[:12] or "local"
        self._partial = shelf.home / "partial" / f"{name}-{version}"
        self._place = shelf.home / "snapshots" / name / version

    def missing_bytes(self) -> int:
        """How much must be downloaded, or copied from a folder, as far as sizes tell."""
        return sum(remote.size for remote in self.listing.files if not any(self._candidates(remote)))

    def run(self, say: Say = lambda line: None) -> Weights:
        """Bring every file here, verify it, and lock it. Raises Missing when the source fails, Damaged when it sends other bytes
        than it states, OSError when there is no room."""
        self._partial.parent.mkdir(parents=True, exist_ok=True)
        alone = FileLock(f"{self._partial}.lock", blocking=False)
        try:
            alone.acquire()
        except Timeout:
            raise Missing(f"{self.weights.repo} is being pulled by another process") from None
        try:
            pulled = self._all_of_it(say)
        finally:
            alone.release()
        Path(alone.lock_file).unlink(missing_ok=True)
        return pulled

    def _all_of_it(self, say: Say) -> Weights:
        for number, remote in enumerate(self.listing.files, 1):
            how = self._bring(remote)
            say(f"  {number}/{len(self.listing.files)} {remote.name} ({how})")
        self._put_in_place()
        known = {remote.name: remote.sha256 for remote in self.listing.files if remote.sha256}
        pulled = self.shelf.adopt(self.weights, self._place, commit=self.listing.commit, known=known)
        self._forget_older()
        return pulled

    def _bring(self, remote: Remote) -> str:
        """Have the file, whole, in the partial folder; says how."""
        target = self._partial / remote.name
        target.parent.mkdir(parents=True, exist_ok=True)
        if remote.stated and _right(remote, target):
            return "here already"
        for found in self._candidates(remote):
            if found != target:
                _link(found, target)
                if _right(remote, target):
                    return "found on this machine"
        wrong = None
        for _ in range(2):  # what was begun in an earlier try may be what is wrong
            self.source.fetch(self.listing, remote, self._partial)
            wrong = remote.wrong(target)
            if wrong is None:
                _settle(target)
                return "downloaded, verified"
            target.unlink()
        raise Damaged(
            f"{self.listing.repo}: {remote.name} did not arrive as it is stated ({wrong}); nothing of it was kept. Pull again, or "
            "from another mirror"
        )

    def _candidates(self, remote: Remote) -> Iterator[Path]:
        """Files of this machine that are as large as this one and may be it."""
        for found in (self._partial / remote.name, *self._shelved(remote), *self.source.near(self.listing, remote)):
            with contextlib.suppress(OSError):
                if found.stat().st_size == remote.size:
                    yield found

    def _shelved(self, remote: Remote) -> Iterator[Path]:
        """The same bytes under a lock, this one or another: models often share a text encoder. A file that was written to since
        is none."""
        for path, seen in self._locked.get(remote.sha256, ()):
            with contextlib.suppress(OSError):
                if seen.looks_the_same(path):
                    yield path

    @cached_property
    def _locked(self) -> Mapping[str, list[tuple[Path, Seen]]]:
        """All files on the shelf by their SHA-256."""
        found: dict[str, list[tuple[Path, Seen]]] = {}
        for lock in self.shelf.locks().values():
            for name, seen in lock.files.items():
                found.setdefault(seen.sha256, []).append((self.shelf.home / lock.folder / name, seen))
        return found

    def _put_in_place(self) -> None:
        self._place.parent.mkdir(parents=True, exist_ok=True)
        older = self._partial.with_name(f"{self._partial.name}.old")
        shutil.rmtree(older, ignore_errors=True)
        with contextlib.suppress(FileNotFoundError):
            self._place.rename(older)
        self._partial.rename(self._place)
        shutil.rmtree(older, ignore_errors=True)

    def _forget_older(self) -> None:
        """The files of an earlier commit, now that the lock names this one."""
        for other in self._place.parent.iterdir():
            if other != self._place:
                shutil.rmtree(other, ignore_errors=True)


def remove(shelf: Shelf, weights: Weights) -> int:
    """Take weights off the shelf; a folder of the user's own is left as it is. Returns how many bytes became free."""
    path = shelf.lock_path(weights)
    lock = Lock.read(path)
    path.unlink(missing_ok=True)
    freed = 0
    if lock is not None and not weights.repo.startswith(HERE):
        place = shelf.home / "snapshots" / path.stem
        freed = sum(file.stat().st_size for file in place.rglob("*") if file.is_file() and file.stat().st_nlink == 1)
        shutil.rmtree(place, ignore_errors=True)
    for rest in (shelf.home / "partial").glob(f"{path.stem}-*"):
        if rest.is_dir():
            shutil.rmtree(rest, ignore_errors=True)
    return freed


def _right(remote: Remote, path: Path) -> bool:
    """Whether the file is the one; a wrong one is removed."""
    if not path.is_file():
        return False
    if remote.wrong(path) is None:
        return True
    path.unlink()
    return False


def _link(found: Path, target: Path) -> None:
    """The same file under another name where the file system allows it, else a copy."""
    target.unlink(missing_ok=True)
    try:
        os.link(found.resolve(), target)
    except OSError:
        shutil.copyfile(found, target)
        _settle(target)


def _settle(path: Path) -> None:
    """Have the bytes on the disk before anything says that they are there."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())

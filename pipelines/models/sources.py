"""Sources of weights: a model hub or its mirror, the local hub cache, or a folder.

A source says which files there are and what their bytes must be; `pipelines.models.download` believes nothing else.
Only an explicit `models pull` comes here, never a run. `huggingface_hub` is imported when a hub or its cache is asked.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol, TypeVar

from pipelines.base import MissingDependency, Weights
from pipelines.models.weights import WEIGHT_SUFFIXES, list_file_names, missing_files, select_files, unmatched_patterns

DEFAULT_ENDPOINT = "https://huggingface.co"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One file of a repository. Large files have a `sha256`, small ones a `git` checksum (SHA-1 of the git blob), files
    of a plain folder none. `size` is in bytes."""

    name: str
    size: int
    sha256: str = ""
    git_sha1: str = ""

    @property
    def has_checksum(self) -> bool:
        """Whether the source gives a checksum."""
        return bool(self.sha256 or self.git_sha1)

    def mismatch_reason(self, path: Path) -> str | None:
        """Return why the local file does not match, or None if size and checksum do."""
        size = path.stat().st_size
        if size != self.size:
            return f"{size:,} bytes instead of {self.size:,}"
        if self.sha256:
            return None if _digest(path, hashlib.sha256()) == self.sha256 else "its SHA-256 differs"
        if self.git_sha1:
            blob = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
            return None if _digest(path, blob) == self.git_sha1 else "its git hash differs"
        return None


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of a repository at one commit ("" for a folder). `note` is a remark for the user about the source."""

    repo: str
    commit: str
    files: tuple[RemoteFile, ...]
    licence: str = ""
    note: str = ""

    @property
    def size(self) -> int:
        """Total size in bytes."""
        return sum(remote.size for remote in self.files)


class WeightSource(Protocol):
    """A source of weights."""

    def list_files(self, weights: Weights, commit: str = "") -> Listing:
        """List the files of these weights, at `commit` if given. Raises MissingDependency with the fix."""

    def fetch(self, listing: Listing, remote: RemoteFile, target_folder: Path) -> None:
        """Download a file into the folder `into`, resuming a partial file. Raises MissingDependency."""

    def local_candidates(self, listing: Listing, remote: RemoteFile) -> Iterator[Path]:
        """Return local files that may be this one."""


@dataclass(frozen=True)
class Hub:
    """A model hub at `endpoint` (default: HF_ENDPOINT, else the public hub). The account's token is sent only to the
    endpoint of the environment, never to a mirror that a command names."""

    endpoint: str = ""

    def list_files(self, weights: Weights, commit: str = "") -> Listing:
        api = _import_huggingface_hub().HfApi(endpoint=self.endpoint or None, token=self._token)
        info = self._call_api(
            weights.repo,
            lambda: api.model_info(weights.repo, revision=commit or weights.revision, files_metadata=True, timeout=30),
        )
        siblings = {one.rfilename: one for one in info.siblings or ()}
        files = []
        for name in sorted(select_files(siblings, weights.files)):
            one = siblings[name]
            if one.size is None or not (one.lfs or one.blob_id):
                raise MissingDependency(
                    f"{weights.repo}: {self._endpoint_url} gives no checksum for {name}; use another mirror"
                )
            files.append(
                RemoteFile(
                    _check_file_name(name), one.size, one.lfs.sha256 if one.lfs else "", "" if one.lfs else one.blob_id
                )
            )
        if not any(remote.name.endswith(WEIGHT_SUFFIXES) for remote in files):
            raise MissingDependency(
                f"{weights.repo}: the repository has no loadable files (safetensors; pickles are not loaded)"
            )
        if lost := unmatched_patterns({remote.name for remote in files}, weights.files):
            raise MissingDependency(
                f"{weights.repo}: {self._endpoint_url} has no {', '.join(lost)}, which models.yaml names"
            )
        card = info.card_data or {}
        return Listing(
            weights.repo, str(info.sha), tuple(files), str(card.get("license_name") or card.get("license") or "")
        )

    def fetch(self, listing: Listing, remote: RemoteFile, target_folder: Path) -> None:
        """Download with HTTP range requests into a partial file. The hub library discards interrupted downloads, which
        matters for files of several gigabytes."""
        _import_huggingface_hub()
        from huggingface_hub.file_download import hf_hub_url, http_get
        from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

        url = hf_hub_url(listing.repo, remote.name, revision=listing.commit, endpoint=self.endpoint or None)
        target = target_folder / remote.name
        partial_file = target.with_name(f"{target.name}.begun")
        if partial_file.exists() and partial_file.stat().st_size > remote.size:
            partial_file.unlink()
        with partial_file.open("ab") as file:
            self._call_api(
                listing.repo,
                lambda: http_get(
                    url, file, resume_size=file.tell(), headers=build_hf_headers(token=self._token),
                    expected_size=remote.size, displayed_filename=remote.name,
                ),
            )  # fmt: skip
        partial_file.replace(target)

    def local_candidates(self, listing: Listing, remote: RemoteFile) -> Iterator[Path]:
        return HubCache().local_candidates(listing, remote)

    @property
    def _token(self) -> bool | None:
        return False if self.endpoint else None

    @property
    def _endpoint_url(self) -> str:
        return self.endpoint or os.environ.get("HF_ENDPOINT") or DEFAULT_ENDPOINT

    def _call_api(self, repo: str, request: Callable[[], T]) -> T:
        """Call the hub and translate its errors into MissingDependency with the fix."""
        from huggingface_hub import errors

        try:
            return request()
        except errors.GatedRepoError:
            raise MissingDependency(
                f"{repo} is gated: accept its licence at {self._endpoint_url}/{repo}, then set HF_TOKEN to a token of that account "
                "(or run `hf auth login`) and pull again"
            ) from None
        except errors.RevisionNotFoundError:
            raise MissingDependency(f"{repo}: {self._endpoint_url} has no such revision") from None
        except errors.RepositoryNotFoundError:
            raise MissingDependency(
                f"{self._endpoint_url} has no repository {repo}; if it is private or gated, set HF_TOKEN (or run `hf auth login`)"
            ) from None
        except errors.EntryNotFoundError:
            raise MissingDependency(
                f"{repo}: {self._endpoint_url} no longer has a listed file; download again"
            ) from None
        except errors.OfflineModeIsEnabled:
            raise MissingDependency(
                f"{repo}: HF_HUB_OFFLINE is set; unset it, or use --offline or --from FOLDER"
            ) from None
        except (errors.HTTPError, OSError, ValueError) as error:  # type: ignore[attr-defined]
            if _disk_full(error):
                raise
            raise HubUnreachable(
                f"{repo}: {self._endpoint_url} is unreachable or dropped the connection; run the command again to resume, or name a mirror with --from "
                "https://… or HF_ENDPOINT, or a folder that holds the files with --from FOLDER"
            ) from error


class HubUnreachable(MissingDependency):
    """The hub did not answer, or dropped the connection."""


@dataclass(frozen=True)
class HubCache:
    """The local cache of the hub library; uses no network. It names files by their checksums."""

    folder: Path | None = None

    def list_files(self, weights: Weights, commit: str = "") -> Listing:
        snapshot = self._snapshot(weights.repo, commit or weights.revision)
        if snapshot is None:
            raise MissingDependency(
                f"{weights.repo} is not in the local hub cache; download it on a machine with network access, or name a folder that "
                "holds the files with --from FOLDER"
            )
        names = _list_folder(weights, snapshot)
        files = tuple(_remote_from_cache(snapshot / name, name) for name in names)
        return Listing(
            weights.repo, snapshot.name, files, note="from the hub's cache on this machine; nothing was asked"
        )

    def fetch(self, listing: Listing, remote: RemoteFile, target_folder: Path) -> None:
        raise MissingDependency(
            f"{listing.repo}: {remote.name} in the local hub cache is corrupt; download it with network access"
        )

    def local_candidates(self, listing: Listing, remote: RemoteFile) -> Iterator[Path]:
        found = _import_huggingface_hub().try_to_load_from_cache(
            listing.repo, remote.name, cache_dir=self.folder, revision=listing.commit
        )
        if isinstance(found, str):
            yield Path(found)

    def _snapshot(self, repo: str, revision: str) -> Path | None:
        from huggingface_hub import errors

        try:
            return Path(
                _import_huggingface_hub().snapshot_download(
                    repo, revision=revision, cache_dir=self.folder, local_files_only=True
                )
            )
        except (errors.LocalEntryNotFoundError, FileNotFoundError, ValueError):
            return None


@dataclass(frozen=True)
class LocalFolder:
    """A local folder with the files of a repository, without checksums."""

    path: Path

    def list_files(self, weights: Weights, commit: str = "") -> Listing:
        names = _list_folder(weights, self.path)
        files = tuple(RemoteFile(name, (self.path / name).stat().st_size) for name in names)
        return Listing(weights.repo, commit, files, note=f"from {self.path}; not compared with the hub")

    def fetch(self, listing: Listing, remote: RemoteFile, target_folder: Path) -> None:
        raise MissingDependency(f"{self.path / remote.name} no longer exists")

    def local_candidates(self, listing: Listing, remote: RemoteFile) -> Iterator[Path]:
        path = self.path / remote.name
        if path.is_file():
            yield path


@dataclass(frozen=True)
class HubWithFolder:
    """A hub for checksums, with a folder that saves downloading files it holds. Without the hub, the folder alone."""

    hub: Hub
    folder: LocalFolder

    def list_files(self, weights: Weights, commit: str = "") -> Listing:
        try:
            return self.hub.list_files(weights, commit)
        except MissingDependency as unasked:
            try:
                return self.folder.list_files(weights, commit)
            except MissingDependency as lacking:
                raise MissingDependency(f"{unasked}. {lacking}") from None

    def fetch(self, listing: Listing, remote: RemoteFile, target_folder: Path) -> None:
        self.hub.fetch(listing, remote, target_folder)

    def local_candidates(self, listing: Listing, remote: RemoteFile) -> Iterator[Path]:
        yield from self.folder.local_candidates(listing, remote)
        yield from self.hub.local_candidates(listing, remote)


def _list_folder(weights: Weights, folder: Path) -> list[str]:
    """Return the names of the weight files in a folder. Raises MissingDependency if some are missing."""
    names = sorted(select_files(list_file_names(folder), weights.files)) if folder.is_dir() else []
    if not any(name.endswith(WEIGHT_SUFFIXES) for name in names):
        raise MissingDependency(
            f"{weights.repo}: {folder} has no weights (safetensors with configuration); it must hold the files of that "
            f"repository, or have them in {weights.repo} below it"
        )
    if lost := missing_files(folder, names, weights.files):
        more = f" and {len(lost) - 3} more" if len(lost) > 3 else ""
        raise MissingDependency(
            f"{weights.repo}: {folder} lacks {', '.join(lost[:3])}{more}; copy the whole repository there"
        )
    return names


def _remote_from_cache(path: Path, name: str) -> RemoteFile:
    """Return a file of the hub cache, which names each file by its SHA-256 or its git hash."""
    kept = path.resolve()
    size = kept.stat().st_size
    if re.fullmatch(r"[0-9a-f]{64}", kept.name):
        return RemoteFile(name, size, sha256=kept.name)
    return RemoteFile(name, size, git_sha1=kept.name if re.fullmatch(r"[0-9a-f]{40}", kept.name) else "")


def _check_file_name(name: str) -> str:
    """Check that a file name from outside stays below its folder."""
    if PurePosixPath(name).is_absolute() or set(name) & set("\\:\0") or ".." in PurePosixPath(name).parts:
        raise MissingDependency("the hub lists a file path outside its folder; use another mirror")
    return name


def _digest(path: Path, digest: Any) -> str:
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return str(digest.hexdigest())


def _disk_full(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}


def _import_huggingface_hub() -> Any:
    try:
        import huggingface_hub
    except ImportError:
        raise MissingDependency(
            'downloading from a hub needs huggingface_hub; pip install "story-engine[gpu]"'
        ) from None
    return huggingface_hub

"""The weight store: downloaded model weights, their lock files and their verification.

Each download has a lock file with the commit and the SHA-256 of every file. Reading a lock reads no weights, so
planning stays fast. A family calls `verified_folder` before it loads; that function returns only files that match the
lock.

Layout below the home folder: `locks/<lock>.json`, `snapshots/<lock>/<commit>/` (identical files of several models are
hard links), `partial/` for interrupted downloads, `envs/<digest>/` for isolated environments.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path, PurePosixPath

from pydantic import BaseModel, ConfigDict, ValidationError

from pipelines.base import MissingDependency, ModelSpec, Weights
from pipelines.models.environments import interpreter_path

LOCAL_PREFIX = "file:"
"""Prefix of a `Weights.repo` that names a local folder. A relative path is relative to the home folder."""

SAFE_SUFFIXES = (".safetensors", ".json", ".txt", ".model", ".jinja", ".tiktoken", ".onnx")
"""Suffixes of model files that cannot contain code. Other files are not downloaded, locked or loaded, except `PICKLE_SUFFIXES`."""

PICKLE_SUFFIXES = (".bin", ".pt", ".pth")
"""Suffixes of files that can contain pickled code. They are downloaded, locked and loaded only if a pattern in
models.yaml names the suffix. Their families read them without running code: as raw numbers, or by
`torch.load(weights_only=True)`."""


WEIGHT_SUFFIXES = (".safetensors", ".onnx", *PICKLE_SUFFIXES)
"""Suffixes of files that contain tensors. The other files are configuration and vocabularies."""


class CorruptWeights(MissingDependency):
    """Model files differ from their lock. The message names the command that repairs them."""


class FileFingerprint(BaseModel):
    """The expected SHA-256 of one file, and its size, mtime and inode at the last successful verification."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sha256: str
    size: int
    mtime_ns: int
    inode: int

    def is_unchanged(self, path: Path) -> bool:
        """Return whether size, mtime and inode are those of the last verification."""
        stat = path.stat()
        return (stat.st_size, stat.st_mtime_ns, stat.st_ino) == (self.size, self.mtime_ns, self.inode)


class Lock(BaseModel):
    """The lock of one download. `folder` is relative to the home folder, or absolute if it is outside of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    repo: str
    revision: str
    patterns: tuple[str, ...] = ()
    commit: str = ""
    folder: str
    files: Mapping[str, FileFingerprint]

    @property
    def digest(self) -> str:
        """SHA-256 over file names and file digests. It does not depend on the folder."""
        lines = (f"{seen.sha256}  {name}\n" for name, seen in sorted(self.files.items()))
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    @property
    def size(self) -> int:
        """Total size in bytes."""
        return sum(seen.size for seen in self.files.values())

    def write(self, path: Path) -> None:
        """Write the lock atomically: temporary file, fsync, rename."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".", suffix=".tmp", delete=False) as file:
            file.write(self.model_dump_json(indent=1))
            file.flush()
            os.fsync(file.fileno())
        Path(file.name).replace(path)

    @classmethod
    def read(cls, path: Path) -> Lock | None:
        """Return the lock, or None if the file is missing or invalid."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            return None


class WeightStore:
    """The downloaded weights below `home`."""

    def __init__(self, home: Path) -> None:
        self.home = home.expanduser().absolute()

    def resolve_spec(self, spec: ModelSpec) -> ModelSpec:
        """Return `spec` with the folders of its downloaded weights and the interpreter of its environment filled in."""
        if not (spec.weights or spec.env):
            return spec
        weights = {role: self._resolve_weights(one) for role, one in spec.weights.items()}
        env = spec.env and spec.env.model_copy(update={"interpreter": interpreter_path(self.home, spec.env)})
        return spec.model_copy(update={"weights": weights, "env": env})

    def _resolve_weights(self, weights: Weights) -> Weights:
        path = self.lock_path(weights)
        lock = Lock.read(path)
        if lock is None or not _is_complete(lock, self.home / lock.folder):
            return weights.model_copy(update={"folder": "", "lock": "", "digest": ""})
        return self._with_lock(weights, path, lock)

    def _with_lock(self, weights: Weights, path: Path, lock: Lock) -> Weights:
        found = {"folder": str(self.home / lock.folder), "lock": str(path), "digest": lock.digest}
        return weights.model_copy(update=found)

    def lock_path(self, weights: Weights) -> Path:
        """Return the path of the lock file, downloaded or not. Equal repository, revision and patterns share one lock."""
        return self.home / "locks" / f"{lock_name(weights)}.json"

    def locks(self) -> Mapping[Path, Lock]:
        """Return all valid locks by the path of their file."""
        found = {path: Lock.read(path) for path in sorted((self.home / "locks").glob("*.json"))}
        return {path: lock for path, lock in found.items() if lock is not None}

    def lock_folder(
        self, weights: Weights, folder: Path, *, commit: str = "", known_digests: Mapping[str, str] | None = None
    ) -> Weights:
        """Write the lock of the loadable files in `folder` that match the patterns of `weights`.

        `known_digests` (name → SHA-256) saves hashing files that were just verified. Raises MissingDependency if no
        file matches.
        """
        folder = folder.absolute()
        names = sorted(select_files(list_file_names(folder), weights.files))
        if not names:
            raise MissingDependency(f"{folder}: no weight files found (expected suffixes: {', '.join(SAFE_SUFFIXES)})")
        files = {name: _fingerprint(folder / name, (known_digests or {}).get(name)) for name in names}
        within = folder.relative_to(self.home) if folder.is_relative_to(self.home) else folder
        lock = Lock(
            repo=weights.repo, revision=weights.revision, patterns=weights.files, commit=commit,
            folder=within.as_posix(), files=files,
        )  # fmt: skip
        path = self.lock_path(weights)
        lock.write(path)
        return self._with_lock(weights, path, lock)


def verified_folder(spec: ModelSpec, role: str = "model") -> Path:
    """Return the folder of the verified weights of a model, for `Family.load`.

    Files that changed since their last verification are hashed again. Raises MissingDependency if the weights are not
    downloaded, CorruptWeights if a file does not match its lock.
    """
    weights = spec.weights.get(role)
    if weights is None:
        raise MissingDependency(f'{spec.name}: models.yaml has no weights "{role}" for this model')
    lock = Lock.read(Path(weights.lock)) if weights.lock else None
    if lock is None:
        facts = ", ".join(filter(None, (*missing_weights(spec), spec.licence)))
        raise MissingDependency(f"{spec.name}: not downloaded ({facts}); {pull_command(spec)}")
    place = Path(weights.folder)
    if damage := find_corruption(lock, place, Path(weights.lock)):
        raise CorruptWeights(f"{spec.name}: weights are corrupt ({damage}); {pull_command(spec)}")
    return place


def missing_weights(spec: ModelSpec) -> tuple[str, ...]:
    """Return facts about weights that are not downloaded (size, gated access), or an empty tuple if all are downloaded."""
    absent = [one for one in spec.weights.values() if not one.folder]
    if not absent:
        return ()
    gated = any(one.gated for one in absent)
    return (
        format_gigabytes(sum(one.gb for one in absent)) or "size unknown",
        *(("gated repository",) if gated else ()),
    )


def format_gigabytes(size: float) -> str:
    """Format a size given in GB (10⁹ bytes) with two significant digits, below 1 GB in MB. Return "" for 0 (unknown)."""
    if size < 0.995:
        return f"{size * 1000:.0f} MB" if size else ""
    return f"{size:.0f} GB" if size >= 9.95 else f"{size:.2g} GB"


def pull_command(spec: ModelSpec) -> str:
    """Return the command that downloads or repairs the weights of a model."""
    return f"python -m engine models pull {spec.name}"


def find_corruption(lock: Lock, folder: Path, lock_file: Path, *, rehash_all: bool = False) -> str | None:
    """Return what is wrong with the locked files in `folder`, or None if they are intact.

    Hashes only files that changed since their last verification, or all of them with `rehash_all`. Stores the new
    fingerprints of intact files in `lock_file`.
    """
    noted: dict[str, FileFingerprint] = {}
    for name, seen in lock.files.items():
        file = folder / name
        try:
            if not rehash_all and seen.is_unchanged(file):
                continue
            found = _fingerprint(file)
        except OSError as error:
            return f"{name} cannot be read ({error.strerror})"
        if found.sha256 != seen.sha256:
            return f"{name} has a wrong SHA-256"
        noted[name] = found
    if strange := sorted(select_files(list_file_names(folder), lock.patterns) - set(lock.files)):
        return f"{strange[0]} is not in the lock"
    if any(noted[name] != lock.files[name] for name in noted):
        with contextlib.suppress(OSError):  # a read-only store is hashed again each time
            lock.model_copy(update={"files": {**lock.files, **noted}}).write(lock_file)
    return None


def lock_name(weights: Weights) -> str:
    """Return a readable, unique file name for a repository, revision and set of patterns."""
    identity = json.dumps([weights.repo, weights.revision, sorted(weights.files)])
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", weights.repo.removeprefix(LOCAL_PREFIX)).strip("-.")[-60:]
    return f"{readable}-{hashlib.sha256(identity.encode()).hexdigest()[:12]}"


def select_files(names: Iterable[str], patterns: Collection[str] = ()) -> set[str]:
    """Return the files that are loaded: those with an allowed suffix that match a pattern (`*` stays in one folder,
    `**` does not).

    Without patterns, return what diffusers and transformers load, without second copies in another precision or format.
    """
    endings = SAFE_SUFFIXES + tuple(
        ending for ending in PICKLE_SUFFIXES if any(pattern.endswith(ending) for pattern in patterns)
    )
    able = {name for name in names if name.endswith(endings) and not _is_hidden(name)}
    wishes = [_glob_to_regex(pattern) for pattern in patterns]
    if wishes:
        return {name for name in able if any(wish.fullmatch(name) for wish in wishes)}
    if "model_index.json" in able:  # components are in subfolders; a top-level file duplicates them
        able = {name for name in able if "/" in name or not name.endswith(".safetensors")}
    elif able & {"model.safetensors", "model.safetensors.index.json"}:
        able = {name for name in able if not name.startswith("consolidated")}
    return {name for name in able if _without_precision(name) == name or _without_precision(name) not in able}


def unmatched_patterns(names: Collection[str], patterns: Collection[str]) -> list[str]:
    """Return the patterns without wildcards that are not in `names`."""
    return [pattern for pattern in patterns if not set(pattern) & set("*?") and pattern not in names]


def missing_files(folder: Path, names: Collection[str], patterns: Collection[str] = ()) -> list[str]:
    """Return what a folder lacks: shards of its indexes, components of its pipeline, and files that the patterns name."""
    lost = unmatched_patterns(names, patterns)
    for name in names:
        if name.endswith(".safetensors.index.json"):
            shards = _read_json_object(folder / name, "weight_map").values()
            lost += sorted({PurePosixPath(name).with_name(str(shard)).as_posix() for shard in shards} - set(names))
    if "model_index.json" in names:
        for part, library in _read_json_object(folder / "model_index.json").items():
            asked = not patterns or any(pattern.startswith(f"{part}/") for pattern in patterns)
            named = isinstance(library, list) and len(library) == 2 and all(isinstance(one, str) for one in library)
            if asked and named and not any(name.startswith(f"{part}/") for name in names):
                lost.append(f"{part}/")
    return lost


def _read_json_object(path: Path, key: str = "") -> Mapping[str, object]:
    """Return the object in a JSON file, or the object under `key`. Return an empty mapping for anything else."""
    try:
        found = json.loads(path.read_text("utf-8"))
        found = found.get(key, {}) if key and isinstance(found, dict) else found
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") for part in PurePosixPath(name).parts)


def _without_precision(name: str) -> str:
    """Return the name without its precision: `unet/model.fp16.safetensors` → `unet/model.safetensors`."""
    return re.sub(r"\.(?:fp16|bf16|fp8)(?=[.-])", "", name)


def list_file_names(folder: Path) -> list[str]:
    """Return the relative POSIX paths of all files below a folder."""
    return [(Path(root) / name).relative_to(folder).as_posix() for root, _, names in os.walk(folder) for name in names]


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _glob_to_regex(pattern: str) -> re.Pattern[str]:
    pieces = re.split(r"(\*\*/?|\*|\?)", pattern)
    known = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(known.get(piece, re.escape(piece)) for piece in pieces))


def _fingerprint(path: Path, sha256: str | None = None) -> FileFingerprint:
    before = path.stat()
    digest = sha256 or sha256_of(path)
    return FileFingerprint(sha256=digest, size=before.st_size, mtime_ns=before.st_mtime_ns, inode=before.st_ino)


def _is_complete(lock: Lock, folder: Path) -> bool:
    """Return whether all files exist with their locked size."""
    try:
        return all((folder / name).stat().st_size == seen.size for name, seen in lock.files.items())
    except OSError:
        return False

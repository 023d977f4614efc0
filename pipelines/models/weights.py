"""Weights on this machine: where they lie, what they must be, and that they still are.

What was pulled has a lock: the commit and the SHA-256 of every file. Finding a lock reads no weights, so planning stays
fast; `folder` is what a family calls before it loads, and nothing comes out of it that is not what the lock says.

Under the home folder: `locks/<lock>.json`, `snapshots/<lock>/<commit>/` with its files (the same bytes in several models are
one file under several names), `partial/` for what is still on its way, `envs/<digest>/` for interpreters of their own.
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
"""Begins a `Weights.repo` that is a folder of this machine; a relative one lies in the home folder."""

SAFE_SUFFIXES = (".safetensors", ".json", ".txt", ".model", ".jinja", ".tiktoken", ".onnx")
"""Endings of the files that models are made of: none of these can hold code. No other file is pulled, locked or loaded, but for
those of `NAMED`."""

PICKLE_SUFFIXES = (".bin", ".pt", ".pth")
"""Endings of files that a careless reader could be made to run code by. Only those are pulled, locked and loaded that a pattern
of models.yaml names by their ending; their families read them in ways that run none: as bare numbers, or as
`torch.load(weights_only=True)` does."""


WEIGHT_SUFFIXES = (".safetensors", ".onnx", *PICKLE_SUFFIXES)
"""Endings of files that hold the numbers of a model; the others say what they mean."""


class CorruptWeights(MissingDependency):
    """Files of a model are not what was locked; the message names the command that mends it."""


class FileFingerprint(BaseModel):
    """One file: what it must be, and how the file system showed it when that was last found true."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sha256: str
    size: int
    mtime_ns: int
    inode: int

    def is_unchanged(self, path: Path) -> bool:
        """Whether nothing was written to the file since it was hashed."""
        stat = path.stat()
        return (stat.st_size, stat.st_mtime_ns, stat.st_ino) == (self.size, self.mtime_ns, self.inode)


class Lock(BaseModel):
    """What was pulled. `folder` is relative to the home folder unless it lies elsewhere."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    repo: str
    revision: str
    patterns: tuple[str, ...] = ()
    commit: str = ""
    folder: str
    files: Mapping[str, FileFingerprint]

    @property
    def digest(self) -> str:
        """SHA-256 over names and contents: the same for the same files, wherever they lie."""
        lines = (f"{seen.sha256}  {name}\n" for name, seen in sorted(self.files.items()))
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(seen.size for seen in self.files.values())

    def write(self, path: Path) -> None:
        """Written whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".", suffix=".tmp", delete=False) as file:
            file.write(self.model_dump_json(indent=1))
            file.flush()
            os.fsync(file.fileno())
        Path(file.name).replace(path)

    @classmethod
    def read(cls, path: Path) -> Lock | None:
        """The lock of that file; None where there is none that can be read."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            return None


class WeightStore:
    """The weights below `home`."""

    def __init__(self, home: Path) -> None:
        self.home = home.expanduser().absolute()

    def resolve_spec(self, spec: ModelSpec) -> ModelSpec:
        """The model, knowing where its weights and its interpreter lie as far as they were pulled."""
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
        """Where the lock of these weights lies, pulled or not: the same repository, revision and patterns share it."""
        return self.home / "locks" / f"{lock_name(weights)}.json"

    def locks(self) -> Mapping[Path, Lock]:
        """All that was pulled, by the files that say so."""
        found = {path: Lock.read(path) for path in sorted((self.home / "locks").glob("*.json"))}
        return {path: lock for path, lock in found.items() if lock is not None}

    def lock_folder(
        self, weights: Weights, folder: Path, *, commit: str = "", known_digests: Mapping[str, str] | None = None
    ) -> Weights:
        """Lock the files in `folder` as these weights: all that can be loaded and that the patterns name. `known` holds
        digests that were just computed (name → SHA-256), which are not computed again. Raises Missing when no file is there."""
        folder = folder.absolute()
        names = sorted(select_files(list_file_names(folder), weights.files))
        if not names:
            raise MissingDependency(f"{folder}: no weights are there (files ending in {', '.join(SAFE_SUFFIXES)})")
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
    """The folder with the files of a model that are what was locked, for a family's `load`. A file that was written to since
    it was hashed is hashed again. Raises Missing when the weights are not here, Damaged when they are not what they were."""
    weights = spec.weights.get(role)
    if weights is None:
        raise MissingDependency(f'{spec.name}: models.yaml names no weights "{role}"')
    lock = Lock.read(Path(weights.lock)) if weights.lock else None
    if lock is None:
        facts = ", ".join(filter(None, (*missing_weights(spec), spec.licence)))
        raise MissingDependency(f"{spec.name}: not pulled ({facts}); {pull_command(spec)}")
    place = Path(weights.folder)
    if damage := find_corruption(lock, place, Path(weights.lock)):
        raise CorruptWeights(f"{spec.name}: its weights are not what was pulled ({damage}); {pull_command(spec)}")
    return place


def missing_weights(spec: ModelSpec) -> tuple[str, ...]:
    """What is to be said of the weights that are not here: their size, and what stands before it; empty when all are here."""
    absent = [one for one in spec.weights.values() if not one.folder]
    if not absent:
        return ()
    gated = any(one.gated for one in absent)
    return (
        format_gigabytes(sum(one.gb for one in absent)) or "size unknown",
        *(("gated by its owner",) if gated else ()),
    )


def format_gigabytes(size: float) -> str:
    """A size in GB with two digits that count, a small one in MB; empty for one that nobody has said."""
    if size < 0.995:
        return f"{size * 1000:.0f} MB" if size else ""
    return f"{size:.0f} GB" if size >= 9.95 else f"{size:.2g} GB"


def pull_command(spec: ModelSpec) -> str:
    """The command that brings the weights of a model here, or mends them."""
    return f"python -m engine models pull {spec.name}"


def find_corruption(lock: Lock, folder: Path, lock_file: Path, *, rehash_all: bool = False) -> str | None:
    """What is wrong with the files of a lock, in words; None when nothing is. Only files that were written to are hashed,
    or `every` one; when they prove right that is noted in the lock file `path`."""
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
            return f"{name} has other bytes"
        noted[name] = found
    if strange := sorted(select_files(list_file_names(folder), lock.patterns) - set(lock.files)):
        return f"{strange[0]} was not there then"
    if any(noted[name] != lock.files[name] for name in noted):
        with contextlib.suppress(OSError):  # a shelf that may only be read is hashed again each time
            lock.model_copy(update={"files": {**lock.files, **noted}}).write(lock_file)
    return None


def lock_name(weights: Weights) -> str:
    """A plain name, readable and unique, for a repository at a revision limited to patterns."""
    identity = json.dumps([weights.repo, weights.revision, sorted(weights.files)])
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", weights.repo.removeprefix(LOCAL_PREFIX)).strip("-.")[-60:]
    return f"{readable}-{hashlib.sha256(identity.encode()).hexdigest()[:12]}"


def select_files(names: Iterable[str], patterns: Collection[str] = ()) -> set[str]:
    """Those of the files that are loaded: of the ones that can be, those that match a pattern (`*` does not cross folders, `**`
    does). Without patterns what diffusers and transformers load: no second copy in another precision or another form."""
    endings = SAFE_SUFFIXES + tuple(
        ending for ending in PICKLE_SUFFIXES if any(pattern.endswith(ending) for pattern in patterns)
    )
    able = {name for name in names if name.endswith(endings) and not _is_hidden(name)}
    wishes = [_glob_to_regex(pattern) for pattern in patterns]
    if wishes:
        return {name for name in able if any(wish.fullmatch(name) for wish in wishes)}
    if "model_index.json" in able:  # the parts lie in folders; what lies beside them is the same in one file
        able = {name for name in able if "/" in name or not name.endswith(".safetensors")}
    elif able & {"model.safetensors", "model.safetensors.index.json"}:
        able = {name for name in able if not name.startswith("consolidated")}
    return {name for name in able if _without_precision(name) == name or _without_precision(name) not in able}


def unmatched_patterns(names: Collection[str], patterns: Collection[str]) -> list[str]:
    """Files that the patterns name one by one and that are not among `names`."""
    return [pattern for pattern in patterns if not set(pattern) & set("*?") and pattern not in names]


def missing_files(folder: Path, names: Collection[str], patterns: Collection[str] = ()) -> list[str]:
    """What a folder lacks of what its own files name: shards of an index, parts of a pipeline; and what the patterns name."""
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
    """The entries of a JSON file, or of the object under a key of it; none where it holds something else."""
    try:
        found = json.loads(path.read_text("utf-8"))
        found = found.get(key, {}) if key and isinstance(found, dict) else found
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") for part in PurePosixPath(name).parts)


def _without_precision(name: str) -> str:
    """The name without its precision: `unet/model.fp16.safetensors` → `unet/model.safetensors`."""
    return re.sub(r"\.(?:fp16|bf16|fp8)(?=[.-])", "", name)


def list_file_names(folder: Path) -> list[str]:
    """All files below a folder, as relative names with `/`."""
    return [(Path(root) / name).relative_to(folder).as_posix() for root, _, names in os.walk(folder) for name in names]


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
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
    """Whether all files are there and as large as they were."""
    try:
        return all((folder / name).stat().st_size == seen.size for name, seen in lock.files.items())
    except OSError:
        return False

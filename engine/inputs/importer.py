"""Import of the files that a story names into the store."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from engine.execution.errors import RunCancelled
from engine.inputs.fetch import (
    AUDIO_POLICY,
    IMAGE_POLICY,
    PAGE_POLICY,
    VIDEO_POLICY,
    FetchError,
    FetchPolicy,
    UrlFetcher,
)
from engine.storage.artifact_store import ArtifactStore, Output, translate_os_errors
from engine.story.field_path import FieldPath
from engine.story.model import NARRATOR_SAMPLE_FIELD, AnyStory, Brief, InputFile, StoryError, map_input_files
from pipelines.base import MissingDependency

PAGE_NOT_READ = "cannot read the page; the story is written from the idea only"


@dataclass(frozen=True, slots=True)
class InputImporter:
    """Imports local files and URLs into the store.

    `allow_private`: as in `UrlFetcher`; `retain`: called with the digest of each stored file."""

    store: ArtifactStore
    allow_private: bool = False
    retain: Callable[[str], None] = lambda digest: None

    def import_inputs(
        self, story: AnyStory, base: Path | None, stop: Event | None = None
    ) -> tuple[AnyStory, tuple[str, ...]]:
        """Import every input file; return the story with digests, and warnings.

        `base`: folder of relative paths; None allows URLs only. A page that cannot be fetched is dropped with a
        warning, because the idea suffices. Raises StoryError with the field, RunCancelled when `stop` is set."""
        warnings: list[str] = []
        if isinstance(story, Brief) and story.page:
            try:
                page = self._import_file(FieldPath("page"), story.page, base, PAGE_POLICY, stop)
            except StoryError as error:
                page = None
                warnings.append(f"{PAGE_NOT_READ}: {error}")
            story = story.model_copy(update={"page": page})
        return map_input_files(story, lambda at, file: self._import_file(at, file, base, policy_for(at), stop)), tuple(
            warnings
        )

    def _import_file(
        self, field_path: FieldPath, picture: InputFile, base: Path | None, policy: FetchPolicy, stop: Event | None
    ) -> InputFile:
        if picture.digest:
            self.retain(picture.digest)
            return picture
        if picture.source.startswith(("http://", "https://")):
            try:
                digest = self.fetch(picture.source, policy, stop).digest
            except (FetchError, MissingDependency) as error:
                raise StoryError(field_path, str(error)) from error
        elif base is None:
            raise StoryError(field_path, "is not an http(s) URL")
        else:
            digest = self.store.put(_local_file(field_path, picture.source, base, policy), name="input").digest
            self.retain(digest)
        return picture.model_copy(update={"digest": digest})

    def fetch(self, url: str, policy: FetchPolicy, stop: Event | None = None) -> Output:
        """Fetch a URL into the store. Raises FetchError, MissingDependency, StoreError, RunCancelled."""
        folder = self.store.workspace()
        try:
            with translate_os_errors("store the fetched file"):
                fetcher = UrlFetcher(allow_private=self.allow_private)
                path = fetcher.fetch(url, folder / "fetched", policy, stop=stop).path
            output = self.store.put(path, name="input", consume=True)
        except FetchError:
            if stop is not None and stop.is_set():
                raise RunCancelled("cancelled; finished steps stay cached") from None
            raise
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        self.retain(output.digest)
        return output


def policy_for(field_path: FieldPath) -> FetchPolicy:
    """Return the policy for the file in a field of a story."""
    match field_path.parts:
        case ("scenes", int(), "clip"):
            return VIDEO_POLICY
        case ("audio_urls", int()):
            return AUDIO_POLICY
    return AUDIO_POLICY if field_path == NARRATOR_SAMPLE_FIELD else IMAGE_POLICY


def _local_file(field_path: FieldPath, source: str, base: Path, policy: FetchPolicy) -> Path:
    path = base / Path(source).expanduser()
    try:
        size = path.stat().st_size
    except (OSError, ValueError, RuntimeError):
        raise StoryError(field_path, f'file "{source}" not found ({path})') from None
    if not path.is_file():
        raise StoryError(field_path, f'"{source}" is not a file')
    if not 0 < size <= policy.limit_bytes:
        limit = policy.limit_bytes >> 20
        raise StoryError(field_path, f'"{source}" has {size:,} bytes; {policy.label} must have 1 byte to {limit} MB')
    return path

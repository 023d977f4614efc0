"""Files that a story names: put into the store before anything is made of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from engine.execution.errors import RunCancelled
from engine.inputs.fetch import CLIP, PAGE, PICTURE, SOUND, Door, FetchError, Want
from engine.storage.artifact_store import Output, Store, clearly
from engine.story.model import SAMPLE, Brief, Picture, StoryError, Tale, with_pictures
from pipelines.base import Missing

NOT_READ = "the page was not read, the story goes on from the idea"


@dataclass(frozen=True, slots=True)
class Receiver:
    """Takes files in. `allow_private` as the door takes it; `keep` is told the digest of each file as soon as it is in the store."""

    store: Store
    allow_private: bool = False
    keep: Callable[[str], None] = lambda digest: None

    def take_in(self, told: Tale, base: Path | None, stop: Event | None = None) -> tuple[Tale, tuple[str, ...]]:
        """Put every given file into the store; relative paths start at `base` (None: no file of this machine may be named),
        web addresses go through the door. A page that cannot be had is left out with a warning, as the idea stands without
        it. Raises StoryError naming the field, RunCancelled when `stop` is set meanwhile."""
        warnings: list[str] = []
        if isinstance(told, Brief) and told.page:
            try:
                page = self._taken("page", told.page, base, PAGE, stop)
            except StoryError as error:
                page = None
                warnings.append(f"{NOT_READ}: {error}")
            told = told.model_copy(update={"page": page})
        return with_pictures(told, lambda at, file: self._taken(at, file, base, want_of(at), stop)), tuple(warnings)

    def _taken(self, place: str, picture: Picture, base: Path | None, want: Want, stop: Event | None) -> Picture:
        if picture.digest:
            self.keep(picture.digest)
            return picture
        if picture.source.startswith(("http://", "https://")):
            try:
                digest = self.fetched(picture.source, want, stop).digest
            except (FetchError, Missing) as error:
                raise StoryError(place, str(error)) from error
        elif base is None:
            raise StoryError(place, "is no http(s) address")
        else:
            digest = self.store.put(_local_file(place, picture.source, base, want), name="given").digest
            self.keep(digest)
        return picture.model_copy(update={"digest": digest})

    def fetched(self, url: str, want: Want, stop: Event | None = None) -> Output:
        """What an address leads to, in the store. Raises FetchError, Missing, StoreError, RunCancelled."""
        folder = self.store.workspace()
        try:
            with clearly("store what was fetched"):
                door = Door(allow_private=self.allow_private)
                path = door.fetch(url, folder / "fetched", want, stop=stop).path
            output = self.store.put(path, name="given", consume=True)
        except FetchError:
            if stop is not None and stop.is_set():
                raise RunCancelled("stopped; what was finished is kept") from None
            raise
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        self.keep(output.digest)
        return output


def want_of(place: str) -> Want:
    """What the file at a place of a story must be."""
    if place.endswith(".clip"):
        return CLIP
    return SOUND if place.startswith(("audio_urls[", SAMPLE)) else PICTURE


def _local_file(place: str, source: str, base: Path, want: Want) -> Path:
    path = base / Path(source).expanduser()
    try:
        size = path.stat().st_size
    except (OSError, ValueError, RuntimeError):
        raise StoryError(place, f'no file "{source}" (looked for {path})') from None
    if not path.is_file():
        raise StoryError(place, f'"{source}" is not a file')
    if not 0 < size <= want.limit_bytes:
        limit = want.limit_bytes >> 20
        raise StoryError(place, f'"{source}" has {size:,} bytes; a {want.what} may have 1 byte to {limit} MB')
    return path

"""The stock of models on this machine: what an order for some of them means, carrying it out, looking it over, clearing it."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.base import Missing, ModelSpec, Weights
from pipelines.models import environments
from pipelines.models.catalog import Catalog, CatalogError, suggest
from pipelines.models.download import Pull, remove
from pipelines.models.sources import Both, Cache, Folder, Hub, Source
from pipelines.models.weights import HERE, Lock, Shelf, check, gigabytes

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Way:
    """Where weights are to come from: `mirror` is the address of a hub, `folder` a folder of this machine (with the files of one
    repository, or a folder `owner/name` for each); `offline` asks no network."""

    mirror: str = ""
    folder: Path | None = None
    offline: bool = False

    def source(self, weights: Weights, *, alone: bool = True) -> Source:
        """The source for these weights. A folder that is not one `owner/name` holds those that are asked for `alone`: nothing says
        whose the files are."""
        hub = Hub(self.mirror)
        if self.folder is None:
            return Cache() if self.offline else hub
        own = self.folder / weights.repo
        folder = Folder(self.folder if alone and not own.is_dir() else own)
        return folder if self.offline else Both(hub, folder)


@dataclass(frozen=True, slots=True)
class Item:
    """One set of weights of an order: how it is brought here, or, without `pull`, that it lies here and is only locked."""

    model: ModelSpec
    weights: Weights
    pull: Pull | None


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be brought here for some models: their weights, and interpreters of their own."""

    models: tuple[ModelSpec, ...]
    items: tuple[Item, ...]
    environments: tuple[ModelSpec, ...]
    offline: bool = False

    @property
    def bytes_to_bring(self) -> int:
        """Bytes that are not on this machine yet."""
        packages = sum(round(model.env.gb * 1e9) for model in self.environments if model.env)
        return packages + sum(item.pull.missing_bytes() for item in self.items if item.pull)

    def __bool__(self) -> bool:
        return bool(self.items or self.environments)


class Stock:
    """The models of a catalog, as far as they lie below `home`."""

    def __init__(self, home: Path, catalog: Catalog) -> None:
        self.shelf, self.catalog = Shelf(home), catalog

    # Ordering

    def named(self, names: Iterable[str]) -> tuple[ModelSpec, ...]:
        """The models of these names; a profile stands for the best of each of its picks. Raises CatalogError."""
        found: dict[str, ModelSpec] = {}
        for name in names:
            if name in self.catalog.models:
                found[name] = self.catalog.models[name]
            elif name in self.catalog.profiles:
                picks = self.catalog.profiles[name].picks.values()
                found |= {models[0]: self.catalog.models[models[0]] for models in picks if models}
            else:
                known = [*self.catalog.models, *self.catalog.profiles]
                meant = suggest(name, known) or "; `python -m engine models list` shows all"
                raise CatalogError(f'no model or profile "{name}" in models.yaml{meant}')
        return tuple(found.values())

    def order(self, models: Sequence[ModelSpec], way: Way) -> Order:
        """What these models need that is not here and whole. Asks the source what there is. Raises Missing."""
        lacking: dict[Path, tuple[ModelSpec, Weights]] = {}
        for model in models:
            for weights in model.weights.values():
                path = self.shelf.lock_path(weights)
                if path not in lacking and (weights.repo.startswith(HERE) or not self._whole(weights)):
                    lacking[path] = model, weights
        alone = len({weights.repo for _, weights in lacking.values()}) == 1
        items = [Item(model, weights, self._pull(model, weights, way, alone)) for model, weights in lacking.values()]
        unmade = {
            environments.folder_of(self.shelf.home, model.env): model
            for model in models
            if model.env and not environments.whole(self.shelf.home, model.env)
        }
        return Order(tuple(models), tuple(items), tuple(unmade.values()))

    def carry_out(self, order: Order, say: Say) -> None:
        """Bring everything here. What has arrived is kept when it breaks off. Raises Missing."""
        free, needed = self.free_bytes(), order.bytes_to_bring
        if needed > free:
            raise Missing(
                f"{needed / 1e9:.1f} GB are needed, {free / 1e9:.1f} GB are free in {self.shelf.home}; make room, or set "
                "ENGINE_HOME to a folder on a larger disk"
            )
        for model in order.environments:  # first, as it may be that it cannot be made here
            assert model.env is not None
            say(f"{model.name}: an interpreter of its own")
            environments.make(self.shelf.home, model.env, offline=order.offline)
        for item in order.items:
            say(f"{item.model.name}: {item.weights.repo}")
            try:
                self._bring(item, say)
            except OSError as error:
                if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                    raise Missing(f"no room is left in {self.shelf.home}; make some and pull again") from error
                raise Missing(f"{error.filename or self.shelf.home}: {error.strerror}") from error

    def free_bytes(self) -> int:
        """Room on the disk that holds, or will hold, the weights."""
        home = self.shelf.home
        return shutil.disk_usage(next(place for place in (home, *home.parents) if place.exists())).free

    def _bring(self, item: Item, say: Say) -> None:
        if item.pull is not None:
            item.pull.run(say)
            return
        place = self._own_folder(item.weights)
        found = self.shelf.adopt(item.weights, place)
        lock = Lock.read(Path(found.lock))
        assert lock is not None
        say(f"  {len(lock.files)} files of {lock.size / 1e9:.2f} GB in {place} hashed and locked")

    def _pull(self, model: ModelSpec, weights: Weights, way: Way, alone: bool) -> Pull | None:
        if weights.repo.startswith(HERE):
            self._own_folder(weights)
            return None
        source = way.source(weights, alone=alone)
        damaged = Lock.read(self.shelf.lock_path(weights))
        try:
            listing = source.listing(weights, damaged.commit if damaged else "")
        except Missing as error:
            facts = "; ".join(filter(None, (gigabytes(weights.gb), model.licence or "licence unknown")))
            raise Missing(f"{model.name} ({facts}) cannot be pulled: {error}") from error
        return Pull(self.shelf, weights, listing, source)

    def _own_folder(self, weights: Weights) -> Path:
        """The folder of this machine that holds them whole. Raises Missing."""
        place = self.shelf.home / Path(weights.repo.removeprefix(HERE)).expanduser()
        if not place.is_dir():
            raise Missing(
                f"models.yaml says that weights lie in {place}, which is no folder; put them there and pull again: they are then "
                "hashed and locked in place"
            )
        Folder(place).listing(weights)
        return place

    def _whole(self, weights: Weights) -> bool:
        path = self.shelf.lock_path(weights)
        lock = Lock.read(path)
        return lock is not None and check(lock, self.shelf.home / lock.folder, path) is None

    # Looking over and clearing

    def verify(self, models: Iterable[ModelSpec], say: Say) -> bool:
        """Hash every file of what was pulled for these models; whether all is what it was."""
        right, seen = True, set()
        for model in models:
            for weights in model.weights.values():
                path = self.shelf.lock_path(weights)
                lock = Lock.read(path)
                if lock is None or path in seen:
                    continue
                seen.add(path)
                damage = check(lock, self.shelf.home / lock.folder, path, every=True)
                right = right and damage is None
                whole = (
                    f"whole: {len(lock.files)} files, {lock.size / 1e9:.2f} GB, at {lock.commit[:12] or 'no commit'}"
                )
                mend = f"damaged: {damage}; python -m engine models pull {model.name}"
                say(f"{model.name}: {weights.repo}: {whole if damage is None else mend}")
            place = environments.folder_of(self.shelf.home, model.env) if model.env else None
            if model.env and place and place.is_dir() and place not in seen:
                seen.add(place)
                works = environments.whole(self.shelf.home, model.env)
                right = right and works
                mend = f"damaged; python -m engine models pull {model.name}"
                say(f"{model.name}: an interpreter of its own: {'whole' if works else mend}")
        if not seen:
            say("nothing of this was pulled: there is nothing to verify")
        return right

    def clear(self, models: Sequence[ModelSpec], say: Say) -> int:
        """Remove what was pulled for these models, except what others that are here share. Returns the bytes that became free."""
        names = {model.name for model in models}
        others = [model for model in self.catalog.models.values() if model.name not in names and self._here(model)]
        freed = 0
        for model in models:
            for weights in model.weights.values():
                sharing = [
                    other.name for other in others if weights.repo in _repos(other) and self._shares(other, weights)
                ]
                if sharing:
                    say(f"{model.name}: {weights.repo} is kept for {', '.join(sharing)}; name that too to remove it")
                    continue
                there = self.shelf.lock_path(weights).exists()
                freed += remove(self.shelf, weights)  # also what a pull has begun
                gone = "its files stay where they lie" if weights.repo.startswith(HERE) else "removed"
                say(f"{model.name}: {weights.repo}: {gone if there else 'not here'}")
            if model.env and model.env not in [other.env for other in others]:
                freed += environments.remove(environments.folder_of(self.shelf.home, model.env))
        return freed

    def unused(self) -> dict[Path, Lock]:
        """What was pulled and no model refers to any more."""
        used = {self.shelf.lock_path(one) for model in self.catalog.models.values() for one in model.weights.values()}
        return {path: lock for path, lock in self.shelf.locks().items() if path not in used}

    def unused_environments(self) -> tuple[Path, ...]:
        """Interpreters of their own that no model has any more, as after other packages were asked for."""
        home = self.shelf.home
        used = {environments.folder_of(home, model.env) for model in self.catalog.models.values() if model.env}
        return tuple(folder for folder in environments.folders(home) if folder not in used)

    def clear_unused(self) -> int:
        """Remove both. Returns the bytes that became free."""
        locks = self.unused().values()
        return sum(
            remove(self.shelf, Weights(repo=lock.repo, revision=lock.revision, files=lock.patterns)) for lock in locks
        ) + sum(map(environments.remove, self.unused_environments()))

    def _here(self, model: ModelSpec) -> bool:
        return all(self.shelf.lock_path(one).exists() for one in model.weights.values())

    def _shares(self, model: ModelSpec, weights: Weights) -> bool:
        return any(self.shelf.lock_path(one) == self.shelf.lock_path(weights) for one in model.weights.values())


def _repos(model: ModelSpec) -> set[str]:
    return {one.repo for one in model.weights.values()}

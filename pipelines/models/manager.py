"""Plan and run downloads of models, verify them and delete them."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.base import MissingDependency, ModelSpec, Weights
from pipelines.models import environments
from pipelines.models.catalog import Catalog, CatalogError, suggest
from pipelines.models.download import Download, remove
from pipelines.models.sources import Hub, HubCache, HubWithFolder, LocalFolder, WeightSource
from pipelines.models.weights import LOCAL_PREFIX, Lock, WeightStore, find_corruption, format_gigabytes

MessageCallback = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class DownloadSource:
    """Where weights come from: `mirror` is the URL of a hub; `folder` is a local folder with the files of one
    repository, or with a subfolder `owner/name` per repository; `offline` uses no network."""

    mirror: str = ""
    folder: Path | None = None
    offline: bool = False

    def create_source(self, weights: Weights, *, single_repo: bool = True) -> WeightSource:
        """Return the source of these weights. A folder without subfolders `owner/name` serves only a single repository
        (`single_repo`): its files do not say where they belong."""
        hub = Hub(self.mirror)
        if self.folder is None:
            return HubCache() if self.offline else hub
        own = self.folder / weights.repo
        folder = LocalFolder(self.folder if single_repo and not own.is_dir() else own)
        return folder if self.offline else HubWithFolder(hub, folder)


@dataclass(frozen=True, slots=True)
class DownloadItem:
    """One set of weights of a plan. `download` is None for a local folder, which is only hashed and locked."""

    model: ModelSpec
    weights: Weights
    download: Download | None


@dataclass(frozen=True, slots=True)
class DownloadPlan:
    """The weights to download and the environments to create for some models."""

    models: tuple[ModelSpec, ...]
    items: tuple[DownloadItem, ...]
    environments: tuple[ModelSpec, ...]
    offline: bool = False

    @property
    def missing_bytes(self) -> int:
        """Bytes still to download."""
        packages = sum(round(model.env.gb * 1e9) for model in self.environments if model.env)
        return packages + sum(item.download.missing_bytes() for item in self.items if item.download)

    def __bool__(self) -> bool:
        return bool(self.items or self.environments)


class ModelManager:
    """Downloads, verifies and deletes the models of a catalog below `home`."""

    def __init__(self, home: Path, catalog: Catalog) -> None:
        self.store, self.catalog = WeightStore(home), catalog

    # Downloads

    def resolve_names(self, names: Iterable[str]) -> tuple[ModelSpec, ...]:
        """Return the models with these names. A profile stands for the first model of each of its picks. Raises CatalogError."""
        found: dict[str, ModelSpec] = {}
        for name in names:
            if name in self.catalog.models:
                found[name] = self.catalog.models[name]
            elif name in self.catalog.profiles:
                picks = self.catalog.profiles[name].picks.values()
                found |= {models[0]: self.catalog.models[models[0]] for models in picks if models}
            else:
                known = [*self.catalog.models, *self.catalog.profiles]
                hint = suggest(name, known) or "; `python -m engine models list` shows all"
                raise CatalogError(f'no model or profile "{name}" in models.yaml{hint}')
        return tuple(found.values())

    def plan_downloads(self, models: Sequence[ModelSpec], download_source: DownloadSource) -> DownloadPlan:
        """Return what is missing or corrupt for these models, after listing the source. Raises MissingDependency."""
        missing: dict[Path, tuple[ModelSpec, Weights]] = {}
        for model in models:
            for weights in model.weights.values():
                path = self.store.lock_path(weights)
                if path not in missing and (weights.repo.startswith(LOCAL_PREFIX) or not self._is_intact(weights)):
                    missing[path] = model, weights
        single_repo = len({weights.repo for _, weights in missing.values()}) == 1
        items = [
            DownloadItem(model, weights, self._create_download(model, weights, download_source, single_repo))
            for model, weights in missing.values()
        ]
        unmade = {
            environments.environment_folder(self.store.home, model.env): model
            for model in models
            if model.env and not environments.is_intact(self.store.home, model.env)
        }
        return DownloadPlan(tuple(models), tuple(items), tuple(unmade.values()))

    def execute(self, download_plan: DownloadPlan, on_message: MessageCallback) -> None:
        """Run the plan. An interrupted download resumes on the next call. Raises MissingDependency."""
        free, needed = self.free_bytes(), download_plan.missing_bytes
        if needed > free:
            raise MissingDependency(
                f"{needed / 1e9:.1f} GB required, {free / 1e9:.1f} GB free in {self.store.home}; free some disk space, or set "
                "ENGINE_HOME to a folder on a larger disk"
            )
        for model in download_plan.environments:  # first: creation can fail before gigabytes are downloaded
            assert model.env is not None
            on_message(f"{model.name}: isolated environment")
            environments.create(self.store.home, model.env, offline=download_plan.offline)
        for item in download_plan.items:
            on_message(f"{item.model.name}: {item.weights.repo}")
            try:
                self._download_item(item, on_message)
            except OSError as error:
                if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                    raise MissingDependency(
                        f"no disk space left in {self.store.home}; free some and download again"
                    ) from error
                raise MissingDependency(f"{error.filename or self.store.home}: {error.strerror}") from error

    def free_bytes(self) -> int:
        """Return the free bytes on the disk of the weights."""
        home = self.store.home
        return shutil.disk_usage(next(place for place in (home, *home.parents) if place.exists())).free

    def _download_item(self, item: DownloadItem, on_message: MessageCallback) -> None:
        if item.download is not None:
            item.download.run(on_message)
            return
        folder = self._local_folder(item.weights)
        found = self.store.lock_folder(item.weights, folder)
        lock = Lock.read(Path(found.lock))
        assert lock is not None
        on_message(f"  {len(lock.files)} files of {lock.size / 1e9:.2f} GB in {folder} hashed and locked")

    def _create_download(
        self, model: ModelSpec, weights: Weights, download_source: DownloadSource, single_repo: bool
    ) -> Download | None:
        if weights.repo.startswith(LOCAL_PREFIX):
            self._local_folder(weights)
            return None
        source = download_source.create_source(weights, single_repo=single_repo)
        previous_lock = Lock.read(self.store.lock_path(weights))
        try:
            listing = source.list_files(weights, previous_lock.commit if previous_lock else "")
        except MissingDependency as error:
            facts = "; ".join(filter(None, (format_gigabytes(weights.gb), model.licence or "licence unknown")))
            raise MissingDependency(f"{model.name} ({facts}) cannot be downloaded: {error}") from error
        return Download(self.store, weights, listing, source)

    def _local_folder(self, weights: Weights) -> Path:
        """Return the local folder of the weights. Raises MissingDependency if it is missing or incomplete."""
        folder = self.store.home / Path(weights.repo.removeprefix(LOCAL_PREFIX)).expanduser()
        if not folder.is_dir():
            raise MissingDependency(
                f"models.yaml names the weights folder {folder}, which does not exist; put the files there and run models pull "
                "again to hash and lock them"
            )
        LocalFolder(folder).list_files(weights)
        return folder

    def _is_intact(self, weights: Weights) -> bool:
        path = self.store.lock_path(weights)
        lock = Lock.read(path)
        return lock is not None and find_corruption(lock, self.store.home / lock.folder, path) is None

    # Verification and deletion

    def verify(self, models: Iterable[ModelSpec], on_message: MessageCallback) -> bool:
        """Hash every downloaded file of these models and return whether all are intact."""
        all_intact, seen = True, set()
        for model in models:
            for weights in model.weights.values():
                path = self.store.lock_path(weights)
                lock = Lock.read(path)
                if lock is None or path in seen:
                    continue
                seen.add(path)
                damage = find_corruption(lock, self.store.home / lock.folder, path, rehash_all=True)
                all_intact = all_intact and damage is None
                intact_text = (
                    f"intact: {len(lock.files)} files, {lock.size / 1e9:.2f} GB, at {lock.commit[:12] or 'no commit'}"
                )
                fix_text = f"corrupt: {damage}; python -m engine models pull {model.name}"
                on_message(f"{model.name}: {weights.repo}: {intact_text if damage is None else fix_text}")
            environment_folder = environments.environment_folder(self.store.home, model.env) if model.env else None
            if model.env and environment_folder and environment_folder.is_dir() and environment_folder not in seen:
                seen.add(environment_folder)
                intact = environments.is_intact(self.store.home, model.env)
                all_intact = all_intact and intact
                fix_text = f"corrupt; python -m engine models pull {model.name}"
                on_message(f"{model.name}: isolated environment: {'intact' if intact else fix_text}")
        if not seen:
            on_message("not downloaded; nothing to verify")
        return all_intact

    def remove_models(self, models: Sequence[ModelSpec], on_message: MessageCallback) -> int:
        """Delete the downloads of these models, except weights that other downloaded models share. Return the freed bytes."""
        names = {model.name for model in models}
        others = [
            model for model in self.catalog.models.values() if model.name not in names and self._is_downloaded(model)
        ]
        freed = 0
        for model in models:
            for weights in model.weights.values():
                sharing = [
                    other.name
                    for other in others
                    if weights.repo in _repos(other) and self._shares_weights(other, weights)
                ]
                if sharing:
                    on_message(
                        f"{model.name}: {weights.repo} is kept for {', '.join(sharing)}; name that model too to delete it"
                    )
                    continue
                was_downloaded = self.store.lock_path(weights).exists()
                freed += remove(self.store, weights)  # interrupted downloads too
                outcome = "local folder, files kept" if weights.repo.startswith(LOCAL_PREFIX) else "deleted"
                on_message(f"{model.name}: {weights.repo}: {outcome if was_downloaded else 'not downloaded'}")
            if model.env and model.env not in [other.env for other in others]:
                freed += environments.remove(environments.environment_folder(self.store.home, model.env))
        return freed

    def unused_weights(self) -> dict[Path, Lock]:
        """Return the locks that no model refers to."""
        used = {self.store.lock_path(one) for model in self.catalog.models.values() for one in model.weights.values()}
        return {path: lock for path, lock in self.store.locks().items() if path not in used}

    def unused_environments(self) -> tuple[Path, ...]:
        """Return the environments that no model uses, such as those of earlier requirements."""
        home = self.store.home
        used = {environments.environment_folder(home, model.env) for model in self.catalog.models.values() if model.env}
        return tuple(folder for folder in environments.list_environments(home) if folder not in used)

    def remove_unused(self) -> int:
        """Delete unused weights and environments. Return the freed bytes."""
        locks = self.unused_weights().values()
        return sum(
            remove(self.store, Weights(repo=lock.repo, revision=lock.revision, files=lock.patterns)) for lock in locks
        ) + sum(map(environments.remove, self.unused_environments()))

    def _is_downloaded(self, model: ModelSpec) -> bool:
        return all(self.store.lock_path(one).exists() for one in model.weights.values())

    def _shares_weights(self, model: ModelSpec, weights: Weights) -> bool:
        return any(self.store.lock_path(one) == self.store.lock_path(weights) for one in model.weights.values())


def _repos(model: ModelSpec) -> set[str]:
    return {one.repo for one in model.weights.values()}

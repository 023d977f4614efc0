"""models.yaml → models. The one place that knows which models there are, and the only dynamic import."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipelines.base import Family, Kind, MissingDependency, ModelSpec
from pipelines.models.weights import WeightStore, format_gigabytes, missing_weights, pull_command

_UNAVAILABLE_PREFIXES = ("not installed", "not pulled")


class CatalogError(ValueError):
    """models.yaml (or an overlay) says something that cannot be; the message names the file and the entry."""


class Profile(BaseModel):
    """A named choice of models: for each alias, or for all whose names match a pattern (`image.*`), the models to try, in order,
    before the alias's own list. A name that stands by itself wins over patterns."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    description: str
    device_mb: int = Field(0, ge=0, description="Memory that the GPU must have for `auto` to take it; 0: needs none.")
    picks: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)

    def models_for(self, alias: str) -> tuple[str, ...]:
        """The models to try first for an alias."""
        patterns = (pattern for pattern in self.picks if fnmatchcase(alias, pattern))
        return self.picks[alias] if alias in self.picks else self.picks.get(next(patterns, ""), ())


@dataclass(frozen=True, slots=True)
class ModelSelection:
    """Which model serves, and which were picked before it but cannot, with the reason."""

    spec: ModelSpec
    skipped: tuple[tuple[str, str], ...] = ()


class Catalog(BaseModel):
    """Models, and the names by which they are asked for: aliases, the hosted APIs' tool names, profiles."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    models: Mapping[str, ModelSpec] = Field(default_factory=dict)
    kinds: Mapping[Kind, str] = Field(
        default_factory=dict, description="The alias that serves a kind of step by default."
    )
    aliases: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    image_tools: Mapping[str, str] = Field(default_factory=dict)
    video_tools: Mapping[str, str] = Field(default_factory=dict)
    profiles: Mapping[str, Profile] = Field(
        default_factory=dict, description="Best first: `auto` takes the first that is installed and fits the GPU."
    )
    device_mb: int = Field(
        0, ge=0, description="Memory of this machine's largest GPU; 0: none. Never from models.yaml."
    )

    def spec(self, name: str) -> ModelSpec:
        """The model of that name. Raises CatalogError with a suggestion."""
        try:
            return self.models[name]
        except KeyError:
            raise CatalogError(f'no model "{name}" in models.yaml{suggest(name, self.models)}') from None

    def candidates(self, name: str, profile: str | None = None) -> tuple[ModelSpec, ...]:
        """The models behind a name (an alias or a model), in the order in which they are tried."""
        if name in self.models:
            return (self.models[name],)
        if name not in self.aliases:
            raise CatalogError(
                f'no model or alias "{name}" in models.yaml{suggest(name, [*self.models, *self.aliases])}'
            )
        picks = self.profiles[profile].models_for(name) if profile else ()
        return tuple(self.models[model] for model in dict.fromkeys((*picks, *self.aliases[name])))

    def choose(
        self, name: str, kind: Kind, *, profile: str | None = None, language: str | None = None
    ) -> ModelSelection:
        """The first model behind `name` that can do `kind`, speaks `language` (where that matters) and is installed. Raises
        Missing when one would serve if it were installed, CatalogError when none can."""
        picks = self.profiles[profile].models_for(name) if profile else ()
        skipped: list[tuple[str, str]] = []
        for spec in self.candidates(name, profile):
            reason = self.unsuitable_reason(spec, kind, language)
            if reason is None:
                # What nobody picked is not missed, nor is what was never made for this kind of step.
                skipped_wanted = [
                    one for one in skipped if kind in self.models[one[0]].kinds and (not picks or one[0] in picks)
                ]
                return ModelSelection(spec, tuple(skipped_wanted))
            skipped.append((spec.name, reason))
        reasons = "; ".join(f"{model}: {reason}" for model, reason in skipped)
        if any(reason.startswith(_UNAVAILABLE_PREFIXES) for _, reason in skipped):
            raise MissingDependency(f'"{name}" cannot serve the step "{kind}" here ({reasons})')
        raise CatalogError(f'no model serves "{name}" for the step "{kind}" ({reasons})')

    def unsuitable_reason(self, spec: ModelSpec, kind: Kind, language: str | None = None) -> str | None:
        """Why the model cannot serve, in words for the user; None when it can."""
        if kind not in spec.kinds:
            return f"cannot {kind}"
        if language and spec.languages and language not in spec.languages:
            return f"does not speak {language} well"
        return unavailable_reason(spec)

    def profile(self, name: str) -> str:
        """The profile of that name; `auto` is the first whose every pick has an installed model and whose need of a GPU is met.
        Raises CatalogError, or Missing when there is none."""
        if name != "auto":
            if name not in self.profiles:
                raise CatalogError(f'no profile "{name}"{suggest(name, [*self.profiles, "auto"])}')
            return name
        for candidate in self.profiles:
            if self.profile_shortfall(candidate) is None:
                return candidate
        raise MissingDependency(
            'no profile is installed; `pip install "story-engine[draft]"` brings the embedded default'
        )

    def profile_shortfall(self, profile: str) -> str | None:
        """What keeps `auto` from taking a profile, in words; None when nothing does."""
        needs = self.profiles[profile]
        if needs.device_mb > self.device_mb:
            there = f"{self.device_mb / 1024:.0f} GB are here" if self.device_mb else "none is here"
            return f"needs a GPU with at least {needs.device_mb / 1024:.0f} GB, {there}"
        for alias, picks in needs.picks.items():
            if all(unavailable_reason(self.models[model]) for model in picks):
                return f"{alias} needs {picks[0]}: {unavailable_reason(self.models[picks[0]])}"
        return None


def unavailable_reason(spec: ModelSpec) -> str | None:
    """What this machine lacks for a model, with the commands that mend it, in words; None when nothing is lacking."""
    modules = missing_modules(spec)
    if not modules and not pending_downloads(spec):
        return None
    facts = [f"missing {', '.join(modules)}"] if modules else []
    facts += (*pending_downloads(spec), spec.licence) if pending_downloads(spec) else ()
    return f"{_UNAVAILABLE_PREFIXES[0] if modules else _UNAVAILABLE_PREFIXES[1]} ({'; '.join(filter(None, (', '.join(filter(None, facts)), fix_command(spec))))})"


def pending_downloads(spec: ModelSpec) -> tuple[str, ...]:
    """What `models pull` has still to bring here, and what a user wants to know before; empty when all is here."""
    if spec.env is None or spec.env.interpreter:
        return missing_weights(spec)
    return (
        *missing_weights(spec),
        " of ".join(filter(None, ("an environment of its own", format_gigabytes(spec.env.gb)))),
    )


def missing_modules(spec: ModelSpec) -> tuple[str, ...]:
    """The modules that the model needs and this environment lacks; none where it has an environment of its own."""
    return () if spec.env else tuple(module for module in spec.requires if not _importable(module))


def fix_command(spec: ModelSpec) -> str:
    """The commands for all that is lacking."""
    pull = pull_command(spec) if pending_downloads(spec) else ""
    return " && ".join(filter(None, (install_hint(spec) if missing_modules(spec) else "", pull)))


def install_hint(spec: ModelSpec) -> str:
    """The commands that install the packages of a model, whether or not they are here; empty when none would."""
    if spec.env:
        return pull_command(spec)
    return (
        " && ".join(filter(None, (f'pip install "story-engine[{spec.extra}]"', spec.install_command)))
        if spec.extra
        else ""
    )


@cache
def _importable(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def family_class(spec: ModelSpec) -> type[Family]:
    """Import the code of a model's family."""
    module, _, name = spec.family.partition(":")
    return cast("type[Family]", getattr(importlib.import_module(module), name))


def suggest(word: str, known: Iterable[str]) -> str:
    """`; did you mean "…"?` when something known is close, else what is known (when that is short)."""
    names = list(known)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.6) or [
        name for name in names if name.casefold() == word.casefold()
    ]
    if close:
        return f'; did you mean "{close[0]}"?'
    return f"; known: {', '.join(names)}" if 0 < len(names) <= 24 else ""


def default_path() -> Path:
    """models.yaml: beside the packages in a checkout, inside `pipelines` in a wheel."""
    here = Path(__file__).resolve().parents[1]
    packaged = here / "models.yaml"
    return packaged if packaged.is_file() else here.parent / "models.yaml"


def load(*overlays: Path, home: Path | None = None, device_mb: int = 0) -> Catalog:
    """The catalog, later files over earlier ones: an entry of an overlay replaces the fields that it names. `home` is where
    pulled weights are found (None: nothing is pulled), `device_mb` the memory of this machine's largest GPU."""
    import yaml  # here, since a worker reads no catalog

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same in C, where it was built

    merged: dict[str, Any] = {}
    for path in (default_path(), *overlays):
        try:
            content = yaml.load(path.read_text("utf-8"), loader) or {}  # noqa: S506 (one of the two safe ones)
        except OSError as error:
            raise CatalogError(f"{path}: cannot be read ({error.strerror})") from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise CatalogError(f"{path}: not valid YAML ({error})") from error
        if not isinstance(content, dict):
            raise CatalogError(f"{path}: must be a mapping with the keys {', '.join(Catalog.model_fields)}")
        merged = _merge(merged, content)
    for name, entry in (merged.get("models") or {}).items():
        if isinstance(entry, dict):
            entry.setdefault("name", name)
    try:
        catalog = Catalog.model_validate(merged)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise CatalogError(f"{overlays[-1] if overlays else default_path()}: {place}: {first['msg']}") from error
    _check(catalog)
    catalog = catalog.model_copy(update={"device_mb": device_mb})
    return with_weights(catalog, WeightStore(home)) if home else catalog


def with_weights(catalog: Catalog, store: WeightStore) -> Catalog:
    """Return the catalog with each model's weights located in `store`. Reads lock files, no weights."""
    models = {name: store.resolve_spec(spec) for name, spec in catalog.models.items()}
    return catalog.model_copy(update={"models": models})


def _merge(base: dict[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in overlay.items():
        old = merged.get(key)
        merged[key] = _merge(old, value) if isinstance(old, dict) and isinstance(value, Mapping) else value
    return merged


def _check(catalog: Catalog) -> None:
    """Every name that stands anywhere is known, and every choice is one of something."""
    for name, spec in catalog.models.items():
        if spec.name != name:
            raise CatalogError(f"models.yaml: models.{name}: its name is its key; leave name: {spec.name} out")
    for kind, alias in catalog.kinds.items():
        if alias not in catalog.aliases and alias not in catalog.models:
            raise CatalogError(f'models.yaml: kinds.{kind}: no alias "{alias}"{suggest(alias, catalog.aliases)}')
    for alias, models in catalog.aliases.items():
        for model in models:
            if model not in catalog.models:
                raise CatalogError(f'models.yaml: aliases.{alias}: no model "{model}"{suggest(model, catalog.models)}')
    for table in ("image_tools", "video_tools"):
        for tool, alias in getattr(catalog, table).items():
            if alias not in catalog.aliases:
                raise CatalogError(f'models.yaml: {table}.{tool}: no alias "{alias}"{suggest(alias, catalog.aliases)}')
    for name, profile in catalog.profiles.items():
        for alias, models in profile.picks.items():
            known = any(fnmatchcase(one, alias) for one in catalog.aliases)
            if not models:
                raise CatalogError(f"models.yaml: profiles.{name}.picks.{alias}: names no model; leave it out")
            for model in models:
                if not known or model not in catalog.models:
                    raise CatalogError(f"models.yaml: profiles.{name}.picks.{alias}: unknown alias or model {model!r}")

"""models.yaml → models. The one place that knows which models there are, and the only dynamic import."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipelines.base import Family, Kind, MissingDependency, ModelSpec
from pipelines.models.weights import WeightStore, format_gigabytes, missing_weights, pull_command


class CatalogErrorCode(StrEnum):
    """The kinds of `CatalogError`."""

    INVALID_FILE = "invalid_file"
    UNKNOWN_PROFILE = "unknown_profile"
    UNKNOWN_MODEL = "unknown_model"
    NO_SUITABLE_MODEL = "no_suitable_model"


class CatalogError(ValueError):
    """An error in models.yaml or an overlay (the message names the file and the entry), or a request for an unknown or
    unsuitable model.

    `value` is the unknown name as the user wrote it; empty when there is none. `redacted` is the message without
    `value`, for logs and answers.
    """

    def __init__(
        self,
        message: str,
        code: CatalogErrorCode = CatalogErrorCode.INVALID_FILE,
        *,
        value: str = "",
        redacted: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code, self.value = code, value
        self.redacted = message if redacted is None else redacted

    @classmethod
    def unknown_name(cls, code: CatalogErrorCode, noun: str, value: str, hint: str) -> CatalogError:
        """Return the error for a name that the catalog does not have. `hint` follows the name and does not repeat it."""
        return cls(f'no {noun} "{value}"{hint}', code, value=value, redacted=f"no such {noun}{hint}")


class UnusableCode(StrEnum):
    """Why a model cannot run a step."""

    WRONG_KIND = "wrong_kind"
    LANGUAGE_NOT_SUPPORTED = "language_not_supported"
    NOT_INSTALLED = "not_installed"
    NOT_DOWNLOADED = "not_downloaded"


@dataclass(frozen=True, slots=True)
class UnusableReason:
    """Why a model cannot run a step: a code for decisions and a message for people."""

    code: UnusableCode
    message: str

    @property
    def is_fixable(self) -> bool:
        """Whether installing or downloading something makes the model usable."""
        return self.code in (UnusableCode.NOT_INSTALLED, UnusableCode.NOT_DOWNLOADED)

    def __str__(self) -> str:
        return self.message


class SkippedModel(NamedTuple):
    """A model that was tried before the selected one, and why it cannot serve."""

    name: str
    reason: UnusableReason


class Profile(BaseModel):
    """A named choice of models: for each alias, or for all whose names match a pattern (`image.*`), the models to try,
    in order, before the alias's own list. A name that stands by itself wins over patterns."""

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
    """The selected model, and the models that were preferred to it but cannot serve."""

    spec: ModelSpec
    skipped: tuple[SkippedModel, ...] = ()


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
            hint = f" in models.yaml{suggest(name, self.models)}"
            raise CatalogError.unknown_name(CatalogErrorCode.UNKNOWN_MODEL, "model", name, hint) from None

    def candidates(self, name: str, profile: str | None = None) -> tuple[ModelSpec, ...]:
        """The models behind a name (an alias or a model), in the order in which they are tried."""
        if name in self.models:
            return (self.models[name],)
        if name not in self.aliases:
            hint = f" in models.yaml{suggest(name, [*self.models, *self.aliases])}"
            raise CatalogError.unknown_name(CatalogErrorCode.UNKNOWN_MODEL, "model or alias", name, hint)
        picks = self.profiles[profile].models_for(name) if profile else ()
        return tuple(self.models[model] for model in dict.fromkeys((*picks, *self.aliases[name])))

    def choose(
        self, name: str, kind: Kind, *, profile: str | None = None, language: str | None = None
    ) -> ModelSelection:
        """Return the first model behind `name` that supports `kind` and `language` and is installed.

        Raises MissingDependency if a model would serve after an installation or a download, else CatalogError."""
        picks = self.profiles[profile].models_for(name) if profile else ()
        skipped: list[SkippedModel] = []
        for spec in self.candidates(name, profile):
            reason = self.unsuitable_reason(spec, kind, language)
            if reason is None:
                # A model outside the profile's picks, or of another kind, was not expected to serve.
                skipped_wanted = [
                    one for one in skipped if kind in self.models[one.name].kinds and (not picks or one.name in picks)
                ]
                return ModelSelection(spec, tuple(skipped_wanted))
            skipped.append(SkippedModel(spec.name, reason))
        reasons = "; ".join(f"{model}: {reason}" for model, reason in skipped)
        if any(one.reason.is_fixable for one in skipped):
            raise MissingDependency(f'"{name}" cannot serve the step "{kind}" here ({reasons})')
        raise CatalogError(
            f'no model serves "{name}" for the step "{kind}" ({reasons})', CatalogErrorCode.NO_SUITABLE_MODEL
        )

    def unsuitable_reason(self, spec: ModelSpec, kind: Kind, language: str | None = None) -> UnusableReason | None:
        """Return why the model cannot run a step of `kind` in `language`; None if it can."""
        if kind not in spec.kinds:
            return UnusableReason(UnusableCode.WRONG_KIND, f"cannot {kind}")
        if language and spec.languages and language not in spec.languages:
            return UnusableReason(UnusableCode.LANGUAGE_NOT_SUPPORTED, f"does not speak {language} well")
        return unavailable_reason(spec)

    def profile(self, name: str) -> str:
        """The profile of that name; `auto` is the first whose every pick has an installed model and whose need of a GPU
        is met. Raises CatalogError, or Missing when there is none."""
        if name != "auto":
            if name not in self.profiles:
                hint = suggest(name, [*self.profiles, "auto"])
                raise CatalogError.unknown_name(CatalogErrorCode.UNKNOWN_PROFILE, "profile", name, hint)
            return name
        for candidate in self.profiles:
            if self.profile_shortfall(candidate) is None:
                return candidate
        raise MissingDependency(
            'no profile is installed; `pip install "story-engine[draft]"` brings the embedded default'
        )

    def profile_shortfall(self, profile: str) -> str | None:
        """Return the reason that `auto` cannot choose a profile, as text; None if it can."""
        needs = self.profiles[profile]
        if needs.device_mb > self.device_mb:
            installed = f"{self.device_mb / 1024:.0f} GB" if self.device_mb else "none"
            return f"needs a GPU with at least {needs.device_mb / 1024:.0f} GB; this machine has {installed}"
        for alias, picks in needs.picks.items():
            if all(unavailable_reason(self.models[model]) for model in picks):
                return f"{alias} needs {picks[0]}: {unavailable_reason(self.models[picks[0]])}"
        return None


def unavailable_reason(spec: ModelSpec) -> UnusableReason | None:
    """Return what this machine lacks for a model, with the commands that fix it; None if the model is available."""
    modules, downloads = missing_modules(spec), pending_downloads(spec)
    if not modules and not downloads:
        return None
    facts = [f"missing {', '.join(modules)}"] if modules else []
    facts += (*downloads, spec.licence) if downloads else ()
    details = "; ".join(filter(None, (", ".join(filter(None, facts)), fix_command(spec))))
    if modules:
        return UnusableReason(UnusableCode.NOT_INSTALLED, f"not installed ({details})")
    return UnusableReason(UnusableCode.NOT_DOWNLOADED, f"not pulled ({details})")


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
    """The catalog, later files over earlier ones: an entry of an overlay replaces the fields that it names. `home` is
    where pulled weights are found (None: nothing is pulled), `device_mb` the memory of this machine's largest GPU."""
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
            raise CatalogError(
                f"models.yaml: models.{name}: `name` must equal the entry's key; remove `name: {spec.name}`"
            )
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

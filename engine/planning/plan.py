"""Units of work and the graph of them. A plan says what to make from what; it knows nothing of how or where.

A step is identified by what it is made from, never by where it stands: `key_of` gives the same key for the same kind,
model, parameters, seed, take and input bytes, on every machine and in every run.
"""

from __future__ import annotations

import hashlib
import heapq
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from pydantic import BaseModel

from pipelines.base import Kind, ModelSpec, Params

KEY_FORMAT = 2
"""Changes when the same step must get a new key because keys are formed differently."""


class PlanError(ValueError):
    """The steps do not form a plan: two of one name, an unknown step referred to, a circle."""


class PlanningError(ValueError):
    """The story asks for something that no installed model can do."""


@dataclass(frozen=True, slots=True)
class Ref:
    """Outputs of another step. A `name` with `*`, `?` or `[` means all outputs that match, in the order of their names,
    possibly none; a plain name means exactly that one."""

    step: str
    name: str

    def __post_init__(self) -> None:
        _check_name(self.name)

    @property
    def is_pattern(self) -> bool:
        return any(char in self.name for char in "*?[")


@dataclass(frozen=True, slots=True)
class Given:
    """An artifact that is already in the store, such as a picture that came with the request."""

    digest: str
    name: str

    def __post_init__(self) -> None:
        _check_name(self.name)
        if len(self.digest) != 64 or set(self.digest) - set("0123456789abcdef"):
            raise PlanError(f"not a digest: {self.digest!r}")


Source = Ref | Given


@dataclass(frozen=True, slots=True)
class Step:
    """One unit of work. `inputs` maps a role to its sources, in an order that is part of the meaning; `take` counts how
    often the result was made anew on purpose. `after` names steps that must be done first though nothing of them is read."""

    id: str
    kind: Kind
    spec: ModelSpec
    params: Params
    inputs: Mapping[str, tuple[Source, ...]] = field(default_factory=dict)
    seed: int = 0
    take: int = 0
    after: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.id:
            raise PlanError("a step needs an id")
        if self.kind not in self.spec.kinds:
            raise PlanError(f"{self.id}: the model {self.spec.name} does not do {self.kind}")
        for role in self.inputs:
            _check_name(role)
        object.__setattr__(self, "inputs", {role: tuple(sources) for role, sources in self.inputs.items()})

    def needs(self) -> frozenset[str]:
        """Ids of the steps that must be done before this one."""
        read = {source.step for sources in self.inputs.values() for source in sources if isinstance(source, Ref)}
        return frozenset(read.union(self.after))


@dataclass(frozen=True)
class Plan:
    """A directed acyclic graph of steps, in an order in which each step stands behind all that it needs; among those
    that could come next the one given first comes first.

    Raises `PlanError` when ids repeat, a reference leads nowhere, or the steps form a circle.
    """

    steps: tuple[Step, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", _ordered(tuple(self.steps)))

    @cached_property
    def by_id(self) -> Mapping[str, Step]:
        return {step.id: step for step in self.steps}

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, step_id: str) -> Step:
        return self.by_id[step_id]

    def __contains__(self, step_id: object) -> bool:
        return step_id in self.by_id

    def closure(self, ids: Iterable[str]) -> Plan:
        """The plan of `ids` and of all that they need, directly or through others. Raises `PlanError` if one is unknown."""
        wanted: set[str] = set()
        rest = list(ids)
        while rest:
            step_id = rest.pop()
            if step_id in wanted:
                continue
            if step_id not in self:
                raise PlanError(f"there is no step {step_id!r}")
            wanted.add(step_id)
            rest.extend(self[step_id].needs())
        return Plan(tuple(step for step in self.steps if step.id in wanted))


class FamilyId(NamedTuple):
    """The family of a step as its key names it: not by where the code lies, which may move."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, and what the client should know of how it came about."""

    plan: Plan
    profile: str
    warnings: tuple[str, ...] = ()


def key_of(step: Step, family: FamilyId, inputs: Mapping[str, Sequence[tuple[str, str]]]) -> str:
    """The identity of what `step` makes: 64 hex digits.

    `inputs` maps each role to the `(name, digest)` of its files, in order; all that a family can see of an input is
    part of the key. Roles without files count as absent. Where the files lie, when they were made, and what a model is
    called, costs or is licensed under are not part of it.
    """
    spec = step.spec
    identity = {
        "format": KEY_FORMAT,
        "kind": str(step.kind),
        "family": [family.name, family.version],
        "model": [_weights_of(spec), spec.revision, spec.options],
        "params": step.params,
        "seed": step.seed,
        "take": step.take,
        "inputs": {role: [list(file) for file in files] for role, files in inputs.items() if files},
    }
    return hashlib.sha256(canonical(identity)).hexdigest()


def _weights_of(spec: ModelSpec) -> dict[str, str] | None:
    """The weights by what they hold; where they were found is not part of what a model is."""
    return {role: one.digest or f"{one.repo}@{one.revision}" for role, one in spec.weights.items()} or None


def canonical(value: Any) -> bytes:
    """One and only one text for each value, with types told apart: `1`, `1.0`, `True` and `"1"` all differ; the order
    of a mapping's keys does not matter; lists and tuples are the same. Raises `TypeError` for what JSON cannot hold."""
    return _dump(_tagged(value)).encode("ascii")


def _dump(tagged: Any) -> str:
    return json.dumps(tagged, ensure_ascii=True, separators=(",", ":"))


def _tagged(value: Any) -> list[Any]:
    match value:
        case None:
            return ["n"]
        case bool():
            return ["b", int(value)]
        case int():
            return ["i", hex(value)]
        case float():
            return ["f", value.hex()]
        case str():
            return ["s", value]
        case BaseModel():
            return _tagged({name: getattr(value, name) for name in type(value).model_fields})
        case Mapping():
            pairs = [[_tagged(key), _tagged(item)] for key, item in value.items()]
            return ["m", sorted(pairs, key=lambda pair: _dump(pair[0]))]
        case list() | tuple():
            return ["l", [_tagged(item) for item in value]]
        case _:
            raise TypeError(f"cannot be part of a key: {type(value).__name__}")


def _check_name(name: str) -> None:
    """Names of outputs and roles become names of files: one plain path component."""
    if not name or name in {".", ".."} or any(char in name for char in "/\\\0:"):
        raise PlanError(f"not a plain name: {name!r}")


def _ordered(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    place: dict[str, int] = {}
    for number, step in enumerate(steps):
        if step.id in place:
            raise PlanError(f"two steps are called {step.id!r}")
        place[step.id] = number

    waiting: dict[str, int] = {}
    readers: dict[str, list[str]] = {}
    for step in steps:
        needs = step.needs()
        for need in needs:
            if need not in place:
                raise PlanError(f"{step.id} needs {need!r}, which is no step of the plan")
            readers.setdefault(need, []).append(step.id)
        waiting[step.id] = len(needs)

    ready = [place[step_id] for step_id, count in waiting.items() if not count]
    heapq.heapify(ready)
    ordered: list[Step] = []
    while ready:
        step = steps[heapq.heappop(ready)]
        ordered.append(step)
        for reader in readers.get(step.id, ()):
            waiting[reader] -= 1
            if not waiting[reader]:
                heapq.heappush(ready, place[reader])
    if len(ordered) < len(steps):
        circle = sorted(step_id for step_id, count in waiting.items() if count)
        raise PlanError(f"steps wait for each other in a circle: {', '.join(circle)}")
    return tuple(ordered)

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
from enum import StrEnum
from functools import cached_property
from typing import Any, NamedTuple

from pydantic import BaseModel

from pipelines.base import Kind, ModelSpec, Params

KEY_FORMAT = 3
"""Changes when the same step must get a new key because keys are formed differently."""


class InvalidPlan(ValueError):
    """The steps do not form a plan: two of one name, an unknown step referred to, a circle."""


class PlanningErrorCode(StrEnum):
    """The kinds of `PlanningError`."""

    UNKNOWN_PROFILE = "unknown_profile"
    UNKNOWN_MODEL = "unknown_model"
    NO_SUITABLE_MODEL = "no_suitable_model"


class PlanningError(ValueError):
    """The story asks for something that no installed model can do.

    `field` is the field of the request, `value` the unknown name as the client wrote it (empty when there is none), `redacted`
    the message without `value`, for logs and answers."""

    def __init__(
        self, field: str, message: str, code: PlanningErrorCode, *, value: str = "", redacted: str | None = None
    ) -> None:
        super().__init__(f"{field}: {message}")
        self.field, self.message, self.code, self.value = field, message, code, value
        self.redacted = message if redacted is None else redacted


@dataclass(frozen=True, slots=True)
class OutputRef:
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
class StoredInput:
    """An artifact that is already in the store, such as a picture that came with the request."""

    digest: str
    name: str

    def __post_init__(self) -> None:
        _check_name(self.name)
        if len(self.digest) != 64 or set(self.digest) - set("0123456789abcdef"):
            raise InvalidPlan(f"not a digest: {self.digest!r}")


StepInput = OutputRef | StoredInput


@dataclass(frozen=True, slots=True)
class Step:
    """One unit of work. `inputs` maps a role to its sources, in an order that is part of the meaning; `take` counts how
    often the result was made anew on purpose. `after` names steps that must be done first though nothing of them is read."""

    id: str
    kind: Kind
    spec: ModelSpec
    params: Params
    inputs: Mapping[str, tuple[StepInput, ...]] = field(default_factory=dict)
    seed: int = 0
    take: int = 0
    after: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.id:
            raise InvalidPlan("a step needs an id")
        if self.kind not in self.spec.kinds:
            raise InvalidPlan(f"{self.id}: the model {self.spec.name} does not do {self.kind}")
        for role in self.inputs:
            _check_name(role)
        object.__setattr__(self, "inputs", {role: tuple(sources) for role, sources in self.inputs.items()})

    def dependencies(self) -> frozenset[str]:
        """Ids of the steps that must be done before this one."""
        read = {source.step for sources in self.inputs.values() for source in sources if isinstance(source, OutputRef)}
        return frozenset(read.union(self.after))


@dataclass(frozen=True)
class Plan:
    """A directed acyclic graph of steps, in an order in which each step stands behind all that it needs; among those
    that could come next the one given first comes first.

    Raises `PlanError` when ids repeat, a reference leads nowhere, or the steps form a circle.
    """

    steps: tuple[Step, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", _topological_sort(tuple(self.steps)))

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
        included: set[str] = set()
        stack = list(ids)
        while stack:
            step_id = stack.pop()
            if step_id in included:
                continue
            if step_id not in self:
                raise InvalidPlan(f"there is no step {step_id!r}")
            included.add(step_id)
            stack.extend(self[step_id].dependencies())
        return Plan(tuple(step for step in self.steps if step.id in included))


class FamilyId(NamedTuple):
    """The family of a step as its key names it: not by where the code lies, which may move."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class PlanResult:
    """A plan, and what the client should know of how it came about."""

    plan: Plan
    profile: str
    warnings: tuple[str, ...] = ()


def cache_key(step: Step, family: FamilyId, inputs: Mapping[str, Sequence[tuple[str, str]]]) -> str:
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
        "model": [_weights_identity(spec), spec.revision, spec.options],
        "params": step.params,
        "seed": step.seed,
        "take": step.take,
        "inputs": {role: [list(file) for file in files] for role, files in inputs.items() if files},
    }
    return hashlib.sha256(canonical_json(identity)).hexdigest()


def _weights_identity(spec: ModelSpec) -> dict[str, str] | None:
    """The weights by what they hold; where they were found is not part of what a model is."""
    return {
        role: weights.digest or f"{weights.repo}@{weights.revision}" for role, weights in spec.weights.items()
    } or None


def canonical_json(value: Any) -> bytes:
    """One and only one text for each value, with types told apart: `1`, `1.0`, `True` and `"1"` all differ; the order
    of a mapping's keys does not matter; lists and tuples are the same. Raises `TypeError` for what JSON cannot hold."""
    return _dump_json(_tag_types(value)).encode("ascii")


def _dump_json(tagged: Any) -> str:
    return json.dumps(tagged, ensure_ascii=True, separators=(",", ":"))


def _tag_types(value: Any) -> list[Any]:
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
            return _tag_types({name: getattr(value, name) for name in type(value).model_fields})
        case Mapping():
            pairs = [[_tag_types(key), _tag_types(item)] for key, item in value.items()]
            return ["m", sorted(pairs, key=lambda pair: _dump_json(pair[0]))]
        case list() | tuple():
            return ["l", [_tag_types(item) for item in value]]
        case _:
            raise TypeError(f"cannot be part of a key: {type(value).__name__}")


def _check_name(name: str) -> None:
    """Names of outputs and roles become names of files: one plain path component."""
    if not name or name in {".", ".."} or any(char in name for char in "/\\\0:"):
        raise InvalidPlan(f"not a plain name: {name!r}")


def _topological_sort(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    position: dict[str, int] = {}
    for number, step in enumerate(steps):
        if step.id in position:
            raise InvalidPlan(f"two steps are called {step.id!r}")
        position[step.id] = number

    unmet: dict[str, int] = {}
    dependents: dict[str, list[str]] = {}
    for step in steps:
        needs = step.dependencies()
        for need in needs:
            if need not in position:
                raise InvalidPlan(f"{step.id} needs {need!r}, which is no step of the plan")
            dependents.setdefault(need, []).append(step.id)
        unmet[step.id] = len(needs)

    ready = [position[step_id] for step_id, count in unmet.items() if not count]
    heapq.heapify(ready)
    ordered: list[Step] = []
    while ready:
        step = steps[heapq.heappop(ready)]
        ordered.append(step)
        for dependent in dependents.get(step.id, ()):
            unmet[dependent] -= 1
            if not unmet[dependent]:
                heapq.heappush(ready, position[dependent])
    if len(ordered) < len(steps):
        cycle = sorted(step_id for step_id, count in unmet.items() if count)
        raise InvalidPlan(f"steps wait for each other in a circle: {', '.join(cycle)}")
    return tuple(ordered)

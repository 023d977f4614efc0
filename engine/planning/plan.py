"""Steps, plans and cache keys.

A step says what to make from what, and nothing of where it runs. Its cache key depends only on its kind, model,
parameters, seed, take and the bytes of its inputs, so that it is the same on every machine and in every run.
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
from pipelines.step_params import CONTRACTS

KEY_FORMAT = 3
"""The version of the key format. A new version makes all cached actions stale."""


class InvalidPlan(ValueError):
    """Steps that form no plan: a duplicate id, an unknown reference, a cycle, or a broken contract."""


class PlanningErrorCode(StrEnum):
    """The kinds of `PlanningError`."""

    UNKNOWN_PROFILE = "unknown_profile"
    UNKNOWN_MODEL = "unknown_model"
    NO_SUITABLE_MODEL = "no_suitable_model"


class PlanningError(ValueError):
    """The story asks for something that no installed model can do.

    `field` is the field of the request, `value` the unknown name as the client wrote it (empty when there is none),
    `redacted` the message without `value`, for logs and answers.
    """

    def __init__(
        self, field: str, message: str, code: PlanningErrorCode, *, value: str = "", redacted: str | None = None
    ) -> None:
        super().__init__(f"{field}: {message}")
        self.field, self.message, self.code, self.value = field, message, code, value
        self.redacted = message if redacted is None else redacted


@dataclass(frozen=True, slots=True)
class OutputRef:
    """A reference to outputs of another step.

    A `name` with `*`, `?` or `[` is a pattern for all matching outputs, sorted by name, possibly none; another name is
    exactly one output.
    """

    step: str
    name: str

    def __post_init__(self) -> None:
        _check_name(self.name)

    @property
    def is_pattern(self) -> bool:
        return any(char in self.name for char in "*?[")


@dataclass(frozen=True, slots=True)
class StoredInput:
    """An artifact in the store, such as a picture that came with the request."""

    digest: str
    name: str

    def __post_init__(self) -> None:
        _check_name(self.name)
        if len(self.digest) != 64 or set(self.digest) - set("0123456789abcdef"):
            raise InvalidPlan(f"not a digest: {self.digest!r}")


StepInput = OutputRef | StoredInput


@dataclass(frozen=True, slots=True)
class Step:
    """One unit of work.

    `inputs` maps a role to its sources; their order is part of the meaning. `take` counts the re-rolls. `after` names
    steps that must finish first although this step reads nothing of them.
    """

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
        """Return the ids of the steps that must finish before this one."""
        read = {source.step for sources in self.inputs.values() for source in sources if isinstance(source, OutputRef)}
        return frozenset(read.union(self.after))


@dataclass(frozen=True)
class Plan:
    """A directed acyclic graph of steps in topological order. Steps that are independent keep the order in which they
    were given.

    Raises InvalidPlan for a duplicate id, a reference to an unknown step, or a cycle.
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
        """Return the plan of `ids` and all their dependencies. Raises InvalidPlan for an unknown id."""
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


def check_contracts(plan: Plan) -> None:
    """Raise InvalidPlan for an input role, a number of sources or an output name that the contract of a kind does
    not have."""
    for step in plan:
        contract = CONTRACTS[step.kind]
        for role, count in contract.inputs.items():
            if not count.allows(len(step.inputs.get(role, ()))):
                raise InvalidPlan(
                    f"{step.id}: the input {role} takes {count} sources, got {len(step.inputs.get(role, ()))}"
                )
        for role, sources in step.inputs.items():
            if role not in contract.inputs:
                raise InvalidPlan(f"{step.id}: {step.kind} has no input {role!r}")
            for source in sources:
                if isinstance(source, OutputRef) and not CONTRACTS[plan[source.step].kind].has_output(source.name):
                    raise InvalidPlan(f"{step.id}: the step {source.step!r} has no output {source.name!r}")


class FamilyId(NamedTuple):
    """The identity of a family in cache keys. It does not depend on the module of the code."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class PlanResult:
    """A plan, its profile, and the warnings for the client."""

    plan: Plan
    profile: str
    warnings: tuple[str, ...] = ()


def cache_key(step: Step, family: FamilyId, inputs: Mapping[str, Sequence[tuple[str, str]]]) -> str:
    """Return the cache key of a step: 64 hexadecimal digits.

    `inputs` maps each role to the `(name, digest)` of its files, in order: everything that a family sees of an input. A
    role without files counts as absent. File paths, times, and the name, price and licence of the model are not part of
    the key.
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
    """Return the identity of weights: repository and content. Their location on this machine is not part of it."""
    return {
        role: weights.digest or f"{weights.repo}@{weights.revision}" for role, weights in spec.weights.items()
    } or None


def canonical_json(value: Any) -> bytes:
    """Return the canonical JSON text of a value, with types told apart: `1`, `1.0`, `True` and `"1"` all differ.

    The order of the keys of a mapping does not matter; lists and tuples are equal. Raises TypeError for values that
    JSON cannot hold.
    """
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
    """Raise InvalidPlan unless a name of an output or a role is one plain path component."""
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

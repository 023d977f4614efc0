"""Which models are resident in this process, and which of them have to go when another one needs the room."""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Iterator

from pipelines.base import Device, Family, ModelSpec
from pipelines.catalog import family_class


class Pool:
    """Loaded families within `budget_mb` of memory, as their specs estimate it. The least recently used goes first; a model
    that is larger than the budget is loaded alone."""

    def __init__(self, device: Device, budget_mb: int) -> None:
        self.device, self.budget_mb = device, budget_mb
        self._resident: dict[str, tuple[ModelSpec, Family]] = {}  # least recently used first

    def resident(self) -> tuple[str, ...]:
        """Names of the loaded models."""
        return tuple(self._resident)

    @contextlib.contextmanager
    def use(self, spec: ModelSpec) -> Iterator[Family]:
        """The family of `spec`, loaded. It stays loaded afterwards, until its room is needed."""
        known = self._resident.pop(spec.name, None)
        if known is not None and known[0] != spec:
            known[1].close()  # the same name stands for something else now
            known = None
        if known is None:
            while self._resident and spec.memory_mb + self._used_mb() > self.budget_mb:
                self._evict(next(iter(self._resident)))
            known = spec, family_class(spec).load(spec, self.device)
        self._resident[spec.name] = known
        yield known[1]

    def evict_all(self) -> None:
        """Give back all memory that can be given back."""
        for name in tuple(self._resident):
            self._evict(name)
        gc.collect()
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _evict(self, name: str) -> None:
        _, family = self._resident.pop(name)
        family.close()

    def _used_mb(self) -> int:
        return sum(spec.memory_mb for spec, _ in self._resident.values())

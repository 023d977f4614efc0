"""Which models are resident in this process, which of them have to go when another one needs the room, and how they save memory."""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace

from pipelines.base import Device, Family, MemoryMode, ModelSpec
from pipelines.models.catalog import family_class

HEADROOM = 0.95
"""How much of the memory that is free may be planned with: allocators leave gaps."""


class Pool:
    """Loaded families within `budget_mb` of memory. The least recently used goes first; a model that is larger than the budget
    is loaded alone, and sparingly where its family knows how. `measure` tells the memory in MB that a GPU's models have taken and that is
    free beside them; without a GPU what the specs estimate is counted."""

    def __init__(
        self, device: Device, budget_mb: int, measure: Callable[[Device], tuple[int, int] | None] | None = None
    ) -> None:
        self.device, self.budget_mb = device, budget_mb
        self.load_count = 0
        """How often a model was loaded here."""
        self._measure = measure or measure_gpu_memory
        self._resident: dict[str, tuple[ModelSpec, Family]] = {}  # least recently used first
        self._memory_modes: dict[str, MemoryMode] = {}

    def resident(self) -> tuple[str, ...]:
        """Names of the loaded models."""
        return tuple(self._resident)

    def memory_mode(self, spec: ModelSpec) -> MemoryMode:
        """How the model saves memory here."""
        return self._memory_modes.get(spec.name, MemoryMode.NONE)

    @contextlib.contextmanager
    def use(self, spec: ModelSpec, memory_mode: MemoryMode = MemoryMode.NONE) -> Iterator[Family]:
        """The family of `spec`, loaded, saving memory at least as `memory_mode` says if it can. It stays loaded afterwards,
        until its room is needed."""
        self._apply_memory_mode(spec, memory_mode)
        known = self._resident.pop(spec.name, None)
        if known is not None and known[0] != spec:
            known[1].close()  # the same name stands for something else now
            known = None
        if known is None:
            while self._resident and not self._fits(spec):
                self._evict(next(iter(self._resident)))
            known = spec, family_class(spec).load(spec, replace(self.device, memory_mode=self.memory_mode(spec)))
            self.load_count += 1
        self._resident[spec.name] = known
        yield known[1]

    def relieve_memory(self, spec: ModelSpec, *, already_unloaded: bool) -> str | None:
        """Memory ran out while `spec` was used: unload everything, and say what is different at the next try; None when nothing
        is left to give up. What can be told apart from the model itself goes first: `again` says that this has been tried."""
        others = len(self._resident) > 1 or spec.name not in self._resident
        self.evict_all()
        modes = [rung for rung in memory_modes(spec) if rung > self.memory_mode(spec)]
        if not already_unloaded and (others or not modes):
            return "all loaded models were unloaded"
        if not modes:
            return None
        self._memory_modes[spec.name] = modes[0]
        return DESCRIPTIONS[modes[0]]

    def evict_all(self) -> None:
        """Give back all memory that can be given back."""
        for name in tuple(self._resident):
            self._evict(name)
        gc.collect()
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _apply_memory_mode(self, spec: ModelSpec, memory_mode: MemoryMode) -> None:
        """What helped before, or what is plain from the sizes, is not found out by failing once more."""
        if self.device.kind != "cpu" and spec.memory_mb > self.budget_mb:
            memory_mode = max(memory_mode, MemoryMode.MODEL_OFFLOAD)
        modes = [rung for rung in memory_modes(spec) if rung >= memory_mode > self.memory_mode(spec)]
        if modes:
            self._memory_modes[spec.name] = modes[0]
            if spec.name in self._resident:
                self._evict(spec.name)

    def _fits(self, spec: ModelSpec) -> bool:
        measured_mb = self._measure(self.device)
        if measured_mb is None:
            taken, room = sum(one.memory_mb for one, _ in self._resident.values()), self.budget_mb
        else:
            taken, free = measured_mb
            room = min(self.budget_mb, int((taken + free) * HEADROOM))
        return taken + spec.memory_mb <= room

    def _evict(self, name: str) -> None:
        _, family = self._resident.pop(name)
        family.close()


DESCRIPTIONS = {
    MemoryMode.MODEL_OFFLOAD: "its parts now take turns",
    MemoryMode.GROUP_OFFLOAD: "its blocks now wait in main memory until they are needed",
    MemoryMode.VAE_TILING: "pictures are now decoded in tiles",
    MemoryMode.LEAF_OFFLOAD: "its layers now wait in main memory one by one, which is slow",
    MemoryMode.INT8: "its weights now have eight bits",
    MemoryMode.REDUCED_SIZE: "it is now made at three quarters of the size and scaled up",
}


def memory_modes(spec: ModelSpec) -> tuple[MemoryMode, ...]:
    """How the family of a model can save memory, least harmful first."""
    return tuple(sorted(getattr(family_class(spec), "memory_modes", ())))


def measure_gpu_memory(device: Device) -> tuple[int, int] | None:
    """MB that this process's models have taken on a GPU and MB that are free beside them, other programs' share left out; None
    where that cannot be asked for."""
    if device.kind != "cuda":
        return None
    try:
        import torch
    except ImportError:
        return None
    if not torch.cuda.is_available():
        return None
    free, _ = torch.cuda.mem_get_info(device.index)
    taken, kept = torch.cuda.memory_allocated(device.index), torch.cuda.memory_reserved(device.index)
    return taken >> 20, (free + kept - taken) >> 20

"""The model pool: loaded models of one process, eviction by least recent use, and memory modes."""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace

from pipelines.base import Device, Family, MemoryMode, ModelSpec
from pipelines.models.catalog import family_class

HEADROOM = 0.95
"""Usable share of the free memory; the rest is lost to fragmentation."""


class Pool:
    """Loaded families within `budget_mb` of memory, evicted by least recent use.

    A model larger than the budget is loaded alone, in a memory mode if its family has one. `measure` returns the memory
    in MB that models occupy on the GPU and the free memory, or None without a GPU; then the estimates of the specs
    count.
    """

    def __init__(
        self, device: Device, budget_mb: int, measure: Callable[[Device], tuple[int, int] | None] | None = None
    ) -> None:
        self.device, self.budget_mb = device, budget_mb
        self.load_count = 0
        """Number of model loads."""
        self._measure = measure or measure_gpu_memory
        self._resident: dict[str, tuple[ModelSpec, Family]] = {}  # least recently used first
        self._memory_modes: dict[str, MemoryMode] = {}

    def resident(self) -> tuple[str, ...]:
        """Return the names of the loaded models."""
        return tuple(self._resident)

    def memory_mode(self, spec: ModelSpec) -> MemoryMode:
        """Return the memory mode of the model in this process."""
        return self._memory_modes.get(spec.name, MemoryMode.NONE)

    @contextlib.contextmanager
    def use(self, spec: ModelSpec, memory_mode: MemoryMode = MemoryMode.NONE) -> Iterator[Family]:
        """Load the family of `spec` if necessary, in at least `memory_mode` if it has that mode, and keep it loaded
        until its memory is needed."""
        self._apply_memory_mode(spec, memory_mode)
        known = self._resident.pop(spec.name, None)
        if known is not None and known[0] != spec:
            known[1].close()  # an overlay changed the entry
            known = None
        if known is None:
            while self._resident and not self._fits(spec):
                self._evict(next(iter(self._resident)))
            known = spec, family_class(spec).load(spec, replace(self.device, memory_mode=self.memory_mode(spec)))
            self.load_count += 1
        self._resident[spec.name] = known
        yield known[1]

    def relieve_memory(self, spec: ModelSpec, *, already_unloaded: bool) -> str | None:
        """Free memory after `spec` ran out of it, and return the change for the next attempt, or None if no mode is
        left.

        The first step unloads the other models; `already_unloaded` skips it.
        """
        others = len(self._resident) > 1 or spec.name not in self._resident
        self.evict_all()
        modes = [rung for rung in memory_modes(spec) if rung > self.memory_mode(spec)]
        if not already_unloaded and (others or not modes):
            return "all models unloaded"
        if not modes:
            return None
        self._memory_modes[spec.name] = modes[0]
        return DESCRIPTIONS[modes[0]]

    def evict_all(self) -> None:
        """Unload all models and release cached GPU memory."""
        for name in tuple(self._resident):
            self._evict(name)
        gc.collect()
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _apply_memory_mode(self, spec: ModelSpec, memory_mode: MemoryMode) -> None:
        """Enter a memory mode that helped before, or that the size of the model requires, without failing first."""
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
    MemoryMode.MODEL_OFFLOAD: "model CPU offload",
    MemoryMode.GROUP_OFFLOAD: "group offload",
    MemoryMode.VAE_TILING: "VAE tiling",
    MemoryMode.LEAF_OFFLOAD: "leaf-level offload (slow)",
    MemoryMode.INT8: "8-bit weights",
    MemoryMode.REDUCED_SIZE: "three quarters of the size, scaled up afterwards",
}


def memory_modes(spec: ModelSpec) -> tuple[MemoryMode, ...]:
    """Return the memory modes of a model's family, least harmful first."""
    return tuple(sorted(getattr(family_class(spec), "memory_modes", ())))


def measure_gpu_memory(device: Device) -> tuple[int, int] | None:
    """Return (allocated MB, free MB) of a CUDA device for this process, without the memory of other programs, or None without CUDA."""
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

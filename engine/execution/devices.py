"""What this machine has to compute with, found without importing anything that computes."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import psutil

from pipelines.base import Device

CPU_SLOT_MB = 2048
"""Memory that a CPU slot should have to itself; there are fewer slots than cores where memory is short."""


PYDANTIC_ENV = {"PYDANTIC_DISABLE_PLUGINS": "1"}
"""Pydantic otherwise looks for plugins among all installed packages whenever a worker starts."""

MALLOC_ENV = {"MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(64 << 20)}
"""glibc otherwise gives memory back to the system with each array that goes and asks for it again for the next, which costs
work on pictures and sound up to a third of its time. Other C libraries do not know these names."""


@dataclass(frozen=True, slots=True)
class DevicePlacement:
    """Where a worker runs: a device, the memory that its models may take together, the environment in which its process sees
    this device and no other, and all the memory that a device of its own has."""

    name: str
    device: Device
    budget_mb: int
    environment: Mapping[str, str]
    device_mb: int = 0


def cpu_placements(count: int | None = None) -> tuple[DevicePlacement, ...]:
    """Slots for work without a GPU: one per core, fewer where memory is short; `count` overrides."""
    cores = _cpu_count()
    memory_mb = psutil.virtual_memory().total >> 20
    count = count or max(1, min(cores, memory_mb // CPU_SLOT_MB))
    threads = max(1, cores // count)
    return tuple(
        DevicePlacement(
            f"cpu-{number}", Device("cpu", number, threads), memory_mb * 7 // 10 // count, _thread_env(threads, "")
        )
        for number in range(count)
    )


def device_placements() -> tuple[DevicePlacement, ...]:
    """One slot per GPU. `CUDA_VISIBLE_DEVICES` limits which."""
    threads = min(4, _cpu_count())
    placements = [
        DevicePlacement(
            f"cuda-{number}", Device("cuda", 0, threads), memory_mb * 9 // 10, _thread_env(threads, identity), memory_mb
        )
        for number, (identity, memory_mb) in enumerate(_nvidia_gpus())
    ]
    if not placements and sys.platform == "darwin" and platform.machine() == "arm64":
        memory_mb = psutil.virtual_memory().total >> 20
        placements = [
            DevicePlacement(
                "mps-0", Device("mps", 0, threads), memory_mb * 6 // 10, _thread_env(threads, ""), memory_mb
            )
        ]
    return tuple(placements)


def largest_device_mb(placements: Iterable[DevicePlacement]) -> int:
    """Memory of the largest device among them; 0: there is none."""
    return max((placement.device_mb for placement in placements), default=0)


def _cpu_count() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _thread_env(threads: int, visible_devices: str) -> dict[str, str]:
    """`cuda` names the one device of a worker; empty: none."""
    libraries = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
    return {
        **dict.fromkeys(libraries, str(threads)),
        **MALLOC_ENV,
        **PYDANTIC_ENV,
        "CUDA_VISIBLE_DEVICES": visible_devices,
    }


def _nvidia_gpus() -> list[tuple[str, int]]:
    """Identity and memory of each NVIDIA GPU that may be used."""
    executable = shutil.which("nvidia-smi")
    if executable is None:
        return []
    query = [executable, "--query-gpu=index,uuid,memory.total", "--format=csv,noheader,nounits"]
    try:
        output = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    rows = [[cell.strip() for cell in line.split(",")] for line in output.splitlines() if line.count(",") == 2]
    found = {index: (uuid, int(memory)) for index, uuid, memory in rows if memory.isdigit()}
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allowed is None:
        return list(found.values())
    by_uuid = {uuid: (uuid, memory) for uuid, memory in found.values()}
    names = [name.strip() for name in allowed.split(",")]
    return [(found | by_uuid)[name] for name in names if name in found or name in by_uuid]

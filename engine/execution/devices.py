"""CPU and GPU slots of this machine, detected without importing a compute library."""

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
"""Minimum memory per CPU slot, in MB; limits the number of slots."""


PYDANTIC_ENV = {"PYDANTIC_DISABLE_PLUGINS": "1"}
"""Without it Pydantic searches all installed packages for plugins at every start of a worker."""

MALLOC_ENV = {"MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(64 << 20)}
"""Without it glibc returns the memory of every large array to the system and requests it again for the next, which
takes up to a third of the time of image and audio steps. Other C libraries ignore these variables."""


@dataclass(frozen=True, slots=True)
class DevicePlacement:
    """A slot for a worker: its device and the process environment that makes only this device visible.

    `budget_mb`: memory limit for all models of the worker; `device_mb`: total memory of a GPU, 0 for a CPU slot."""

    name: str
    device: Device
    budget_mb: int
    environment: Mapping[str, str]
    device_mb: int = 0


def cpu_placements(count: int | None = None) -> tuple[DevicePlacement, ...]:
    """Return the CPU slots: one per core, fewer if memory is short; `count` overrides their number."""
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
    """Return one slot per GPU; `CUDA_VISIBLE_DEVICES` limits the GPUs."""
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
    """Return the memory of the largest GPU in MB; 0 without a GPU."""
    return max((placement.device_mb for placement in placements), default=0)


def _cpu_count() -> int:
    """Return the number of cores available to this process."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _thread_env(threads: int, visible_devices: str) -> dict[str, str]:
    """Return environment variables that limit threads and visible GPUs; `visible_devices` empty: no GPU."""
    libraries = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
    return {
        **dict.fromkeys(libraries, str(threads)),
        **MALLOC_ENV,
        **PYDANTIC_ENV,
        "CUDA_VISIBLE_DEVICES": visible_devices,
    }


def _nvidia_gpus() -> list[tuple[str, int]]:
    """Return UUID and memory in MB of each visible NVIDIA GPU, from nvidia-smi."""
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

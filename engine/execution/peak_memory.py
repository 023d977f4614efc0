"""How much memory one task took at most."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path


class PeakMemory:
    """Measures from its making on. On Linux the process's own peak can be set back, so it is that of this task; elsewhere
    it is that of the process. Programs that the task starts count with the largest of them, if larger than any before."""

    def __init__(self) -> None:
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")
        self._children_peak_before_mb = _children_peak_mb()
        torch = sys.modules.get("torch")
        self._cuda = torch.cuda if torch is not None and torch.cuda.is_available() else None
        if self._cuda is not None:
            self._cuda.reset_peak_memory_stats()

    def measure(self) -> dict[str, int]:
        """`peak_memory_mb`, and `peak_device_memory_mb` where a GPU was used."""
        children_mb = _children_peak_mb()
        found = {
            "peak_memory_mb": _process_peak_mb() + (children_mb if children_mb > self._children_peak_before_mb else 0)
        }
        if self._cuda is not None:
            found["peak_device_memory_mb"] = int(self._cuda.max_memory_allocated() >> 20)
        return found


def _process_peak_mb() -> int:
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) >> 10
    except OSError:
        pass
    import psutil

    info = psutil.Process().memory_info()
    return int(getattr(info, "peak_wset", info.rss)) >> 20


def _children_peak_mb() -> int:
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return peak >> (20 if sys.platform == "darwin" else 10)

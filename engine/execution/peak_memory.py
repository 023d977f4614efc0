"""Peak memory of one task."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path


class PeakMemory:
    """Measures peak memory from its construction on.

    On Linux the peak of the process is reset at construction; elsewhere the peak includes earlier tasks. The largest
    child process is added if it is larger than all earlier child processes."""

    def __init__(self) -> None:
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")
        self._children_peak_before_mb = _children_peak_mb()
        torch = sys.modules.get("torch")
        self._cuda = torch.cuda if torch is not None and torch.cuda.is_available() else None
        if self._cuda is not None:
            self._cuda.reset_peak_memory_stats()

    def measure(self) -> dict[str, int]:
        """Return `peak_memory_mb`, and with CUDA `peak_device_memory_mb`."""
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

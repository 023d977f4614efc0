"""Deterministic torch: no gradients, seeded global RNG, fixed thread count, restored afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def deterministic_torch(threads: int, seed: int) -> Iterator[None]:
    """Context in which torch uses `threads` CPU threads and deterministic cuDNN convolutions, and the global RNGs of
    all devices are seeded with `seed`, for models that accept no generator. Restores all settings on exit."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(max(1, threads))
    try:
        quiet = torch.backends.cudnn.flags(enabled=True, deterministic=True, benchmark=False)
        with torch.random.fork_rng(), torch.inference_mode(), quiet:
            torch.manual_seed(seed % 2**63)
            yield
    finally:
        torch.set_num_threads(before)

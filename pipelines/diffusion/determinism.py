"""A stretch of work with torch that leaves nothing behind: no gradients, its own dice, its own number of threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def deterministic_torch(threads: int, seed: int) -> Iterator[None]:
    """Within it torch uses `threads` CPU threads, convolutions on a GPU always sum in one order, and the global dice (of every
    device) are thrown from `seed`: for models that take no generator of their own. All is as before afterwards."""
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

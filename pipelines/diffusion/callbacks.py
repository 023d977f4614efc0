"""What every call of a diffusers pipeline needs: its dice, and how it says how far it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pipelines.base import Report

if TYPE_CHECKING:
    import torch


def generator(seed: int) -> torch.Generator:
    """Thrown on the processor, so that every device gets the same noise from the same seed."""
    import torch

    return torch.Generator("cpu").manual_seed(seed)


def step_callback(
    report: Report, total: int, message: str, begin: float = 0.0, end: float = 1.0
) -> Callable[..., dict[str, Any]]:
    """A `callback_on_step_end` that reports how much of `total` steps is done, as the part from `begin` to `end` of the whole."""

    def after_step(pipe: Any, step: int, timestep: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
        report.progress(begin + (end - begin) * (step + 1) / max(1, total), message)
        return kwargs

    return after_step


@contextmanager
def progress_hook(network: Any, report: Report, total: int, message: str) -> Iterator[None]:
    """Reports each of the `total` passes through a network, for pipelines that tell nobody how far they are."""
    done = 0

    def after_pass(module: Any, arguments: Any, made: Any) -> None:
        nonlocal done
        done += 1
        report.progress(min(1.0, done / max(1, total)), message)

    hook = network.register_forward_hook(after_pass)
    try:
        yield
    finally:
        hook.remove()

"""Arguments of every diffusers call: the random generator and progress callbacks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pipelines.base import Report

if TYPE_CHECKING:
    import torch


def generator(seed: int) -> torch.Generator:
    """Return a seeded CPU generator, so that each device gets the same noise from a seed."""
    import torch

    return torch.Generator("cpu").manual_seed(seed)


def step_callback(
    report: Report, total: int, message: str, begin: float = 0.0, end: float = 1.0
) -> Callable[..., dict[str, Any]]:
    """Return a `callback_on_step_end` that maps `total` steps to the progress range [`begin`, `end`] within 0…1."""

    def after_step(pipe: Any, step: int, timestep: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
        report.progress(begin + (end - begin) * (step + 1) / max(1, total), message)
        return kwargs

    return after_step


@contextmanager
def progress_hook(network: Any, report: Report, total: int, message: str) -> Iterator[None]:
    """Forward hook that reports each of `total` passes, for pipelines without a step callback."""
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

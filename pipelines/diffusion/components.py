"""Pipelines in halves: what reads words and what draws are each as large as the other, and never needed at once."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pipelines.base import Device, Economy, ModelSpec
from pipelines.diffusion.options import Recipe

READS = "reads"
"""The half of a pipeline that reads words: text encoders with their tokenizers."""
DRAWS = "draws"
"""The half that draws: the network and what decodes its picture."""


class Halves:
    """A pipeline in parts that are not needed at the same time, such as what reads the words and what draws. Each is made when it is first
    needed; where memory is short (`together` is False) the others go first."""

    def __init__(self, makers: Mapping[str, Callable[[], Any]], *, together: bool) -> None:
        self._makers, self._together = makers, together
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            if not self._together:
                self.close()
            self._made[name] = self._makers[name]()
        return self._made[name]

    def loaded(self) -> tuple[str, ...]:
        """Names of the parts that are here."""
        return tuple(self._made)

    def close(self) -> None:
        """Give back all memory."""
        if not self._made:
            return
        self._made.clear()
        gc.collect()
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_available():
            torch.cuda.empty_cache()


def halves_of(
    pipeline: str,
    spec: ModelSpec,
    recipe: Recipe,
    device: Device,
    *,
    reads: Sequence[str],
    draws: Sequence[str] = ("transformer", "vae"),
    **drawing: Any,
) -> Halves:
    """The halves `READS` and `DRAWS` of the diffusers pipeline of that name, which consist of these components. `drawing`: what
    `load_pipeline` takes besides for the half that draws."""

    def half(without: Sequence[str], **more: Any) -> Any:
        import diffusers

        from pipelines.diffusion.loading import load_pipeline

        return load_pipeline(getattr(diffusers, pipeline), spec, recipe, device, without=without, **more)

    makers = {READS: lambda: half(draws), DRAWS: lambda: half(reads, **drawing)}
    return Halves(makers, together=device.economy < Economy.APART)

"""Pipelines in halves: what reads words and what draws are each as large as the other, and never needed at once."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pipelines.base import Device, MemoryMode, ModelSpec
from pipelines.diffusion.options import PipelineOptions

TEXT_ENCODER = "reads"
"""The half of a pipeline that reads words: text encoders with their tokenizers."""
DENOISER = "draws"
"""The half that draws: the network and what decodes its picture."""


class ComponentGroups:
    """A pipeline in parts that are not needed at the same time, such as what reads the words and what draws. Each is made when it is first
    needed; where memory is short (`together` is False) the others go first."""

    def __init__(self, loaders: Mapping[str, Callable[[], Any]], *, keep_loaded: bool) -> None:
        self._loaders, self._keep_loaded = loaders, keep_loaded
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            if not self._keep_loaded:
                self.close()
            self._loaded[name] = self._loaders[name]()
        return self._loaded[name]

    def loaded(self) -> tuple[str, ...]:
        """Names of the parts that are here."""
        return tuple(self._loaded)

    def close(self) -> None:
        """Give back all memory."""
        if not self._loaded:
            return
        self._loaded.clear()
        gc.collect()
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_available():
            torch.cuda.empty_cache()


def build_component_groups(
    pipeline: str,
    spec: ModelSpec,
    options: PipelineOptions,
    device: Device,
    *,
    encoder_parts: Sequence[str],
    denoiser_parts: Sequence[str] = ("transformer", "vae"),
    **denoiser_kwargs: Any,
) -> ComponentGroups:
    """The halves `READS` and `DRAWS` of the diffusers pipeline of that name, which consist of these components. `drawing`: what
    `load_pipeline` takes besides for the half that draws."""

    def load_part(exclude: Sequence[str], **more: Any) -> Any:
        import diffusers

        from pipelines.diffusion.loading import load_pipeline

        return load_pipeline(getattr(diffusers, pipeline), spec, options, device, exclude=exclude, **more)

    makers = {
        TEXT_ENCODER: lambda: load_part(denoiser_parts),
        DENOISER: lambda: load_part(encoder_parts, **denoiser_kwargs),
    }
    return ComponentGroups(makers, keep_loaded=device.memory_mode < MemoryMode.MODEL_OFFLOAD)

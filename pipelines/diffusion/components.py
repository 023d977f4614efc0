"""Component groups of a pipeline: the text encoder and the denoiser are never needed at the same time."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pipelines.base import Device, MemoryMode, ModelSpec
from pipelines.diffusion.options import PipelineOptions

TEXT_ENCODER = "reads"
"""The group of text encoders and tokenizers."""
DENOISER = "draws"
"""The group of the denoising network and the VAE."""


class ComponentGroups:
    """Lazily loaded groups of pipeline components. If `together` is False, loading a group unloads the others first."""

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
        """Return the names of the loaded groups."""
        return tuple(self._loaded)

    def close(self) -> None:
        """Unload all groups."""
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
    """Return the groups `TEXT_ENCODER` and `DENOISER` of a diffusers pipeline. Extra keyword arguments go to
    `load_pipeline` for the denoiser."""

    def load_part(exclude: Sequence[str], **more: Any) -> Any:
        import diffusers

        from pipelines.diffusion.loading import load_pipeline

        return load_pipeline(getattr(diffusers, pipeline), spec, options, device, exclude=exclude, **more)

    makers = {
        TEXT_ENCODER: lambda: load_part(denoiser_parts),
        DENOISER: lambda: load_part(encoder_parts, **denoiser_kwargs),
    }
    return ComponentGroups(makers, keep_loaded=device.memory_mode < MemoryMode.MODEL_OFFLOAD)

"""Prompt embeddings as a safetensors file, so that a prompt is encoded once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

FILE_NAME = "prompt_embeds.safetensors"


def write_prompt_embeds(tensors: Mapping[str, torch.Tensor], out: Path) -> Path:
    """Write the tensors, named by pipeline argument, to `out/prompt_embeds.safetensors` and return its path."""
    from safetensors.torch import save_file

    path = out / FILE_NAME
    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, path)
    return path


def read_prompt_embeds(inputs: Mapping[str, Sequence[Path]], device: torch.device) -> dict[str, torch.Tensor] | None:
    """The tensors of the input `words`, on `device`; None where words were not encoded before."""
    from safetensors.torch import load_file

    paths = inputs.get("prompt_embeds")
    return load_file(paths[0], device=str(device)) if paths else None

"""Modular diffusers pipelines: blocks of code of the library, and the components that they need out of verified files."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from pipelines.base import BadInput, Device, Missing, ModelSpec
from pipelines.diffusion.loading import TRUSTED, bits, dtype_of, dtypes, few_bits, ready
from pipelines.diffusion.options import Recipe
from pipelines.models.weights import folder as weights_folder

INDEX = "modular_model_index.json"


def blocks_of(spec: ModelSpec, known: Collection[str]) -> Any:
    """The blocks of the modular pipeline that the weights are of, one of the `known` classes of diffusers. Raises BadInput for any other."""
    import diffusers

    name = str(_index(weights_folder(spec)).get("_class_name"))
    if name not in known:
        raise BadInput("weights", f"these are of a {name}, not of a {' or a '.join(sorted(known))}.")
    return getattr(diffusers, getattr(diffusers, name).default_blocks_name)()


def load_modular(blocks: Any, spec: ModelSpec, recipe: Recipe, device: Device) -> Any:
    """A pipeline of these blocks on `device`, with the components that they and no others need. Whatever hub repository the weights name for a
    component, it is loaded from their own folder. Raises Missing or BadInput as `load_pipeline` does."""
    from diffusers import ComponentsManager

    folder = weights_folder(spec)
    _check_trust(_index(folder), {component.name for component in blocks.expected_components})
    _quiet(blocks)
    pipe = blocks.init_pipeline(folder, components_manager=ComponentsManager())
    networks = _networks(blocks)
    pipe.load_components(
        pretrained_model_name_or_path=str(folder),
        revision=None,
        local_files_only=True,
        dtype=dtypes(spec, recipe, device, networks),
        use_safetensors=dict.fromkeys(networks, True),
        **_bits(recipe, device, networks),
    )
    lost = [name for name, component in pipe.components.items() if component is None]
    if lost:
        raise Missing(
            f"{spec.name}: its {', '.join(lost)} could not be loaded; `python -m engine models verify {spec.name}`"
        )
    ready(pipe, spec, recipe, device)
    return pipe


def _index(folder: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((folder / INDEX).read_text("utf-8"))
    except FileNotFoundError as error:
        raise BadInput("weights", f"these are not of a modular pipeline: there is no {INDEX}.") from error
    return found


def _check_trust(index: dict[str, Any], needed: Collection[str]) -> None:
    for name in needed:
        value = index.get(name)
        if not isinstance(value, list) or len(value) != 3:
            continue
        library, _, where = value
        hint = where.get("type_hint") or (None, None)
        if {library, hint[0]} - TRUSTED - {None}:
            raise BadInput("weights", f"their part {name} asks for code of its own, which is never run.")


def _networks(blocks: Any) -> list[str]:
    """The components that are networks: those with weights."""
    import torch

    return [
        component.name
        for component in blocks.expected_components
        if isinstance(component.type_hint, type) and issubclass(component.type_hint, torch.nn.Module)
    ]


def _bits(recipe: Recipe, device: Device, networks: Collection[str]) -> dict[str, Any]:
    parts = [name for name in recipe.quantizable if name in networks]
    few = bits(recipe, device)
    if not parts or few == 16:
        return {}
    return {"quantization_config": few_bits(parts, few, dtype_of(recipe, device)).quant_mapping}


def _quiet(blocks: Any) -> None:
    """No progress bars: progress is reported."""
    if hasattr(blocks, "set_progress_bar_config"):
        blocks.set_progress_bar_config(disable=True)
    for block in getattr(blocks, "sub_blocks", {}).values():
        _quiet(block)

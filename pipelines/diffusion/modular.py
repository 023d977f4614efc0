"""Load modular diffusers pipelines: library blocks with components from verified files."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from pipelines.base import BadInput, Device, MissingDependency, ModelSpec
from pipelines.diffusion.loading import (
    TRUSTED_LIBRARIES,
    component_dtypes,
    compute_dtype,
    configure_pipeline,
    quantization_config,
    weight_bits,
)
from pipelines.diffusion.options import PipelineOptions
from pipelines.models.weights import verified_folder as weights_folder

INDEX_FILE = "modular_model_index.json"


def load_blocks(spec: ModelSpec, supported: Collection[str]) -> Any:
    """Return the blocks of the modular pipeline class of the weights. Raises BadInput unless it is a supported class."""
    import diffusers

    name = str(_index(weights_folder(spec)).get("_class_name"))
    if name not in supported:
        raise BadInput("weights", f"the weights are of {name}; expected {' or '.join(sorted(supported))}.")
    return getattr(diffusers, getattr(diffusers, name).default_blocks_name)()


def load_modular(blocks: Any, spec: ModelSpec, options: PipelineOptions, device: Device) -> Any:
    """Load the components that these blocks need onto `device`.

    Components load from the model's own folder, whatever hub repository the index names. Raises as `load_pipeline`
    does.
    """
    from diffusers import ComponentsManager

    folder = weights_folder(spec)
    _check_trust(_index(folder), {component.name for component in blocks.expected_components})
    _disable_progress_bars(blocks)
    pipe = blocks.init_pipeline(folder, components_manager=ComponentsManager())
    networks = _network_names(blocks)
    pipe.load_components(
        pretrained_model_name_or_path=str(folder),
        revision=None,
        local_files_only=True,
        dtype=component_dtypes(spec, options, device, networks),
        use_safetensors=dict.fromkeys(networks, True),
        **_quantization_kwargs(options, device, networks),
    )
    lost = [name for name, component in pipe.components.items() if component is None]
    if lost:
        raise MissingDependency(
            f"{spec.name}: components failed to load: {', '.join(lost)}; `python -m engine models verify {spec.name}`"
        )
    configure_pipeline(pipe, spec, options, device)
    return pipe


def _index(folder: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((folder / INDEX_FILE).read_text("utf-8"))
    except FileNotFoundError as error:
        raise BadInput("weights", f"the weights are not of a modular pipeline: no {INDEX_FILE}.") from error
    return found


def _check_trust(index: dict[str, Any], needed: Collection[str]) -> None:
    for name in needed:
        value = index.get(name)
        if not isinstance(value, list) or len(value) != 3:
            continue
        library, _, where = value
        hint = where.get("type_hint") or (None, None)
        if {library, hint[0]} - TRUSTED_LIBRARIES - {None}:
            raise BadInput("weights", f"component {name} needs custom code (trust_remote_code), which is not allowed")


def _network_names(blocks: Any) -> list[str]:
    """Return the names of the components with weights."""
    import torch

    return [
        component.name
        for component in blocks.expected_components
        if isinstance(component.type_hint, type) and issubclass(component.type_hint, torch.nn.Module)
    ]


def _quantization_kwargs(options: PipelineOptions, device: Device, networks: Collection[str]) -> dict[str, Any]:
    parts = [name for name in options.quantizable if name in networks]
    few = weight_bits(options, device)
    if not parts or few == 16:
        return {}
    return {"quantization_config": quantization_config(parts, few, compute_dtype(options, device)).quant_mapping}


def _disable_progress_bars(blocks: Any) -> None:
    """Disable progress bars; progress goes to the report."""
    if hasattr(blocks, "set_progress_bar_config"):
        blocks.set_progress_bar_config(disable=True)
    for block in getattr(blocks, "sub_blocks", {}).values():
        _disable_progress_bars(block)

"""Load diffusers pipelines from verified files, with the options and memory mode of a model."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.base import BadInput, Device, MemoryMode, MissingDependency, ModelSpec
from pipelines.diffusion.acceleration import BITSANDBYTES_HINT, TORCHAO_HINT, accelerate, denoisers
from pipelines.diffusion.options import PipelineOptions, option_path
from pipelines.models.weights import verified_folder as weights_folder

if TYPE_CHECKING:
    import torch

TRUSTED_LIBRARIES = frozenset({"diffusers", "transformers"})
"""Libraries whose classes weights may name. Anything else would be code shipped with the weights."""

_log = logging.getLogger(__name__)


def load_pipeline(
    pipeline_class: type[Any],
    spec: ModelSpec,
    options: PipelineOptions,
    device: Device,
    *,
    exclude: Collection[str] = (),
    published_as: Collection[str] = (),
    prepare: Callable[[Any], None] | None = None,
    model_offload: bool = False,
    **components: Any,
) -> Any:
    """The pipeline of class `kind` from the model's weights, on `device`, ready to be called. `without` names
    components that stay on the disk; `published` other classes of the same components under whose names weights are
    published; `components` are given ready; `prepare` adds to the pipeline before it is moved anywhere; `turns`: a
    pipeline that is not loaded in halves lets its components take turns on the device where memory is short. Raises
    Missing for weights that are not here, BadInput for other classes."""
    folder = weights_folder(spec)
    found = _component_names({pipeline_class.__name__, *published_as}, folder)
    given: dict[str, Any] = {**dict.fromkeys(found & set(exclude)), **components}
    parts = [name for name in options.quantizable if name in found and name not in given]
    if parts and (few := weight_bits(options, device)) < 16:
        given["quantization_config"] = quantization_config(parts, few, compute_dtype(options, device))
    pipe = pipeline_class.from_pretrained(
        folder,
        dtype=component_dtypes(spec, options, device, found),
        local_files_only=True,
        use_safetensors=True,
        **given,
    )
    pipe.set_progress_bar_config(disable=True)
    configure_pipeline(pipe, spec, options, device, prepare=prepare, model_offload=model_offload)
    return pipe


def configure_pipeline(
    pipe: Any,
    spec: ModelSpec,
    options: PipelineOptions,
    device: Device,
    *,
    prepare: Callable[[Any], None] | None = None,
    model_offload: bool = False,
) -> None:
    """What a pipeline goes through between its files and its first call, modular or not: weights laid over its own,
    `prepare`, what makes it faster, and the way to its device."""
    _load_loras(pipe, spec, options, keep_unfused=weight_bits(options, device) < 16)
    if prepare is not None:
        prepare(pipe)
    accelerate(pipe, spec, options, device)
    _move_to_device(pipe, options, device, model_offload=model_offload)


def weight_bits(options: PipelineOptions, device: Device) -> int:
    """How many bits the weights of `quantizable` have."""
    return min(8, options.bits) if device.memory_mode >= MemoryMode.INT8 else options.bits


def pipeline_name(spec: ModelSpec, supported: Sequence[str]) -> str:
    """Return the diffusers pipeline class name of the weights. Raises BadInput unless it is one of the supported ones."""
    name: str = json.loads((weights_folder(spec) / "model_index.json").read_text("utf-8")).get("_class_name")
    if name not in supported:
        raise BadInput("weights", f"the weights are of {name}; expected {' or '.join(supported)}.")
    return name


def prepare_loading(spec: ModelSpec, device: Device) -> None:
    """Verify all weights of the model and limit torch to the threads of the slot. Raises MissingDependency."""
    import torch

    if device.kind == "cpu":
        torch.set_num_threads(device.threads)
    for role in spec.weights:
        weights_folder(spec, role)


def torch_device(device: Device) -> torch.device:
    """Return the torch device string."""
    import torch

    return torch.device("cpu") if device.kind == "cpu" else torch.device(device.kind, device.index)


def compute_dtype(options: PipelineOptions, device: Device) -> torch.dtype:
    """Return the torch dtype of a model: float32 on a CPU, which has no fast half precision."""
    import torch

    return torch.float32 if device.kind == "cpu" else _dtype_by_name(options.dtype)


def _dtype_by_name(name: str) -> torch.dtype:
    import torch

    return {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}[name]


def component_dtypes(spec: ModelSpec, options: PipelineOptions, device: Device, components: Collection[str]) -> Any:
    """Return the dtype per component for `from_pretrained`. Raises BadInput for an unknown component."""
    unknown = options.dtypes.keys() - set(components) if "dtypes" in options.model_fields_set else set()
    if unknown:
        raise BadInput(
            option_path(spec, f"dtypes.{min(unknown)}"),
            "the weights have no such component.",
            f"They have {', '.join(sorted(components))}.",
        )
    default = compute_dtype(options, device)
    if device.kind == "cpu":
        return default
    return {
        "default": default,
        **{name: _dtype_by_name(dtype) for name, dtype in options.dtypes.items() if name in components},
    }


def _component_names(class_names: Collection[str], folder: Path) -> set[str]:
    """Return the component names of the pipeline after checking the classes that the weights name."""
    index = json.loads((folder / "model_index.json").read_text("utf-8"))
    if index.get("_class_name") not in class_names:
        raise BadInput(
            "weights", f"the weights are of {index.get('_class_name')}; expected {' or '.join(sorted(class_names))}."
        )
    found = {name: value for name, value in index.items() if isinstance(value, list) and len(value) == 2}
    for name, (library, class_name) in found.items():
        if class_name is not None and not _is_trusted(library):
            raise BadInput("weights", f"component {name} needs custom code (trust_remote_code), which is not allowed")
    return {name for name, (_, class_name) in found.items() if class_name is not None}


def _is_trusted(library: str) -> bool:
    """Return whether diffusers registers the class under the module of that pipeline."""
    from diffusers import pipelines

    own = getattr(getattr(pipelines, library, None), "__name__", "")
    return library in TRUSTED_LIBRARIES or own == f"diffusers.pipelines.{library}"


def quantization_config(parts: Sequence[str], bits: int, dtype: torch.dtype) -> Any:
    """Return the quantization config: int8 by torchao or NF4 by bitsandbytes, computed in `dtype`. Raises MissingDependency."""
    import diffusers
    import transformers

    name, settings = _nf4(dtype) if bits == 4 else _int8()
    return diffusers.PipelineQuantizationConfig(
        quant_mapping={
            part: getattr(transformers if part.startswith("text_encoder") else diffusers, name)(**settings)
            for part in parts
        }
    )


def _int8() -> tuple[str, dict[str, Any]]:
    try:
        from torchao.quantization import Int8WeightOnlyConfig
    except ImportError as error:
        raise MissingDependency(TORCHAO_HINT) from error
    return "TorchAoConfig", {"quant_type": Int8WeightOnlyConfig()}


def _nf4(dtype: torch.dtype) -> tuple[str, dict[str, Any]]:
    if find_spec("bitsandbytes") is None:
        raise MissingDependency(BITSANDBYTES_HINT)
    settings = {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_compute_dtype": dtype}
    return "BitsAndBytesConfig", settings


def _load_loras(pipe: Any, spec: ModelSpec, options: PipelineOptions, *, keep_unfused: bool) -> None:
    """Fuse LoRA weights into the base weights, which costs no time per step. Quantized weights cannot be fused."""
    if not options.loras or not denoisers(pipe):
        return
    for number, lora in enumerate(options.loras):
        where = {"load_into_transformer_2": True} if lora.for_transformer_2 else {}
        pipe.load_lora_weights(
            weights_folder(spec, lora.role),
            weight_name=lora.file,
            adapter_name=f"lora-{number}",
            local_files_only=True,
            use_safetensors=True,
            **where,
        )
    for second in (False, True):
        chosen = [
            (f"lora-{n}", lora.strength) for n, lora in enumerate(options.loras) if lora.for_transformer_2 is second
        ]
        network = getattr(pipe, "transformer_2" if second else "transformer", None) or getattr(pipe, "unet", None)
        if chosen and network is not None:
            network.set_adapters([name for name, _ in chosen], [strength for _, strength in chosen])
    if not keep_unfused:
        names = ["transformer", "transformer_2", "unet"]
        pipe.fuse_lora(components=[name for name in names if getattr(pipe, name, None) is not None])
        pipe.unload_lora_weights()


def _move_to_device(pipe: Any, options: PipelineOptions, device: Device, *, model_offload: bool) -> None:
    """Move the pipeline to the device: completely, or with model, group or leaf-level offload by memory mode."""
    import torch
    from diffusers.hooks import apply_group_offloading

    vae = getattr(pipe, "vae", None)
    if (
        vae is not None
        and (options.vae_tiling or device.memory_mode >= MemoryMode.VAE_TILING)
        and hasattr(vae, "enable_tiling")
    ):
        vae.enable_tiling()
    onload = torch_device(device)
    if device.memory_mode < MemoryMode.GROUP_OFFLOAD:
        if model_offload and device.memory_mode >= MemoryMode.MODEL_OFFLOAD:
            pipe.enable_model_cpu_offload(device=onload)
        else:
            pipe.to(onload)
        return
    leaves = device.memory_mode >= MemoryMode.LEAF_OFFLOAD
    for part in pipe.components.values():
        if not isinstance(part, torch.nn.Module):
            continue
        if not getattr(part, "_supports_group_offloading", True):
            # Some small components, such as the audio decoder, cannot be offloaded and stay on the device.
            part.to(onload)
            continue
        apply_group_offloading(
            part,
            onload_device=onload,
            offload_device=torch.device("cpu"),
            offload_type="leaf_level" if leaves else "block_level",
            num_blocks_per_group=None if leaves else 1,
            use_stream=device.kind == "cuda",
            low_cpu_mem_usage=device.kind == "cuda",
        )

"""Acceleration of diffusers pipelines: attention backends, compiled blocks, step caches and quantized weights."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import sysconfig
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.base import BadInput, Device, MemoryMode, MissingDependency, ModelSpec, Report
from pipelines.diffusion.options import PipelineOptions, StepCache, option_path

if TYPE_CHECKING:
    import torch

ATTENTION_PACKAGES = {
    "flash": ("flash_attn", "flash-attn"),
    "sage": ("sageattention",) * 2,
    "xformers": ("xformers",) * 2,
}
"""Attention backends from packages: (module, pip name)."""
CUDA_ONLY = ("flash", "sage", "xformers", "_native_cudnn")
"""Attention backends for NVIDIA GPUs only."""
HALF_PRECISION_ONLY = ("flash", "sage", "_native_cudnn")
"""Attention backends for 16-bit dtypes only."""
TORCHAO_HINT = '8-bit weights need torchao; `pip install "story-engine[gpu]"`'
BITSANDBYTES_HINT = "4-bit weights need bitsandbytes; `pip install bitsandbytes`"
CALIBRATION_PREFIX = "MagCache Calibration Results"
"""Start of the log line in which diffusers reports the measured ratios."""
RECOMPILE_LIMIT = 64
"""Limit of compiled variants of one block per process. Further variants run uncompiled."""
_BLOCK_LIST_NAME = re.compile(r"blocks$|^layers$")
"""Attribute names of block lists in diffusers networks."""
_SUBLAYER_NAME = re.compile(r"(?:.*_)?(?:attn\d*|ffn?|mlp)(?:_context)?")
"""Names of the block parts that TaylorSeer extrapolates: attention and feed-forward."""


def check_supported(spec: ModelSpec, options: PipelineOptions, device: Device) -> None:
    """Check the options against this machine before loading.

    Raises MissingDependency for an absent package or compiler, BadInput for options that cannot be combined.
    """
    backend = options.attention
    if backend in CUDA_ONLY and device.kind != "cuda":
        raise BadInput(
            option_path(spec, "attention"),
            f"{backend} requires an NVIDIA GPU, and this model runs on another device.",
            _OMIT_HINT,
        )
    if backend in HALF_PRECISION_ONLY and options.dtype == "float32":
        raise BadInput(
            option_path(spec, "attention"), f"{backend} requires a 16-bit dtype, and `dtype` is float32.", _OMIT_HINT
        )
    if backend in ATTENTION_PACKAGES and find_spec(ATTENTION_PACKAGES[backend][0]) is None:
        raise MissingDependency(
            f"{option_path(spec, 'attention')}: {backend} is not installed; `pip install {ATTENTION_PACKAGES[backend][1]}`"
        )
    if options.bits == 4 and device.kind != "cuda":
        raise BadInput(
            option_path(spec, "bits"), "4 requires an NVIDIA GPU, and this model runs on another device.", _OMIT_HINT
        )
    for bits, package, wanted in ((8, "torchao", TORCHAO_HINT), (4, "bitsandbytes", BITSANDBYTES_HINT)):
        if options.bits == bits and find_spec(package) is None:
            raise MissingDependency(f"{option_path(spec, 'bits')}: {wanted}")
    if options.compile and device.memory_mode < MemoryMode.GROUP_OFFLOAD and not _has_compiler(device):
        raise MissingDependency(
            f"{option_path(spec, 'compile')}: compile requires a C++ compiler and the Python headers; "
            "`apt-get install g++ python3-dev`"
        )


def disabled_for_memory(options: PipelineOptions, device: Device) -> tuple[str, ...]:
    """Return the speed options that the memory mode disables: offloading hooks cannot be compiled, and step caches need memory."""
    if device.memory_mode < MemoryMode.GROUP_OFFLOAD:
        return ()
    return tuple(name for name in ("cache", "compile") if getattr(options, name))


def acceleration_record(options: PipelineOptions, device: Device) -> dict[str, Any]:
    """Return the acceleration facts for the record of a step: active and disabled options."""
    off = disabled_for_memory(options, device)
    on: dict[str, Any] = {}
    if options.attention != "native":
        on["attention"] = options.attention
    if options.cache is not None and "cache" not in off:
        on["cache"] = options.cache.name
    if options.compile and "compile" not in off:
        on["compile"] = True
    return {"faster": on, "given_up": list(off)}


def denoisers(pipe: Any) -> list[Any]:
    """Return the denoising networks of a pipeline."""
    names = ("transformer", "transformer_2", "unet")
    return [network for name in names if (network := getattr(pipe, name, None)) is not None]


def accelerate(pipe: Any, spec: ModelSpec, options: PipelineOptions, device: Device) -> None:
    """Apply the options before the pipeline moves to its device. Raises BadInput or MissingDependency naming the option."""
    off = disabled_for_memory(options, device)
    for network in denoisers(pipe):
        if options.attention != "native":
            _set_attention_backend(network, spec, options.attention)
        if options.compile and "compile" not in off:
            _compile_blocks(network)
        if options.cache is not None and "cache" not in off:
            _enable_cache(network, pipe, spec, options, options.cache)


@contextmanager
def caches_active(pipe: Any, report: Report) -> Iterator[None]:
    """Context of one pipeline call: step caches start empty, and measured MagCache ratios are recorded in `report`."""
    cached = [network for network in denoisers(pipe) if getattr(network, "is_cache_enabled", False)]
    if not cached:
        yield
        return
    handler = _MagRatioHandler()
    with ExitStack() as during:
        for network in cached:
            network._reset_stateful_cache()
            # Pipelines without cache contexts have one pass per step.
            during.enter_context(network.cache_context("run"))
        during.enter_context(handler.attached())
        yield
    if handler.ratios:
        count = len(handler.ratios)
        report.record(mag_ratios=[round(sum(step) / count, 5) for step in zip(*handler.ratios, strict=False)])


_OMIT_HINT = "Remove the option, or choose another."


def _set_attention_backend(network: Any, spec: ModelSpec, backend: str) -> None:
    from diffusers.models.attention_dispatch import attention_backend

    try:
        # diffusers sets the backend for the whole process; reset it at the end of this block.
        with attention_backend("native"):
            network.set_attention_backend(backend)
    except RuntimeError as error:  # the message names the required version
        pip = ATTENTION_PACKAGES.get(backend, (backend, backend))[1]
        raise MissingDependency(
            f"{option_path(spec, 'attention')}: {backend} is too old; `pip install --upgrade {pip}`"
        ) from error


def _compile_blocks(network: Any) -> None:
    """Compile the repeated blocks, beneath later hooks.

    Compiles for dynamic sizes from the start: kernels for one size sum in another order, so the bytes of an image would
    depend on earlier images.
    """
    import torch
    from torch.fx.experimental import _config as symbols

    # Do not specialize on two sizes that happen to be equal.
    symbols.use_duck_shape = False
    # Each model of a class counts as another recompilation of the same code.
    torch._dynamo.config.recompile_limit = max(RECOMPILE_LIMIT, torch._dynamo.config.recompile_limit)
    for block in _blocks(network):
        block.forward = torch.compile(block.forward, dynamic=True)


def _blocks(network: Any) -> list[torch.nn.Module]:
    """Return the repeated blocks of a network: those that its class declares, else those of its block lists."""
    named = getattr(network, "_repeated_blocks", None)
    if named:
        return [module for module in network.modules() if type(module).__name__ in named]
    return _sequential_blocks(network)


def _sequential_blocks(network: Any) -> list[torch.nn.Module]:
    """Return the sequential block lists: the output of each block is the input of the next."""
    import torch

    rows = [
        row
        for name, row in network.named_children()
        if isinstance(row, torch.nn.ModuleList) and _BLOCK_LIST_NAME.search(name)
    ]
    return [block for row in rows for block in row]


def _has_compiler(device: Device) -> bool:
    """Return whether PyTorch can find a compiler and its headers."""
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        return False
    if device.kind == "cuda":
        return find_spec("triton") is not None and any(map(shutil.which, (os.environ.get("CC", "cc"), "gcc", "clang")))
    return any(map(shutil.which, (os.environ.get("CXX", "c++"), "g++", "clang++")))


def _enable_cache(network: Any, pipe: Any, spec: ModelSpec, options: PipelineOptions, cache: StepCache) -> None:
    import diffusers

    try:
        settings = {**cache.settings, **_cache_defaults(network, pipe, options, cache)}
        network.enable_cache(getattr(diffusers, f"{cache.name}Config")(**settings))
    except TypeError as error:
        raise BadInput(
            option_path(spec, "cache.settings"), f"these are not settings of {cache.name}.", _SETTINGS_HINT
        ) from error
    except (AttributeError, ValueError) as error:
        hint = "" if cache.name != "MagCache" or cache.settings.get("mag_ratios") else _MAG_RATIOS_HINT
        raise BadInput(
            option_path(spec, "cache"),
            f"{cache.name} cannot be used with {type(network).__name__}.",
            hint or _OMIT_HINT,
        ) from error


_SETTINGS_HINT = "Use the fields of the diffusers class <name>Config."
_MAG_RATIOS_HINT = "It requires `mag_ratios` of this model: run once with `calibrate: true` in the settings, then copy them from the step record."


def _cache_defaults(network: Any, pipe: Any, options: PipelineOptions, cache: StepCache) -> dict[str, Any]:
    """Return default settings of a cache."""
    match cache.name:
        case "MagCache":
            return {"num_inference_steps": options.num_inference_steps}
        case "TaylorSeerCache" if cache.settings.get("use_lite_mode"):
            # Its own patterns would skip blocks that also produce the audio.
            return {
                "use_lite_mode": False,
                "skip_predict_identifiers": [
                    re.escape(name) for name in _module_names(network, _sequential_blocks(network))
                ],
                "cache_identifiers": ["(audio_)?proj_out"],
            }
        case "TaylorSeerCache":
            # Its own patterns match one attention name and skip nothing in most video networks.
            parts = [
                part
                for block in _blocks(network)
                for name, part in block.named_children()
                if _SUBLAYER_NAME.fullmatch(name)
            ]
            return {"cache_identifiers": [re.escape(name) for name in _module_names(network, parts)]}
        case "PyramidAttentionBroadcast":
            return {"current_timestep_callback": lambda: int(pipe.current_timestep)}
        case _:
            return {}


def _module_names(network: Any, modules: Iterable[torch.nn.Module]) -> list[str]:
    """Return the names of matching modules of a network."""
    meant = {id(module) for module in modules}
    return [name for name, module in network.named_modules() if id(module) in meant]


class _MagRatioHandler(logging.Handler):
    """Collects the ratios that MagCache measures, one list for each pass of a step.

    diffusers reports them only in a log line and then discards them, so this class parses that line. It is the only
    place that depends on its wording; `test_the_ratios_of_a_model_are_measured_in_a_run_that_skips_nothing` runs it on
    the real library."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.ratios: list[list[float]] = []

    def emit(self, record: logging.LogRecord) -> None:
        said, _, numbers = record.getMessage().partition(": ")
        if said == CALIBRATION_PREFIX:
            self.ratios.append(json.loads(numbers))

    @contextmanager
    def attached(self) -> Iterator[None]:
        log = logging.getLogger("diffusers.hooks.mag_cache")
        before = log.level
        log.addHandler(self)
        log.setLevel(logging.INFO)
        try:
            yield
        finally:
            log.setLevel(before)
            log.removeHandler(self)

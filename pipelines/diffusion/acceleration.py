"""What makes a pipeline faster, as its recipe says: how its networks attend, which of their blocks are compiled, which steps they skip."""

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

from pipelines.base import BadInput, Device, Economy, Missing, ModelSpec, Report
from pipelines.diffusion.options import Recipe, StepCache, option

if TYPE_CHECKING:
    import torch

PACKAGES = {"flash": ("flash_attn", "flash-attn"), "sage": ("sageattention",) * 2, "xformers": ("xformers",) * 2}
"""Ways of attention that come in a package: the module that it holds, and its name for pip."""
CUDA_ONLY = ("flash", "sage", "xformers", "_native_cudnn")
"""Ways of attention that know nothing but NVIDIA's GPUs."""
HALF = ("flash", "sage", "_native_cudnn")
"""Those that count with 16 bits alone."""
EIGHT_BITS = 'weights of eight bits need torchao; `pip install "story-engine[gpu]"`'
FOUR_BITS = "weights of four bits need bitsandbytes; `pip install bitsandbytes`"
CALIBRATED = "MagCache Calibration Results"
"""Begin of the line in which diffusers tells the ratios that it measured."""
TRIES = 64
"""How many kinds of one block are compiled in a process before the others run as they are."""
_ROW = re.compile(r"blocks$|^layers$")
"""How the rows of blocks of a network are called."""
_PARTS = re.compile(r"(?:.*_)?(?:attn\d*|ffn?|mlp)(?:_context)?")
"""What the parts of a block are called whose work TaylorSeer foretells: attention and what follows it."""


def possible(spec: ModelSpec, recipe: Recipe, device: Device) -> None:
    """Whether this machine can do what the recipe wants, before anything is read. Raises Missing for a package or a compiler, BadInput for
    what will never go together."""
    way = recipe.attention
    if way in CUDA_ONLY and device.kind != "cuda":
        raise BadInput(option(spec, "attention"), f"{way} is for NVIDIA's GPUs, and this model runs elsewhere.", _LEAVE)
    if way in HALF and recipe.dtype == "float32":
        raise BadInput(option(spec, "attention"), f"{way} counts with 16 bits, and `dtype` says float32.", _LEAVE)
    if way in PACKAGES and find_spec(PACKAGES[way][0]) is None:
        raise Missing(f"{option(spec, 'attention')}: {way} comes in a package; `pip install {PACKAGES[way][1]}`")
    if recipe.bits == 4 and device.kind != "cuda":
        raise BadInput(option(spec, "bits"), "4 is for NVIDIA's GPUs, and this model runs elsewhere.", _LEAVE)
    for bits, package, wanted in ((8, "torchao", EIGHT_BITS), (4, "bitsandbytes", FOUR_BITS)):
        if recipe.bits == bits and find_spec(package) is None:
            raise Missing(f"{option(spec, 'bits')}: {wanted}")
    if recipe.compile and device.economy < Economy.GROUPS and not _compiler(device):
        raise Missing(
            f"{option(spec, 'compile')}: compiling needs a compiler, such as g++, and Python's header files; "
            "`apt-get install g++ python3-dev`"
        )


def given_up(recipe: Recipe, device: Device) -> tuple[str, ...]:
    """Which speed options are off because memory is short: hooks that fetch blocks cannot be compiled, and what caches keep of former
    steps would take the room that was just won."""
    if device.economy < Economy.GROUPS:
        return ()
    return tuple(name for name in ("cache", "compile") if getattr(recipe, name))


def facts(recipe: Recipe, device: Device) -> dict[str, Any]:
    """For the record of a step: what made it faster, and what could have."""
    off = given_up(recipe, device)
    on: dict[str, Any] = {}
    if recipe.attention != "native":
        on["attention"] = recipe.attention
    if recipe.cache is not None and "cache" not in off:
        on["cache"] = recipe.cache.name
    if recipe.compile and "compile" not in off:
        on["compile"] = True
    return {"faster": on, "given_up": list(off)}


def networks(pipe: Any) -> list[Any]:
    """The networks that denoise: where the time goes."""
    names = ("transformer", "transformer_2", "unet")
    return [network for name in names if (network := getattr(pipe, name, None)) is not None]


def speed_up(pipe: Any, spec: ModelSpec, recipe: Recipe, device: Device) -> None:
    """Before the pipeline is moved to its device. Raises BadInput or Missing naming the option that cannot be had."""
    off = given_up(recipe, device)
    for network in networks(pipe):
        if recipe.attention != "native":
            _attend(network, spec, recipe.attention)
        if recipe.compile and "compile" not in off:
            _compile(network)
        if recipe.cache is not None and "cache" not in off:
            _skip(network, pipe, spec, recipe, recipe.cache)


@contextmanager
def running(pipe: Any, report: Report) -> Iterator[None]:
    """One run of a pipeline. What step caches keep begins empty, whatever became of the run before; ratios that were measured for
    MagCache are told to `report`."""
    cached = [network for network in networks(pipe) if getattr(network, "is_cache_enabled", False)]
    if not cached:
        yield
        return
    heard = _Ratios()
    with ExitStack() as during:
        for network in cached:
            network._reset_stateful_cache()
            # Some pipelines do not say which pass is which: those have but one.
            during.enter_context(network.cache_context("run"))
        during.enter_context(heard.listening())
        yield
    if heard.ratios:
        count = len(heard.ratios)
        report.record(mag_ratios=[round(sum(step) / count, 5) for step in zip(*heard.ratios, strict=False)])


_LEAVE = "Leave the option out, or take another."


def _attend(network: Any, spec: ModelSpec, way: str) -> None:
    from diffusers.models.attention_dispatch import attention_backend

    try:
        # Set for one network, it is set for all others of the process as well: until the end of this block.
        with attention_backend("native"):
            network.set_attention_backend(way)
    except RuntimeError as error:  # what it says names the version
        pip = PACKAGES.get(way, (way, way))[1]
        raise Missing(f"{option(spec, 'attention')}: {way} is too old here; `pip install --upgrade {pip}`") from error


def _compile(network: Any) -> None:
    """Block by block, beneath whatever hooks are laid over them later. For any size from the start: a kernel made for one size alone adds
    up in another order, and the bytes of a picture would depend on what was drawn before it."""
    import torch
    from torch.fx.experimental import _config as symbols

    # Nor may two sizes that happen to be equal be taken for one.
    symbols.use_duck_shape = False
    # Every model of a class counts as one more try to compile the same code.
    torch._dynamo.config.recompile_limit = max(TRIES, torch._dynamo.config.recompile_limit)
    for block in _blocks(network):
        block.forward = torch.compile(block.forward, dynamic=True)


def _blocks(network: Any) -> list[torch.nn.Module]:
    """The blocks that a network repeats: as its class names them, else all that stand in a row."""
    named = getattr(network, "_repeated_blocks", None)
    if named:
        return [module for module in network.modules() if type(module).__name__ in named]
    return _rows(network)


def _rows(network: Any) -> list[torch.nn.Module]:
    """The blocks that stand in a row: what goes into one is what came out of the one before."""
    import torch

    rows = [row for name, row in network.named_children() if isinstance(row, torch.nn.ModuleList) and _ROW.search(name)]
    return [block for row in rows for block in row]


def _compiler(device: Device) -> bool:
    """Whether there is one that PyTorch would find, with what it includes."""
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        return False
    if device.kind == "cuda":
        return find_spec("triton") is not None and any(map(shutil.which, (os.environ.get("CC", "cc"), "gcc", "clang")))
    return any(map(shutil.which, (os.environ.get("CXX", "c++"), "g++", "clang++")))


def _skip(network: Any, pipe: Any, spec: ModelSpec, recipe: Recipe, cache: StepCache) -> None:
    import diffusers

    try:
        settings = {**cache.settings, **_known(network, pipe, recipe, cache)}
        network.enable_cache(getattr(diffusers, f"{cache.name}Config")(**settings))
    except TypeError as error:
        raise BadInput(option(spec, "cache.settings"), f"these are not those of {cache.name}.", _SETTINGS) from error
    except (AttributeError, ValueError) as error:
        hint = "" if cache.name != "MagCache" or cache.settings.get("mag_ratios") else _RATIOS
        raise BadInput(
            option(spec, "cache"), f"{cache.name} cannot be used with {type(network).__name__}.", hint or _LEAVE
        ) from error


_SETTINGS = "Take the fields of the diffusers class of that name with Config at its end."
_RATIOS = "It wants `mag_ratios`, the model's own: run once with `calibrate: true` in the settings, and take them from the record."


def _known(network: Any, pipe: Any, recipe: Recipe, cache: StepCache) -> dict[str, Any]:
    """Settings of a cache that need not be said."""
    match cache.name:
        case "MagCache":
            return {"num_inference_steps": recipe.passes}
        case "TaylorSeerCache" if cache.settings.get("use_lite_mode"):
            # Its own patterns would leave the sound of a network that makes sound too to a block that was skipped.
            return {
                "use_lite_mode": False,
                "skip_predict_identifiers": [re.escape(name) for name in _names(network, _rows(network))],
                "cache_identifiers": ["(audio_)?proj_out"],
            }
        case "TaylorSeerCache":
            # Its own patterns know one name of attention, and skip nothing in most networks of clips.
            parts = [
                part for block in _blocks(network) for name, part in block.named_children() if _PARTS.fullmatch(name)
            ]
            return {"cache_identifiers": [re.escape(name) for name in _names(network, parts)]}
        case "PyramidAttentionBroadcast":
            return {"current_timestep_callback": lambda: int(pipe.current_timestep)}
        case _:
            return {}


def _names(network: Any, modules: Iterable[torch.nn.Module]) -> list[str]:
    """What modules of a network are called there."""
    meant = {id(module) for module in modules}
    return [name for name, module in network.named_modules() if id(module) in meant]


class _Ratios(logging.Handler):
    """Hears the ratios that MagCache measured, one list for each pass of a step."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.ratios: list[list[float]] = []

    def emit(self, record: logging.LogRecord) -> None:
        said, _, numbers = record.getMessage().partition(": ")
        if said == CALIBRATED:
            self.ratios.append(json.loads(numbers))

    @contextmanager
    def listening(self) -> Iterator[None]:
        log = logging.getLogger("diffusers.hooks.mag_cache")
        before = log.level
        log.addHandler(self)
        log.setLevel(logging.INFO)
        try:
            yield
        finally:
            log.setLevel(before)
            log.removeHandler(self)

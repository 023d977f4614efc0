"""Detail by a network: a picture is made several times as large, and brought back to its size.

What the network adds at the larger size is sharper than what was there; brought back, edges are clear and noise is gone at
the very size that was asked for. The picture is worked on in tiles, so that memory does not grow with it.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipelines.base import BadInput, Device, Kind, MemoryMode, MissingDependency, ModelSpec, Params, Report
from pipelines.models import weights
from pipelines.step_params import EnhanceParams

if TYPE_CHECKING:
    import torch

    from pipelines.image.ncnn_weights import NcnnLayer

TILE_MARGIN = 16
"""Pixels around a tile that are seen with it and cut off afterwards, so that no seam shows."""
TILE_SIZES = {"cuda": 512, "cpu": 192}
REDUCED_TILE_SIZE = 128
"""Side of a tile where memory ran out."""


class UpscaleOptions(BaseModel):
    """`options` in models.yaml: where the weights are when they come in a package."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    package: str = Field(
        "", description="Package that carries them in the form of ncnn; empty: `weights` of the model."
    )
    file: str = Field("", description="Their path in the package, without ending.")


class Upscaler:
    """Family for `enhance`: Real-ESRGAN. Weights: `model` (one safetensors file), or a package (see `Options`)."""

    name: ClassVar[str] = "esrgan-upscale"
    version: ClassVar[str] = "1"
    params: ClassVar[Mapping[Kind, type[Params]]] = {Kind.ENHANCE: EnhanceParams}
    memory_modes: ClassVar[tuple[MemoryMode, ...]] = (MemoryMode.VAE_TILING,)

    def __init__(self, network: Any, device: Device) -> None:
        import torch

        from pipelines.diffusion.loading import torch_device

        self._device = device
        self._torch_device = torch_device(device)
        self._dtype = torch.float16 if device.kind == "cuda" else torch.float32
        self._network: Any = network.eval().to(self._torch_device, self._dtype)
        self._tile = (
            REDUCED_TILE_SIZE
            if device.memory_mode >= MemoryMode.VAE_TILING
            else TILE_SIZES.get(device.kind, TILE_SIZES["cpu"])
        )

    @classmethod
    def load(cls, spec: ModelSpec, device: Device) -> Self:
        """Raises Missing where the weights are not here, BadInput for weights of another network."""
        from pipelines.image.esrgan import load_network

        try:
            options = UpscaleOptions.model_validate(dict(spec.options))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            raise BadInput(f"models.{spec.name}.options.{first['loc'][0]}", first["msg"]) from error
        read = _package_reader(spec, options) if options.package else _weights_reader(spec)
        try:
            made = load_network(read())
        except (KeyError, IndexError, ValueError, RuntimeError) as error:
            raise BadInput("weights", "these are not of a network of Real-ESRGAN.") from error
        return cls(made, device)

    def run(
        self,
        kind: Kind,
        params: Params,
        inputs: Mapping[str, Sequence[Path]],
        out: Path,
        report: Report,
        *,
        seed: int,
    ) -> Iterable[Path]:
        import numpy as np
        from PIL import Image

        from pipelines.media.images import flatten_alpha, open_image, png_bytes

        if not inputs.get("image"):
            raise BadInput("image", "there is no picture to enhance.")
        given = np.asarray(flatten_alpha(open_image(inputs["image"][0])))
        better = np.empty_like(given)
        spots = list(_tiles(given.shape[0], given.shape[1], self._tile))
        with _deterministic(self._device):
            for number, (y, x) in enumerate(spots):
                report.progress(number / len(spots), "finding detail")
                better[y, x] = self._enhance_tile(given, y, x)
        path = out / "image.png"
        path.write_bytes(png_bytes(Image.fromarray(better)))
        return [path]

    def close(self) -> None:
        self._network = None

    def _enhance_tile(self, given: Any, y: slice, x: slice) -> Any:
        """One tile of the picture, (height, width, 3) 8 bit, made larger and brought back."""
        import numpy as np
        import torch
        from torch.nn import functional

        height, width = given.shape[:2]
        top, left = max(0, y.start - TILE_MARGIN), max(0, x.start - TILE_MARGIN)
        seen = given[top : y.stop + TILE_MARGIN, left : x.stop + TILE_MARGIN]
        # Networks that fold the picture need sides that can be folded.
        odd = -seen.shape[0] % 4, -seen.shape[1] % 4
        whole = np.pad(seen, ((0, odd[0]), (0, odd[1]), (0, 0)), mode="edge")
        with torch.inference_mode():
            picture = torch.from_numpy(whole).to(self._torch_device).permute(2, 0, 1)[None].to(self._dtype) / 255
            large = self._network(picture).float()
            back = functional.interpolate(large, size=whole.shape[:2], mode="bicubic", antialias=True)
            pixels = (back[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
        down, right = min(y.stop, height) - top, min(x.stop, width) - left
        return pixels[y.start - top : down, x.start - left : right]


def _tiles(height: int, width: int, side: int) -> Iterator[tuple[slice, slice]]:
    for top in range(0, height, side):
        for left in range(0, width, side):
            yield slice(top, min(height, top + side)), slice(left, min(width, left + side))


@contextmanager
def _deterministic(device: Device) -> Iterator[None]:
    """The same numbers every time: on as many threads as are given, by kernels that sum in one order."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(max(1, device.threads))
    try:
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, benchmark=False):
            yield
    finally:
        torch.set_num_threads(threads)


def _weights_reader(spec: ModelSpec) -> Callable[[], dict[str, torch.Tensor]]:
    """How the verified file is read."""
    from safetensors.torch import load_file

    files = sorted(weights.verified_folder(spec).glob("*.safetensors"))
    if len(files) != 1:
        raise BadInput("weights", f"one safetensors file is expected, {len(files)} are there.")
    return lambda: dict(load_file(files[0]))


def _package_reader(spec: ModelSpec, options: UpscaleOptions) -> Callable[[], dict[str, torch.Tensor]]:
    """How the verified files in a package are read; the package is not imported: it would ask for a graphics driver."""
    from pipelines.image import ncnn_weights

    found = importlib.util.find_spec(options.package)
    folder = Path(next(iter((found.submodule_search_locations if found else None) or ("",))))
    param, numbers = (folder / f"{options.file}.{ending}" for ending in ("param", "bin"))
    if not numbers.is_file() or not param.is_file():
        raise MissingDependency(
            f"{options.package} with {options.file} is not installed; `{spec.install_command}` installs it"
        )
    if hashlib.sha256(param.read_bytes() + numbers.read_bytes()).hexdigest() != spec.revision.removeprefix("sha256:"):
        raise MissingDependency(
            f"{options.package} carries other weights than known; `{spec.install_command}` installs the right ones"
        )
    return lambda: _state_dict(ncnn_weights.read_layers(param, numbers))


def _state_dict(layers: Sequence[NcnnLayer]) -> dict[str, torch.Tensor]:
    """Layers in their order → parameters under the names of the published weights."""
    import torch

    if any(layer.bias is None for layer in layers):
        names = [f"body.{number}" for number in range(len(layers))]
    else:
        blocks = (len(layers) - 6) // 15
        dense = [f"body.{n}.rdb{d}.conv{c}" for n in range(blocks) for d in (1, 2, 3) for c in (1, 2, 3, 4, 5)]
        names = ["conv_first", *dense, "conv_body", "conv_up1", "conv_up2", "conv_hr", "conv_last"]
    state = {}
    for name, layer in zip(names, layers, strict=True):
        state[f"{name}.weight"] = torch.from_numpy(layer.weight)
        if layer.bias is not None:
            state[f"{name}.bias"] = torch.from_numpy(layer.bias)
    return state

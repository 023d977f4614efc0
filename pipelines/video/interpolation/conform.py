"""A clip of another rate than the film's, with the frames in between made instead of repeated.

Models make clips at the rate that they were taught (16 frames a second, 25 …). Shown at 24 by repeating the nearest frame, every
second or third picture stands still for a moment; here each frame of the film is the one between two of the clip's, at its time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self, cast

from pipelines.base import Device, Kind, ModelSpec, Params, Report
from pipelines.media.codec.encoding_options import EncodingOptions
from pipelines.step_params import ConformParams

if TYPE_CHECKING:
    from pipelines.media.codec.yuv import Planes
    from pipelines.media.timeline import SceneTiming
    from pipelines.video.interpolation.flow import FlowNetwork


class InterpolatingConformer:
    """Family for `conform`: as the conformer, with in-between frames where the clip's rate does not give the film's.

    Left as they are: clips made for their scene, clips of which every n-th frame is one of the film, clips whose frames are not evenly
    spaced, and within a clip two frames that do not show the same (a cut: the nearer one is shown)."""

    name: ClassVar[str] = "rife-conform"
    version: ClassVar[str] = "1"
    params: ClassVar[Mapping[Kind, type[Params]]] = {Kind.CONFORM: ConformParams}

    def __init__(self, motion: Callable[[], FlowNetwork], encoding: EncodingOptions) -> None:
        self._load_flow, self._encoding = motion, encoding
        self._flow: FlowNetwork | None = None

    @classmethod
    def load(cls, spec: ModelSpec, device: Device) -> Self:
        """The network waits until a clip needs it: many are cut by copying. Then it raises MissingDependency where its weights are not the known
        ones."""

        def motion() -> FlowNetwork:
            from pipelines.video.interpolation.flow import FlowNetwork

            return FlowNetwork.load(spec.revision, device)

        return cls(motion, EncodingOptions.from_options(spec.options))

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
        from pipelines.media.film.segment import write_segment

        def frames(
            path: Path,
            first: int,
            last: int,
            timing: SceneTiming,
            width: int,
            height: int,
            exact: bool,
            warn: Callable[[str], None],
        ) -> Iterator[Planes]:
            from pipelines.media.codec.frames import scene_frames
            from pipelines.video.interpolation.frame_rate import FrameRate

            rate = None if exact else FrameRate.from_clip(path)
            if rate is None or rate.covers_exactly(timing):
                return scene_frames(path, first, last, timing, width, height, exact, warn)
            report.record(inbetween=f"{rate.fps} → {timing.fps} frames a second")
            return rate.frames(path, range(first, last), timing, (width, height), self._flow_network(), warn)

        return [write_segment(cast(ConformParams, params), inputs, out, self._encoding, report, frames)]

    def close(self) -> None:
        self._flow = None

    def _flow_network(self) -> FlowNetwork:
        self._flow = self._flow or self._load_flow()
        return self._flow

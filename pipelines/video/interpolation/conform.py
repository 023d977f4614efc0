"""Conforming of clips with another frame rate than the film, by interpolated frames.

Models generate clips at their training rate (16 fps, 25 fps, …). At 24 fps, repeated frames make every second or third
frame of the film stutter. Here each frame of the film is interpolated between two frames of the clip at its exact time.
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
    """Family for `conform`: like `Conformer`, with interpolated frames for clips of another frame rate.

    No interpolation for clips that `Encoder` wrote for the scene, for clips whose rate is a multiple of the film's, and
    for clips with unevenly spaced frames. Between two frames that show different things (a cut), the nearer frame is
    used.
    """

    name: ClassVar[str] = "rife-conform"
    version: ClassVar[str] = "1"
    params: ClassVar[Mapping[Kind, type[Params]]] = {Kind.CONFORM: ConformParams}

    def __init__(self, load_flow: Callable[[], FlowNetwork], encoding: EncodingOptions) -> None:
        self._load_flow, self._encoding = load_flow, encoding
        self._flow: FlowNetwork | None = None

    @classmethod
    def load(cls, spec: ModelSpec, device: Device) -> Self:
        """Create the family without its network; the first clip that needs interpolation loads it.

        That raises MissingDependency when the weights are missing or differ from `spec.revision`.
        """

        def load_flow() -> FlowNetwork:
            from pipelines.video.interpolation.flow import FlowNetwork

            return FlowNetwork.load(spec.revision, device)

        return cls(load_flow, EncodingOptions.from_options(spec.options))

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
            report.record(inbetween=f"{rate.fps} → {timing.fps} fps")
            return rate.frames(path, range(first, last), timing, (width, height), self._flow_network(), warn)

        return [write_segment(cast(ConformParams, params), inputs, out, self._encoding, report, frames)]

    def close(self) -> None:
        self._flow = None

    def _flow_network(self) -> FlowNetwork:
        self._flow = self._flow or self._load_flow()
        return self._flow

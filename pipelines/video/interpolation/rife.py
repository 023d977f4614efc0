"""In-between frames for a cut between two pictures of the same place: the room moves, what changed in it fades."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self, cast

from pipelines.base import Device, Kind, ModelSpec, Params, Report
from pipelines.media.codec.encoding_options import EncodingOptions
from pipelines.step_params import TransitionParams

if TYPE_CHECKING:
    from pipelines.media.codec.encoding_options import EncodingOptions
    from pipelines.media.codec.yuv import Planes
    from pipelines.video.interpolation.flow import FlowNetwork
    from pipelines.video.interpolation.warp import Floats


class Rife:
    """Family for `transition`: the transition `match` as in-between frames where both pictures show the same place, as the blend that
    bears its name where they do not; every other transition as its blend."""

    name: ClassVar[str] = "rife"
    version: ClassVar[str] = "1"
    params: ClassVar[Mapping[Kind, type[Params]]] = {Kind.TRANSITION: TransitionParams}

    def __init__(self, motion: FlowNetwork, encoding: EncodingOptions) -> None:
        self._flow, self._encoding = motion, encoding

    @classmethod
    def load(cls, spec: ModelSpec, device: Device) -> Self:
        """Raises MissingDependency when the package is absent or carries other weights than `spec.revision` names."""
        from pipelines.media.codec.encoding_options import EncodingOptions
        from pipelines.video.interpolation.flow import FlowNetwork

        return cls(FlowNetwork.load(spec.revision, device), EncodingOptions.from_options(spec.options))

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

        from pipelines.media.transitions.blends import BLENDS
        from pipelines.media.transitions.overlap import write_transition

        cv2.setNumThreads(1)  # steps run side by side, one on each core
        asked = cast(TransitionParams, params)
        blend = self.blend(report) if asked.transition == "match" else BLENDS[asked.transition]
        return [write_transition(blend, asked, inputs, out, self._encoding, report)]

    def blend(self, report: Report) -> InterpolatedBlend:
        """The blend of one transition `match`."""
        return InterpolatedBlend(self._flow, report)

    def close(self) -> None:
        self._flow.close()


class InterpolatedBlend:
    """A blend that is chosen at its first pair of frames: in between, where they show the same place."""

    def __init__(self, motion: FlowNetwork, report: Report) -> None:
        self._flow, self._report = motion, report
        self._interpolated: bool | None = None

    def __call__(self, before: Planes, after: Planes, u: float) -> Planes:
        from pipelines.media.transitions import blends
        from pipelines.video.interpolation import warp

        small = warp.downscale(before), warp.downscale(after)
        if self._interpolated is None:
            self._interpolated = self._is_same_scene(*small)
        self._report.progress(u)
        if not self._interpolated:
            return blends.match(before, after, u)
        come = u * u * (3 - 2 * u)
        flow, mask = self._flow(*small, come)
        return warp.interpolate((before, after), small, flow, mask, come)

    def _is_same_scene(self, before: Floats, after: Floats) -> bool:
        from pipelines.video.interpolation import warp

        flow, _ = self._flow(before, after, 0.5)
        found = warp.similarity(before, after, flow)
        fits = found >= warp.MIN_SIMILARITY
        self._report.record(alike=round(found, 2), bridge="in-between frames" if fits else "zoom and dissolve")
        if not fits:
            self._report.warn(
                f"the pictures before and after the cut do not match ({found:.0%} is found in both): they zoom and dissolve"
            )
        return fits

"""Transitions by interpolated frames between two clips of the same place: the scenery moves, changed objects fade."""

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
    """Family for `transition`: interpolated frames for `match`, blends for the other transitions.

    `match` falls back to its blend when the two clips do not show the same place.
    """

    name: ClassVar[str] = "rife"
    version: ClassVar[str] = "1"
    params: ClassVar[Mapping[Kind, type[Params]]] = {Kind.TRANSITION: TransitionParams}

    def __init__(self, flow: FlowNetwork, encoding: EncodingOptions) -> None:
        self._flow, self._encoding = flow, encoding

    @classmethod
    def load(cls, spec: ModelSpec, device: Device) -> Self:
        """Load the network. Raises MissingDependency when its weights are missing or differ from `spec.revision`."""
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

        cv2.setNumThreads(1)  # the engine runs one step per core
        transition = cast(TransitionParams, params)
        blend = self.blend(report) if transition.transition == "match" else BLENDS[transition.transition]
        return [write_transition(blend, transition, inputs, out, self._encoding, report)]

    def blend(self, report: Report) -> InterpolatedBlend:
        """Return the blend for one transition `match`."""
        return InterpolatedBlend(self._flow, report)

    def close(self) -> None:
        self._flow.close()


class InterpolatedBlend:
    """A blend that interpolates when its first pair of frames shows the same place, and else falls back to `match`."""

    def __init__(self, flow: FlowNetwork, report: Report) -> None:
        self._flow, self._report = flow, report
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
        progress = u * u * (3 - 2 * u)
        flow, mask = self._flow(*small, progress)
        return warp.interpolate((before, after), small, flow, mask, progress)

    def _is_same_scene(self, before: Floats, after: Floats) -> bool:
        from pipelines.video.interpolation import warp

        flow, _ = self._flow(before, after, 0.5)
        similarity = warp.similarity(before, after, flow)
        is_same = similarity >= warp.MIN_SIMILARITY
        method = "interpolation" if is_same else "zoom and dissolve"
        self._report.record(similarity=round(similarity, 2), transition=method)
        if not is_same:
            self._report.warn(
                f"the frames before and after the cut do not match (similarity {similarity:.0%}): "
                "zoom and dissolve instead"
            )
        return is_same

"""Clips of a still image without a camera move."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self, cast

from pipelines.base import Device, Kind, ModelSpec, Params, Report
from pipelines.media.codec.encoding_options import EncodingOptions
from pipelines.step_params import AnimateParams
from pipelines.video.animatic.move_parser import CameraMove


class Still:
    """Family for `animate`: a static clip. It ignores the camera text of the scene."""

    name: ClassVar[str] = "still"
    version: ClassVar[str] = "3"
    params: ClassVar[Mapping[Kind, type[Params]]] = {Kind.ANIMATE: AnimateParams}

    def __init__(self, encoding: EncodingOptions) -> None:
        self._encoding = encoding

    @classmethod
    def load(cls, spec: ModelSpec, device: Device) -> Self:
        return cls(EncodingOptions.from_options(spec.options))

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
        from pipelines.video.animatic.clip_writer import write_clip

        flat = {"keyframe": inputs["keyframe"], "timing": inputs["timing"]}  # layers have no effect without a move
        return [write_clip(CameraMove(), cast(AnimateParams, params), flat, out, self._encoding, report, seed)]

    def close(self) -> None:
        """Do nothing: the family holds no resources."""

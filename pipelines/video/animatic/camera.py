"""A camera that moves over a drawn picture: through its layers where the picture has them, across it where it is flat."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self, cast

from pipelines.base import Device, Kind, ModelSpec, Params, Report
from pipelines.media.codec.encoding_options import EncodingOptions
from pipelines.step_params import AnimateParams
from pipelines.video.animatic.move_parser import parse_move


class Camera:
    """Family for `animate`: pan, tilt, zoom, track, crane, orbit, handheld, by the words of the scene."""

    name: ClassVar[str] = "camera"
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

        asked = cast(AnimateParams, params)
        return [write_clip(parse_move(asked.camera, seed), asked, inputs, out, self._encoding, report, seed)]

    def close(self) -> None:
        """Nothing is held."""

"""Conforming of a clip: it becomes the segment of the film between the transitions of its scene.

A clip that `Encoder` wrote for the scene is cut without encoding it again. Every other clip (from a model, from a user,
or with burned-in subtitles) is decoded, fitted and encoded with the options of the film.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self, cast

from pipelines.base import Device, Kind, ModelSpec, Params, Report
from pipelines.media.codec.encoding_options import EncodingOptions
from pipelines.step_params import ConformParams


class Conformer:
    """Family for `conform`. Options: `preset` and `crf`; all families that write segments must have the same."""

    name: ClassVar[str] = "conform"
    version: ClassVar[str] = "1"
    params: ClassVar[Mapping[Kind, type[Params]]] = {Kind.CONFORM: ConformParams}

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
        from pipelines.media.film.segment import write_segment

        return [write_segment(cast(ConformParams, params), inputs, out, self._encoding, report)]

    def close(self) -> None:
        """Do nothing: the family holds no resources."""

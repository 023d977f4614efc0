"""Any clip → the part of the film that belongs to its scene alone.

A clip that the house's own encoder made for this very scene is cut by copying, bit for bit. Every other clip (a model's, a
user's, one that gets subtitles drawn in) is decoded, made to fit, and coded like every other part.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self, cast

from pipelines.base import Device, Kind, ModelSpec, Params, Report
from pipelines.media.codec.encoding_options import EncodingOptions
from pipelines.step_params import ConformParams


class Conformer:
    """Family for `conform`. Options: `preset` and `crf`, the same as of everything that makes parts of the film."""

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
        """Nothing is held."""

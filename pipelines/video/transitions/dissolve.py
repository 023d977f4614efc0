"""Transitions that blend the tail of one clip with the head of the next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self, cast

from pipelines.base import Device, Kind, ModelSpec, Params, Report
from pipelines.media.codec.encoding_options import EncodingOptions
from pipelines.step_params import TransitionParams


class BlendTransition:
    """Family for `transition`: dissolve, dip to black, wipe, match."""

    name: ClassVar[str] = "dissolve"
    version: ClassVar[str] = "1"
    params: ClassVar[Mapping[Kind, type[Params]]] = {Kind.TRANSITION: TransitionParams}

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
        import cv2

        from pipelines.media.transitions.blends import BLENDS
        from pipelines.media.transitions.overlap import write_transition

        cv2.setNumThreads(1)  # the engine runs one step per core
        transition = cast(TransitionParams, params)
        return [write_transition(BLENDS[transition.transition], transition, inputs, out, self._encoding, report)]

    def close(self) -> None:
        """Do nothing: the family holds no resources."""

"""The mix of all audio of a film into one track, as WAV and as AAC."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self

from pipelines.base import Device, Kind, ModelSpec, Params, Report
from pipelines.step_params import MixParams


class Mixer:
    """Family for `mix`. It works in blocks, so that memory does not grow with the film. Output is deterministic."""

    name: ClassVar[str] = "mix"
    version: ClassVar[str] = "2"
    params: ClassVar[Mapping[Kind, type[Params]]] = {Kind.MIX: MixParams}

    @classmethod
    def load(cls, spec: ModelSpec, device: Device) -> Self:
        return cls()

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
        from pipelines.media.audio.aac import write_aac
        from pipelines.media.audio.mixdown import mixdown

        assert isinstance(params, MixParams)
        mixed, encoded = mixdown(params, inputs, out, report), out / "sound.m4a"
        write_aac(mixed, encoded)
        return [mixed, encoded]

    def close(self) -> None:
        """Do nothing: the family holds no resources."""

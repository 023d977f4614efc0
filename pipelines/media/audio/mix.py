"""All sound of a film → one track as long as the film, as it was mixed and as the film carries it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self

from pipelines.base import Device, Kind, ModelSpec, Params, Report
from pipelines.step_params import MixParams


class Mixer:
    """Mixes in blocks: memory does not grow with the film. The same inputs give the same bytes."""

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
        sound, coded = mixdown(params, inputs, out, report), out / "sound.m4a"
        write_aac(sound, coded)
        return [sound, coded]

    def close(self) -> None:
        """Nothing is held."""

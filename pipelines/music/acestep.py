"""The family `AceStep`: a score composed from words by diffusion, as diffusers runs ACE-Step 1.5."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import Field

from pipelines.base import Device, Economy, Kind, ModelSpec, Params, Report
from pipelines.diffusion.options import Recipe
from pipelines.step_params import ScoreParams

if TYPE_CHECKING:
    from pipelines.music.beats import Stereo

_SHORTEST = 10.0  # seconds; the model knows no shorter music
_SPARE = 12.0  # seconds more than its share of the film that a piece gets, for the bars in which two pieces blend
_INSTRUMENTAL = "[Instrumental]"


class AceStepOptions(Recipe):
    """Those of the recipe, and: `steps` of denoising, `guidance` (1: none, as distilled checkpoints want it), `shift` of the time
    steps, `longest` piece in seconds: a longer film gets several, joined on the beat."""

    quantizable: tuple[str, ...] = ("transformer", "text_encoder")
    steps: int = Field(8, ge=1, le=200)
    guidance: float = Field(1.0, ge=1, le=20)
    shift: float = Field(3.0, gt=0, le=5)
    longest: float = Field(240.0, ge=_SHORTEST, le=600)


class AceStep:
    """A score from words in one go, 48 kHz stereo."""

    name: ClassVar[str] = "ace-step"
    version: ClassVar[str] = "1"
    params: ClassVar[Mapping[Kind, type[Params]]] = {Kind.SCORE: ScoreParams}
    economies: ClassVar[tuple[Economy, ...]] = (Economy.GROUPS, Economy.TILES, Economy.LEAVES, Economy.QUANTIZED)

    def __init__(self, pipe: Any, spec: ModelSpec, options: AceStepOptions, device: Device) -> None:
        self._pipe, self._spec, self._options, self._device = pipe, spec, options, device

    @classmethod
    def load(cls, spec: ModelSpec, device: Device) -> Self:
        from diffusers import AceStepPipeline

        from pipelines.diffusion.acceleration import possible
        from pipelines.diffusion.loading import load_pipeline

        options = AceStepOptions.of(spec)
        possible(spec, options, device)
        return cls(load_pipeline(AceStepPipeline, spec, options, device), spec, options, device)

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
        from pipelines.diffusion.acceleration import facts
        from pipelines.diffusion.determinism import torch_room
        from pipelines.music.arrangement import RATE, arrange
        from pipelines.music.mastering import ended, film_samples, write
        from pipelines.music.prompt import described

        assert isinstance(params, ScoreParams)
        length = film_samples(inputs)
        prompt = described(params)
        each, count = _pieces(length / RATE, self._options.longest)
        made: dict[str, Stereo] = {}

        def piece(name: str) -> Stereo:
            if name not in made:
                number = len(made)
                made[name] = self._play(prompt, each, seed + number, report, number / count, (number + 1) / count)
            return made[name]

        names = [f"piece {number + 1}" for number in range(count)]
        path = out / "music.wav"
        with torch_room(self._device.threads, seed):
            write(ended([piece(names[0])], length) if count == 1 else arrange(names, piece, length), path)
        report.progress(1.0, "music composed")
        report.record(composed_by=self._spec.name, prompt=prompt, pieces=len(made), licence=self._spec.licence)
        report.record(**facts(self._options, self._device))
        return [path]

    def close(self) -> None:
        self._pipe = None

    def _play(self, prompt: str, seconds: float, seed: int, report: Report, begin: float, end: float) -> Stereo:
        """One piece at the house's level."""
        import numpy as np

        from pipelines.diffusion.callbacks import dice, told
        from pipelines.music.mastering import finished

        options = self._options
        made = self._pipe(
            prompt=prompt,
            lyrics=_INSTRUMENTAL,
            audio_duration=float(max(_SHORTEST, seconds)),
            num_inference_steps=options.steps,
            guidance_scale=options.guidance,
            shift=options.shift,
            generator=dice(seed),
            callback_on_step_end=told(report, options.steps, "composing music", begin, end),
        ).audios
        return finished(np.ascontiguousarray(made[0].float().cpu().numpy().T), int(self._pipe.sample_rate))


def _pieces(seconds: float, longest: float) -> tuple[float, int]:
    """How long each piece is, and how many there are at most."""
    if seconds <= longest:
        return math.ceil(seconds), 1
    count = math.ceil(seconds / (longest - _SPARE)) if longest > 2 * _SPARE else math.ceil(seconds / longest)
    return min(longest, math.ceil(seconds / count + _SPARE)), count

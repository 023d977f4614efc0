"""Family `AceStep`: a score from a text prompt by diffusion, with the ACE-Step 1.5 pipeline of diffusers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import Field

from pipelines.base import Device, Kind, MemoryMode, ModelSpec, Params, Report
from pipelines.diffusion.options import PipelineOptions
from pipelines.step_params import ScoreParams

if TYPE_CHECKING:
    from pipelines.music.beats import Stereo

_MIN_SECONDS = 10.0  # shortest duration in seconds that the model supports
_BLEND_MARGIN_SECONDS = 12.0  # extra seconds of each piece, for the bars of its crossfade
_INSTRUMENTAL = "[Instrumental]"


class AceStepOptions(PipelineOptions):
    """Options of `PipelineOptions`, and those of ACE-Step.

    `steps`: denoising steps. `guidance`: classifier-free guidance scale (1: none, for distilled checkpoints). `shift`:
    of the timestep schedule. `max_piece_seconds`: a longer film gets several pieces, joined on the beat.
    """

    quantizable: tuple[str, ...] = ("transformer", "text_encoder")
    steps: int = Field(8, ge=1, le=200)
    guidance: float = Field(1.0, ge=1, le=20)
    shift: float = Field(3.0, gt=0, le=5)
    max_piece_seconds: float = Field(240.0, ge=_MIN_SECONDS, le=600)


class AceStep:
    """Score from a text prompt in one diffusion pass per piece: 48 kHz stereo."""

    name: ClassVar[str] = "ace-step"
    version: ClassVar[str] = "1"
    params: ClassVar[Mapping[Kind, type[Params]]] = {Kind.SCORE: ScoreParams}
    memory_modes: ClassVar[tuple[MemoryMode, ...]] = (
        MemoryMode.GROUP_OFFLOAD,
        MemoryMode.VAE_TILING,
        MemoryMode.LEAF_OFFLOAD,
        MemoryMode.INT8,
    )

    def __init__(self, pipe: Any, spec: ModelSpec, options: AceStepOptions, device: Device) -> None:
        self._pipe, self._spec, self._options, self._device = pipe, spec, options, device

    @classmethod
    def load(cls, spec: ModelSpec, device: Device) -> Self:
        from diffusers import AceStepPipeline

        from pipelines.diffusion.acceleration import check_supported
        from pipelines.diffusion.loading import load_pipeline

        options = AceStepOptions.from_spec(spec)
        check_supported(spec, options, device)
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
        from pipelines.diffusion.acceleration import acceleration_record
        from pipelines.diffusion.determinism import deterministic_torch
        from pipelines.music.arrangement import RATE, arrange_tracks
        from pipelines.music.mastering import film_length_samples, fit_to_length, write_wav
        from pipelines.music.prompt import build_prompt

        assert isinstance(params, ScoreParams)
        length = film_length_samples(inputs)
        prompt = build_prompt(params)
        each, count = _split_pieces(length / RATE, self._options.max_piece_seconds)
        pieces: dict[str, Stereo] = {}

        def piece(name: str) -> Stereo:
            if name not in pieces:
                number = len(pieces)
                pieces[name] = self._generate_piece(
                    prompt, each, seed + number, report, number / count, (number + 1) / count
                )
            return pieces[name]

        names = [f"piece {number + 1}" for number in range(count)]
        path = out / "music.wav"
        with deterministic_torch(self._device.threads, seed):
            write_wav(
                fit_to_length([piece(names[0])], length) if count == 1 else arrange_tracks(names, piece, length), path
            )
        report.progress(1.0, "music composed")
        report.record(composed_by=self._spec.name, prompt=prompt, pieces=len(pieces), licence=self._spec.licence)
        report.record(**acceleration_record(self._options, self._device))
        return [path]

    def close(self) -> None:
        self._pipe = None

    def _generate_piece(
        self, prompt: str, seconds: float, seed: int, report: Report, begin: float, end: float
    ) -> Stereo:
        """Return one mastered piece, float32 of shape (samples, 2) at 48 kHz."""
        import numpy as np

        from pipelines.diffusion.callbacks import generator, step_callback
        from pipelines.music.mastering import master

        options = self._options
        audio = self._pipe(
            prompt=prompt,
            lyrics=_INSTRUMENTAL,
            audio_duration=float(max(_MIN_SECONDS, seconds)),
            num_inference_steps=options.steps,
            guidance_scale=options.guidance,
            shift=options.shift,
            generator=generator(seed),
            callback_on_step_end=step_callback(report, options.steps, "composing music", begin, end),
        ).audios
        return master(np.ascontiguousarray(audio[0].float().cpu().numpy().T), int(self._pipe.sample_rate))


def _split_pieces(seconds: float, max_seconds: float) -> tuple[float, int]:
    """Return the length of each piece in seconds and the maximum number of pieces."""
    if seconds <= max_seconds:
        return math.ceil(seconds), 1
    count = (
        math.ceil(seconds / (max_seconds - _BLEND_MARGIN_SECONDS))
        if max_seconds > 2 * _BLEND_MARGIN_SECONDS
        else math.ceil(seconds / max_seconds)
    )
    return min(max_seconds, math.ceil(seconds / count + _BLEND_MARGIN_SECONDS)), count

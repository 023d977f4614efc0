"""Family `MusicGen`: a score from a text prompt by an autoregressive audio model of transformers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipelines.base import BadInput, Device, Kind, MemoryMode, ModelSpec, Params, Report
from pipelines.step_params import ScoreParams

if TYPE_CHECKING:
    from pipelines.music.beats import Stereo

_CROSSFADE_SECONDS = 1.0
"""Seconds of crossfade between the played audio and the model's codec reconstruction of it."""


class MusicGenOptions(BaseModel):
    """Options of MusicGen.

    `window`: seconds per generation (the model was trained on 30). A longer film continues from the last
    `context_seconds` of audio. `guidance`: classifier-free guidance scale. `temperature`, `top_k`: sampling parameters.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    window: float = Field(30.0, gt=0, le=30)
    context_seconds: float = Field(10.0, gt=0)
    guidance: float = Field(3.0, ge=1, le=10)
    temperature: float = Field(1.0, gt=0, le=2)
    top_k: int = Field(250, ge=0)


class MusicGen:
    """Score from a text prompt, of any length, in stereo.

    Copet et al.: Simple and Controllable Music Generation (2023); longer pieces by continuation, as described there.
    """

    name: ClassVar[str] = "musicgen"
    version: ClassVar[str] = "1"
    params: ClassVar[Mapping[Kind, type[Params]]] = {Kind.SCORE: ScoreParams}
    memory_modes: ClassVar[tuple[MemoryMode, ...]] = (MemoryMode.LEAF_OFFLOAD,)

    def __init__(self, model: Any, tokenizer: Any, spec: ModelSpec, options: MusicGenOptions, device: Device) -> None:
        self._model, self._tokenizer = model, tokenizer
        self._spec, self._options, self._device = spec, options, device
        self.rate = int(model.config.audio_encoder.sampling_rate)
        self._frame_rate = float(model.config.audio_encoder.frame_rate)

    @classmethod
    def load(cls, spec: ModelSpec, device: Device) -> Self:
        import torch
        from transformers import AutoTokenizer, MusicgenForConditionalGeneration

        from pipelines.diffusion.loading import torch_device
        from pipelines.models.weights import verified_folder

        options = _parse_options(spec)
        model_folder = verified_folder(spec)
        model = MusicgenForConditionalGeneration.from_pretrained(
            model_folder,
            dtype=torch.float32 if device.kind == "cpu" else torch.float16,
            local_files_only=True,
            use_safetensors=True,
        ).eval()
        if device.memory_mode >= MemoryMode.LEAF_OFFLOAD:
            from accelerate import cpu_offload

            cpu_offload(model, torch_device(device))
        else:
            model.to(torch_device(device))
        return cls(model, AutoTokenizer.from_pretrained(model_folder, local_files_only=True), spec, options, device)

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
        from pipelines.diffusion.determinism import deterministic_torch
        from pipelines.music.arrangement import RATE
        from pipelines.music.mastering import film_length_samples, fit_to_length, master, write_wav
        from pipelines.music.prompt import build_prompt

        assert isinstance(params, ScoreParams)
        length = film_length_samples(inputs)
        prompt = build_prompt(params)
        with deterministic_torch(self._device.threads, seed):
            music = self._compose(prompt, length / RATE, report)
        path = out / "music.wav"
        write_wav(fit_to_length([master(music, self.rate)], length), path)
        report.record(composed_by=self._spec.name, prompt=prompt, licence=self._spec.licence)
        return [path]

    def close(self) -> None:
        self._model = self._tokenizer = None

    def _compose(self, prompt: str, seconds: float, report: Report) -> Stereo:
        """Generate at least `seconds` of music, window by window; each window continues the end of the previous one."""
        import numpy as np

        wanted = round(seconds * self.rate)
        context_seconds = min(self._options.context_seconds, self._options.window * 0.75)
        context_samples = round(context_seconds * self.rate)
        music = np.zeros((0, 1), np.float32)

        def report_progress(more: float) -> None:
            report.progress(min(1.0, (len(music) + more * self.rate) / max(1, wanted)), "composing music")

        music = self._generate_window(prompt, min(seconds, self._options.window), None, report_progress)
        while len(music) < wanted:
            tail = music[-context_samples:]
            more = min((wanted - len(music)) / self.rate, self._options.window - context_seconds)
            played = self._generate_window(prompt, more, tail, report_progress)
            if len(played) <= len(tail):
                raise RuntimeError("the model generated no further audio")
            # The output starts with the prompt audio, slightly changed by the codec.
            blend = min(len(tail), round(_CROSSFADE_SECONDS * self.rate))
            angle = np.linspace(0.0, np.pi / 2, blend, dtype=np.float32)[:, None]
            joined = music[-blend:] * np.cos(angle) ** 2 + played[len(tail) - blend : len(tail)] * np.sin(angle) ** 2
            music = np.concatenate([music[:-blend], joined, played[len(tail) :]]).astype(np.float32)
        report.progress(1.0, "music composed")
        return music

    def _generate_window(
        self, prompt: str, seconds: float, prompt_audio: Stereo | None, on_progress: Callable[[float], None]
    ) -> Stereo:
        """Generate about `seconds` of audio after `prompt_audio` (if any).

        The result is float32 of shape (samples, channels) and includes `prompt_audio`. `on_progress` receives the
        number of generated seconds.
        """
        import math

        import numpy as np
        import torch
        from transformers import StoppingCriteriaList

        model_inputs = dict(self._tokenizer([prompt], return_tensors="pt", truncation=True, max_length=256))
        device = (
            torch.device("cpu") if self._device.kind == "cpu" else torch.device(self._device.kind, self._device.index)
        )
        model_inputs = {name: tensor.to(device) for name, tensor in model_inputs.items()}
        if prompt_audio is not None:
            model_inputs["input_values"] = torch.from_numpy(np.ascontiguousarray(prompt_audio.T)[None]).to(
                device, self._model.dtype
            )
        options = self._options
        prompt_lengths: list[int] = []

        def watch(ids: Any, scores: Any, **_: Any) -> Any:
            # A stopping criterion is called after each frame: this one reports progress and never stops.
            prompt_lengths.append(ids.shape[-1])
            if (done := ids.shape[-1] - prompt_lengths[0]) % round(self._frame_rate) == 0:
                on_progress(min(seconds, done / self._frame_rate))
            return torch.zeros(ids.shape[0], dtype=torch.bool, device=ids.device)

        # Codebooks are delayed by one frame each: the last one completes that many frames later.
        frames = math.ceil(seconds * self._frame_rate) + self._model.decoder.num_codebooks
        audio = self._model.generate(
            **model_inputs,
            do_sample=True,
            guidance_scale=options.guidance,
            temperature=options.temperature,
            top_k=options.top_k,
            max_new_tokens=frames,
            stopping_criteria=StoppingCriteriaList([watch]),
        )
        return np.ascontiguousarray(audio[0].float().cpu().numpy().T)


def _parse_options(spec: ModelSpec) -> MusicGenOptions:
    try:
        return MusicGenOptions.model_validate(dict(spec.options))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise BadInput(f"models.{spec.name}.options.{'.'.join(map(str, first['loc']))}", first["msg"]) from error

"""Family `Vits`: VITS voices of transformers (MMS-TTS and others), one set of weights per language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import Field

from pipelines.base import BadInput, Device, Kind, ModelSpec, Params, Report
from pipelines.speech.voices import VoiceSettings, get_voice_settings, load_voice_settings
from pipelines.step_params import Language, NarrateParams

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipelines.speech.audio.samples import Samples
    from pipelines.speech.narrate import SpeechAudio
    from pipelines.speech.text.tokenize import Word
    from pipelines.speech.vits_tokenizer import WordTokenizer

_MAX_TOKENS = 400
_PITCH_SHIFT_LIMITS = (0.65, 1.7)  # range of the pitch factor in which a voice sounds natural
_PITCH_TEST_TEXTS: Mapping[Language, str] = {
    "Arabic": "نظر الثعلب الصغير إلى القمر طويلا", "English": "the small fox looked at the moon for a long time",
    "French": "le petit renard a longtemps regardé la lune", "German": "der kleine fuchs sah lange den mond an",
    "Hindi": "छोटी लोमड़ी ने देर तक चाँद को देखा", "Korean": "작은 여우는 오랫동안 달을 바라보았다",
    "Spanish": "el pequeño zorro miró la luna mucho tiempo", "Turkish": "küçük tilki uzun süre aya baktı",
}  # fmt: skip
"""Sentences for measuring the pitch of a voice."""


class VitsVoiceSettings(VoiceSettings):
    """Narrator of VITS.

    `speaker` is a speaker of a multi-speaker model. `pitch_hz` is the target pitch of a single-speaker model: the
    family measures the voice and shifts it (in addition to `pitch`).
    """

    speaker: int | None = Field(None, ge=0)
    pitch_hz: float | None = Field(None, ge=60, le=350)


class Vits:
    """Narration by VITS. Word times come from the predicted duration of each letter or phoneme.

    Kim, Kong, Son: Conditional Variational Autoencoder with Adversarial Learning for End-to-End Text-to-Speech (2021).
    """

    name: ClassVar[str] = "vits"
    version: ClassVar[str] = "1"
    params: ClassVar[Mapping[Kind, type[Params]]] = {Kind.NARRATE: NarrateParams}

    def __init__(self, spec: ModelSpec, device: Device, narrators: Mapping[str, VitsVoiceSettings]) -> None:
        self._spec, self._device, self._narrators = spec, device, narrators
        self._languages: dict[Language, VitsLanguage] = {}

    @classmethod
    def load(cls, spec: ModelSpec, device: Device) -> Self:
        """Create the family. The weights of a language are loaded on first use."""
        return cls(spec, device, load_voice_settings(spec.options, VitsVoiceSettings))

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
        from pipelines.speech.narrate import narrate

        assert isinstance(params, NarrateParams)
        settings = get_voice_settings(self._narrators, params.narrator)
        voice = VitsVoice(self._load_language(params.language), settings, seed)
        report.record(narrator=params.narrator, voice=f"{self._spec.name}, {params.language}", language=params.language)
        return narrate(params, voice, out, report)

    def close(self) -> None:
        self._languages = {}

    def _load_language(self, language: Language) -> VitsLanguage:
        if language not in self._spec.weights:
            known = ", ".join(self._spec.weights)
            raise BadInput("language", f"{self._spec.name} does not speak {language}.", f"It speaks {known}.")
        if language not in self._languages:
            self._languages[language] = VitsLanguage.load(self._spec, language, self._device)
        return self._languages[language]


class VitsLanguage:
    """Loaded model of one language."""

    def __init__(self, model: Any, tokenizer: WordTokenizer, language: Language, threads: int) -> None:
        self.tokenizer, self.rate = tokenizer, int(model.config.sampling_rate)
        self._model, self._language, self._threads = model, language, threads
        self._pitch_hz: float | None = None

    @classmethod
    def load(cls, spec: ModelSpec, language: Language, device: Device) -> Self:
        from transformers import VitsModel, VitsTokenizer

        from pipelines.diffusion.loading import torch_device
        from pipelines.models.weights import verified_folder
        from pipelines.speech.vits_tokenizer import WordTokenizer

        model_folder = verified_folder(spec, language)
        # float32: half precision drives the splines of the duration predictor out of range, and saves little at
        # 36 million parameters.
        model = VitsModel.from_pretrained(model_folder, local_files_only=True, use_safetensors=True)
        tokenizer = VitsTokenizer.from_pretrained(model_folder, local_files_only=True)
        return cls(model.to(torch_device(device)).eval(), WordTokenizer(tokenizer), language, device.threads)

    @property
    def pitch_hz(self) -> float | None:
        """Return the pitch of the unchanged voice in hertz, or None."""
        from pipelines.speech.audio.pitch import estimate_pitch
        from pipelines.speech.audio.samples import normalize_level
        from pipelines.speech.text.tokenize import split_words

        if self._pitch_hz is None:
            ids = [
                one
                for word in self.tokenizer.tokenize(split_words(_PITCH_TEST_TEXTS[self._language]), self._language)
                for one in word.ids
            ]
            samples, _ = self.infer(ids, speed=1.0, speaker=None, seed=0)
            self._pitch_hz = estimate_pitch(normalize_level(samples), self.rate) or 0.0
        return self._pitch_hz or None

    def infer(
        self, ids: Sequence[int], *, speed: float, speaker: int | None, seed: int
    ) -> tuple[Samples, NDArray[Any]]:
        """Return the audio of `ids` and the durations of the tokens (`pipelines.speech.timed.InferFunction`)."""
        import numpy as np
        import torch

        from pipelines.diffusion.determinism import deterministic_torch

        padded = self.tokenizer.add_blanks(ids)
        log_durations: list[Any] = []
        hook = self._model.duration_predictor.register_forward_hook(
            lambda module, given, made: log_durations.append(made)
        )
        try:
            with deterministic_torch(self._threads, seed):
                made = self._model(
                    torch.tensor([padded], device=self._model.device), speaker_id=speaker, speaking_rate=speed
                )
                # VitsModel.forward rounds the predicted durations up in the same way.
                frames = torch.ceil(torch.exp(log_durations[0]) / speed)
        finally:
            hook.remove()
        samples = made.waveform[0].float().cpu().numpy()
        return np.asarray(samples, np.float32), self.tokenizer.merge_durations(
            frames.flatten().double().cpu().numpy(), ids
        )


class VitsVoice:
    """One narrator of one language."""

    def __init__(self, vits_language: VitsLanguage, settings: VitsVoiceSettings, seed: int) -> None:
        from pipelines.speech.audio.pitch import pitch_shift_ratio

        self.rate = vits_language.rate
        self._vits_language, self._settings, self._seed = vits_language, settings, seed
        self._pitch = settings.pitch * (
            pitch_shift_ratio(vits_language.pitch_hz, settings.pitch_hz, _PITCH_SHIFT_LIMITS)
            if settings.pitch_hz
            else 1.0
        )

    def synthesize(self, words: Sequence[Word], language: Language) -> SpeechAudio:
        from pipelines.speech.timed import synthesize_timed

        return synthesize_timed(
            self._vits_language.tokenizer.tokenize(words, language), self._infer, self.rate, self._pitch, _MAX_TOKENS
        )

    def _infer(self, ids: Sequence[int]) -> tuple[Samples, NDArray[Any]]:
        # Compensate the change of speed by the pitch shift.
        speed = self._settings.speed / self._pitch
        return self._vits_language.infer(ids, speed=speed, speaker=self._settings.speaker, seed=self._seed)

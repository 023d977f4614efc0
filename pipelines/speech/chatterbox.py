"""Family `Chatterbox`: Resemble AI's multilingual voice model, with voice cloning from a recording.

Its dependencies conflict with the engine's, so its models run in a separate environment (`env` in models.yaml).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import Field

from pipelines.base import Device, Kind, MissingDependency, ModelSpec, Params, Report
from pipelines.languages import LANGUAGE_FACTS
from pipelines.speech.voices import VoiceSettings, get_voice_settings, load_voice_settings
from pipelines.step_params import Language, NarrateParams

if TYPE_CHECKING:
    from pipelines.speech.audio.samples import Samples
    from pipelines.speech.narrate import SpeechAudio
    from pipelines.speech.text.tokenize import Word

_MAX_CHARACTERS: Mapping[Language, int] = {"Chinese": 80, "Japanese": 80, "Korean": 100}
"""Maximum number of characters that the model speaks well per call; 200 in all other languages."""


_PITCH_SHIFT_LIMITS = (0.8, 1.3)  # range of the pitch factor, which also changes the speed
_PITCH_TEST_TEXT = "The small fox looked at the moon for a long time."


class ChatterboxVoiceSettings(VoiceSettings):
    """Narrator of Chatterbox.

    The model has one built-in voice. Narrators are that voice, shifted in pitch and with other sampling parameters: the
    family measures its pitch and shifts it towards `pitch_hz`. `exaggeration` 0.5 is the model's default; `temperature`
    is that of sampling; `guidance` is the strength of the voice conditioning.
    """

    pitch_hz: float | None = Field(None, ge=60, le=350)
    exaggeration: float = Field(0.5, ge=0.25, le=1.5)
    temperature: float = Field(0.8, gt=0, le=2)
    guidance: float = Field(0.5, ge=0, le=1)


class Chatterbox:
    """Narration by Chatterbox Multilingual.

    Word times are estimated from the audio, because the model does not return them.

    The audio has an inaudible watermark (Perth) that marks it as machine-generated.
    """

    name: ClassVar[str] = "chatterbox"
    version: ClassVar[str] = "1"
    params: ClassVar[Mapping[Kind, type[Params]]] = {Kind.NARRATE: NarrateParams}

    def __init__(self, model: Any, device: Device, narrators: Mapping[str, ChatterboxVoiceSettings]) -> None:
        self._model, self._device, self._narrators = model, device, narrators
        self._default_conditionals = model.conds
        self._default_pitch_hz: float | None = None

    @classmethod
    def load(cls, spec: ModelSpec, device: Device) -> Self:
        from pipelines.models.weights import verified_folder

        model_folder = verified_folder(spec)
        name = "cpu" if device.kind == "cpu" else f"{device.kind}:{device.index}"
        return cls(_load_model(model_folder, name), device, load_voice_settings(spec.options, ChatterboxVoiceSettings))

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
        from pipelines.speech.audio.pitch import pitch_shift_ratio
        from pipelines.speech.narrate import narrate
        from pipelines.speech.voice_sample import load_voice_sample

        assert isinstance(params, NarrateParams)
        sample = load_voice_sample(inputs)
        settings = get_voice_settings(self._narrators, params.narrator) if sample is None else ChatterboxVoiceSettings()
        report.record(
            narrator=params.narrator if sample is None else "the given voice",
            voice="Chatterbox" if sample is None else "Chatterbox, a given recording",
            language=params.language,
            watermark="Perth",
        )
        with deterministic_torch(self._device.threads, seed):
            self._model.conds = self._default_conditionals
            if sample is not None:
                self._condition_on_sample(sample)
            pitch = settings.pitch * (
                pitch_shift_ratio(self._measure_default_pitch(), settings.pitch_hz, _PITCH_SHIFT_LIMITS)
                if settings.pitch_hz
                else 1.0
            )
            return narrate(params, ChatterboxVoice(self._model, settings, pitch, seed), out, report)

    def close(self) -> None:
        self._model = self._default_conditionals = None

    def _measure_default_pitch(self) -> float:
        """Return the pitch of the built-in voice in hertz; 0 without voiced frames."""
        from pipelines.speech.audio.pitch import estimate_pitch
        from pipelines.speech.audio.samples import normalize_level

        if self._default_pitch_hz is None:
            voice = ChatterboxVoice(self._model, ChatterboxVoiceSettings(), 1.0, seed=0)
            self._default_pitch_hz = (
                estimate_pitch(normalize_level(voice.synthesize_text(_PITCH_TEST_TEXT, "en")), voice.rate) or 0.0
            )
        return self._default_pitch_hz

    def _condition_on_sample(self, sample: Samples) -> None:
        """Condition the model on the voice of a recording, by way of a temporary file."""
        from tempfile import TemporaryDirectory

        from pipelines.speech.voice_sample import write_wav

        with TemporaryDirectory() as folder:
            self._model.prepare_conditionals(str(write_wav(sample, Path(folder) / "sample.wav")))


class ChatterboxVoice:
    """One narrator of the model."""

    def __init__(self, model: Any, settings: ChatterboxVoiceSettings, pitch: float, seed: int) -> None:
        self.rate = int(model.sr)
        self._model, self._settings, self._pitch, self._seed = model, settings, pitch, seed

    def synthesize(self, words: Sequence[Word], language: Language) -> SpeechAudio:
        from pipelines.speech.untimed import synthesize_all

        def synthesize_text(text: str) -> Samples:
            return self.synthesize_text(text, LANGUAGE_FACTS[language].iso639_1)

        return synthesize_all(
            words, language, synthesize_text, self.rate, self._pitch, _MAX_CHARACTERS.get(language, 200)
        )

    def synthesize_text(self, text: str, code: str) -> Samples:
        """Synthesize one text in the language of that code."""
        import numpy as np
        import torch

        # Each text has its own seed: earlier texts do not change its audio.
        torch.manual_seed(self._seed % 2**63)
        audio = self._model.generate(
            text,
            language_id=code,
            exaggeration=self._settings.exaggeration,
            temperature=self._settings.temperature,
            cfg_weight=self._settings.guidance,
        )
        return np.asarray(audio[0].float().cpu().numpy(), np.float32)


def _load_model(model_folder: Path, device: str) -> Any:
    """Load the model from its folder, as chatterbox-tts does (`torch.load(weights_only=True)` and safetensors)."""
    import json
    import sys

    # spacy_pkuseg would download a Chinese segmenter; without it the model gets unsegmented text.
    sys.modules.setdefault("spacy_pkuseg", None)  # type: ignore[arg-type]  # None: the import system treats it as missing
    try:
        from chatterbox.mtl_tts import ChatterboxMultilingualTTS
    except (ImportError, OSError) as error:
        raise MissingDependency(
            "Chatterbox runs in a separate environment; run `python -m engine models pull chatterbox`"
        ) from error
    model = ChatterboxMultilingualTTS.from_local(model_folder, device)
    # Cangjie codes of Chinese characters; chatterbox-tts would download them from the hub.
    converter = model.tokenizer.cangjie_converter
    for entry in json.loads((model_folder / "Cangjie5_TC.json").read_text("utf-8")):
        glyph, code = entry.split("\t")[:2]
        converter.word2cj[glyph] = code
        converter.cj2word.setdefault(code, []).append(glyph)
    return model

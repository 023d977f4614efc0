"""Family `Xtts`: XTTS-v2 of coqui-tts, with many languages, studio voices, and voice cloning from a recording."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pipelines.base import BadInput, Device, Kind, MissingDependency, ModelSpec, Params, Report
from pipelines.languages import LANGUAGE_FACTS
from pipelines.speech.voices import VoiceSettings, get_voice_settings, load_voice_settings
from pipelines.step_params import Language, NarrateParams

if TYPE_CHECKING:
    from pipelines.speech.audio.samples import Samples
    from pipelines.speech.narrate import SpeechAudio
    from pipelines.speech.text.tokenize import Word

_MAX_CHARACTERS: Mapping[Language, int] = {"Arabic": 140, "Chinese": 70, "Hindi": 130, "Japanese": 60, "Korean": 80}
"""Maximum number of characters that the model speaks well per call; 180 in all other languages."""
_CONDITIONING_SECONDS = 30  # seconds of a recording for the conditioning, in chunks of six


class XttsVoiceSettings(VoiceSettings):
    """Narrator of XTTS. `speaker` is the name of a studio voice of the model."""

    speaker: str


class Xtts:
    """Narration by XTTS-v2. Word times are estimated from the audio, because the model does not return them.

    Casanova et al.: XTTS: a Massively Multilingual Zero-Shot Text-to-Speech Model (2024).
    """

    name: ClassVar[str] = "xtts"
    version: ClassVar[str] = "1"
    params: ClassVar[Mapping[Kind, type[Params]]] = {Kind.NARRATE: NarrateParams}

    def __init__(self, model: Any, spec: ModelSpec, device: Device, narrators: Mapping[str, XttsVoiceSettings]) -> None:
        self._model, self._spec, self._device, self._narrators = model, spec, device, narrators

    @classmethod
    def load(cls, spec: ModelSpec, device: Device) -> Self:
        """Load the model. Raises MissingDependency if coqui-tts or torchaudio cannot be imported."""
        from pipelines.diffusion.loading import torch_device
        from pipelines.models.weights import verified_folder

        model_folder = verified_folder(spec)
        narrators = load_voice_settings(spec.options, XttsVoiceSettings)
        model = _load_model(model_folder)
        known = model.speaker_manager.speakers if model.speaker_manager else {}
        for name, settings in narrators.items():
            if settings.speaker not in known:
                raise ValueError(
                    f"models.yaml: narrator {name}: no speaker {settings.speaker!r}; known: {', '.join(known)}"
                )
        return cls(model.to(torch_device(device)), spec, device, narrators)

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
        from pipelines.speech.narrate import narrate
        from pipelines.speech.voice_sample import load_voice_sample

        assert isinstance(params, NarrateParams)
        sample = load_voice_sample(inputs)
        settings = (
            get_voice_settings(self._narrators, params.narrator) if sample is None else XttsVoiceSettings(speaker="")
        )
        with deterministic_torch(self._device.threads, seed):
            latents = (
                self._latents_from_sample(sample) if sample is not None else self._studio_latents(settings.speaker)
            )
            report.record(
                narrator=params.narrator if sample is None else "the given voice",
                voice=f"XTTS-v2, {settings.speaker or 'a given recording'}",
                language=params.language,
                licence=self._spec.licence,
            )
            return narrate(params, XttsVoice(self._model, latents, settings, seed), out, report)

    def close(self) -> None:
        self._model = None

    def _studio_latents(self, speaker: str) -> tuple[Any, Any]:
        voice = self._model.speaker_manager.speakers[speaker]
        return voice["gpt_cond_latent"], voice["speaker_embedding"]

    def _latents_from_sample(self, sample: Samples) -> tuple[Any, Any]:
        """Return the conditioning latents of a recording.

        Raises BadInput if the resampled recording has non-finite samples.
        """
        import torch
        from torchaudio.functional import resample

        from pipelines.media.audio.reader import SAMPLE_RATE
        from pipelines.speech.voice_sample import FIELD

        rate = int(self._model.args.input_sample_rate)
        sample_at_rate = resample(torch.from_numpy(sample)[None], SAMPLE_RATE, rate).to(self._model.device)
        if not torch.isfinite(sample_at_rate).all():
            raise BadInput(FIELD, "has invalid samples.", "Give 5 to 30 seconds of one voice.")
        latent = self._model.get_gpt_cond_latents(sample_at_rate, rate, length=_CONDITIONING_SECONDS, chunk_length=6)
        return latent, self._model.get_speaker_embedding(sample_at_rate, rate)


class XttsVoice:
    """One voice of the model."""

    def __init__(self, model: Any, latents: tuple[Any, Any], settings: XttsVoiceSettings, seed: int) -> None:
        self.rate = int(model.args.output_sample_rate)
        self._model, self._latents, self._settings, self._seed = model, latents, settings, seed

    def synthesize(self, words: Sequence[Word], language: Language) -> SpeechAudio:
        from pipelines.speech.untimed import synthesize_all

        def synthesize_text(text: str) -> Samples:
            return self._synthesize_text(text, LANGUAGE_FACTS[language].xtts_code)

        return synthesize_all(
            words, language, synthesize_text, self.rate, self._settings.pitch, _MAX_CHARACTERS.get(language, 180)
        )

    def _synthesize_text(self, text: str, code: str) -> Samples:
        import numpy as np
        import torch

        # Each text has its own seed: earlier texts do not change its audio.
        torch.manual_seed(self._seed % 2**63)
        config = self._model.config
        result = self._model.inference(
            text,
            code,
            *self._latents,
            temperature=config.temperature,
            length_penalty=config.length_penalty,
            repetition_penalty=config.repetition_penalty,
            top_k=config.top_k,
            top_p=config.top_p,
            # Compensate the change of speed by the pitch shift.
            speed=self._settings.speed / self._settings.pitch,
        )
        return np.asarray(result["wav"], np.float32).ravel()


def _load_model(model_folder: Path) -> Any:
    """Load the model from its folder (`config.json`, `vocab.json`, `model.pth`, `speakers_xtts.pth`) on the CPU."""
    import torch

    try:
        from TTS.tts.configs.xtts_config import XttsConfig
        from TTS.tts.models import xtts
    except (ImportError, OSError) as error:
        raise MissingDependency(
            'XTTS-v2 needs coqui-tts, and a torchaudio that fits the installed torch; `pip install "story-engine[tts]"`'
        ) from error

    class CheckpointLoader(xtts.Xtts):  # type: ignore[misc]  # coqui-tts has no types
        """Loader that reads the checkpoint read-only: coqui-tts would rewrite the file in another format."""

        def _load_checkpoint(self, model_path: Path) -> dict[str, Any]:
            # The file is a pickle. `weights_only` loads tensors and these settings classes, and runs no code.
            with xtts._legacy_safe_globals():
                checkpoint = torch.load(model_path, map_location="cpu", weights_only=True)
            weights: dict[str, Any] = checkpoint["model"]
            return weights

    config = XttsConfig()
    config.load_json(str(model_folder / "config.json"))
    model = CheckpointLoader(config)
    model.load_checkpoint(config, checkpoint_dir=model_folder, eval=True, use_deepspeed=False)
    model.eval()  # unlike torch's, this `eval` returns None
    return model

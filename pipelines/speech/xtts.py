"""The family `Xtts`: XTTS-v2, as coqui-tts runs it: many languages, studio voices, and the voice of a given recording."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pipelines.base import BadInput, Device, Kind, Missing, ModelSpec, Params, Report
from pipelines.speech.voices import Recipe, narrator, recipes
from pipelines.step_params import Language, NarrateParams

if TYPE_CHECKING:
    from pipelines.speech.audio.samples import Samples
    from pipelines.speech.narrate import Sound
    from pipelines.speech.text.tokenize import Word

_CODES: Mapping[Language, str] = {
    "Arabic": "ar", "Chinese": "zh-cn", "English": "en", "French": "fr", "German": "de", "Hindi": "hi", "Japanese": "ja",
    "Korean": "ko", "Spanish": "es", "Turkish": "tr",
}  # fmt: skip
_LONGEST: Mapping[Language, int] = {"Arabic": 140, "Chinese": 70, "Hindi": 130, "Japanese": 60, "Korean": 80}
"""Characters that the model speaks well at once; 180 in all other languages."""
_LISTENED = 30  # seconds of a recording that the model listens to, in pieces of six


class XttsRecipe(Recipe):
    """`speaker` is one of the model's studio voices, by name."""

    speaker: str


class Xtts:
    """Narration by XTTS-v2. Word times are estimated from the sound: the model does not tell them.

    Casanova et al.: XTTS: a Massively Multilingual Zero-Shot Text-to-Speech Model (2024).
    """

    name: ClassVar[str] = "xtts"
    version: ClassVar[str] = "1"
    params: ClassVar[Mapping[Kind, type[Params]]] = {Kind.NARRATE: NarrateParams}

    def __init__(self, model: Any, spec: ModelSpec, device: Device, narrators: Mapping[str, XttsRecipe]) -> None:
        self._model, self._spec, self._device, self._narrators = model, spec, device, narrators

    @classmethod
    def load(cls, spec: ModelSpec, device: Device) -> Self:
        """Raises Missing where coqui-tts or torchaudio cannot be loaded."""
        from pipelines.diffusion.loading import torch_device
        from pipelines.models.weights import folder

        place = folder(spec)
        narrators = recipes(spec.options, XttsRecipe)
        model = _read(place)
        known = model.speaker_manager.speakers if model.speaker_manager else {}
        for name, recipe in narrators.items():
            if recipe.speaker not in known:
                raise ValueError(
                    f"models.yaml: narrator {name}: no speaker {recipe.speaker!r}; known: {', '.join(known)}"
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
        from pipelines.diffusion.determinism import torch_room
        from pipelines.speech.narrate import narrate
        from pipelines.speech.voice_sample import recorded

        assert isinstance(params, NarrateParams)
        sample = recorded(inputs)
        recipe = narrator(self._narrators, params.narrator) if sample is None else XttsRecipe(speaker="")
        with torch_room(self._device.threads, seed):
            latents = self._listened(sample) if sample is not None else self._studio(recipe.speaker)
            report.record(
                narrator=params.narrator if sample is None else "the given voice",
                voice=f"XTTS-v2, {recipe.speaker or 'a given recording'}",
                language=params.language,
                licence=self._spec.licence,
            )
            return narrate(params, XttsVoice(self._model, latents, recipe, seed), out, report)

    def close(self) -> None:
        self._model = None

    def _studio(self, speaker: str) -> tuple[Any, Any]:
        voice = self._model.speaker_manager.speakers[speaker]
        return voice["gpt_cond_latent"], voice["speaker_embedding"]

    def _listened(self, sample: Samples) -> tuple[Any, Any]:
        """What makes a voice, out of a recording. Raises BadInput where the model hears nothing."""
        import torch
        from torchaudio.functional import resample

        from pipelines.media.audio.reader import RATE
        from pipelines.speech.voice_sample import FIELD

        rate = int(self._model.args.input_sample_rate)
        heard = resample(torch.from_numpy(sample)[None], RATE, rate).to(self._model.device)
        if not torch.isfinite(heard).all():
            raise BadInput(FIELD, "cannot be listened to.", "Give 5 to 30 seconds of one voice.")
        latent = self._model.get_gpt_cond_latents(heard, rate, length=_LISTENED, chunk_length=6)
        return latent, self._model.get_speaker_embedding(heard, rate)


class XttsVoice:
    """One voice of the model."""

    def __init__(self, model: Any, latents: tuple[Any, Any], recipe: XttsRecipe, seed: int) -> None:
        self.rate = int(model.args.output_sample_rate)
        self._model, self._latents, self._recipe, self._seed = model, latents, recipe, seed

    def say(self, words: Sequence[Word], language: Language) -> Sound:
        from pipelines.speech.untimed import said

        def say(text: str) -> Samples:
            return self._say(text, _CODES[language])

        return said(words, language, say, self.rate, self._recipe.pitch, _LONGEST.get(language, 180))

    def _say(self, text: str, code: str) -> Samples:
        import numpy as np
        import torch

        # Each text has its own dice: what was said before does not change how it is said.
        torch.manual_seed(self._seed % 2**63)
        config = self._model.config
        made = self._model.inference(
            text,
            code,
            *self._latents,
            temperature=config.temperature,
            length_penalty=config.length_penalty,
            repetition_penalty=config.repetition_penalty,
            top_k=config.top_k,
            top_p=config.top_p,
            # What the pitch will squeeze is spoken that much slower.
            speed=self._recipe.speed / self._recipe.pitch,
        )
        return np.asarray(made["wav"], np.float32).ravel()


def _read(place: Path) -> Any:
    """The model out of its folder (`config.json`, `vocab.json`, `model.pth`, `speakers_xtts.pth`), on the processor."""
    import torch

    try:
        from TTS.tts.configs.xtts_config import XttsConfig
        from TTS.tts.models import xtts
    except (ImportError, OSError) as error:
        raise Missing(
            'XTTS-v2 needs coqui-tts, and a torchaudio that fits the installed torch; `pip install "story-engine[tts]"`'
        ) from error

    class Reader(xtts.Xtts):  # type: ignore[misc]  # coqui-tts has no types
        """Reads the checkpoint itself: coqui-tts would write the file anew in a form of its own."""

        def _load_checkpoint(self, model_path: Path) -> dict[str, Any]:
            # The file is a pickle. Only numbers are taken out of it, and these plain classes of settings; it runs nothing.
            with xtts._legacy_safe_globals():
                checkpoint = torch.load(model_path, map_location="cpu", weights_only=True)
            weights: dict[str, Any] = checkpoint["model"]
            return weights

    config = XttsConfig()
    config.load_json(str(place / "config.json"))
    model = Reader(config)
    model.load_checkpoint(config, checkpoint_dir=place, eval=True, use_deepspeed=False)
    model.eval()  # gives nothing back, unlike any other module's
    return model

"""The family `Vits`: VITS voices as transformers runs them (MMS-TTS and others), one set of weights per language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import Field

from pipelines.base import BadInput, Device, Kind, ModelSpec, Params, Report
from pipelines.speech.voices import Recipe, narrator, recipes
from pipelines.step_params import Language, NarrateParams

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipelines.speech.audio.samples import Samples
    from pipelines.speech.narrate import Sound
    from pipelines.speech.text.tokenize import Word
    from pipelines.speech.vits_tokenizer import Reader

_TOKENS = 400
_BEND = (0.65, 1.7)  # how far a voice may be made smaller or larger and still be a voice
_MEASURED: Mapping[Language, str] = {
    "Arabic": "نظر الثعلب الصغير إلى القمر طويلا", "English": "the small fox looked at the moon for a long time",
    "French": "le petit renard a longtemps regardé la lune", "German": "der kleine fuchs sah lange den mond an",
    "Hindi": "छोटी लोमड़ी ने देर तक चाँद को देखा", "Korean": "작은 여우는 오랫동안 달을 바라보았다",
    "Spanish": "el pequeño zorro miró la luna mucho tiempo", "Turkish": "küçük tilki uzun süre aya baktı",
}  # fmt: skip
"""What a voice says to let its height be measured."""


class VitsRecipe(Recipe):
    """`speaker` is one of a model with many; `height` in hertz is where a model with one is to speak: its voice is measured and
    made smaller or larger (on top of `pitch`)."""

    speaker: int | None = Field(None, ge=0)
    height: float | None = Field(None, ge=60, le=350)


class Vits:
    """Narration by VITS. Word times come from the durations that the model itself predicts for each letter or phoneme.

    Kim, Kong, Son: Conditional Variational Autoencoder with Adversarial Learning for End-to-End Text-to-Speech (2021).
    """

    name: ClassVar[str] = "vits"
    version: ClassVar[str] = "1"
    params: ClassVar[Mapping[Kind, type[Params]]] = {Kind.NARRATE: NarrateParams}

    def __init__(self, spec: ModelSpec, device: Device, narrators: Mapping[str, VitsRecipe]) -> None:
        self._spec, self._device, self._narrators = spec, device, narrators
        self._tongues: dict[Language, Tongue] = {}

    @classmethod
    def load(cls, spec: ModelSpec, device: Device) -> Self:
        """The weights of a language are loaded when it is first spoken."""
        return cls(spec, device, recipes(spec.options, VitsRecipe))

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
        recipe = narrator(self._narrators, params.narrator)
        voice = VitsVoice(self._tongue(params.language), recipe, seed)
        report.record(narrator=params.narrator, voice=f"{self._spec.name}, {params.language}", language=params.language)
        return narrate(params, voice, out, report)

    def close(self) -> None:
        self._tongues = {}

    def _tongue(self, language: Language) -> Tongue:
        if language not in self._spec.weights:
            known = ", ".join(self._spec.weights)
            raise BadInput("language", f"{self._spec.name} does not speak {language}.", f"It speaks {known}.")
        if language not in self._tongues:
            self._tongues[language] = Tongue.load(self._spec, language, self._device)
        return self._tongues[language]


class Tongue:
    """One language of a model."""

    def __init__(self, model: Any, reader: Reader, language: Language, threads: int) -> None:
        self.reader, self.rate = reader, int(model.config.sampling_rate)
        self._model, self._language, self._threads = model, language, threads
        self._height: float | None = None

    @classmethod
    def load(cls, spec: ModelSpec, language: Language, device: Device) -> Self:
        from transformers import VitsModel, VitsTokenizer

        from pipelines.diffusion.loading import torch_device
        from pipelines.models.weights import folder
        from pipelines.speech.vits_tokenizer import Reader

        place = folder(spec, language)
        # In half precision the splines of the duration predictor leave their range; at 36 million parameters it saves nothing.
        model = VitsModel.from_pretrained(place, local_files_only=True, use_safetensors=True)
        tokenizer = VitsTokenizer.from_pretrained(place, local_files_only=True)
        return cls(model.to(torch_device(device)).eval(), Reader(tokenizer), language, device.threads)

    @property
    def height(self) -> float | None:
        """How high the voice speaks by itself, in hertz."""
        from pipelines.speech.audio.pitch import height
        from pipelines.speech.audio.samples import levelled
        from pipelines.speech.text.tokenize import split

        if self._height is None:
            ids = [
                one for word in self.reader.read(split(_MEASURED[self._language]), self._language) for one in word.ids
            ]
            samples, _ = self.infer(ids, speed=1.0, speaker=None, seed=0)
            self._height = height(levelled(samples), self.rate) or 0.0
        return self._height or None

    def infer(
        self, ids: Sequence[int], *, speed: float, speaker: int | None, seed: int
    ) -> tuple[Samples, NDArray[Any]]:
        """Tokens → their sound, and how long each lasts (`pipelines.speech.timed.Infer`)."""
        import numpy as np
        import torch

        from pipelines.diffusion.determinism import torch_room

        padded = self.reader.padded(ids)
        seen: list[Any] = []
        hook = self._model.duration_predictor.register_forward_hook(lambda module, given, made: seen.append(made))
        try:
            with torch_room(self._threads, seed):
                made = self._model(
                    torch.tensor([padded], device=self._model.device), speaker_id=speaker, speaking_rate=speed
                )
                # As VitsModel.forward makes whole frames of what its predictor says.
                frames = torch.ceil(torch.exp(seen[0]) / speed)
        finally:
            hook.remove()
        samples = made.waveform[0].float().cpu().numpy()
        return np.asarray(samples, np.float32), self.reader.gathered(frames.flatten().double().cpu().numpy(), ids)


class VitsVoice:
    """One narrator of one language."""

    def __init__(self, tongue: Tongue, recipe: VitsRecipe, seed: int) -> None:
        from pipelines.speech.audio.pitch import bent

        self.rate = tongue.rate
        self._tongue, self._recipe, self._seed = tongue, recipe, seed
        self._pitch = recipe.pitch * (bent(tongue.height, recipe.height, _BEND) if recipe.height else 1.0)

    def say(self, words: Sequence[Word], language: Language) -> Sound:
        from pipelines.speech.timed import spoken

        return spoken(self._tongue.reader.read(words, language), self._infer, self.rate, self._pitch, _TOKENS)

    def _infer(self, ids: Sequence[int]) -> tuple[Samples, NDArray[Any]]:
        # What the pitch will squeeze is spoken that much slower.
        speed = self._recipe.speed / self._pitch
        return self._tongue.infer(ids, speed=speed, speaker=self._recipe.speaker, seed=self._seed)

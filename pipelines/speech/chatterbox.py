"""The family `Chatterbox`: Resemble AI's multilingual voice model; clones a given recording. Its packages are pinned to other
versions than those of the engine, so its models run under an interpreter of their own (`env` in models.yaml)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import Field

from pipelines.base import Device, Kind, Missing, ModelSpec, Params, Report
from pipelines.speech.voices import Recipe, narrator, recipes
from pipelines.step_params import Language, NarrateParams

if TYPE_CHECKING:
    from pipelines.speech.audio.samples import Samples
    from pipelines.speech.narrate import Sound
    from pipelines.speech.text.tokenize import Word

_CODES: Mapping[Language, str] = {
    "Arabic": "ar", "Chinese": "zh", "English": "en", "French": "fr", "German": "de", "Hindi": "hi", "Japanese": "ja",
    "Korean": "ko", "Spanish": "es", "Turkish": "tr",
}  # fmt: skip
_LONGEST: Mapping[Language, int] = {"Chinese": 80, "Japanese": 80, "Korean": 100}
"""Characters that the model speaks well at once; 200 in all other languages."""


_BEND = (0.8, 1.3)  # how far the voice may be made smaller or larger: it also becomes that much faster or slower
_MEASURED = "The small fox looked at the moon for a long time."


class ChatterboxRecipe(Recipe):
    """The model has one voice of its own: narrators are that voice, larger or smaller, calmer or livelier. It is measured, and
    bent towards `height` in hertz. `liveliness` 0.5 is the model's own; `temperature` how freely it speaks; `guidance` how
    strictly it keeps to the voice."""

    height: float | None = Field(None, ge=60, le=350)
    liveliness: float = Field(0.5, ge=0.25, le=1.5)
    temperature: float = Field(0.8, gt=0, le=2)
    guidance: float = Field(0.5, ge=0, le=1)


class Chatterbox:
    """Narration by Chatterbox Multilingual. Word times are estimated from the sound: the model does not tell them. What it says
    carries an inaudible watermark (Perth) that tells machines that a machine spoke."""

    name: ClassVar[str] = "chatterbox"
    version: ClassVar[str] = "1"
    params: ClassVar[Mapping[Kind, type[Params]]] = {Kind.NARRATE: NarrateParams}

    def __init__(self, model: Any, device: Device, narrators: Mapping[str, ChatterboxRecipe]) -> None:
        self._model, self._device, self._narrators = model, device, narrators
        self._own = model.conds
        self._height: float | None = None

    @classmethod
    def load(cls, spec: ModelSpec, device: Device) -> Self:
        from pipelines.models.weights import folder

        place = folder(spec)
        name = "cpu" if device.kind == "cpu" else f"{device.kind}:{device.index}"
        return cls(_read(place, name), device, recipes(spec.options, ChatterboxRecipe))

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
        from pipelines.speech.audio.pitch import bent
        from pipelines.speech.narrate import narrate
        from pipelines.speech.voice_sample import recorded

        assert isinstance(params, NarrateParams)
        sample = recorded(inputs)
        recipe = narrator(self._narrators, params.narrator) if sample is None else ChatterboxRecipe()
        report.record(
            narrator=params.narrator if sample is None else "the given voice",
            voice="Chatterbox" if sample is None else "Chatterbox, a given recording",
            language=params.language,
            watermark="Perth",
        )
        with torch_room(self._device.threads, seed):
            self._model.conds = self._own
            if sample is not None:
                self._listen(sample)
            pitch = recipe.pitch * (bent(self._measured(), recipe.height, _BEND) if recipe.height else 1.0)
            return narrate(params, ChatterboxVoice(self._model, recipe, pitch, seed), out, report)

    def close(self) -> None:
        self._model = self._own = None

    def _measured(self) -> float:
        """How high the model's own voice speaks, in hertz; 0 where nothing is voiced."""
        from pipelines.speech.audio.pitch import height
        from pipelines.speech.audio.samples import levelled

        if self._height is None:
            voice = ChatterboxVoice(self._model, ChatterboxRecipe(), 1.0, seed=0)
            self._height = height(levelled(voice.text(_MEASURED, "en")), voice.rate) or 0.0
        return self._height

    def _listen(self, sample: Samples) -> None:
        """The model takes the voice of a recording, out of a file."""
        from tempfile import TemporaryDirectory

        from pipelines.speech.voice_sample import written

        with TemporaryDirectory() as folder:
            self._model.prepare_conditionals(str(written(sample, Path(folder) / "sample.wav")))


class ChatterboxVoice:
    """One voice of the model."""

    def __init__(self, model: Any, recipe: ChatterboxRecipe, pitch: float, seed: int) -> None:
        self.rate = int(model.sr)
        self._model, self._recipe, self._pitch, self._seed = model, recipe, pitch, seed

    def say(self, words: Sequence[Word], language: Language) -> Sound:
        from pipelines.speech.untimed import said

        def say(text: str) -> Samples:
            return self.text(text, _CODES[language])

        return said(words, language, say, self.rate, self._pitch, _LONGEST.get(language, 200))

    def text(self, text: str, code: str) -> Samples:
        """One text in the language of that code."""
        import numpy as np
        import torch

        # Each text has its own dice: what was said before does not change how it is said.
        torch.manual_seed(self._seed % 2**63)
        made = self._model.generate(
            text,
            language_id=code,
            exaggeration=self._recipe.liveliness,
            temperature=self._recipe.temperature,
            cfg_weight=self._recipe.guidance,
        )
        return np.asarray(made[0].float().cpu().numpy(), np.float32)


def _read(place: Path, device: str) -> Any:
    """The model out of its folder, as chatterbox-tts reads it (`torch.load(weights_only=True)` and safetensors)."""
    import json
    import sys

    # The segmenter of Chinese words would be fetched from the net; without it words are not told apart.
    sys.modules.setdefault("spacy_pkuseg", None)  # type: ignore[arg-type]  # what the import system knows as "not there"
    try:
        from chatterbox.mtl_tts import ChatterboxMultilingualTTS
    except (ImportError, OSError) as error:
        raise Missing(
            "Chatterbox runs under an interpreter of its own; `python -m engine models pull chatterbox`"
        ) from error
    model = ChatterboxMultilingualTTS.from_local(place, device)
    # How Chinese characters are keyed in; chatterbox-tts looks for it on the hub.
    converter = model.tokenizer.cangjie_converter
    for entry in json.loads((place / "Cangjie5_TC.json").read_text("utf-8")):
        glyph, code = entry.split("\t")[:2]
        converter.word2cj[glyph] = code
        converter.cj2word.setdefault(code, []).append(glyph)
    return model

"""The family `Espeak`: formant synthesis by eSpeak NG. Speaks all languages at once and like a robot; the last resort."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import Field

from pipelines.base import Device, Kind, ModelSpec, Params, Report
from pipelines.speech.voices import Recipe, narrator, recipes
from pipelines.step_params import Language, NarrateParams

if TYPE_CHECKING:
    from pipelines.speech.audio.samples import Samples
    from pipelines.speech.narrate import Sound
    from pipelines.speech.text.tokenize import Word

_PACE = 150  # words a minute of an unhurried narrator


class EspeakRecipe(Recipe):
    """`variant` is a voice of espeak-ng-data/voices/!v; `height` and `melody` are its pitch and pitch range, 0 to 99."""

    variant: str = Field(pattern=r"^[A-Za-z0-9]+$")
    height: int = Field(50, ge=0, le=99)
    melody: int = Field(50, ge=0, le=99)


class Espeak:
    """Narration by libespeak-ng, in this process. Word times come from its word events."""

    name: ClassVar[str] = "espeak"
    version: ClassVar[str] = "1"
    params: ClassVar[Mapping[Kind, type[Params]]] = {Kind.NARRATE: NarrateParams}

    def __init__(self, narrators: Mapping[str, EspeakRecipe]) -> None:
        self._narrators = narrators

    @classmethod
    def load(cls, spec: ModelSpec, device: Device) -> Self:
        from pipelines.speech.g2p.espeak_binding import espeak

        with espeak():
            return cls(recipes(spec.options, EspeakRecipe))

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
        """The seed changes nothing: a narrator always speaks a text in the same way."""
        from pipelines.speech.narrate import narrate

        assert isinstance(params, NarrateParams)
        recipe = narrator(self._narrators, params.narrator)
        report.record(narrator=params.narrator, voice=f"eSpeak NG, variant {recipe.variant}", language=params.language)
        return narrate(params, _EspeakVoice(recipe), out, report)

    def close(self) -> None:
        self._narrators = {}


class _EspeakVoice:
    """One narrator of eSpeak NG."""

    rate = 22050

    def __init__(self, recipe: EspeakRecipe) -> None:
        self._recipe = recipe

    def say(self, words: Sequence[Word], language: Language) -> Sound:
        import numpy as np

        from pipelines.speech.narrate import Sound
        from pipelines.speech.text.scripts import runs

        parts, spans, offset = [], list[tuple[float, float]](), 0.0
        for reader, run in runs(words, language):
            samples, times = self._speak(run, reader)
            parts.append(samples)
            spans += [(offset + start, offset + end) for start, end in times]
            offset += len(samples) / self.rate
        return Sound(np.concatenate(parts), spans)

    def _speak(self, words: Sequence[Word], language: Language) -> tuple[Samples, list[tuple[float, float]]]:
        import numpy as np

        from pipelines.speech.g2p.espeak_binding import espeak
        from pipelines.speech.g2p.fallback_spelling import written_out
        from pipelines.speech.text.scripts import VOICES
        from pipelines.speech.timing.alignment import spread

        text, starts = "", list[int]()
        space = "" if language in ("Chinese", "Japanese") else " "
        for word, spoken in zip(words, written_out(words, language), strict=True):
            starts.append(len(text))
            text += spoken + "".join(mark for mark in word.trail if mark in ".,;:!?。、，！？；：؟،।…") + space
        with espeak() as library:
            said = library.speak(
                text,
                f"{VOICES[language]}+{self._recipe.variant}",
                words_a_minute=round(_PACE * self._recipe.speed),
                pitch=self._recipe.height,
                pitch_range=self._recipe.melody,
            )
        samples = np.frombuffer(said.pcm, dtype="<i2").astype(np.float32) / 32768.0
        return samples, spread(starts, said.words, len(text), len(samples) / self.rate)

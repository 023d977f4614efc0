"""Family `Espeak`: formant synthesis by eSpeak NG. All languages, robotic voice; the last fallback."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import Field

from pipelines.base import Device, Kind, ModelSpec, Params, Report
from pipelines.languages import LANGUAGE_FACTS
from pipelines.speech.voices import VoiceSettings, get_voice_settings, load_voice_settings
from pipelines.step_params import Language, NarrateParams

if TYPE_CHECKING:
    from pipelines.speech.audio.samples import Samples
    from pipelines.speech.narrate import SpeechAudio
    from pipelines.speech.text.tokenize import Word

_WORDS_PER_MINUTE = 150  # words per minute of an unhurried narrator


class EspeakVoiceSettings(VoiceSettings):
    """Narrator of eSpeak NG.

    `variant` is a voice of espeak-ng-data/voices/!v; `base_pitch` and `pitch_range` are in [0, 99].
    """

    variant: str = Field(pattern=r"^[A-Za-z0-9]+$")
    base_pitch: int = Field(50, ge=0, le=99)
    pitch_range: int = Field(50, ge=0, le=99)


class Espeak:
    """Narration by libespeak-ng in this process. Word times come from its word events."""

    name: ClassVar[str] = "espeak"
    version: ClassVar[str] = "1"
    params: ClassVar[Mapping[Kind, type[Params]]] = {Kind.NARRATE: NarrateParams}

    def __init__(self, narrators: Mapping[str, EspeakVoiceSettings]) -> None:
        self._narrators = narrators

    @classmethod
    def load(cls, spec: ModelSpec, device: Device) -> Self:
        from pipelines.speech.g2p.espeak_binding import open_espeak

        with open_espeak():
            return cls(load_voice_settings(spec.options, EspeakVoiceSettings))

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
        settings = get_voice_settings(self._narrators, params.narrator)
        report.record(
            narrator=params.narrator, voice=f"eSpeak NG, variant {settings.variant}", language=params.language
        )
        return narrate(params, _EspeakVoice(settings), out, report)

    def close(self) -> None:
        self._narrators = {}


class _EspeakVoice:
    """One narrator of eSpeak NG."""

    rate = 22050

    def __init__(self, settings: EspeakVoiceSettings) -> None:
        self._settings = settings

    def synthesize(self, words: Sequence[Word], language: Language) -> SpeechAudio:
        import numpy as np

        from pipelines.speech.narrate import SpeechAudio
        from pipelines.speech.text.scripts import split_by_language

        parts, spans, offset = [], list[tuple[float, float]](), 0.0
        for run_language, run in split_by_language(words, language):
            samples, times = self._synthesize_run(run, run_language)
            parts.append(samples)
            spans += [(offset + start, offset + end) for start, end in times]
            offset += len(samples) / self.rate
        return SpeechAudio(np.concatenate(parts), spans)

    def _synthesize_run(self, words: Sequence[Word], language: Language) -> tuple[Samples, list[tuple[float, float]]]:
        import numpy as np

        from pipelines.speech.g2p.espeak_binding import open_espeak
        from pipelines.speech.g2p.fallback_spelling import spell_for_espeak
        from pipelines.speech.timing.alignment import align_words_to_events

        text, starts = "", list[int]()
        space = " " if LANGUAGE_FACTS[language].spaces else ""
        for word, spoken in zip(words, spell_for_espeak(words, language), strict=True):
            starts.append(len(text))
            text += spoken + "".join(mark for mark in word.trailing if mark in ".,;:!?。、，！？；：؟،।…") + space
        with open_espeak() as library:
            result = library.synthesize(
                text,
                f"{LANGUAGE_FACTS[language].espeak_voice}+{self._settings.variant}",
                words_per_minute=round(_WORDS_PER_MINUTE * self._settings.speed),
                pitch=self._settings.base_pitch,
                pitch_range=self._settings.pitch_range,
            )
        samples = np.frombuffer(result.pcm, dtype="<i2").astype(np.float32) / 32768.0
        return samples, align_words_to_events(starts, result.word_events, len(text), len(samples) / self.rate)

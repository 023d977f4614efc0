"""Synthesis shared by models that take complete texts and return no word times."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from pipelines.speech.audio.samples import Samples, normalize_level, shift_pitch, speech_bounds
from pipelines.speech.narrate import SpeechAudio
from pipelines.speech.text.normalize import is_abbreviation, normalize_text
from pipelines.speech.text.numbers import spell_out_numbers
from pipelines.speech.text.tokenize import Word
from pipelines.speech.text.utterances import split_utterances
from pipelines.speech.timing.estimate import estimate_word_times
from pipelines.step_params import Language

SynthesizeText = Callable[[str], Samples]
"""Written text → samples."""


def synthesize_all(
    words: Sequence[Word],
    language: Language,
    synthesize_text: SynthesizeText,
    rate: int,
    pitch: float,
    max_characters: int,
) -> SpeechAudio:
    """Synthesize the words in texts of about `max_characters` characters at most.

    Word times are estimated from the audio.
    """
    parts: list[Samples] = []
    spans: list[tuple[float, float]] = []
    offset = 0
    for utterance in split_utterances(words, max_length=max_characters):
        samples = normalize_level(shift_pitch(synthesize_text(normalize_for_model(utterance.words, language)), pitch))
        first, end = speech_bounds(samples, rate)
        samples = samples[first:end]
        begin = offset / rate
        spans += [(begin + start, begin + stop) for start, stop in estimate_word_times(utterance.words, samples, rate)]
        quiet = np.zeros(round(utterance.pause * rate), np.float32)
        parts += [samples, quiet]
        offset += len(samples) + len(quiet)
    return SpeechAudio(np.concatenate(parts), spans)


def normalize_for_model(words: Sequence[Word], language: Language) -> str:
    """Return the text for a model that reads plain text: symbols as words, and numbers as words in Hindi.

    The models' own normalizers do not support Hindi numbers.
    """
    text = ""
    for word in words:
        core = normalize_text(word.core, language)
        # The full stop of an expanded abbreviation ends no sentence.
        trail = word.trailing[1:] if is_abbreviation(word.core) and word is not words[-1] else word.trailing
        text += word.leading + (spell_out_numbers(core, language) if language == "Hindi" else core) + trail
    return " ".join(text.split())

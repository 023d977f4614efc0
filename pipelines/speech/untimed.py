"""What voices share that speak whole texts and do not say when each word is spoken."""

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
"""A text as it is written → its sound."""


def synthesize_all(
    words: Sequence[Word],
    language: Language,
    synthesize_text: SynthesizeText,
    rate: int,
    pitch: float,
    max_characters: int,
) -> SpeechAudio:
    """Speak the words in texts of at most about `longest` characters; the times of the words are estimated from the sound."""
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
    """The text for a model that reads: signs that it would stumble over are words, and so are numbers in Hindi, which the usual
    tools cannot read."""
    text = ""
    for word in words:
        core = normalize_text(word.core, language)
        # The full stop of an abbreviation that was written out ends no sentence.
        trail = word.trailing[1:] if is_abbreviation(word.core) and word is not words[-1] else word.trailing
        text += word.leading + (spell_out_numbers(core, language) if language == "Hindi" else core) + trail
    return " ".join(text.split())

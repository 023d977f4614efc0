"""What voices share that speak whole texts and do not say when each word is spoken."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from pipelines.speech.audio.samples import Samples, bounds, levelled, pitched
from pipelines.speech.narrate import Sound
from pipelines.speech.text.normalize import is_abbreviation, spoken
from pipelines.speech.text.numbers import in_words
from pipelines.speech.text.tokenize import Word
from pipelines.speech.text.utterances import utterances
from pipelines.speech.timing.estimate import estimated
from pipelines.step_params import Language

Say = Callable[[str], Samples]
"""A text as it is written → its sound."""


def said(words: Sequence[Word], language: Language, say: Say, rate: int, pitch: float, longest: int) -> Sound:
    """Speak the words in texts of at most about `longest` characters; the times of the words are estimated from the sound."""
    parts: list[Samples] = []
    spans: list[tuple[float, float]] = []
    offset = 0
    for utterance in utterances(words, longest=longest):
        samples = levelled(pitched(say(written(utterance.words, language)), pitch))
        first, end = bounds(samples, rate)
        samples = samples[first:end]
        begin = offset / rate
        spans += [(begin + start, begin + stop) for start, stop in estimated(utterance.words, samples, rate)]
        quiet = np.zeros(round(utterance.pause * rate), np.float32)
        parts += [samples, quiet]
        offset += len(samples) + len(quiet)
    return Sound(np.concatenate(parts), spans)


def written(words: Sequence[Word], language: Language) -> str:
    """The text for a model that reads: signs that it would stumble over are words, and so are numbers in Hindi, which the usual
    tools cannot read."""
    text = ""
    for word in words:
        core = spoken(word.core, language)
        # The full stop of an abbreviation that was written out ends no sentence.
        trail = word.trail[1:] if is_abbreviation(word.core) and word is not words[-1] else word.trail
        text += word.lead + (in_words(core, language) if language == "Hindi" else core) + trail
    return " ".join(text.split())

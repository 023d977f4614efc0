"""When each word is spoken, as well as it can be told from the sound alone: for models that do not say it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from pipelines.speech.audio.samples import Samples, normalize_level
from pipelines.speech.text.tokenize import Word

_FRAME_SECONDS = 0.01  # seconds
_SILENCE_THRESHOLD = 0.02  # of full scale, after levelling
_WORD_BOUNDARY_WEIGHT = 1.0  # letters that the border of two words is worth


def estimate_word_times(words: Sequence[Word], samples: Samples, rate: int) -> list[tuple[float, float]]:
    """Begin and end of each word in seconds. The time in which something sounds is shared out by the length of the words: pauses
    belong to none, so that they do not push what follows them."""
    if not words:
        return []
    size = max(1, int(rate * _FRAME_SECONDS))
    frames = normalize_level(samples)[: len(samples) // size * size].reshape(-1, size)
    loud = np.sqrt(np.mean(np.square(frames, dtype=np.float64), axis=1)) > _SILENCE_THRESHOLD
    if not loud.any():
        loud = np.ones(max(1, len(loud)), dtype=bool)
    shares = np.cumsum([0.0, *(len(word.core) + _WORD_BOUNDARY_WEIGHT for word in words)])
    sounding = np.flatnonzero(loud)
    edges = shares / shares[-1] * len(sounding)
    spans = []
    for begin, end in pairwise(int(edge) for edge in edges):
        first = sounding[min(begin, len(sounding) - 1)]
        last = sounding[end - 1] + 1 if end > begin else first
        spans.append((float(first * size) / rate, float(last * size) / rate))
    return spans

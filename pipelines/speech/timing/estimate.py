"""Estimation of word times from the audio, for models without durations."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from pipelines.speech.audio.samples import Samples, normalize_level
from pipelines.speech.text.tokenize import Word

_FRAME_SECONDS = 0.01  # seconds
_SILENCE_THRESHOLD = 0.02  # RMS of full scale, after `normalize_level`
_WORD_BOUNDARY_WEIGHT = 1.0  # weight of a word boundary, in letters


def estimate_word_times(words: Sequence[Word], samples: Samples, rate: int) -> list[tuple[float, float]]:
    """Return begin and end of each word in seconds.

    The frames with sound are distributed by the length of the words; pauses belong to no word, so that they do not
    shift later words.
    """
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

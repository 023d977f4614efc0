"""Synthesis shared by models with phoneme durations: words → tokens, token durations → word times."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.base import MissingDependency
from pipelines.speech.audio.samples import Samples, shift_pitch
from pipelines.speech.narrate import SpeechAudio
from pipelines.speech.text.tokenize import Word


@dataclass(frozen=True, slots=True)
class WordTokens:
    """Tokens of one word. `word_slice` selects the word itself; the other `ids` are its punctuation."""

    ids: tuple[int, ...]
    word_slice: slice


InferFunction = Callable[[Sequence[int]], tuple[Samples, NDArray[Any]]]
"""Tokens → samples, and durations in any unit: of the model's start token, of each token, of the end token."""


def tokenize_word(
    word: Word, word_phonemes: str, vocabulary: Mapping[str, int], select_punctuation: Callable[[str], str]
) -> WordTokens:
    """Return the tokens of a word with the phonemes `word_phonemes`; none if the vocabulary has none of them.

    `select_punctuation` selects the supported punctuation around the word.
    """
    space = word_phonemes[: len(word_phonemes) - len(word_phonemes.lstrip())]
    known = [vocabulary[letter] for letter in word_phonemes.strip() if letter in vocabulary]
    if not known:
        return WordTokens((), slice(0, 0))
    before = [vocabulary[sign] for sign in space + select_punctuation(word.leading)]
    after = [vocabulary[sign] for sign in select_punctuation(word.trailing)]
    return WordTokens((*before, *known, *after), slice(len(before), len(before) + len(known)))


def synthesize_timed(
    words: Sequence[WordTokens], infer: InferFunction, rate: int, pitch: float, max_tokens: int
) -> SpeechAudio:
    """Synthesize the words in batches of at most `max_tokens` tokens."""
    parts: list[Samples] = []
    spans: list[tuple[float, float]] = []
    offset = 0
    for group in _split_batches(words, max_tokens):
        ids = [token for word in group for token in word.ids]
        samples, durations = infer(ids) if ids else (np.zeros(0, np.float32), np.zeros(2))
        samples = shift_pitch(samples, pitch)
        edges = np.concatenate([[0.0], np.cumsum(durations, dtype=np.float64)])
        edges *= len(samples) / max(1.0, float(edges[-1]))
        position = 1
        for word in group:
            start, end = edges[position + word.word_slice.start], edges[position + word.word_slice.stop]
            spans.append((float(offset + start) / rate, float(offset + end) / rate))
            position += len(word.ids)
        parts.append(samples)
        offset += len(samples)
    return SpeechAudio(np.concatenate(parts), spans)


def _split_batches(words: Sequence[WordTokens], max_tokens: int) -> Iterable[Sequence[WordTokens]]:
    group: list[WordTokens] = []
    count = 0
    for word in words:
        if group and count + len(word.ids) > max_tokens:
            yield group
            group, count = [], 0
        group.append(word)
        count += len(word.ids)
    if group:
        yield group


def package_folder(name: str) -> Path:
    """Return the folder of an installed package. Raises MissingDependency."""
    import importlib.util

    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise MissingDependency(f"{name} is not installed; pip install {name.replace('_', '-')}")
    return Path(found.origin).parent

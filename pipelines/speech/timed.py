"""What the neural voices share: words as tokens of a model, and the model's durations as times of the words."""

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
    """One word for the model: `ids`, of which `sound` are the word itself and the others the punctuation around it."""

    ids: tuple[int, ...]
    word_slice: slice


InferFunction = Callable[[Sequence[int]], tuple[Samples, NDArray[Any]]]
"""Tokens → their sound, and how long each lasts in any unit: first the model's own beginning, then one value for each token,
then its end."""


def tokenize_word(
    word: Word, word_phonemes: str, vocabulary: Mapping[str, int], select_punctuation: Callable[[str], str]
) -> WordTokens:
    """The tokens of a word whose phonemes are `said`; none where the model knows none of them. `marks` picks of what stands
    around a word the punctuation that the model understands."""
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
    """Speak the words, in as many goes as the model needs (`longest` tokens at once)."""
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
    """The folder of an installed package. Raises Missing."""
    import importlib.util

    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise MissingDependency(f"{name} is not installed; pip install {name.replace('_', '-')}")
    return Path(found.origin).parent

"""What the neural voices share: words as tokens of a model, and the model's durations as times of the words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.base import Missing
from pipelines.speech.audio.samples import Samples, pitched
from pipelines.speech.narrate import Sound
from pipelines.speech.text.tokenize import Word


@dataclass(frozen=True, slots=True)
class Tokens:
    """One word for the model: `ids`, of which `sound` are the word itself and the others the punctuation around it."""

    ids: tuple[int, ...]
    sound: slice


Infer = Callable[[Sequence[int]], tuple[Samples, NDArray[Any]]]
"""Tokens → their sound, and how long each lasts in any unit: first the model's own beginning, then one value for each token,
then its end."""


def tokens(word: Word, said: str, letters: Mapping[str, int], marks: Callable[[str], str]) -> Tokens:
    """The tokens of a word whose phonemes are `said`; none where the model knows none of them. `marks` picks of what stands
    around a word the punctuation that the model understands."""
    space = said[: len(said) - len(said.lstrip())]
    known = [letters[letter] for letter in said.strip() if letter in letters]
    if not known:
        return Tokens((), slice(0, 0))
    before = [letters[sign] for sign in space + marks(word.lead)]
    after = [letters[sign] for sign in marks(word.trail)]
    return Tokens((*before, *known, *after), slice(len(before), len(before) + len(known)))


def spoken(words: Sequence[Tokens], infer: Infer, rate: int, pitch: float, longest: int) -> Sound:
    """Speak the words, in as many goes as the model needs (`longest` tokens at once)."""
    parts: list[Samples] = []
    spans: list[tuple[float, float]] = []
    offset = 0
    for group in _fitting(words, longest):
        ids = [token for word in group for token in word.ids]
        samples, durations = infer(ids) if ids else (np.zeros(0, np.float32), np.zeros(2))
        samples = pitched(samples, pitch)
        edges = np.concatenate([[0.0], np.cumsum(durations, dtype=np.float64)])
        edges *= len(samples) / max(1.0, float(edges[-1]))
        place = 1
        for word in group:
            start, end = edges[place + word.sound.start], edges[place + word.sound.stop]
            spans.append((float(offset + start) / rate, float(offset + end) / rate))
            place += len(word.ids)
        parts.append(samples)
        offset += len(samples)
    return Sound(np.concatenate(parts), spans)


def _fitting(words: Sequence[Tokens], longest: int) -> Iterable[Sequence[Tokens]]:
    group: list[Tokens] = []
    count = 0
    for word in words:
        if group and count + len(word.ids) > longest:
            yield group
            group, count = [], 0
        group.append(word)
        count += len(word.ids)
    if group:
        yield group


def package(name: str) -> Path:
    """The folder of an installed package. Raises Missing."""
    import importlib.util

    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise Missing(f"{name} is not installed; pip install {name.replace('_', '-')}")
    return Path(found.origin).parent

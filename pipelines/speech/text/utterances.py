"""Utterances: groups of words for one synthesis call, and the pauses between them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipelines.speech.text.normalize import is_abbreviation
from pipelines.speech.text.tokenize import Word

_SENTENCE_MARK = re.compile(r"[.!?…。！？؟।۔‥\n]")
_CLAUSE_MARK = re.compile(r"[,;:—–、，；：،؛()（）]")

SENTENCE_PAUSE, CLAUSE_PAUSE, PARAGRAPH_PAUSE, NO_PAUSE = 0.35, 0.16, 0.7, 0.0
"""Seconds of silence after a sentence, a clause, a paragraph, and after a forced cut."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """Neighbouring words, and the seconds of silence after them."""

    words: tuple[Word, ...]
    pause: float


def split_utterances(words: Sequence[Word], *, max_length: int = 180, min_length: int = 24) -> Iterator[Utterance]:
    """Yield one utterance per sentence, in one pass.

    A sentence of more than `max_length` characters is cut at the last comma, else at a space. A sentence of less than
    `min_length` characters joins the next one, because voice models speak a single "No!" badly.
    """
    start, length = 0, 0
    cut: int | None = None  # the last clause end since `start`
    for index, word in enumerate(words):
        length += len(word.core) + 1
        end = ends_sentence(word, words[index + 1] if index + 1 < len(words) else None)
        paragraph = word.trailing.count("\n") > 1
        if (end and length >= min_length) or paragraph or index + 1 == len(words):
            yield Utterance(tuple(words[start : index + 1]), PARAGRAPH_PAUSE if paragraph else SENTENCE_PAUSE)
            start, length, cut = index + 1, 0, None
            continue
        if _CLAUSE_MARK.search(word.trailing) and length >= min_length:
            cut = index + 1
        if length > max_length:
            stop = cut if cut is not None else index + 1
            yield Utterance(tuple(words[start:stop]), CLAUSE_PAUSE if cut is not None else NO_PAUSE)
            start, cut = stop, None
            length = sum(len(word.core) + 1 for word in words[start : index + 1])


def ends_sentence(word: Word, following: Word | None) -> bool:
    """Return whether a sentence ends with `word`. Abbreviations, initials and a lower-case next word do not end it."""
    if not _SENTENCE_MARK.search(word.trailing):
        return False
    if following is None or "\n" in word.trailing:
        return True
    if word.trailing.startswith("."):
        if is_abbreviation(word.core) or (len(word.core) == 1 and word.core.isupper()):
            return False
        return not following.core[0].islower()
    return True


def split_clauses(words: Sequence[Word]) -> Iterator[tuple[Word, ...]]:
    """Yield the words between punctuation marks. Languages join sounds only within such a clause."""
    start = 0
    for index, word in enumerate(words):
        last = index + 1 == len(words)
        if last or any(not mark.isspace() for mark in word.trailing) or words[index + 1].leading.strip():
            yield tuple(words[start : index + 1])
            start = index + 1

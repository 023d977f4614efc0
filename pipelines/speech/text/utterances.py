"""Words → utterances: what is spoken in one breath, and how long the voice is quiet after it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipelines.speech.text.normalize import is_abbreviation
from pipelines.speech.text.tokenize import Word

_SENTENCE_MARK = re.compile(r"[.!?…。！？؟।۔‥\n]")
_CLAUSE_MARK = re.compile(r"[,;:—–、，；：،؛()（）]")

SENTENCE_PAUSE, CLAUSE_PAUSE, PARAGRAPH_PAUSE, NO_PAUSE = 0.35, 0.16, 0.7, 0.0
"""Seconds of quiet after a sentence, a clause, a paragraph, and where a long clause had to be cut."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """Neighbouring words, and the seconds of quiet after them."""

    words: tuple[Word, ...]
    pause: float


def split_utterances(words: Sequence[Word], *, max_length: int = 180, min_length: int = 24) -> Iterator[Utterance]:
    """One utterance per sentence. A sentence of more than `longest` characters is cut at the best place before that (a comma,
    else a space); sentences of less than `shortest` are spoken together with the next, since a voice model says a lone
    "No!" badly. Works in one pass, whatever the length of the text."""
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
    """Whether a sentence ends with `word`: not after abbreviations and initials, nor where the text goes on in lower case."""
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
    """The words between two marks of punctuation: within them a language may join sounds, across them not."""
    start = 0
    for index, word in enumerate(words):
        last = index + 1 == len(words)
        if last or any(not mark.isspace() for mark in word.trailing) or words[index + 1].leading.strip():
            yield tuple(words[start : index + 1])
            start = index + 1

"""Segmentation of timed words into readable cues of at most two lines that end at sentences and clauses.

Dynamic programming over all possible line ends finds the segmentation with the lowest cost. The limits are common in
subtitling: 42 characters per line (18 full-width), 17 characters per second, 1 to 7 seconds per cue.
"""

from __future__ import annotations

import itertools
import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import Field

from pipelines.base import Params
from pipelines.media.subtitles.line_breaking import (
    CLAUSE,
    CONJUNCTION,
    PHRASE,
    SENTENCE,
    WORD,
    LineMeasure,
    Piece,
    break_lines,
    split_pieces,
    split_wide,
)

MIN_CUE_SECONDS, MAX_CUE_SECONDS = 1.0, 7.0
"""Range of the duration of a cue, in seconds. Fast or slow speech may exceed it."""
CUE_GAP = 1 / 12
"""Seconds without text between two cues, so that viewers notice the change."""
CUE_HOLD = 0.4
"""Seconds for which a cue stays after its last word."""
READING_SPEED = {"Chinese": 9.0, "Japanese": 9.0, "Korean": 12.0}
"""Comfortable reading speed by language, in characters per second."""
DEFAULT_READING_SPEED = 17.0
"""Comfortable reading speed in other languages, in characters per second."""

_BREAK_COST = {SENTENCE: 0.0, CLAUSE: 1.0, CONJUNCTION: 2.5, PHRASE: 4.0, WORD: 7.0}


class TimedWord(Params):
    """One word of a narration with its times in seconds. `text` includes the punctuation and spaces after the word."""

    text: str
    start: float = Field(ge=0)
    end: float = Field(ge=0)


class WordTimings(Params):
    """The content of a `word_timings.json`. `seconds`: duration of the narration."""

    seconds: float = Field(gt=0)
    words: tuple[TimedWord, ...] = ()


@dataclass(frozen=True, slots=True)
class Cue:
    """Lines of text with start and end in seconds."""

    start: float
    end: float
    lines: tuple[str, ...]

    def shifted(self, seconds: float) -> Cue:
        """Return the cue with both times later by `seconds`."""
        return Cue(self.start + seconds, self.end + seconds, self.lines)


@dataclass(frozen=True, slots=True)
class _TimedPiece:
    piece: Piece
    start: float
    end: float


def sanitize_text(text: str) -> str:
    """Return the text on one line, without ASS override codes, control characters and direction marks."""
    characters = (" " if character.isspace() else character for character in text if character not in "{}\\")
    return "".join(
        character
        for character in characters
        if unicodedata.category(character) not in ("Cc", "Cs", "Co", "Cn") and character not in _DIRECTION_MARKS
    )


_DIRECTION_MARKS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff\u2028\u2029")


def segment_cues(words: WordTimings, language: str, measure: LineMeasure, deadline: float) -> list[Cue]:
    """Return the cues of one narration, in seconds from its start. The last cue ends no later than `deadline`."""
    timed = _timed_pieces(words, language, measure)
    if not timed:
        return []
    last = max(deadline, timed[-1].start + CUE_GAP)
    starts = [*(piece.start for piece in timed), last + CUE_GAP]
    cuts = _cheapest_cuts(timed, starts, language, measure)
    return [
        _make_cue(timed[first:end], starts[end], last, language, measure) for first, end in itertools.pairwise(cuts)
    ]


def _cheapest_cuts(
    timed: Sequence[_TimedPiece], starts: Sequence[float], language: str, measure: LineMeasure
) -> list[int]:
    """Return the indices of `timed` between which the cues with the lowest total cost lie, from 0 to `len(timed)`."""
    costs = [0.0] + [math.inf] * len(timed)
    previous = [0] * (len(timed) + 1)
    for first in range(len(timed)):
        for end in range(first + 1, len(timed) + 1):
            group = timed[first:end]
            if end > first + 1 and break_lines([piece.piece for piece in group], measure) is None:
                break
            total = costs[first] + _cue_cost(group, starts[end], language)
            if total < costs[end]:
                costs[end], previous[end] = total, first
    cuts = [len(timed)]
    while cuts[-1]:
        cuts.append(previous[cuts[-1]])
    cuts.reverse()
    return cuts


def _cue_cost(group: Sequence[_TimedPiece], next_start: float, language: str) -> float:
    """Return the cost of one cue of these pieces. `next_start`: second at which the next cue starts."""
    duration = next_start - CUE_GAP - group[0].start
    text = "".join(piece.piece.text for piece in group).strip()
    cost = 1.0
    pause = next_start - group[-1].end
    cost += _BREAK_COST[group[-1].piece.quality] * (0.5 if pause > 0.3 else 1.0)
    for piece, after in itertools.pairwise(group):
        cost += 2.5 * (piece.piece.quality == SENTENCE) + 3.0 * (after.start - piece.end > 0.7)
    cost += 40.0 * max(0.0, MIN_CUE_SECONDS - duration) + 20.0 * max(
        0.0, group[-1].end - group[0].start - MAX_CUE_SECONDS
    )
    cost += 0.3 * max(0.0, len(text) / max(duration, 0.1) - _reading_speed(language))
    if len(group) == 1 and duration < 1.5:
        cost += 2.0
    return cost


def _make_cue(group: Sequence[_TimedPiece], next_start: float, last: float, language: str, measure: LineMeasure) -> Cue:
    """Return the cue of these pieces, long enough to read, with a gap before `next_start` and no later than `last`."""
    lines = break_lines([piece.piece for piece in group], measure) or (group[0].piece.text.strip(),)
    start = group[0].start
    preferred = max(
        group[-1].end + CUE_HOLD, start + MIN_CUE_SECONDS, start + len("".join(lines)) / _reading_speed(language)
    )
    latest = min(next_start - CUE_GAP, last)
    end = min(preferred, max(start + MAX_CUE_SECONDS, group[-1].end), latest)
    if latest - end < 0.5 and latest - start <= MAX_CUE_SECONDS:
        end = latest
    if end <= start:
        end = (start + next_start) / 2
    return Cue(start, end, lines)


def _reading_speed(language: str) -> float:
    return READING_SPEED.get(language, DEFAULT_READING_SPEED)


def _timed_pieces(words: WordTimings, language: str, measure: LineMeasure) -> list[_TimedPiece]:
    """Return the text split at all possible line ends, each piece with the seconds of its speech."""
    if not words.words:
        return []
    text, times = _character_times(words)
    timed, offset = [], 0
    for piece in split_pieces(text, language):
        for part in split_wide(piece, measure):
            if part.text.strip():
                first = offset + len(part.text) - len(part.text.lstrip())
                last = offset + len(part.text.rstrip()) - 1
                timed.append(_TimedPiece(part, times[first][0], times[last][1]))
            offset += len(part.text)
    return timed


def _character_times(words: WordTimings) -> tuple[str, list[tuple[float, float]]]:
    """Return the text and the (start, end) of each character in seconds.

    The characters of a word share its time evenly. When the times of the words are not ascending or exceed the
    narration, all characters share its duration evenly.
    """
    texts = [sanitize_text(word.text) for word in words.words]
    spans = [(word.start, word.end) for word in words.words]
    is_ordered = all(start < end for start, end in spans) and all(
        one[0] < two[0] for one, two in itertools.pairwise(spans)
    )
    if not is_ordered or spans[-1][1] > words.seconds + 0.5:
        texts, spans = ["".join(texts)], [(0.0, words.seconds)]
    times: list[tuple[float, float]] = []
    for text, (start, end) in zip(texts, spans, strict=True):
        length = max(1, len(text.rstrip()))
        step = (end - start) / length
        times += [(start + step * min(n, length), start + step * min(n + 1, length)) for n in range(len(text))]
    return "".join(texts), times

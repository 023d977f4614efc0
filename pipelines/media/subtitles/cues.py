"""Word times → readable cues: at most two lines, long enough to read, ending where sentences and clauses end.

The cues of a scene are the cheapest way to cut its text, found by dynamic programming over all the places where a line may
end. The limits are those in common use for subtitling: 42 characters a line (18 full-width), 17 characters a second, from one
second to seven.
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
"""Seconds that a cue stays, where the speech allows it."""
CUE_GAP = 1 / 12
"""Seconds without text between two cues, so that the eye notices the change."""
CUE_HOLD = 0.4
"""Seconds that a cue stays after its last word."""
READING_SPEED = {"Chinese": 9.0, "Japanese": 9.0, "Korean": 12.0}
"""Characters a second that are comfortable to read."""
DEFAULT_READING_SPEED = 17.0

_BREAK_COST = {SENTENCE: 0.0, CLAUSE: 1.0, CONJUNCTION: 2.5, PHRASE: 4.0, WORD: 7.0}


class TimedWord(Params):
    """One word of a narration; punctuation and spaces after it are part of the text."""

    text: str
    start: float = Field(ge=0)
    end: float = Field(ge=0)


class WordTimings(Params):
    """A `word_timings.json`."""

    seconds: float = Field(gt=0)
    words: tuple[TimedWord, ...] = ()


@dataclass(frozen=True, slots=True)
class Cue:
    """Lines of text and the seconds at which they appear and vanish."""

    start: float
    end: float
    lines: tuple[str, ...]

    def shifted(self, seconds: float) -> Cue:
        return Cue(self.start + seconds, self.end + seconds, self.lines)


@dataclass(frozen=True, slots=True)
class _TimedPiece:
    piece: Piece
    start: float
    end: float


def sanitize_text(text: str) -> str:
    """The text without what ASS would read as a command, without control and direction characters, on one line."""
    kept = (" " if character.isspace() else character for character in text if character not in "{}\\")
    return "".join(
        character
        for character in kept
        if unicodedata.category(character) not in ("Cc", "Cs", "Co", "Cn") and character not in _DIRECTION_MARKS
    )


_DIRECTION_MARKS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff\u2028\u2029")


def segment_cues(words: WordTimings, language: str, measure: LineMeasure, deadline: float) -> list[Cue]:
    """The cues of one narration, in seconds from its beginning; the last one ends at `deadline` at the latest."""
    timed = _timed_pieces(words, language, measure)
    if not timed:
        return []
    last = max(deadline, timed[-1].start + CUE_GAP)
    starts = [*(piece.start for piece in timed), last + CUE_GAP]
    cost = [0.0] + [math.inf] * len(timed)
    before = [0] * (len(timed) + 1)
    for first in range(len(timed)):
        for end in range(first + 1, len(timed) + 1):
            group = timed[first:end]
            if end > first + 1 and break_lines([piece.piece for piece in group], measure) is None:
                break
            total = cost[first] + _cost(group, starts[end], language)
            if total < cost[end]:
                cost[end], before[end] = total, first
    cuts = [len(timed)]
    while cuts[-1]:
        cuts.append(before[cuts[-1]])
    cuts.reverse()
    return [
        _make_cue(timed[first:end], starts[end], last, language, measure) for first, end in itertools.pairwise(cuts)
    ]


def _cost(group: Sequence[_TimedPiece], following: float, language: str) -> float:
    """What it costs to show these pieces as one cue, `following` being the second at which the next one begins."""
    shown = following - CUE_GAP - group[0].start
    text = "".join(piece.piece.text for piece in group).strip()
    cost = 1.0
    pause = following - group[-1].end
    cost += _BREAK_COST[group[-1].piece.quality] * (0.5 if pause > 0.3 else 1.0)
    for piece, after in itertools.pairwise(group):
        cost += 2.5 * (piece.piece.quality == SENTENCE) + 3.0 * (after.start - piece.end > 0.7)
    cost += 40.0 * max(0.0, MIN_CUE_SECONDS - shown) + 20.0 * max(0.0, group[-1].end - group[0].start - MAX_CUE_SECONDS)
    cost += 0.3 * max(0.0, len(text) / max(shown, 0.1) - _reading_speed(language))
    if len(group) == 1 and shown < 1.5:
        cost += 2.0
    return cost


def _make_cue(group: Sequence[_TimedPiece], following: float, last: float, language: str, measure: LineMeasure) -> Cue:
    shown = break_lines([piece.piece for piece in group], measure) or (group[0].piece.text.strip(),)
    start = group[0].start
    wanted = max(
        group[-1].end + CUE_HOLD, start + MIN_CUE_SECONDS, start + len("".join(shown)) / _reading_speed(language)
    )
    latest = min(following - CUE_GAP, last)
    end = min(wanted, max(start + MAX_CUE_SECONDS, group[-1].end), latest)
    if latest - end < 0.5 and latest - start <= MAX_CUE_SECONDS:
        end = latest
    if end <= start:
        end = (start + following) / 2
    return Cue(start, end, shown)


def _reading_speed(language: str) -> float:
    return READING_SPEED.get(language, DEFAULT_READING_SPEED)


def _timed_pieces(words: WordTimings, language: str, measure: LineMeasure) -> list[_TimedPiece]:
    """The text cut where lines may end, each piece with the time at which it is spoken."""
    if not words.words:
        return []
    text, clock = _character_times(words)
    found, at = [], 0
    for piece in split_pieces(text, language):
        for part in split_wide(piece, measure):
            inner = len(part.text) - len(part.text.lstrip())
            end = at + len(part.text.rstrip()) if part.text.strip() else at
            if part.text.strip():
                found.append(_TimedPiece(part, clock[at + inner][0], clock[end - 1][1]))
            at += len(part.text)
    return found


def _character_times(words: WordTimings) -> tuple[str, list[tuple[float, float]]]:
    """The whole text, and for each character when it is spoken (start, end): a word's time, shared by its letters."""
    texts = [sanitize_text(word.text) for word in words.words]
    times = [(word.start, word.end) for word in words.words]
    orderly = all(start < end for start, end in times) and all(
        one[0] < two[0] for one, two in itertools.pairwise(times)
    )
    if not orderly or times[-1][1] > words.seconds + 0.5:
        texts, times = ["".join(texts)], [(0.0, words.seconds)]
    clock: list[tuple[float, float]] = []
    for text, (start, end) in zip(texts, times, strict=True):
        spoken = max(1, len(text.rstrip()))
        step = (end - start) / spoken
        clock += [(start + step * min(n, spoken), start + step * min(n + 1, spoken)) for n in range(len(text))]
    return "".join(texts), clock

"""Alignment of written words with phonemes and with the events of a speech engine."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import pairwise


def align_words_to_events(
    starts: Sequence[int], events: Sequence[tuple[int, int]], length: int, seconds: float
) -> list[tuple[float, float]]:
    """Return begin and end of each written word in seconds, from an engine's word events.

    `starts`: index of each word in the engine's text; `events`: (index in that text, milliseconds); `length`:
    characters of the text; `seconds`: length of the audio. An engine may report fewer events than words (joined words)
    or more (numbers): between two events, time is distributed evenly over the characters.
    """
    anchors: list[tuple[int, float]] = [(0, 0.0)]
    for position, milliseconds in events:
        position, time = min(max(position, 0), length), min(milliseconds / 1000, seconds)
        if position > anchors[-1][0] and time >= anchors[-1][1]:
            anchors.append((position, time))
        elif position == 0:
            anchors[0] = (0, time)
    anchors.append((length + 1, seconds))
    places = [place for place, _ in anchors]

    def time_at(place: int) -> float:
        index = min(bisect_right(places, place) - 1, len(anchors) - 2)
        (before, begin), (after, end) = anchors[index], anchors[index + 1]
        return begin + (end - begin) * (place - before) / max(1, after - before)

    edges = [*(time_at(start) for start in starts), seconds]
    return list(pairwise(edges))


def split_phonemes_by_word(whole: str, parts: Sequence[str]) -> list[str]:
    """Split `whole` into as many pieces as `parts`, each similar to its part.

    `whole` is the phoneme string of a clause, `parts` those of its words alone. Words that a language joins (`əvðə`),
    links (`le-z ɑ̃fɑ̃`) or changes at their borders get the piece with most of their sounds.
    """
    words = whole.split(" ")
    if len(words) == len(parts):
        return words
    apart = "".join(parts)
    matched = [(0, 0)]
    for block in SequenceMatcher(None, apart, whole, autojunk=False).get_matching_blocks():
        matched += [(block.a, block.b), (block.a + block.size, block.b + block.size)]
    matched.append((len(apart), len(whole)))
    cuts, position = [0], 0
    for part in parts[:-1]:
        position += len(part)
        before = max((pair for pair in matched if pair[0] <= position), default=(0, 0))
        after = min((pair for pair in matched if pair[0] >= position), default=(len(apart), len(whole)))
        share = (position - before[0]) / max(1, after[0] - before[0])
        cuts.append(max(cuts[-1], round(before[1] + share * (after[1] - before[1]))))
    cuts.append(len(whole))
    return [whole[start:end].strip() for start, end in pairwise(cuts)]

"""Who said what when: from the times of phonemes or of an engine's events to the times of the written words."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import pairwise


def spread(
    starts: Sequence[int], events: Sequence[tuple[int, int]], length: int, seconds: float
) -> list[tuple[float, float]]:
    """When each written word begins and ends, from an engine's word events.

    `starts`: where each word begins in the text given to the engine; `events`: (place in that text, milliseconds); `length`:
    characters of the text; `seconds`: length of the sound. An engine may report fewer words than are written (it speaks some
    as one) or more (numbers): between two events time runs evenly over the characters.
    """
    known: list[tuple[int, float]] = [(0, 0.0)]
    for place, milliseconds in events:
        place, time = min(max(place, 0), length), min(milliseconds / 1000, seconds)
        if place > known[-1][0] and time >= known[-1][1]:
            known.append((place, time))
        elif place == 0:
            known[0] = (0, time)
    known.append((length + 1, seconds))
    places = [place for place, _ in known]

    def moment(place: int) -> float:
        index = min(bisect_right(places, place) - 1, len(known) - 2)
        (before, begin), (after, end) = known[index], known[index + 1]
        return begin + (end - begin) * (place - before) / max(1, after - before)

    edges = [*(moment(start) for start in starts), seconds]
    return list(pairwise(edges))


def divide(whole: str, parts: Sequence[str]) -> list[str]:
    """`whole`, cut into as many pieces as there are `parts`, each like its part.

    `whole` is how an engine says a clause, `parts` how it says each word alone. Words that a language joins (`əvðə`), links
    (`le-z ɑ̃fɑ̃`) or changes at their borders still fall where most of their sounds are.
    """
    words = whole.split(" ")
    if len(words) == len(parts):
        return words
    apart = "".join(parts)
    matched = [(0, 0)]
    for block in SequenceMatcher(None, apart, whole, autojunk=False).get_matching_blocks():
        matched += [(block.a, block.b), (block.a + block.size, block.b + block.size)]
    matched.append((len(apart), len(whole)))
    cuts, place = [0], 0
    for part in parts[:-1]:
        place += len(part)
        before = max((pair for pair in matched if pair[0] <= place), default=(0, 0))
        after = min((pair for pair in matched if pair[0] >= place), default=(len(apart), len(whole)))
        share = (place - before[0]) / max(1, after[0] - before[0])
        cuts.append(max(cuts[-1], round(before[1] + share * (after[1] - before[1]))))
    cuts.append(len(whole))
    return [whole[start:end].strip() for start, end in pairwise(cuts)]

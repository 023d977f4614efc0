"""Sentence banks: texts of the beats, without repetition within a story."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping

from pipelines.text.template_writer.language import LanguagePack, load_world
from pipelines.text.template_writer.text_utils import join_sentences, split_sentences


class SentenceBank:
    """Draws the texts of beats without repetition.

    When the texts of a beat are used up, the bank combines the first sentence of one text with the rest of another.
    """

    def __init__(self, pack: LanguagePack, rng: random.Random) -> None:
        self._words = pack
        self._rng = rng
        self._remaining: dict[tuple[str, str], list[tuple[int, int]]] = {}

    def draw(self, genre: str, beat: str, unavailable_slots: Collection[str] = ()) -> tuple[str, Mapping[str, str]]:
        """Return a template of the beat that needs none of `unavailable_slots`, and the image row of its beat.

        Raises LookupError if no template qualifies.
        """
        templates = self._words.templates(genre, beat)
        remaining = self._remaining.setdefault((genre, beat), [])
        for refill in (False, True):
            if refill:
                remaining.extend(self._shuffled_pairs(len(templates)))
            for pair in sorted(remaining, key=lambda pair: "{wish}" not in templates[pair[0]]):
                first, second = pair
                text = (
                    templates[first]
                    if first == second
                    else _combine(templates[first], templates[second], self._words.language)
                )
                visuals = load_world()["beats"][genre][beat]
                visuals = visuals[first % len(visuals)]
                if not any(f"{{{slot}}}" in text for slot in unavailable_slots):
                    remaining.remove(pair)
                    return text, visuals
        raise LookupError(f"{self._words.language}: no text for {genre}.{beat} without {sorted(unavailable_slots)}")

    def _shuffled_pairs(self, count: int) -> list[tuple[int, int]]:
        plain_pairs = [(i, i) for i in range(count)]
        self._rng.shuffle(plain_pairs)
        mixed_pairs = []
        for step in range(1, count):
            turn = [(i, (i + step) % count) for i in range(count)]
            self._rng.shuffle(turn)
            mixed_pairs += turn
        return plain_pairs + mixed_pairs


def _combine(one: str, other: str, language: str) -> str:
    head, tail = split_sentences(one), split_sentences(other)
    return join_sentences([head[0], *tail[1:]], language)

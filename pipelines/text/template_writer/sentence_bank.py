"""Sentence banks that never say the same twice in one story."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping

from pipelines.text.template_writer.language import Tongue, world
from pipelines.text.template_writer.text_utils import joined, sentences


class Bank:
    """Draws the texts of beats without repetition; when a beat's texts are used up, their first and second sentences
    are combined anew."""

    def __init__(self, words: Tongue, rng: random.Random) -> None:
        self._words = words
        self._rng = rng
        self._left: dict[tuple[str, str], list[tuple[int, int]]] = {}

    def draw(self, genre: str, beat: str, closed: Collection[str] = ()) -> tuple[str, Mapping[str, str]]:
        """A template of the beat that needs none of the slots `closed`, and what its picture shows."""
        templates = self._words.bank(genre, beat)
        left = self._left.setdefault((genre, beat), [])
        for fresh in (False, True):
            if fresh:
                left.extend(self._order(len(templates)))
            for pair in sorted(left, key=lambda pair: "{wish}" not in templates[pair[0]]):
                first, second = pair
                text = (
                    templates[first]
                    if first == second
                    else _crossed(templates[first], templates[second], self._words.language)
                )
                shown = world()["beats"][genre][beat]
                shown = shown[first % len(shown)]
                if not any(f"{{{slot}}}" in text for slot in closed):
                    left.remove(pair)
                    return text, shown
        raise LookupError(f"{self._words.language}: no text for {genre}.{beat} without {sorted(closed)}")

    def _order(self, count: int) -> list[tuple[int, int]]:
        straight = [(i, i) for i in range(count)]
        self._rng.shuffle(straight)
        crossed = []
        for step in range(1, count):
            turn = [(i, (i + step) % count) for i in range(count)]
            self._rng.shuffle(turn)
            crossed += turn
        return straight + crossed


def _crossed(one: str, other: str, language: str) -> str:
    head, tail = sentences(one), sentences(other)
    return joined([head[0], *tail[1:]], language)

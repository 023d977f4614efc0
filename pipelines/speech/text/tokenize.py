"""Word tokenizer whose words concatenate to the original text.

A word keeps the punctuation, spaces and emoji around it. Unpronounceable text belongs to the word before it (opening
brackets and text before the first word: to the word after it). Scripts without spaces (Han, kana) give one word per
character, with small kana and marks attached: the smallest unit at which a subtitle may break.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

_HAN_KANA = (
    r"\u3005-\u3007\u3021-\u3029\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fd-\u30ff"
    r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9d\U00020000-\U0003ffff"
)
_SMALL_KANA_RANGE = (
    r"\u3041\u3043\u3045\u3047\u3049\u3063\u3083\u3085\u3087\u308e\u30a1\u30a3\u30a5\u30a7\u30a9\u30c3\u30e3\u30e5"
    r"\u30e7\u30ee\u3005\u309d\u309e\u30fc\u30fd\u30fe\uff67-\uff70"
)
_SMALL_KANA = rf"[{_SMALL_KANA_RANGE}\u3099\u309a\ufe00-\ufe0f]"
_DASHES = r"(?:[\u2014\u2013\u2026\u2025\uff5e\u301c]|\.{2,}|--+)"
_OPENING_MARKS = "¿¡\"'([{«‘“„‹《「『【（〈〔﹁﹃"
_UNIT_PATTERN = re.compile(rf"\s+|[{_HAN_KANA}]{_SMALL_KANA}*|[^\s{_HAN_KANA}]+")
_AFTER_DASH = re.compile(rf"(?<=[^\W]){_DASHES}(?=\w)")
_HAN_KANA_CHARACTER = re.compile(rf"[{_HAN_KANA}]")
_CLOSING_MARKS = re.compile(rf"[^\w\s{re.escape(_OPENING_MARKS)}%&+=@€$£¥₹₺₩]+")
_OPENING_MARKS_AT_END = re.compile(rf"[{re.escape(_OPENING_MARKS)}]+$")

SPOKEN_SYMBOLS = frozenset("%&+=@€$£¥₹₺₩°×÷")
"""Symbols with a name in every language, which voices read out."""
MAX_WORD_LENGTH = 40
"""Maximum length of a word. A longer run without a space (a URL, an exclamation) is split, so that it fits a model."""


@dataclass(frozen=True, slots=True)
class Word:
    """Word of a text.

    `text` is verbatim; `core` is the spoken part; `leading` and `trailing` are the text around it.
    """

    text: str
    core: str
    leading: str
    trailing: str


def split_words(text: str) -> list[Word]:
    """Return the words of `text`, or [] if it has no pronounceable text.

    `"".join(word.text for word in words) == text` otherwise.
    """
    texts: list[str] = []
    pending = ""  # opening brackets, and text before the first word
    for unit in _units(text):
        if not any(_is_speakable(character) for character in unit):
            opening = _OPENING_MARKS_AT_END.search(unit)
            head, tail = (unit[: opening.start()], opening[0]) if opening else (unit, "")
            if texts and not pending:
                texts[-1] += head
                pending = tail
            else:
                pending += unit
            continue
        texts.append(pending + unit)
        pending = ""
    if pending and texts:
        texts[-1] += pending
    return [_parse_word(part) for part in texts]


def _units(text: str) -> Iterator[str]:
    after_character = False  # a closing mark directly after Han or kana belongs to that character
    for unit in _UNIT_PATTERN.findall(text):
        start = 0
        if after_character and (closing := _CLOSING_MARKS.match(unit)):
            yield closing[0]
            start = closing.end()
        after_character = bool(_HAN_KANA_CHARACTER.match(unit))
        for dash in _AFTER_DASH.finditer(unit, start):
            yield from _split_long_run(unit[start : dash.end()])
            start = dash.end()
        yield from _split_long_run(unit[start:])


def _split_long_run(unit: str) -> Iterator[str]:
    for start in range(0, len(unit), MAX_WORD_LENGTH):
        yield unit[start : start + MAX_WORD_LENGTH]


def _parse_word(text: str) -> Word:
    spoken = [index for index, character in enumerate(text) if _is_speakable(character)]
    first, last = spoken[0], spoken[-1] + 1
    while last < len(text) and unicodedata.category(text[last]).startswith("M"):
        last += 1
    return Word(text=text, core=text[first:last], leading=text[:first], trailing=text[last:])


def _is_speakable(character: str) -> bool:
    return character.isalnum() or character in SPOKEN_SYMBOLS

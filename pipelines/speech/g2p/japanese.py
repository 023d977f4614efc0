"""Japanese grapheme-to-phoneme conversion: text → kana → phonemes of Kokoro."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from pipelines.base import MissingDependency

if TYPE_CHECKING:
    from janome.tokenizer import Tokenizer

_DIGITS = ("", "イチ", "ニ", "サン", "ヨン", "ゴ", "ロク", "ナナ", "ハチ", "キュー")
_SOUND_CHANGES = {
    "サンヒャク": "サンビャク",
    "ロクヒャク": "ロッピャク",
    "ハチヒャク": "ハッピャク",
    "サンセン": "サンゼン",
    "ハチセン": "ハッセン",
}
_GROUPS = ("", "マン", "オク", "チョー", "ケー")


def spell_number(digits: str) -> str:
    """Spell an integer in katakana. Numbers of more than 20 digits are spelled digit by digit."""
    value = int(digits)
    if value == 0:
        return "ゼロ"
    if len(str(value)) > 4 * len(_GROUPS):
        return "".join(_DIGITS[int(digit)] or "ゼロ" for digit in digits)
    said = ""
    for power in reversed(range(len(_GROUPS))):
        group = value // 10_000**power % 10_000
        if group:
            said += ("イッ" if group == 1 and _GROUPS[power] in ("チョー", "ケー") else _spell_group(group)) + _GROUPS[
                power
            ]
    return said


def _spell_group(value: int) -> str:
    said = ""
    for unit, name in ((1000, "セン"), (100, "ヒャク"), (10, "ジュー")):
        digit, value = divmod(value, unit)
        if digit:
            word = (_DIGITS[digit] if digit > 1 else "") + name
            said += _SOUND_CHANGES.get(word, word)
    return said + _DIGITS[value]


def to_kana(texts: Sequence[str]) -> list[str]:
    """Return the pronunciation of neighbouring texts in katakana, one string per text.

    The kana of a word that spans several texts are distributed among them. Text that is not Japanese is unchanged.
    """
    return ["".join(sounds for _, sounds in part) for part in _pronounce(texts)]


def phonemize(texts: Sequence[str]) -> list[str]:
    """Return the phonemes of neighbouring texts, one string per text, with a space before each Japanese word."""
    parts = _pronounce(texts)
    following = [*[mora for part in parts for _, sounds in part for mora in _MORA.findall(sounds)][1:], ""]
    said, position = [], 0
    for part in parts:
        text = ""
        for begins, sounds in part:
            text += " " if begins else ""
            for mora in _MORA.findall(sounds):
                text += _phoneme(mora, following[position])
                position += 1
        said.append(text)
    return said


def _pronounce(texts: Sequence[str]) -> list[list[tuple[bool, str]]]:
    """Return for each text the sounds of each of its characters, and whether a word begins there."""
    whole = _ITERATION_MARK.sub(lambda found: found[1] * 2, "".join(texts))
    characters = [(False, "")] * len(whole)
    position = 0
    for token in _tokenizer().tokenize(whole):
        surface = str(token.surface)
        start = position = whole.index(surface, position)
        position += len(surface)
        morae = _MORA.findall(_pronunciation(surface, str(token.phonetic)))
        joined = surface[0] in "っょゃゅー"
        for index in range(len(surface)):
            first, last = index * len(morae) // len(surface), (index + 1) * len(morae) // len(surface)
            characters[start + index] = (index == 0 and not joined, "".join(morae[first:last]))
    parts, position = [], 0
    for text in texts:
        parts.append(characters[position : position + len(text)])
        position += len(text)
    return parts


def _pronunciation(surface: str, phonetic: str) -> str:
    if surface.isdecimal():
        return spell_number(surface)
    if phonetic != "*":
        return phonetic
    return "".join(
        chr(ord(character) + 0x60) if "\u3041" <= character <= "\u3096" else character for character in surface
    )


_ITERATION_MARK = re.compile(r"([\u4e00-\u9fff])\u3005")
_MORA = re.compile(r"[^ァィゥェォャュョヮ][ァィゥェォャュョヮ]?")
_KANA_ROWS = {
    "アイウエオ": "a i ɯ e o", "カキクケコ": "ka kʲi kɯ ke ko", "ガギグゲゴ": "ɡa ɡʲi ɡɯ ɡe ɡo",
    "サシスセソ": "sa ɕi sɨ se so",
    "ザジズゼゾ": "ʣa ʥi zɨ ʣe ʣo", "タチツテト": "ta ʨi ʦɨ te to", "ダヂヅデド": "da ʥi zɨ de do",
    "ナニヌネノ": "na ɲi nɯ ne no",
    "ハヒフヘホ": "ha çi ɸɯ he ho", "バビブベボ": "ba bʲi bɯ be bo", "パピプペポ": "pa pʲi pɯ pe po",
    "マミムメモ": "ma mʲi mɯ me mo",
    "ヤユヨ": "ja jɯ jo", "ラリルレロ": "ɾa ɾʲi ɾɯ ɾe ɾo", "ワヲヴ": "βa o vɯ",
}  # fmt: skip
_KANA_SOUNDS = {
    sign: sound for row, sounds in _KANA_ROWS.items() for sign, sound in zip(row, sounds.split(), strict=True)
}
_SMALL_KANA = {"ァ": "a", "ィ": "i", "ゥ": "ɯ", "ェ": "e", "ォ": "o", "ャ": "a", "ュ": "ɨ", "ョ": "o", "ヮ": "a"}
_NASALS = (("mpb", "m"), ("kɡ", "ŋ"), ("ɲʨʥ", "ɲ"), ("ntdɾz", "n"))


def _phoneme(mora: str, following: str) -> str:
    """Return the phonemes of one katakana mora; the syllabic n assimilates to the following sound."""
    if mora == "ー":
        return "ː"
    if mora == "ッ":
        return "ʔ" if following else ""
    if mora == "ン":
        after = _KANA_SOUNDS.get(following[:1], " ")[0]
        return next((nasal for sounds, nasal in _NASALS if after in sounds), "ɴ")
    sound = _KANA_SOUNDS.get(mora[0], "")
    if len(mora) == 1 or not sound:
        return sound
    if mora[0] == "ウ":
        return "β" + _SMALL_KANA[mora[1]]
    consonant = sound[:-1]
    soft = "ʲ" if mora[1] in "ィュ" and consonant in ("t", "d", "ɸ", "v") else ""
    return consonant + soft + _SMALL_KANA[mora[1]]


@cache
def _tokenizer() -> Tokenizer:
    try:
        from janome.tokenizer import Tokenizer
    except ImportError as error:
        raise MissingDependency('Japanese needs Janome; pip install "story-engine[draft]"') from error
    return Tokenizer()

"""Korean grapheme-to-phoneme conversion: Hangul → phonemes of Kokoro.

It follows the rules of Standard Pronunciation, which change sounds at syllable borders.
"""

from __future__ import annotations

import re
from itertools import pairwise

_INITIALS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
_VOWELS = (
    "a",
    "ɛ",
    "ja",
    "jɛ",
    "ʌ",
    "e",
    "jʌ",
    "je",
    "o",
    "wa",
    "wɛ",
    "we",
    "jo",
    "u",
    "wʌ",
    "we",
    "wi",
    "ju",
    "ɯ",
    "ɯi",
    "i",
)
_FINALS = ("", *"ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ")
_CLUSTER_PARTS = {
    "ㄳ": "ㄱㅅ", "ㄵ": "ㄴㅈ", "ㄶ": "ㄴㅎ", "ㄺ": "ㄹㄱ", "ㄻ": "ㄹㅁ", "ㄼ": "ㄹㅂ", "ㄽ": "ㄹㅅ", "ㄾ": "ㄹㅌ",
    "ㄿ": "ㄹㅍ", "ㅀ": "ㄹㅎ",
    "ㅄ": "ㅂㅅ",
}  # fmt: skip
_SILENT_INITIAL = "ㅇ"
_ASPIRATED = {"ㄱ": "ㅋ", "ㄷ": "ㅌ", "ㅂ": "ㅍ", "ㅈ": "ㅊ"}
_CODA_SOUNDS = {
    **dict.fromkeys(("ㄱ", "ㄲ", "ㅋ", "ㄳ", "ㄺ"), "k"), **dict.fromkeys(("ㄷ", "ㅅ", "ㅆ", "ㅈ", "ㅊ", "ㅌ", "ㅎ"),
    "t"),
    **dict.fromkeys(("ㅂ", "ㅍ", "ㅄ", "ㄿ"), "p"), **dict.fromkeys(("ㄴ", "ㄵ", "ㄶ"), "n"), **dict.fromkeys(("ㅁ",
    "ㄻ"), "m"),
    **dict.fromkeys(("ㄹ", "ㄼ", "ㄽ", "ㄾ", "ㅀ"), "l"), "ㅇ": "ŋ", "": "",
}  # fmt: skip
_NASAL_CODAS = {"k": "ŋ", "t": "n", "p": "m"}
_ONSET_SOUNDS = {
    "ㄱ": "k", "ㄲ": "k", "ㄴ": "n", "ㄷ": "t", "ㄸ": "t", "ㄹ": "ɾ", "ㅁ": "m", "ㅂ": "p", "ㅃ": "p", "ㅅ": "s",
    "ㅆ": "s", "ㅇ": "",
    "ㅈ": "ʨ", "ㅉ": "ʨ", "ㅊ": "ʨʰ", "ㅋ": "kʰ", "ㅌ": "tʰ", "ㅍ": "pʰ", "ㅎ": "h",
}  # fmt: skip
_VOICED_ONSETS = {"ㄱ": "ɡ", "ㄷ": "d", "ㅂ": "b", "ㅈ": "ʥ"}
_DIGITS, _UNITS, _GROUPS = "영일이삼사오육칠팔구", ("", "십", "백", "천"), ("", "만", "억", "조")
_HANGUL = re.compile(r"[\uac00-\ud7a3]+")


def spell_number(digits: str) -> str:
    """Spell an integer in Hangul (Sino-Korean). Numbers of more than 16 digits are spelled digit by digit."""
    value = int(digits)
    if value == 0 or len(digits) > 16:
        return "".join(_DIGITS[int(digit)] for digit in digits)
    said = ""
    for power in reversed(range(len(_GROUPS))):
        group = value // 10_000**power % 10_000
        for place in reversed(range(4)):
            digit = group // 10**place % 10
            if digit:
                said += ("" if digit == 1 and place else _DIGITS[digit]) + _UNITS[place]
        said += _GROUPS[power] if group else ""
    return said[1:] if said.startswith("일만") else said


def phonemize(word: str) -> str:
    """Return the phonemes of one word. Characters other than Hangul and digits are omitted."""
    word = re.sub(r"\d+", lambda found: spell_number(found[0]), re.sub(r"(?<=\d),(?=\d{3})", "", word))
    return "".join(_phonemize_run(run) for run in _HANGUL.findall(word))


def _phonemize_run(text: str) -> str:
    syllables = [_decompose(character) for character in text]
    for before, after in pairwise(syllables):
        _apply_liaison(before, after)
    said = ""
    for index, (initial, vowel, final) in enumerate(syllables):
        following = syllables[index + 1][0] if index + 1 < len(syllables) else ""
        said += _onset(initial, vowel, said[-1:]) + vowel + _coda(final, following)
    return said


def _decompose(syllable: str) -> list[str]:
    code = ord(syllable) - 0xAC00
    return [_INITIALS[code // 588], _VOWELS[code % 588 // 28], _FINALS[code % 28]]


def _apply_liaison(before: list[str], after: list[str]) -> None:
    """Apply the sound changes at the border of two syllables, in place."""
    first, last = (
        _CLUSTER_PARTS.get(before[2], " " + before[2])[0].strip(),
        before[2] and _CLUSTER_PARTS.get(before[2], before[2])[-1],
    )
    if not last:
        return
    if last == "ㅎ" and after[0] in _ASPIRATED:
        before[2], after[0] = first, _ASPIRATED[after[0]]
    elif last == "ㅎ" and after[0] in "ㅅㄴ":
        before[2] = first or ("ㄴ" if after[0] == "ㄴ" else "")
    elif after[0] == "ㅎ" and last in _ASPIRATED:
        before[2], after[0] = first, _ASPIRATED[last]
    elif after[0] == _SILENT_INITIAL and last != "ㅇ":
        moved = "" if last == "ㅎ" else last
        if moved in ("ㄷ", "ㅌ") and after[1] == "i":
            moved = "ㅈ" if moved == "ㄷ" else "ㅊ"
        if moved:
            before[2], after[0] = first, moved
        elif first:
            before[2], after[0] = "", first
        else:
            before[2] = ""
    elif after[0] == "ㄹ" and _CODA_SOUNDS[before[2]] in ("k", "t", "p", "m", "ŋ"):
        after[0] = "ㄴ"


def _onset(initial: str, vowel: str, before: str) -> str:
    if initial == "ㄹ" and before in ("l", "n"):
        return "l"
    if initial == "ㄴ" and before == "l":
        return "l"
    if initial in _VOICED_ONSETS and before and before in "aɛʌeouɯinmŋl":
        return _VOICED_ONSETS[initial]
    if initial in "ㅅㅆ" and vowel[0] in "ij":
        return "ɕ"
    return _ONSET_SOUNDS[initial]


def _coda(final: str, after: str) -> str:
    closed = _CODA_SOUNDS[final]
    if after and after in "ㄴㅁ":
        return _NASAL_CODAS.get(closed, closed)
    return "l" if closed == "n" and after == "ㄹ" else closed

"""Chinese grapheme-to-phoneme conversion: text → pinyin → phonemes of Kokoro."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipelines.base import MissingDependency

_DIGITS, _UNITS, _GROUPS = "零一二三四五六七八九", ("", "十", "百", "千"), ("", "万", "亿", "万亿")
_INITIALS = {
    "zh": "ꭧ", "ch": "ꭧʰ", "sh": "ʂ", "b": "p", "p": "pʰ", "m": "m", "f": "f", "d": "t", "t": "tʰ", "n": "n",
    "l": "l", "g": "k",
    "k": "kʰ", "h": "x", "j": "ʨ", "q": "ʨʰ", "x": "ɕ", "r": "ɻ", "z": "ʦ", "c": "ʦʰ", "s": "s",
}  # fmt: skip
# `0` is the position of the tone: after the vowel, before the syllable's final consonant.
_FINALS = {
    "a": "a0", "ai": "ai0", "an": "a0n", "ang": "a0ŋ", "ao": "au0", "e": "ɤ0", "ei": "ei0", "en": "ə0n", "eng": "ə0ŋ",
    "er": "ɚ0",
    "i": "i0", "ia": "ja0", "ian": "jɛ0n", "iang": "ja0ŋ", "iao": "jau0", "ie": "je0", "in": "i0n", "iou": "jou0",
    "ing": "i0ŋ",
    "iong": "jʊ0ŋ", "io": "jɔ0", "ong": "ʊ0ŋ", "ou": "ou0", "u": "u0", "uei": "wei0", "ua": "wa0", "uai": "wai0",
    "uan": "wa0n",
    "uen": "wə0n", "uang": "wa0ŋ", "ueng": "wə0ŋ", "uo": "wo0", "o": "wo0", "v": "y0", "ve": "ɥe0", "van": "ɥɛ0n",
    "vn": "y0n",
    "ê": "ɛ0", "m": "m0", "n": "n0", "ng": "ŋ0", "hm": "hm0", "hng": "hŋ0",
}  # fmt: skip
_TONES = {"1": "→", "2": "↗", "3": "↓", "4": "↘", "5": ""}
_HAN = re.compile(r"[\u3007\u3400-\u9fff\uf900-\ufaff]")


def spell_number(digits: str) -> str:
    """Spell an integer in Chinese characters. Numbers of more than 16 digits are spelled digit by digit."""
    if len(digits) > 16 or (len(digits) > 1 and digits[0] == "0"):
        return "".join(_DIGITS[int(digit)] for digit in digits)
    value = int(digits)
    if value == 0:
        return "零"
    said = ""
    for power in reversed(range(len(_GROUPS))):
        group = value // 10_000**power % 10_000
        if group:
            said += ("零" if said and group < 1000 else "") + _spell_group(group) + _GROUPS[power]
    return said[1:] if said.startswith("一十") else said


def _spell_group(value: int) -> str:
    said, gap = "", False
    for place in reversed(range(4)):
        digit = value // 10**place % 10
        if digit:
            said += ("零" if gap and said else "") + _DIGITS[digit] + _UNITS[place]
            gap = False
        else:
            gap = True
    return said


def spell_out_digits(text: str) -> str:
    """Replace numbers by Chinese characters."""
    text = re.sub(
        r"(\d+)\.(\d+)", lambda found: spell_number(found[1]) + "点" + "".join(_DIGITS[int(d)] for d in found[2]), text
    )
    return re.sub(r"\d+", lambda found: spell_number(found[0]), re.sub(r"(?<=\d),(?=\d{3})", "", text))


def phonemize(texts: Sequence[str]) -> list[str]:
    """Return the phonemes of neighbouring texts, one string per text, with a space before each Chinese word.

    Raises MissingDependency without pypinyin.
    """
    try:
        from pypinyin import Style, lazy_pinyin
        from pypinyin.seg.mmseg import seg
    except ImportError as error:
        raise MissingDependency('Chinese needs pypinyin; pip install "story-engine[draft]"') from error
    texts = [spell_out_digits(text) for text in texts]
    whole = "".join("".join(_HAN.findall(text)) for text in texts)
    words = list(seg.cut(whole))
    begins = {sum(len(word) for word in words[:index]) for index in range(len(words))}
    syllables = lazy_pinyin(words, style=Style.TONE3, neutral_tone_with_five=True, tone_sandhi=True, v_to_u=False)
    spoken, position = [], 0
    for text in texts:
        part = ""
        for _ in _HAN.findall(text):
            part += (" " if position in begins else "") + syllable_to_phonemes(syllables[position])
            position += 1
        spoken.append(part)
    return spoken


def syllable_to_phonemes(pinyin: str) -> str:
    """Return the phonemes of a pinyin syllable with tone number: `hao3` → `xau↓`."""
    from pypinyin.contrib.tone_convert import to_finals, to_initials

    tone = _TONES.get(pinyin[-1:], "")
    plain = pinyin.rstrip("12345")
    initial = to_initials(plain, strict=True)
    final = to_finals(plain, strict=True, v_to_u=False) or plain
    if final == "i" and initial in ("zh", "ch", "sh", "r", "z", "c", "s"):
        return _INITIALS[initial] + "ɨ" + tone
    if final == "o" and not initial:
        return "ɔ" + tone
    return _INITIALS.get(initial, "") + _FINALS.get(final, "").replace("0", tone)

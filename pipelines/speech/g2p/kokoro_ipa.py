"""Phoneme alphabet of Kokoro: conversion from eSpeak NG's IPA, and phonemizers of Chinese, Japanese and Korean."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from pipelines.step_params import Language

_LIGATURES = (
    ("t^ʃ", "ʧ"), ("d^ʒ", "ʤ"), ("t^s", "ʦ"), ("d^z", "ʣ"), ("t^ɕ", "ʨ"), ("d^ʑ", "ʥ"),
    ("a^ɪ", "I"), ("a^ʊ", "W"), ("e^ɪ", "A"), ("o^ʊ", "O"), ("ə^ʊ", "Q"), ("ɔ^ɪ", "Y"),
)  # fmt: skip
_FALLBACK_SOUNDS = (
    ("ɫ", "l"),
    ("ħ", "h"),
    ("ʕ", "ʔ"),
    ("\u032a", ""),
    ("ˤ", ""),
    ("\u0329", ""),
    ("ʏ", "y"),
    ("ʀ", "ʁ"),
    ("ɬ", "l"),
)
"""Sounds missing from the model's alphabet → the nearest sound in it."""
_LANGUAGE_RESPELLINGS: Mapping[Language, tuple[tuple[str, str], ...]] = {
    "English": (
        ("ə^l", "ᵊl"), ("n\u0329", "ᵊn"), ("l\u0329", "ᵊl"), ("ɜːɹ", "ɜɹ"), ("ɜː", "ɜɹ"), ("ɚ", "əɹ"), ("ɐ", "ə"),
        ("ɪə", "iə"), ("ː", ""),
        ("o", "ɔ"), ("ɾ", "T"), ("ʔ", "t"), ("r", "ɹ"), ("x", "k"), ("ç", "k"),
    ),
    "Turkish": (("ɟ", "ɡ"), ("c", "k")),
    "Arabic": (("q", "k"), ("r.", "r")),
}  # fmt: skip


def respell(ipa: str, language: Language) -> str:
    """Convert eSpeak's IPA to the model's alphabet: one letter per diphthong and affricate, no unknown letters."""
    for sound, letter in (*_LIGATURES, *_LANGUAGE_RESPELLINGS.get(language, ()), *_FALLBACK_SOUNDS):
        ipa = ipa.replace(sound, letter)
    ipa = ipa.replace("^", "")
    return _insert_vowels(ipa) if language == "Arabic" else ipa


def _insert_vowels(ipa: str) -> str:
    """Insert `a` where consonants meet that no Arabic syllable allows.

    Arabic is written without short vowels, and eSpeak NG knows those of common words only. The result may be another
    form of the word, but it is pronounceable.
    """
    return " ".join(_break_up_clusters(word) for word in ipa.split(" "))


def _break_up_clusters(word: str) -> str:
    sounds = _SOUND.findall(word)
    said: list[str] = []
    for index, sound in enumerate(sounds):
        last = index + 1 == len(sounds)
        alone = not _is_vowel(sound) and (not said or not _is_vowel(said[-1]))
        if alone and last and said and said[-1] != sound:
            said.append("a")
        said.append(sound)
        if alone and not last and not _is_vowel(sounds[index + 1]):
            said.append("a")
    return "".join(said)


def _is_vowel(sound: str) -> bool:
    return sound.strip("ˈˌː") in _VOWELS


_VOWELS = frozenset("aeiouɪʊəɛɔ")
_SOUND = re.compile(r"[ˈˌ]?[^ˈˌː]ː?")


def _japanese(texts: Sequence[str]) -> list[str]:
    from pipelines.speech.g2p.japanese import phonemize

    return phonemize(texts)


def _chinese(texts: Sequence[str]) -> list[str]:
    from pipelines.speech.g2p.chinese import phonemize

    return phonemize(texts)


def _korean(texts: Sequence[str]) -> list[str]:
    from pipelines.speech.g2p.korean import phonemize

    return [f" {phonemize(text)}" for text in texts]


PHONEMIZERS: Mapping[Language, Callable[[Sequence[str]], list[str]]] = {
    "Chinese": _chinese,
    "Japanese": _japanese,
    "Korean": _korean,
}
"""Phonemizers of languages for which dictionaries and rules are better than eSpeak NG."""

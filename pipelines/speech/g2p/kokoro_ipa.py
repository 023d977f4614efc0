"""The letters of Kokoro: the IPA of eSpeak NG, and the sounds of Chinese, Japanese and Korean, as the model was trained on them."""

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
"""Sounds that the model has no letter for → the nearest that it has."""
_LANGUAGE_RESPELLINGS: Mapping[Language, tuple[tuple[str, str], ...]] = {
    "English": (
        ("ə^l", "ᵊl"), ("n\u0329", "ᵊn"), ("l\u0329", "ᵊl"), ("ɜːɹ", "ɜɹ"), ("ɜː", "ɜɹ"), ("ɚ", "əɹ"), ("ɐ", "ə"), ("ɪə", "iə"), ("ː", ""),
        ("o", "ɔ"), ("ɾ", "T"), ("ʔ", "t"), ("r", "ɹ"), ("x", "k"), ("ç", "k"),
    ),
    "Turkish": (("ɟ", "ɡ"), ("c", "k")),
    "Arabic": (("q", "k"), ("r.", "r")),
}  # fmt: skip


def respell(ipa: str, language: Language) -> str:
    """eSpeak's IPA in the letters of the model: one letter for each diphthong and affricate, none that it does not know."""
    for sound, letter in (*_LIGATURES, *_LANGUAGE_RESPELLINGS.get(language, ()), *_FALLBACK_SOUNDS):
        ipa = ipa.replace(sound, letter)
    ipa = ipa.replace("^", "")
    return _insert_vowels(ipa) if language == "Arabic" else ipa


def _insert_vowels(ipa: str) -> str:
    """Arabic is written without short vowels, and eSpeak NG knows those of common words only. Where consonants meet that no
    syllable of Arabic can hold, an `a` stands between them: what is said may be another form of the word, but it can be said."""
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
"""Languages that eSpeak NG reads worse than their own rules and dictionaries do."""

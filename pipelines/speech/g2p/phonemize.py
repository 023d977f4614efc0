"""Grapheme-to-phoneme conversion, word by word."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from pipelines.languages import LANGUAGE_FACTS
from pipelines.speech.text.normalize import normalize_text
from pipelines.speech.text.scripts import split_by_language
from pipelines.speech.text.tokenize import Word
from pipelines.speech.text.utterances import split_clauses
from pipelines.speech.timing.alignment import split_phonemes_by_word
from pipelines.step_params import Language

_LANGUAGE_SWITCH = re.compile(r"\([\^a-z-]+\)")  # eSpeak NG marks a change of language: (en)…(hi)

RespellFunction = Callable[[str, Language], str]
"""IPA of eSpeak NG (sounds of several letters tied by `^`) → the alphabet of a model."""
Phonemizer = Callable[[Sequence[str]], list[str]]
"""Neighbouring texts of one language → their phonemes in the alphabet of a model, with a space before each word."""


def phonemize(
    words: Sequence[Word], language: Language, respell: RespellFunction, phonemizers: Mapping[Language, Phonemizer]
) -> list[str]:
    """Return one phoneme string per word, without punctuation, with a space where a word of the language begins.

    `phonemizers` convert their languages; eSpeak NG converts all others.
    """
    phoneme_texts: list[str] = []
    for clause in split_clauses(words):
        for run_language, run in split_by_language(clause, language):
            texts = [normalize_text(word.core, run_language) for word in run]
            if run_language in phonemizers:
                phoneme_texts += phonemizers[run_language](texts)
            else:
                phoneme_texts += [
                    f" {respell(part, run_language)}" for part in _phonemize_with_espeak(texts, run_language)
                ]
    return phoneme_texts


def _phonemize_with_espeak(texts: Sequence[str], language: Language) -> list[str]:
    from pipelines.speech.g2p.espeak_binding import open_espeak

    with open_espeak() as library:
        whole = _strip_markers(library.to_phonemes(" ".join(texts), LANGUAGE_FACTS[language].espeak_voice))
        if len(whole.split(" ")) == len(texts):
            return whole.split(" ")
        alone = [_strip_markers(library.to_phonemes(text, LANGUAGE_FACTS[language].espeak_voice)) for text in texts]
    return split_phonemes_by_word(whole, alone)


def _strip_markers(ipa: str) -> str:
    return " ".join(_LANGUAGE_SWITCH.sub("", ipa).replace("-", "").split())

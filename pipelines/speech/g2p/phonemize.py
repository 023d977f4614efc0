"""Words → phonemes of a neural voice, word by word, with the punctuation that the voice understands."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from pipelines.speech.text.normalize import spoken
from pipelines.speech.text.scripts import VOICES, runs
from pipelines.speech.text.tokenize import Word
from pipelines.speech.text.utterances import clauses
from pipelines.speech.timing.alignment import divide
from pipelines.step_params import Language

_SWITCH = re.compile(r"\([\^a-z-]+\)")  # eSpeak NG tells where it changes the language: (en)…(hi)

Respell = Callable[[str, Language], str]
"""IPA of eSpeak NG (sounds of several letters tied by `^`) → the letters of a model."""
Reader = Callable[[Sequence[str]], list[str]]
"""Neighbouring texts of one language → their phonemes in the letters of a model, with a space where a word begins."""


def phonemes(
    words: Sequence[Word], language: Language, respell: Respell, readers: Mapping[Language, Reader]
) -> list[str]:
    """One text per word, without punctuation, with a space where a word of the language begins. `readers` read their languages,
    eSpeak NG all others."""
    said: list[str] = []
    for clause in clauses(words):
        for reader, run in runs(clause, language):
            texts = [spoken(word.core, reader) for word in run]
            if reader in readers:
                said += readers[reader](texts)
            else:
                said += [f" {respell(part, reader)}" for part in _by_espeak(texts, reader)]
    return said


def _by_espeak(texts: Sequence[str], language: Language) -> list[str]:
    from pipelines.speech.g2p.espeak_binding import espeak

    with espeak() as library:
        whole = _clean(library.phonemes(" ".join(texts), VOICES[language]))
        if len(whole.split(" ")) == len(texts):
            return whole.split(" ")
        alone = [_clean(library.phonemes(text, VOICES[language])) for text in texts]
    return divide(whole, alone)


def _clean(ipa: str) -> str:
    return " ".join(_SWITCH.sub("", ipa).replace("-", "").split())

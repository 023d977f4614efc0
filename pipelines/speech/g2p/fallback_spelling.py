"""Respelling of words for eSpeak NG where it has no dictionary."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.speech.text.normalize import normalize_text
from pipelines.speech.text.tokenize import Word
from pipelines.step_params import Language


def spell_for_espeak(words: Sequence[Word], language: Language) -> list[str]:
    """Return one text per word. Japanese becomes kana (needs Janome), because eSpeak NG reads only kana."""
    texts = [normalize_text(word.core, language) for word in words]
    if language == "Japanese":
        from pipelines.speech.g2p.japanese import to_kana

        return to_kana(texts)
    return texts

"""Written words → words as eSpeak NG can read them: what it has no dictionary for is written out in letters that it knows."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.speech.text.normalize import normalize_text
from pipelines.speech.text.tokenize import Word
from pipelines.step_params import Language


def spell_for_espeak(words: Sequence[Word], language: Language) -> list[str]:
    """One text per word. Japanese becomes kana (needs Janome): eSpeak NG reads kana only."""
    texts = [normalize_text(word.core, language) for word in words]
    if language == "Japanese":
        from pipelines.speech.g2p.japanese import to_kana

        return to_kana(texts)
    return texts

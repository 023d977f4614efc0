"""Written words → words as eSpeak NG can read them: what it has no dictionary for is written out in letters that it knows."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.kinds import Language
from pipelines.speech.spoken import spoken
from pipelines.speech.words import Word


def written_out(words: Sequence[Word], language: Language) -> list[str]:
    """One text per word. Japanese becomes kana (needs Janome): eSpeak NG reads kana only."""
    texts = [spoken(word.core, language) for word in words]
    if language == "Japanese":
        from pipelines.speech.japanese import kana

        return kana(texts)
    return texts

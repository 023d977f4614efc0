"""Written words → words as eSpeak NG can read them: what it has no dictionary for is written out in letters that it knows."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.speech.text.normalize import spoken
from pipelines.speech.text.tokenize import Word
from pipelines.step_params import Language


def written_out(words: Sequence[Word], language: Language) -> list[str]:
    """One text per word. Japanese becomes kana (needs Janome): eSpeak NG reads kana only."""
    texts = [spoken(word.core, language) for word in words]
    if language == "Japanese":
        from pipelines.speech.g2p.japanese import kana

        return kana(texts)
    return texts

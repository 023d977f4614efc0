"""Scripts of the languages: which language reads a word."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from pipelines.speech.text.tokenize import Word
from pipelines.step_params import Language

_SCRIPT_LANGUAGES: tuple[tuple[re.Pattern[str], Language, frozenset[Language]], ...] = (
    (re.compile(r"[\u3041-\u30ff\uff66-\uff9d]"), "Japanese", frozenset({"Japanese"})),
    (re.compile(r"[\u4e00-\u9fff\u3400-\u4dbf]"), "Chinese", frozenset({"Chinese", "Japanese"})),
    (re.compile(r"[\uac00-\ud7a3\u1100-\u11ff\u3130-\u318f]"), "Korean", frozenset({"Korean"})),
    (re.compile(r"[\u0600-\u06ff\u0750-\u077f]"), "Arabic", frozenset({"Arabic"})),
    (re.compile(r"[\u0900-\u097f]"), "Hindi", frozenset({"Hindi"})),
    (re.compile(r"[A-Za-z]"), "English", frozenset({"English", "French", "German", "Spanish", "Turkish"})),
)


def detect_language(core: str, language: Language) -> Language:
    """Return the language for reading a word: the story's, unless the word is in a script that it does not use."""
    for script, reader, users in _SCRIPT_LANGUAGES:
        if script.search(core):
            return language if language in users else reader
    return language


def split_by_language(words: Sequence[Word], language: Language) -> Iterator[tuple[Language, tuple[Word, ...]]]:
    """Group neighbouring words of the same language."""
    for reader, group in groupby(words, key=lambda word: detect_language(word.core, language)):
        yield reader, tuple(group)

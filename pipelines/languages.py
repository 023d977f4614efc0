"""Table of the languages: the codes and facts that standards, models and libraries need for each.

A new language takes one entry here, one in `Language` of `pipelines.step_params`, and the word lists of the families
that speak it. Word lists and sentence data stay with their families.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageFacts:
    """Facts of one language."""

    bcp47: str
    """Tag of the language, with its script where that is ambiguous."""
    iso639_1: str
    """Two-letter code; Chatterbox and num2words use it too."""
    iso639_3: str
    """Three-letter code: MP4 tracks and uroman."""
    espeak_voice: str
    xtts_code: str
    spaces: bool = True
    """Whether spaces separate words and sentences."""
    decimal_comma: bool = False
    """Whether `,` is the decimal mark and `.` the grouping mark."""
    question_mark: str = "?"
    """Question mark, with the space before it where the language has one."""


LANGUAGE_FACTS: Mapping[str, LanguageFacts] = {
    "Arabic": LanguageFacts(
        bcp47="ar", iso639_1="ar", iso639_3="ara", espeak_voice="ar", xtts_code="ar", question_mark="؟"
    ),
    "Chinese": LanguageFacts(
        bcp47="zh-Hans",
        iso639_1="zh",
        iso639_3="zho",
        espeak_voice="cmn",
        xtts_code="zh-cn",
        spaces=False,
        question_mark="？",
    ),
    "English": LanguageFacts(bcp47="en", iso639_1="en", iso639_3="eng", espeak_voice="en-us", xtts_code="en"),
    "French": LanguageFacts(
        bcp47="fr",
        iso639_1="fr",
        iso639_3="fra",
        espeak_voice="fr",
        xtts_code="fr",
        decimal_comma=True,
        question_mark="\u00a0?",
    ),
    "German": LanguageFacts(
        bcp47="de", iso639_1="de", iso639_3="deu", espeak_voice="de", xtts_code="de", decimal_comma=True
    ),
    "Hindi": LanguageFacts(bcp47="hi", iso639_1="hi", iso639_3="hin", espeak_voice="hi", xtts_code="hi"),
    "Japanese": LanguageFacts(
        bcp47="ja",
        iso639_1="ja",
        iso639_3="jpn",
        espeak_voice="ja",
        xtts_code="ja",
        spaces=False,
        question_mark="？",
    ),
    "Korean": LanguageFacts(bcp47="ko", iso639_1="ko", iso639_3="kor", espeak_voice="ko", xtts_code="ko"),
    "Spanish": LanguageFacts(
        bcp47="es", iso639_1="es", iso639_3="spa", espeak_voice="es", xtts_code="es", decimal_comma=True
    ),
    "Turkish": LanguageFacts(
        bcp47="tr", iso639_1="tr", iso639_3="tur", espeak_voice="tr", xtts_code="tr", decimal_comma=True
    ),
}
"""Facts of every language of `pipelines.step_params.LANGUAGES`."""

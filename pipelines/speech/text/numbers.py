"""Number words, for voices that were trained on letters alone."""

from __future__ import annotations

import re
from decimal import Decimal

from pipelines.base import MissingDependency
from pipelines.languages import LANGUAGE_FACTS
from pipelines.step_params import Language

_NUMBER_PATTERN = re.compile(r"\d+(?:[.,]\d+)*")
_MAX_DIGITS = 15  # longer numbers are codes and are spelled digit by digit
_HINDI_UP_TO_99 = (
    "शून्य एक दो तीन चार पाँच छह सात आठ नौ दस ग्यारह बारह तेरह चौदह पंद्रह सोलह सत्रह अठारह उन्नीस बीस इक्कीस बाईस तेईस "
    "चौबीस पच्चीस छब्बीस "
    "सत्ताईस अट्ठाईस उनतीस तीस इकतीस बत्तीस तैंतीस चौंतीस पैंतीस छत्तीस सैंतीस अड़तीस उनतालीस चालीस इकतालीस बयालीस तैंतालीस "
    "चौवालीस पैंतालीस "
    "छियालीस सैंतालीस अड़तालीस उनचास पचास इक्यावन बावन तिरेपन चौवन पचपन छप्पन सत्तावन अट्ठावन उनसठ साठ इकसठ बासठ तिरेसठ "
    "चौंसठ पैंसठ छियासठ "
    "सड़सठ अड़सठ उनहत्तर सत्तर इकहत्तर बहत्तर तिहत्तर चौहत्तर पचहत्तर छिहत्तर सतहत्तर अठहत्तर उनासी अस्सी इक्यासी बयासी तिरासी "
    "चौरासी पचासी "
    "छियासी सत्तासी अट्ठासी नवासी नब्बे इक्यानवे बानवे तिरानवे चौरानवे पंचानवे छियानवे सत्तानवे अट्ठानवे निन्यानवे"
)
_HINDI_NUMBERS = _HINDI_UP_TO_99.split()
_HINDI_UNITS = ((10_000_000, "करोड़"), (100_000, "लाख"), (1000, "हज़ार"), (100, "सौ"))


def spell_out_numbers(text: str, language: Language) -> str:
    """Return `text` with its numbers as words. Raises MissingDependency without num2words."""
    return (
        _NUMBER_PATTERN.sub(lambda found: f" {_number_to_words(found[0], language)} ", text).strip()
        if _NUMBER_PATTERN.search(text)
        else text
    )


def _number_to_words(number: str, language: Language) -> str:
    grouping, decimal = (".", ",") if LANGUAGE_FACTS[language].decimal_comma else (",", ".")
    # A grouping mark without groups (of two digits in India, the last of three) is a misplaced decimal mark.
    if not re.fullmatch(
        rf"\d{{1,3}}(?:{re.escape(grouping)}\d{{2,3}})*{re.escape(grouping)}\d{{3}}(?:{re.escape(decimal)}\d+)?", number
    ):
        number = number.replace(grouping, decimal)
    whole, _, part = number.replace(grouping, "").partition(decimal)
    part = "".join(sign for sign in part if sign.isdecimal())
    if len(whole) > _MAX_DIGITS:
        return " ".join(_value_to_words(int(digit), language) for digit in whole)
    if not part:
        return _value_to_words(int(whole), language)
    if language == "Hindi":
        return " ".join((_hindi_words(int(whole)), "दशमलव", *(_HINDI_NUMBERS[int(digit)] for digit in part)))
    return _value_to_words(Decimal(f"{int(whole)}.{part}"), language)


def _value_to_words(value: int | Decimal, language: Language) -> str:
    if language == "Hindi":
        return _hindi_words(int(value))
    try:
        from num2words import num2words
    except ImportError as error:
        raise MissingDependency('writing out numbers needs num2words; `pip install "story-engine[tts]"`') from error
    return re.sub(
        r"\s*[,،]\s*|\s+", " ", str(num2words(value, lang=LANGUAGE_FACTS[language].iso639_1)).replace("-", " ")
    ).strip()


def _hindi_words(value: int) -> str:
    said: list[str] = []
    for size, unit in _HINDI_UNITS:
        count, value = divmod(value, size)
        if count:
            said += [_hindi_words(count), unit]
    if value or not said:
        said.append(_HINDI_NUMBERS[value])
    return " ".join(said)

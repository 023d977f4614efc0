"""Language pack of the template writer: sentence banks, nouns for heroes, places and objects, and grammar rules."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from pipelines.languages import LANGUAGE_FACTS
from pipelines.step_params import Language

_FOLDER = Path(__file__).parent
_CHOICE = {"hero": re.compile(r"\[([^\[\]|]*(?:\|[^\[\]|]*)+)\]"), "friend": re.compile(r"<([^<>|]*(?:\|[^<>|]*)+)>")}
_GENDERS = "mfn"
_PARTICLE = re.compile(r"(\w)([\"”’」』)]*)(은\(는\)|이\(가\)|을\(를\)|과\(와\)|으로\(로\)|이라는\(라는\))")
_CONSONANT_LETTERS = "bcdfgjklmnpqrstvxz"


@cache
def load_world() -> Mapping[str, Any]:
    """Return the data that all languages share, in English: looks of heroes, places and objects, images of beats."""
    data: Mapping[str, Any] = yaml.safe_load((_FOLDER / "world.yaml").read_text("utf-8"))
    return data


@dataclass(frozen=True, slots=True)
class Noun:
    """Hero, place or object of a language, with the two forms of its row in the language's file.

    `first` and `second` are, for a hero: form with article, article; for a place: label, adverbial phrase; for an
    object: indefinite form, definite form.
    """

    key: str
    gender: str
    first: str
    second: str
    bare: str


class LanguagePack:
    """Words and grammar of one language.

    Templates have `{slot}`, `[masculine|feminine|neuter]` for the hero and `<masculine|feminine>` for the companion.
    Korean particles are written `은(는)`; the preceding sound selects the form.
    """

    def __init__(self, language: str, data: Mapping[str, Any]) -> None:
        self.language = language
        self.data = data
        self.full_stop: str = data["stop"]
        self.heroes = {key: self._parse_hero(key, row) for key, row in data["heroes"].items()}
        self.places = {key: self._parse_noun(key, row) for key, row in data["places"].items()}
        self.objects = {key: self._parse_noun(key, row, is_object=True) for key, row in data["things"].items()}

    @property
    def spaceless(self) -> bool:
        return not LANGUAGE_FACTS[self.language].spaces

    def _parse_hero(self, key: str, row: str) -> Noun:
        gender, form = row.split(" ", 1)
        article, bare = form.split(" ", 1) if self.data.get("articles") and " " in form else ("", form)
        if self.language == "Chinese":
            article, bare = form.split(" ", 1)
        return Noun(key, gender, form.replace(" ", "") if self.language == "Chinese" else form, article, bare)

    def _parse_noun(self, key: str, row: str, is_object: bool = False) -> Noun:
        first, second = (part.strip() for part in row.split("|"))
        if self.data.get("articles"):
            bare = first.split(" ", 1)[-1]
        else:
            # Without articles the bare noun is the place's label, or the object without its measure word or “that”.
            bare = first if self.language == "Arabic" or not is_object else re.sub(r"^(?:那.|o )", "", second)
        return Noun(key, "", first, second, bare)

    def aliases(self, noun: Noun) -> tuple[str, ...]:
        """Return the lower-case words for this hero in running text."""
        others = (
            load_world()["heroes"][noun.key].get("words", ())
            if self.language == "English"
            else self._other_words(noun.key)
        )
        return (noun.bare.casefold(), *(str(word).casefold() for word in others))

    def _other_words(self, key: str) -> tuple[str, ...]:
        return tuple(self.data.get("words", {}).get(key, ()))

    def templates(self, genre: str, beat: str) -> tuple[str, ...]:
        """Return all texts of one beat."""
        return tuple(self.data["beats"][genre][beat])

    def fill_phrase(self, name: str, slots: Mapping[str, str], gender: str = "m") -> str:
        """Return the phrase `name` of the language's file with its slots filled."""
        return self._fill(self.data["phrases"][name], slots, gender)

    def fill_template(self, template: str, slots: Mapping[str, str], hero: str = "m", friend: str = "m") -> str:
        """Return `template` as a sentence with forms selected and slots filled.

        Slot values are never parsed as templates.
        """
        return self.capitalize(self._fill(template, slots, hero, friend))

    def _fill(self, template: str, slots: Mapping[str, str], hero: str = "m", friend: str = "m") -> str:
        template = _CHOICE["hero"].sub(lambda m: _choose(m[1], hero), template)
        template = _CHOICE["friend"].sub(lambda m: _choose(m[1], friend), template)
        text = re.sub(r"\{(\w+)\}", lambda m: self._slot_value(m[1], slots), template)
        if self.language == "Korean":
            text = _PARTICLE.sub(_choose_particle, text)
        return text

    def _slot_value(self, name: str, slots: Mapping[str, str]) -> str:
        if name in slots:
            return slots[name]
        return self.capitalize(slots[name[0].lower() + name[1:]])

    def capitalize(self, text: str) -> str:
        """Return `text` with a capital first letter by the rules of this language."""
        lead = re.match(r"[\"“„«»¿¡'‘(\s]*", text)
        at = lead.end() if lead else 0
        first = text[at : at + 1]
        upper = "İ" if self.language == "Turkish" and first == "i" else first.upper()
        return text[:at] + (upper if len(upper) == 1 else first) + text[at + 1 :]

    def end_sentence(self, text: str) -> str:
        """Return `text` with the full stop of this language, unless it already ends as a sentence."""
        text = text.rstrip(" ,;:，、；：،؛-–—")
        if re.search(r"[.!?…。！？؟।][\"“”’»」』）)\s]*$", text):
            return text[:-1] + self.full_stop if self.full_stop != "." and re.search(r"[^.]\.$", text) else text
        return text + self.full_stop

    def join_names(self, names: tuple[str, ...]) -> str:
        """Return the names as an enumeration: A, B and C."""
        comma, last = self.data["phrases"]["comma"], self.data["phrases"]["and"]
        text = last.join((comma.join(names[:-1]), names[-1])) if len(names) > 1 else "".join(names)
        return _PARTICLE.sub(_choose_particle, text) if self.language == "Korean" else text


def _choose(options: str, gender: str) -> str:
    forms = options.split("|")
    place = _GENDERS.index(gender)
    return forms[place] if place < len(forms) else forms[0]


def _ends_in_consonant(letter: str) -> bool:
    code = ord(letter) - 0xAC00
    return code % 28 != 0 if 0 <= code < 11172 else letter.casefold() in _CONSONANT_LETTERS


def _choose_particle(match: re.Match[str]) -> str:
    letter, quote, pair = match[1], match[2], match[3]
    ends_in_consonant = _ends_in_consonant(letter)
    if pair.startswith("으로") and 0 <= (code := ord(letter) - 0xAC00) < 11172 and code % 28 == 8:
        ends_in_consonant = False  # ㄹ takes the short form
    with_final, without = pair.rstrip(")").split("(")
    return letter + quote + (with_final if ends_in_consonant else without)


@cache
def load_language_pack(language: Language | str) -> LanguagePack:
    """Return the language pack of that name; cached."""
    data = yaml.safe_load((_FOLDER / "languages" / f"{language}.yaml").read_text("utf-8"))
    return LanguagePack(str(language), data)

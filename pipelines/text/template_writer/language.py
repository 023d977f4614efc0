"""One language of the storyteller: its sentence banks, its words for heroes, places and things, its small grammar."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from pipelines.step_params import Language

_FOLDER = Path(__file__).parent
_CHOICE = {"hero": re.compile(r"\[([^\[\]|]*(?:\|[^\[\]|]*)+)\]"), "friend": re.compile(r"<([^<>|]*(?:\|[^<>|]*)+)>")}
_GENDERS = "mfn"
_PARTICLE = re.compile(r"(\w)([\"”’」』)]*)(은\(는\)|이\(가\)|을\(를\)|과\(와\)|으로\(로\)|이라는\(라는\))")
_CONSONANT_LETTERS = "bcdfgjklmnpqrstvxz"


@cache
def load_world() -> Mapping[str, Any]:
    """What all languages share, in English: how heroes, places and things look, and what every beat shows."""
    data: Mapping[str, Any] = yaml.safe_load((_FOLDER / "world.yaml").read_text("utf-8"))
    return data


@dataclass(frozen=True, slots=True)
class Noun:
    """A hero, place or thing of a language: `first` and `second` are the two forms of its row in the language's file
    (hero: with article; place: label, `at` phrase; thing: indefinite, definite)."""

    key: str
    gender: str
    first: str
    second: str
    bare: str


class LanguagePack:
    """The words of one language. Templates know `{slot}`, `[masculine|feminine|neuter]` for the hero and
    `<masculine|feminine>` for the friend; Korean particles are written `은(는)` and chosen by the sound before."""

    def __init__(self, language: str, data: Mapping[str, Any]) -> None:
        self.language = language
        self.data = data
        self.full_stop: str = data["stop"]
        self.heroes = {key: self._parse_hero(key, row) for key, row in data["heroes"].items()}
        self.places = {key: self._parse_noun(key, row) for key, row in data["places"].items()}
        self.objects = {key: self._parse_noun(key, row, is_object=True) for key, row in data["things"].items()}

    @property
    def spaceless(self) -> bool:
        return self.language in ("Chinese", "Japanese")

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
            # Where nouns have no article the plain word is the place's label, or a thing without its measure or “that”.
            bare = first if self.language == "Arabic" or not is_object else re.sub(r"^(?:那.|o )", "", second)
        return Noun(key, "", first, second, bare)

    def aliases(self, noun: Noun) -> tuple[str, ...]:
        """The words by which running text may call this hero, in lower case."""
        others = (
            load_world()["heroes"][noun.key].get("words", ())
            if self.language == "English"
            else self._other_words(noun.key)
        )
        return (noun.bare.casefold(), *(str(word).casefold() for word in others))

    def _other_words(self, key: str) -> tuple[str, ...]:
        return tuple(self.data.get("words", {}).get(key, ()))

    def templates(self, genre: str, beat: str) -> tuple[str, ...]:
        """All texts of one beat."""
        return tuple(self.data["beats"][genre][beat])

    def fill_phrase(self, name: str, slots: Mapping[str, str], gender: str = "m") -> str:
        """One of the language's small patterns, filled."""
        return self._fill(self.data["phrases"][name], slots, gender)

    def fill_template(self, template: str, slots: Mapping[str, str], hero: str = "m", friend: str = "m") -> str:
        """`template` as a sentence, its choices made and its slots filled; slot values are never read as templates."""
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
        """`text` with a capital first letter, as this language writes it."""
        lead = re.match(r"[\"“„«»¿¡'‘(\s]*", text)
        at = lead.end() if lead else 0
        first = text[at : at + 1]
        upper = "İ" if self.language == "Turkish" and first == "i" else first.upper()
        return text[:at] + (upper if len(upper) == 1 else first) + text[at + 1 :]

    def end_sentence(self, text: str) -> str:
        """`text` with the full stop of this language, unless it ends as a sentence already."""
        text = text.rstrip(" ,;:，、；：،؛-–—")
        if re.search(r"[.!?…。！？؟।][\"“”’»」』）)\s]*$", text):
            return text[:-1] + self.full_stop if self.full_stop != "." and re.search(r"[^.]\.$", text) else text
        return text + self.full_stop

    def join_names(self, names: tuple[str, ...]) -> str:
        """Names as an enumeration: A, B and C."""
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
        ends_in_consonant = False  # after ㄹ the short form stands
    with_final, without = pair.rstrip(")").split("(")
    return letter + quote + (with_final if ends_in_consonant else without)


@cache
def load_language_pack(language: Language | str) -> LanguagePack:
    """The language of that name; its data is read once."""
    data = yaml.safe_load((_FOLDER / "languages" / f"{language}.yaml").read_text("utf-8"))
    return LanguagePack(str(language), data)

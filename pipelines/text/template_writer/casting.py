"""Who is in the story, where it plays and what it turns on: from the client's elements, from the idea, or invented. Pure."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.step_params import Named
from pipelines.text.template_writer.idea_parser import Idea, gender_of
from pipelines.text.template_writer.language import Noun, Tongue, tongue, world
from pipelines.text.template_writer.subject_parser import Subject


@dataclass(frozen=True, slots=True)
class Person:
    """`who` introduces the person within a sentence: a fox named Pip. `calls`: further words that mean this person."""

    name: str
    gender: str
    look: str
    who: str
    calls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """`at` says where: in the forest. `brief` is the place in a few English words (or the client's)."""

    key: str
    label: str
    at: str
    look: str
    brief: str


@dataclass(frozen=True, slots=True)
class Thing:
    """What the story turns on: indefinite, definite, in English for the picture."""

    label: str
    a: str
    the: str
    look: str
    shown: str


def given_people(named: Sequence[Named], words: Tongue) -> list[Person]:
    """The client's characters, exactly as they are called and described."""
    return [Person(p.name, gender_of(p.name, f"{p.name} {p.description}", words), p.description, p.name) for p in named]


def imagined_people(idea: Idea, subject: Subject | None, words: Tongue, rng: random.Random) -> list[Person]:
    """The heroes that a short idea names, and if it names none, somebody who might live it."""
    keys = list(idea.heroes[:3])
    if subject:
        # “a detective cat” is one hero, and the last word says what it is.
        inside = [key for key in keys if key in subject.phrase.casefold()]
        keys = [key for key in keys if key not in inside[:-1]]
        keys.sort(key=lambda key: key not in inside)
    beasts = any(key in _BEASTS for key in keys)
    if not keys or (idea.names and beasts and not _leads(idea, keys[0])):
        gender = idea.gender or (gender_of(idea.names[0], "", words) if idea.names else rng.choice("fm"))
        grown = bool(idea.names) and not beasts
        if subject and not keys and subject.telling:
            return [_subject_person(idea, subject, words, rng)]
        keys.insert(0, {"f": "woman", "m": "man"}[gender] if grown else {"f": "girl", "m": "boy"}[gender])
    if idea.pair and (len(keys) == 1 or _PLURAL.search(idea.text[:200])):
        keys.insert(1, keys[0])
    names = list(idea.names)
    people: list[Person] = []
    for number, key in enumerate(keys[:3]):
        noun = words.heroes[key]
        gender = noun.gender
        if number == 0 and idea.gender and noun.gender != idea.gender and key not in _FIXED:
            gender = idea.gender
        elif number == 0 and key not in _FIXED:
            gender = _by_article(idea, noun) or gender
        if number < len(names) and key not in _FIXED and not idea.gender:
            gender = gender_of(names[number], "", words)
        name = names[number] if number < len(names) else _new_name(gender, [p.name for p in people] + names, words, rng)
        people.append(
            _imagined(
                name, gender, noun, words, subject if number == 0 and idea.heroes else None, second=key in keys[:number]
            )
        )
    return people


def told_people(idea: Idea, text: str, words: Tongue) -> list[Person]:
    """Who a finished text tells of, called as the text calls them."""
    people = []
    for name in idea.names:
        if idea.script or len(re.findall(re.escape(name), text)) >= 2:
            gender = gender_of(name, text[:400], words)
            people.append(Person(name, gender, world()["heroes"]["woman" if gender == "f" else "man"]["look"], name))
    for key in idea.heroes:
        noun = words.heroes.get(key)
        if noun and len(people) < 4:
            people.append(
                Person(
                    words.capital(noun.bare), noun.gender, world()["heroes"][key]["look"], noun.first, words.calls(noun)
                )
            )
    return people[:4]


def companion(taken: Sequence[Person], idea: Idea, words: Tongue, rng: random.Random) -> Person:
    """Somebody to meet on the way."""
    keys = [k for k, row in world()["heroes"].items() if row.get("friend") and k not in idea.heroes]
    noun = words.heroes[rng.choice(keys)]
    return _imagined(_new_name(noun.gender, [p.name for p in taken], words, rng), noun.gender, noun, words, None)


def given_place(place: Named, words: Tongue) -> Place:
    """The client's location."""
    at = words.phrase("at_named", {"place": place.name})
    return Place("", place.name, at, place.description, place.name)


def known_place(key: str, words: Tongue, idea: str = "") -> Place:
    """A place of `world.yaml`; an English idea that names a sight of it ("volcano") gets that sight."""
    noun = words.places[key]
    row = world()["places"][key]
    named = (
        word for word in row.get("words", ()) if word in world()["sights"] and re.search(rf"\b{word}", idea.casefold())
    )
    look = world()["sights"].get(next(named, ""), row["look"])
    return Place(key, words.capital(noun.bare), noun.second, look, look.split(" with ")[0].split(" full of ")[0])


def given_thing(thing: Named, words: Tongue) -> Thing:
    """The client's object. English takes an article where the name is no proper name."""
    the = thing.name
    if words.language == "English" and not re.match(r"(?:the|an?|my|our|his|her)\b", the, re.IGNORECASE) and " " in the:
        the = f"the {the}"
    return Thing(thing.name, the, the, thing.description, thing.name)


def known_thing(key: str, words: Tongue) -> Thing:
    """A thing of `world.yaml`."""
    noun = words.things[key]
    look = world()["things"][key]["look"]
    return Thing(words.capital(noun.bare), noun.first, noun.second, look, look)


_BEASTS = {
    "fox", "cat", "dog", "rabbit", "bear", "mouse", "owl", "bird", "elephant", "lion", "wolf", "horse", "turtle", "frog", "fish",
    "whale", "dolphin", "dragon", "monkey", "tiger", "penguin", "snail", "bee", "robot",
}  # fmt: skip
_FIXED = {"girl", "boy", "woman", "man", "grandmother", "grandfather", "king", "queen", "princess", "prince"}
_PLURAL = re.compile(r"\b(?:two|twins?|zwei|deux|dos|iki)\b|دو|两|二人|ふたり|두 |दो |أختان|أخوان", re.IGNORECASE)


def _by_article(idea: Idea, noun: Noun) -> str:
    """What the article before the noun says of a noun that serves both: un detective, una detective."""
    if idea.language not in ("French", "Spanish", "German") or not idea.native:
        return ""
    found = re.search(
        rf"\b(un|ein|der|el|le|una|une|eine|die|la)\s+(?:\w+\s+)?{re.escape(noun.bare[:6])}", idea.text, re.IGNORECASE
    )
    if not found:
        return ""
    return "m" if found[1].casefold() in ("un", "ein", "der", "el", "le") else "f"


_APART = re.compile(
    r"\b(?:and|und|et|y|ve|with|her|his|ihr\w*|sein\w*|son|sa|su|avec|con|mit)\b|और|अपन|साथ|\sو|مع\s|[和与跟と]|[와과]\s"
)


def _leads(idea: Idea, key: str) -> bool:
    """Whether the animal is the hero and the name its name (a fox named Pip), and not its companion (Anna and her dog)."""
    text, name = idea.text.casefold(), idea.names[0].casefold()
    source = tongue(idea.language)
    at = min((text.find(word) for word in source.calls(source.heroes[key]) if word in text), default=-1)
    here = text.find(name)
    if at < 0 or here < 0:
        return False
    between = text[at:here] if at < here else text[here + len(name) : at]
    return len(between) <= 32 and not _APART.search(between)


def _imagined(
    name: str, gender: str, noun: Noun, words: Tongue, subject: Subject | None, second: bool = False
) -> Person:
    row = world()["heroes"][noun.key]
    look = row.get("other", row["look"] + ", a little smaller") if second else row["look"]
    hero = noun.first
    if subject:
        hero = subject.phrase if subject.single else hero
        extra = re.sub(r"^(?:an?|the|one|two|three)\s+", "", subject.phrase)
        if extra.casefold() != noun.bare.casefold() and not second and subject.single:
            look = f"{extra}: {look}"
    slots = {"hero": hero, "name": name, "kind": noun.bare, "measure": noun.second}
    return Person(name, gender, look, words.phrase("who", slots, noun.gender), words.calls(noun))


def _subject_person(idea: Idea, subject: Subject, words: Tongue, rng: random.Random) -> Person:
    gender = idea.gender or rng.choice("fm")
    name = idea.names[0] if idea.names else _new_name(gender, [], words, rng)
    who = words.phrase("who", {"hero": subject.phrase, "name": name})
    return Person(name, gender, re.sub(r"^(?:the|one)\s+", "a ", subject.phrase), who)


def _new_name(gender: str, taken: Sequence[str], words: Tongue, rng: random.Random) -> str:
    known = words.data["names"]
    names = known[gender] if gender in known else [*known["f"], *known["m"]]
    free = [name for name in names if name not in taken and name[0] not in {t[:1] for t in taken}]
    return str(rng.choice(free or [name for name in names if name not in taken]))

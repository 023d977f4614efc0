"""Casting: characters, locations and objects from the client, from the idea, or invented. Pure functions."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.step_params import NamedElement
from pipelines.text.template_writer.idea_parser import Idea, guess_gender
from pipelines.text.template_writer.language import LanguagePack, Noun, load_language_pack, load_world
from pipelines.text.template_writer.subject_parser import Subject


@dataclass(frozen=True, slots=True)
class Person:
    """Character of the story.

    `introduction` introduces the person within a sentence: a fox named Pip. `aliases`: further words for this person.
    """

    name: str
    gender: str
    appearance: str
    introduction: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Location:
    """Location of the story.

    `where_phrase` is adverbial: in the forest. `short_description` is a few English words (or the client's name of the
    location).
    """

    key: str
    label: str
    where_phrase: str
    appearance: str
    short_description: str


@dataclass(frozen=True, slots=True)
class StoryObject:
    """Central object of the story: indefinite form, definite form, and English description for the image."""

    label: str
    indefinite: str
    definite: str
    appearance: str
    image_phrase: str


def user_characters(named: Sequence[NamedElement], pack: LanguagePack) -> list[Person]:
    """Return the client's characters with their names and descriptions unchanged."""
    return [
        Person(p.name, guess_gender(p.name, f"{p.name} {p.description}", pack), p.description, p.name) for p in named
    ]


def invent_characters(idea: Idea, subject: Subject | None, pack: LanguagePack, rng: random.Random) -> list[Person]:
    """Return the heroes that a short idea mentions; if it mentions none, a plausible one."""
    keys = list(idea.heroes[:3])
    if subject:
        # “a detective cat” is one hero, and the last word says what it is.
        mentioned = [key for key in keys if key in subject.phrase.casefold()]
        keys = [key for key in keys if key not in mentioned[:-1]]
        keys.sort(key=lambda key: key not in mentioned)
    has_animal = any(key in _ANIMALS for key in keys)
    if not keys or (idea.names and has_animal and not _is_named_hero(idea, keys[0])):
        gender = idea.gender or (guess_gender(idea.names[0], "", pack) if idea.names else rng.choice("fm"))
        is_adult = bool(idea.names) and not has_animal
        if subject and not keys and subject.is_actor:
            return [_character_from_subject(idea, subject, pack, rng)]
        keys.insert(0, {"f": "woman", "m": "man"}[gender] if is_adult else {"f": "girl", "m": "boy"}[gender])
    if idea.is_pair and (len(keys) == 1 or _PLURAL.search(idea.text[:200])):
        keys.insert(1, keys[0])
    names = list(idea.names)
    people: list[Person] = []
    for number, key in enumerate(keys[:3]):
        noun = pack.heroes[key]
        gender = noun.gender
        if number == 0 and idea.gender and noun.gender != idea.gender and key not in _FIXED_GENDER_ROLES:
            gender = idea.gender
        elif number == 0 and key not in _FIXED_GENDER_ROLES:
            gender = _gender_from_article(idea, noun) or gender
        if number < len(names) and key not in _FIXED_GENDER_ROLES and not idea.gender:
            gender = guess_gender(names[number], "", pack)
        name = names[number] if number < len(names) else _pick_name(gender, [p.name for p in people] + names, pack, rng)
        people.append(
            _invent_character(
                name,
                gender,
                noun,
                pack,
                subject if number == 0 and idea.heroes else None,
                is_second=key in keys[:number],
            )
        )
    return people


def characters_in_text(idea: Idea, text: str, pack: LanguagePack) -> list[Person]:
    """Return the characters of a finished text under the text's own names for them."""
    people = []
    for name in idea.names:
        if idea.script or len(re.findall(re.escape(name), text)) >= 2:
            gender = guess_gender(name, text[:400], pack)
            people.append(
                Person(name, gender, load_world()["heroes"]["woman" if gender == "f" else "man"]["look"], name)
            )
    for key in idea.heroes:
        noun = pack.heroes.get(key)
        if noun and len(people) < 4:
            people.append(
                Person(
                    pack.capitalize(noun.bare),
                    noun.gender,
                    load_world()["heroes"][key]["look"],
                    noun.first,
                    pack.aliases(noun),
                )
            )
    return people[:4]


def invent_companion(people: Sequence[Person], idea: Idea, pack: LanguagePack, rng: random.Random) -> Person:
    """Return a companion that the hero meets on the journey."""
    keys = [k for k, row in load_world()["heroes"].items() if row.get("friend") and k not in idea.heroes]
    noun = pack.heroes[rng.choice(keys)]
    return _invent_character(
        _pick_name(noun.gender, [p.name for p in people], pack, rng), noun.gender, noun, pack, None
    )


def user_location(place: NamedElement, pack: LanguagePack) -> Location:
    """Return the client's location."""
    at = pack.fill_phrase("at_named", {"place": place.name})
    return Location("", place.name, at, place.description, place.name)


def world_location(key: str, pack: LanguagePack, idea: str = "") -> Location:
    """Return a location of `world.yaml`.

    If an English idea names one of its sights ("volcano"), the location shows that sight.
    """
    noun = pack.places[key]
    row = load_world()["places"][key]
    sight_words = (
        word
        for word in row.get("words", ())
        if word in load_world()["sights"] and re.search(rf"\b{word}", idea.casefold())
    )
    look = load_world()["sights"].get(next(sight_words, ""), row["look"])
    return Location(key, pack.capitalize(noun.bare), noun.second, look, look.split(" with ")[0].split(" full of ")[0])


def user_object(thing: NamedElement, pack: LanguagePack) -> StoryObject:
    """Return the client's object. In English a name of several words gets an article unless it has a determiner."""
    definite = thing.name
    if (
        pack.language == "English"
        and not re.match(r"(?:the|an?|my|our|his|her)\b", definite, re.IGNORECASE)
        and " " in definite
    ):
        definite = f"the {definite}"
    return StoryObject(thing.name, definite, definite, thing.description, thing.name)


def world_object(key: str, pack: LanguagePack) -> StoryObject:
    """Return an object of `world.yaml`."""
    noun = pack.objects[key]
    look = load_world()["things"][key]["look"]
    return StoryObject(pack.capitalize(noun.bare), noun.first, noun.second, look, look)


_ANIMALS = {
    "fox", "cat", "dog", "rabbit", "bear", "mouse", "owl", "bird", "elephant", "lion", "wolf", "horse", "turtle",
    "frog", "fish",
    "whale", "dolphin", "dragon", "monkey", "tiger", "penguin", "snail", "bee", "robot",
}  # fmt: skip
_FIXED_GENDER_ROLES = {
    "girl",
    "boy",
    "woman",
    "man",
    "grandmother",
    "grandfather",
    "king",
    "queen",
    "princess",
    "prince",
}
_PLURAL = re.compile(r"\b(?:two|twins?|zwei|deux|dos|iki)\b|دو|两|二人|ふたり|두 |दो |أختان|أخوان", re.IGNORECASE)


def _gender_from_article(idea: Idea, noun: Noun) -> str:
    """Return the gender of the article before a noun of both genders: un detective, una detective."""
    if idea.language not in ("French", "Spanish", "German") or not idea.in_film_language:
        return ""
    found = re.search(
        rf"\b(un|ein|der|el|le|una|une|eine|die|la)\s+(?:\w+\s+)?{re.escape(noun.bare[:6])}", idea.text, re.IGNORECASE
    )
    if not found:
        return ""
    return "m" if found[1].casefold() in ("un", "ein", "der", "el", "le") else "f"


_COMPANION_MARKER = re.compile(
    r"\b(?:and|und|et|y|ve|with|her|his|ihr\w*|sein\w*|son|sa|su|avec|con|mit)\b|और|अपन|साथ|\sو|مع\s|[和与跟と]|[와과]\s"
)


def _is_named_hero(idea: Idea, key: str) -> bool:
    """Return whether the name belongs to the animal (a fox named Pip), not to its companion (Anna and her dog)."""
    text, name = idea.text.casefold(), idea.names[0].casefold()
    source = load_language_pack(idea.language)
    at = min((text.find(word) for word in source.aliases(source.heroes[key]) if word in text), default=-1)
    here = text.find(name)
    if at < 0 or here < 0:
        return False
    between = text[at:here] if at < here else text[here + len(name) : at]
    return len(between) <= 32 and not _COMPANION_MARKER.search(between)


def _invent_character(
    name: str, gender: str, noun: Noun, pack: LanguagePack, subject: Subject | None, is_second: bool = False
) -> Person:
    row = load_world()["heroes"][noun.key]
    appearance = row.get("other", row["look"] + ", a little smaller") if is_second else row["look"]
    hero = noun.first
    if subject:
        hero = subject.phrase if subject.singular else hero
        extra = re.sub(r"^(?:an?|the|one|two|three)\s+", "", subject.phrase)
        if extra.casefold() != noun.bare.casefold() and not is_second and subject.singular:
            appearance = f"{extra}: {appearance}"
    slots = {"hero": hero, "name": name, "kind": noun.bare, "measure": noun.second}
    return Person(name, gender, appearance, pack.fill_phrase("who", slots, noun.gender), pack.aliases(noun))


def _character_from_subject(idea: Idea, subject: Subject, pack: LanguagePack, rng: random.Random) -> Person:
    gender = idea.gender or rng.choice("fm")
    name = idea.names[0] if idea.names else _pick_name(gender, [], pack, rng)
    who = pack.fill_phrase("who", {"hero": subject.phrase, "name": name})
    return Person(name, gender, re.sub(r"^(?:the|one)\s+", "a ", subject.phrase), who)


def _pick_name(gender: str, used_names: Sequence[str], pack: LanguagePack, rng: random.Random) -> str:
    known = pack.data["names"]
    names = known[gender] if gender in known else [*known["f"], *known["m"]]
    unused = [name for name in names if name not in used_names and name[0] not in {t[:1] for t in used_names}]
    return str(rng.choice(unused or [name for name in names if name not in used_names]))

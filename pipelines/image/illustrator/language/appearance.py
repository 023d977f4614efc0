"""How a character looks: attributes read from words, filled up by the seed where the words are silent."""

from __future__ import annotations

import hashlib
import random
import re
import unicodedata
from functools import cache
from importlib.resources import files
from typing import Any

from pipelines.base import Params
from pipelines.image.illustrator.canvas import darker, lighter, mix
from pipelines.image.illustrator.language.lexicon import Hit, by_clause, lexicon, names

COLOURS = {
    "red": "#c8382e", "orange": "#e27b2d", "yellow": "#f0bb2d", "gold": "#d9a73a", "green": "#4a7f4b", "teal": "#2f8f8b",
    "blue": "#3b6fb0", "navy": "#2b3a63", "purple": "#75519b", "pink": "#e289a0", "brown": "#7d5136", "beige": "#dcc6a0",
    "white": "#f4efe4", "grey": "#8d9096", "black": "#2e2b31", "blond": "#e3bd69", "auburn": "#9c4322", "rainbow": "#d4508a",
}  # fmt: skip
HAIR = {
    "red": "#b5482a", "orange": "#c9622a", "yellow": "#e3bd69", "gold": "#d9ab55", "brown": "#5f3d28", "white": "#efeae0",
    "grey": "#a5a4a6", "black": "#26222a", "beige": "#cda76c",
}  # fmt: skip
SKINS = {
    "pale": "#f9dcc6",
    "fair": "#f3c9a5",
    "tan": "#d9a172",
    "brown": "#a86f47",
    "dark": "#74482f",
    "east": "#f1cda3",
}
SKIN_WORDS = {"white": "pale", "beige": "fair", "brown": "brown", "black": "dark", "gold": "tan"}
FURS = {
    "fox": "#d8702f", "wolf": "#7f8792", "dog": "#b98451", "cat": "#8f8a86", "bear": "#8a5a3a", "panda": "#f2eee6",
    "rabbit": "#c9b49c", "mouse": "#a39ba0", "squirrel": "#b4632f", "hedgehog": "#8f6b4c", "pig": "#eda9a4",
    "cow": "#efe8dc", "sheep": "#f3ecdf", "deer": "#b37a48", "horse": "#9a6238", "unicorn": "#f6eef4", "lion": "#dfa54a",
    "tiger": "#e58a35", "monkey": "#7d5238", "elephant": "#98a2ad", "owl": "#94714f", "bird": "#4f86b8",
    "penguin": "#343a48", "chicken": "#f3e6c8", "frog": "#6ba04a", "turtle": "#7aa263", "dragon": "#4f9a6b",
    "dinosaur": "#74a256", "fish": "#ef8a3c", "whale": "#4f7fa0", "dolphin": "#7f9fb0", "bee": "#f0c040", "snail": "#c9ad86",
    "robot": "#a7b4bf", "alien": "#86bd5e", "ghost": "#eef0f6", "snowman": "#f5f7fb",
}  # fmt: skip
EYES = ("#4a3524", "#3d5a3c", "#3f6079", "#2d2622")
TOPS = ("shirt", "sweater", "jacket", "coat", "dress")
CLOTH = ("red", "teal", "blue", "green", "yellow", "purple", "orange", "navy", "pink", "beige")
CUTS_WOMAN = ("bob", "long", "ponytail", "bun", "wavy", "braid", "curly")
CUTS_MAN = ("short", "short", "curly", "short", "spiky")
LONG_GARMENTS = frozenset({"coat", "raincoat", "dress", "robe", "labcoat"})
_TITLES = frozenset({"old", "young", "little", "big", "dr", "doctor", "prof", "professor", "chef", "captain", "sir"})
_HERS = frozenset({"braid", "pigtails", "bun", "bob", "ponytail"})
_HER_NAMES = ("a", "ia", "ah", "ine", "elle", "ette", "子", "美")
_FAIR_HAIR = frozenset({COLOURS["auburn"], COLOURS["blond"], HAIR["red"], HAIR["orange"], HAIR["yellow"]})
_SKINS_ANY = ("#f6d3b5", "#f3c9a5", "#e6b48a", "#d9a172", "#a86f47", "#7f5034")
_SCRIPT_SKINS = (
    ("\u0600", "\u06ff", ("#e6b48a", "#d9a172", "#c98f5f")),
    ("\u0900", "\u097f", ("#c98f5f", "#b57d50", "#a86f47")),
    ("\u3040", "\u9fff", ("#f1cda3", "#f5d6b3", "#e8bd90")),
    ("\uac00", "\ud7af", ("#f1cda3", "#f5d6b3", "#e8bd90")),
)
_HAIR_ONLY = frozenset({"long", "short", "wavy"})
_TOP_NAMES = frozenset(
    [
        "coat",
        "raincoat",
        "jacket",
        "suit",
        "sweater",
        "shirt",
        "dress",
        "robe",
        "armor",
        "overalls",
        "uniform",
        "spacesuit",
        "labcoat",
    ]
)
_EXTRA_NAMES = frozenset(["apron", "vest", "scarf", "cape", "tie", "headscarf", "necklace", "backpack", "flower"])
_EXTRA_COLOURS = {
    "apron": "#f1e6d2", "vest": "#7a5a40", "scarf": "#c8463c", "cape": "#8a3040", "tie": "#a8322f", "headscarf": "#c05a6a",
    "necklace": "#e0b64a", "backpack": "#a5693a", "flower": "#e87f97",
}  # fmt: skip
_UNDER_OTHER_CLOTHES = frozenset({"apron", "vest", "cape", "tie"})
_HAT_COLOURS = {
    "cap": "#2f4a6d", "wool": "#c44d43", "brim": "#b98d57", "top": "#2e2b31", "wizard": "#4b3f7f", "crown": "#e7b93c",
    "helmet": "#9aa5ae", "turban": "#d98f3a", "chef": "#fbf8f0", "pirate": "#2e2b31",
}  # fmt: skip


class Extra(Params):
    """A worn thing beside the main clothes."""

    name: str
    colour: str


class Looks(Params):
    """Everything that a figure is drawn from. Colours are `#rrggbb`; empty names mean: has none."""

    species: str = "human"
    sex: str = "woman"
    age: int = 30
    skin: str = "#f3c9a5"
    hair: str = "#5f3d28"
    cut: str = "short"
    eyes: str = "#4a3524"
    beard: str = ""
    features: tuple[str, ...] = ()
    hat: str = ""
    hat_colour: str = "#b98d57"
    top: str = "shirt"
    top_colour: str = "#3b6fb0"
    bottom: str = "trousers"
    bottom_colour: str = "#3b4254"
    boots: bool = False
    shoe_colour: str = "#4a3528"
    pattern: str = ""
    extras: tuple[Extra, ...] = ()
    build: str = ""
    stature: str = ""
    conditions: tuple[str, ...] = ()
    mood: str = "calm"
    dressed: bool = True
    quirk: int = 0

    @property
    def human(self) -> bool:
        return self.species == "human"


def seed_of(*words: object) -> int:
    """A number that depends on the words alone."""
    return int.from_bytes(hashlib.sha256("\x1f".join(str(word) for word in words).encode()).digest()[:8], "big")


def understood(text: str) -> bool:
    """Whether the text says anything about looks that the lexicon knows."""
    groups = {
        "colour",
        "sex",
        "age",
        "skin",
        "hair",
        "cut",
        "face",
        "wear",
        "hat",
        "species",
        "state",
        "build",
        "number",
    }
    return any(hit.group in groups for hit in lexicon().read(text))


def read_looks(text: str, seed: int, name: str = "") -> Looks:
    """The looks that `text` describes; what it leaves open follows from `seed`."""
    hits = lexicon().read(text)
    told = _told(hits)
    if "species" not in told and not told.get("sex"):
        told |= {key: value for key, value in _told(lexicon().read(name)).items() if key in ("species", "sex")}
    if "sex" not in told and (sex := _sex_of(told, name)):
        told["sex"] = sex
    if "skin" not in told and ("freckles" in told.get("features", ()) or told.get("hair") in _FAIR_HAIR):
        told["skin"] = SKINS["pale"]
    return _completed(told, random.Random(seed), _skins_of(text + name))


def _sex_of(told: dict[str, Any], name: str) -> str:
    """`woman`, `man` or nothing: from what is worn and grown, then from the name and how it ends."""
    if told.get("cut") in _HERS or told.get("top") == "dress":
        return "woman"
    if told.get("beard"):
        return "man"
    return _by_name(name) or ("woman" if name.strip().endswith(_HER_NAMES) else "")


def _by_name(name: str) -> str:
    """`woman` or `man` where the first name is a common one."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", name.lower()) if not unicodedata.combining(c))
    first = next((word for word in re.findall(r"[a-z]+", bare) if word not in _TITLES), "")
    return {**dict.fromkeys(_first_names()["f"], "woman"), **dict.fromkeys(_first_names()["m"], "man")}.get(first, "")


@cache
def _first_names() -> dict[str, frozenset[str]]:
    import yaml

    data = yaml.safe_load((files(__package__) / "firstnames.yaml").read_text("utf-8"))
    return {key: frozenset(names.split()) for key, names in data.items()}


def _skins_of(text: str) -> tuple[str, ...]:
    """The skins that words left open are drawn from: people of a story look like those who tell it."""
    for first, last, skins in _SCRIPT_SKINS:
        if any(first <= letter <= last for letter in text[:200]):
            return skins
    return _SKINS_ANY


def changed(base: Looks, text: str) -> Looks:
    """The base looks in another state: clothes, age, condition and hair may change, the face stays the same."""
    hits = lexicon().read(text)
    told, gone = _told(hits), set(names(hits, "without"))
    for kept in ("sex", "skin", "species", "eyes", "fur_told"):
        told.pop(kept, None)
    if "age" in told and not any(hit.group == "number" for hit in hits):
        told["age"] = _aged(base.age, told["age"])
    told["features"] = tuple(f for f in dict.fromkeys((*base.features, *told.get("features", ()))) if f not in gone)
    if base.hat in gone:
        told.setdefault("hat", "")
    # Whoever puts on other clothes takes the apron off first; what is named again keeps its colour.
    other = "top" in told and (told["top"], told.get("top_colour")) != (base.top, base.top_colour)
    worn = {extra.name: extra for extra in base.extras}
    new = [worn.get(e.name, e) if e.colour == _EXTRA_COLOURS[e.name] else e for e in told.get("extras", ())]
    off = gone | {extra.name for extra in new} | (_UNDER_OTHER_CLOTHES if other else frozenset())
    told["extras"] = (*(extra for extra in base.extras if extra.name not in off), *new)
    told["conditions"] = tuple(dict.fromkeys((*base.conditions, *told.get("conditions", ()))))
    if told.get("age", 0) >= 62 > base.age and "hair" not in told:
        told["hair"] = mix(base.hair, "#dcd9d6", 0.8)
    if told.get("age", 30) < 14:
        told["beard"] = ""
        told["conditions"] = tuple(c for c in told["conditions"] if c != "tired")
    if told.get("top") or base.dressed:
        told["dressed"] = True
    return base.model_copy(update=told)


def _aged(base: int, told: int) -> int:
    """'Older' and 'younger' are meant from where one stands; 'as a child' is not."""
    if told >= 60:
        return max(66, base + 20)
    return told


def _told(hits: tuple[Hit, ...]) -> dict[str, Any]:
    """Only what the words say."""
    told: dict[str, Any] = {}
    colours = _colours_of_nouns(hits)
    clauses = by_clause(hits)

    if species := names(hits, "species"):
        told["species"] = species[0]
    if sexes := names(hits, "sex"):
        told["sex"] = sexes[0]
    if (age := _age(hits, clauses)) is not None:
        told["age"] = age
    if skins := names(hits, "skin"):
        found = [skin for skin in skins if skin != "skin"]
        if found:
            told["skin"] = SKINS[found[0]]

    cuts = [
        hit for hit in hits
        if hit.group == "cut" and (hit.name not in _HAIR_ONLY or _near_hair(clauses[hit.clause]))
    ]  # fmt: skip
    if cuts:
        best = min(cuts, key=lambda hit: (hit.name in _HAIR_ONLY, hit.place))
        told["cut"] = best.name
    for hit, (colour, shade) in colours.items():
        match hit.group, hit.name:
            case ("hair" | "cut", _):
                told.setdefault("hair", _shaded(HAIR.get(colour, COLOURS[colour]), shade))
            case "fur", _:
                told["fur_told"] = _shaded(COLOURS[colour], shade)
            case "species", name:
                own = FURS[name]
                told["fur_told"] = mix(own, COLOURS[colour], 0.35 if colour in ("red", "brown", "orange") else 0.85)
            case "skin", _:
                told["skin"] = SKINS[SKIN_WORDS.get(colour, "tan")]
            case "face", "beard" | "moustache":
                told.setdefault("hair", _shaded(HAIR.get(colour, COLOURS[colour]), shade))
            case "face", "eyes":
                told["eyes"] = darker(COLOURS[colour], 0.25)
            case _:
                pass
    for hit in hits:
        # "Dark eyes" name a shade and no colour.
        if hit.concept == "face.eyes" and "eyes" not in told and _shade_before(hit, clauses[hit.clause]) == "dark":
            told["eyes"] = EYES[3]
    for hit in hits:
        if hit.group == "colour" and hit.name in ("blond", "auburn") and "hair" not in told:
            told["hair"] = COLOURS[hit.name]
        elif hit.group == "hair" and "hair" not in told and (shade := _shade_before(hit, clauses[hit.clause])):
            told["hair"] = darker(HAIR["brown"], 0.4) if shade == "dark" else COLOURS["blond"]

    faces = names(hits, "face")
    if "beard" in faces:
        told["beard"] = "beard"
    elif "moustache" in faces or "stubble" in faces:
        told["beard"] = "moustache" if "moustache" in faces else "stubble"
    if features := tuple(face for face in faces if face in ("freckles", "glasses", "scar", "patch")):
        told["features"] = features
    _read_clothes(hits, colours, told)

    if patterns := names(hits, "pattern"):
        told["pattern"] = patterns[0]
    for build in names(hits, "build"):
        told["build" if build in ("stout", "slim") else "stature"] = build
    conditions = [c for c in names(hits, "state") if c != "none"]
    if "tired" in names(hits, "mood"):
        conditions.append("tired")
    if conditions:
        told["conditions"] = tuple(conditions)
    if moods := [mood for mood in names(hits, "mood") if mood != "tired"]:
        told["mood"] = moods[0]
    return told


def _read_clothes(hits: tuple[Hit, ...], colours: dict[Hit, tuple[str, str]], told: dict[str, Any]) -> None:
    def paint(hit: Hit, fallback: str) -> str:
        if hit not in colours:
            return fallback
        colour, shade = colours[hit]
        return _shaded(COLOURS[colour], shade)

    extras: dict[str, Extra] = {}
    for hit in hits:
        if hit.group == "hat":
            if hit.name == "hood":
                told["features"] = (*told.get("features", ()), "hood")
            elif "hat" not in told:
                told["hat"] = hit.name
                told["hat_colour"] = paint(hit, _HAT_COLOURS[hit.name])
        elif hit.group != "wear":
            continue
        elif hit.name in _TOP_NAMES:
            if "top" not in told or (hit.name not in ("shirt", "sweater") and told["top"] in ("shirt", "sweater")):
                told["top"] = hit.name
                if hit in colours:
                    told["top_colour"] = paint(hit, "")
                else:
                    told.pop("top_colour", None)
        elif hit.name in ("skirt", "trousers", "shorts"):
            told["bottom"] = hit.name
            if hit in colours:
                told["bottom_colour"] = paint(hit, "")
        elif hit.name == "boots":
            told["boots"] = True
            told["shoe_colour"] = paint(hit, "#5a4130")
        elif hit.name in _EXTRA_NAMES:
            extras[hit.name] = Extra(name=hit.name, colour=paint(hit, _EXTRA_COLOURS[hit.name]))
    if extras:
        told["extras"] = tuple(extras.values())
    if "vest" in extras and "top" not in told and "species" not in told:
        told |= {"top": "shirt", "top_colour": "#f3ede0"}
    if "top_colour" not in told:
        loose = [hit for hit in hits if hit.group == "colour" and hit.name not in ("blond", "auburn")]
        attached = [name for name, _ in colours.values()]
        for hit in loose:
            if hit.name in attached:
                attached.remove(hit.name)
            elif "species" not in told:
                told["top_colour"] = COLOURS[hit.name]
                break


def _shade_before(noun: Hit, clause: list[Hit]) -> str:
    """The shade that is said right beside a noun."""
    return next((hit.name for hit in clause if hit.group == "shade" and abs(hit.place - noun.place) <= 2), "")


def _near_hair(clause: list[Hit]) -> bool:
    """Long and short are said of coats and of people too: without hair in the clause they mean hair if nothing else is there."""
    if any(hit.group == "hair" or hit.concept in ("colour.blond", "colour.auburn") for hit in clause):
        return True
    return not any(hit.group in ("wear", "hat", "build", "prop", "face", "species") for hit in clause)


_NOUNS = frozenset({"hair", "cut", "wear", "hat", "fur", "species", "skin", "part"})
"""What a colour may belong to. Parts of the body take theirs to themselves, lest a grey muzzle make a grey coat."""


def _colours_of_nouns(hits: tuple[Hit, ...]) -> dict[Hit, tuple[str, str]]:
    """Which colour (and shade) belongs to which noun: the nearest in the same clause, on the side the language puts it."""
    owned: dict[Hit, tuple[str, str]] = {}
    for clause in by_clause(hits).values():
        # A hood has the colour of what it belongs to.
        nouns = [
            hit
            for hit in clause
            if (hit.group in _NOUNS and hit.name != "hood")
            or (hit.group == "face" and hit.name in ("eyes", "beard", "moustache"))
        ]
        shades = [hit for hit in clause if hit.group == "shade"]
        colours = [hit for hit in clause if hit.group == "colour"]
        given: set[int] = set()
        for far, noun, colour in sorted(
            ((_apart(noun, colour), noun, colour) for colour in colours for noun in nouns),
            key=lambda pair: (pair[0], pair[2].place, pair[1].place),
        ):
            # The words of one compound ("mustard-yellow") colour one thing.
            if far > _TOO_FAR or noun in owned or colour.place in given:
                continue
            given |= {other.place for other in colours if abs(other.place - colour.place) <= 1}
            shade = next((s.name for s in shades if abs(s.place - colour.place) <= 2), "")
            owned[noun] = (colour.name, shade)
    return owned


_TOO_FAR = 9


def _apart(noun: Hit, colour: Hit) -> float:
    """How little a colour seems to belong to a noun: words between them, more on the side where the language has it not."""
    gap = noun.place - colour.place
    wrong_side = gap > 0 if colour.after else gap < 0
    return abs(gap) + (2.5 if wrong_side else 0) + (0.4 if noun.group == "cut" else 0)


def _shaded(colour: str, shade: str) -> str:
    if shade == "dark":
        return darker(colour, 0.35)
    return lighter(colour, 0.35) if shade == "light" else colour


def _age(hits: tuple[Hit, ...], clauses: dict[int, list[Hit]]) -> int | None:
    for clause in clauses.values():
        if not any(hit.concept == "age.years" for hit in clause):
            continue
        for hit in clause:
            if hit.group == "number":
                years = hit.number or int(hit.name)
                if 0 < years < 130:
                    return years
    ages = [name for name in names(hits, "age") if name != "years"]
    if "young" in ages and "child" not in ages:
        return 22
    table = {"toddler": 2, "child": 9, "teen": 15, "young": 22, "middle": 48, "old": 72}
    if "old" in ages and "child" not in ages:
        return 72
    return table[ages[0]] if ages else None


def _completed(told: dict[str, Any], dice: random.Random, skins: tuple[str, ...]) -> Looks:
    """What the words left open, in an order of throws that does not depend on what they said."""
    sex = dice.choice(("woman", "man"))
    age = dice.choice((24, 31, 38, 45))
    skin = skins[dice.randrange(60) % len(skins)]
    hair = dice.choice(("#26222a", "#3d2a20", "#5f3d28", "#7d4d2c", "#a86a35", "#d1a65c", "#9c4322"))
    cut_woman, cut_man = dice.choice(CUTS_WOMAN), dice.choice(CUTS_MAN)
    top = dice.choice(TOPS)
    top_colour, other = dice.sample(CLOTH, 2)
    bottom = dice.choice(("#3b4254", "#5a4a3f", "#41586b", "#6b5a4a"))
    eyes = dice.choice(EYES)
    quirk = dice.randrange(1 << 16)

    fur = told.pop("fur_told", None)
    species = told.get("species", "human")
    looks: dict[str, Any] = {"sex": sex, "age": age, "eyes": eyes, "quirk": quirk} | told
    if species != "human":
        looks["age"] = told.get("age", 20)
        looks["skin"] = fur or FURS[species]
        looks["dressed"] = "top" in told or "bottom" in told
        looks.setdefault("cut", "bald")
        looks.setdefault("hair", darker(looks["skin"], 0.35))
        looks.setdefault("eyes", "#2d2622")
    else:
        looks.setdefault("skin", skin)
        looks.setdefault("hair", "#dcd9d6" if looks["age"] >= 62 else hair)
        looks.setdefault("cut", cut_woman if looks["sex"] == "woman" else cut_man)
        if looks["age"] >= 62 and looks["sex"] == "woman" and "cut" not in told:
            looks["cut"] = "bun"
    if "top" not in looks:
        looks["top"] = "shirt" if top == "dress" and looks["sex"] == "man" else top
    defaults = {
        "spacesuit": "#eef0f2",
        "labcoat": "#f7f6f1",
        "armor": "#a3adb5",
        "suit": "#3c4152",
        "overalls": "#47689a",
    }
    looks.setdefault("top_colour", defaults.get(looks["top"], COLOURS[top_colour]))
    looks.setdefault("bottom_colour", bottom)
    if looks.get("top") == "suit":
        looks["bottom_colour"] = told.get("bottom_colour", darker(looks["top_colour"], 0.12))
    looks.setdefault("hat_colour", COLOURS[other])
    return Looks(**looks)

"""Character appearance: attributes parsed from text, completed from the seed."""

from __future__ import annotations

import hashlib
import random
import re
import unicodedata
from functools import cache
from importlib.resources import files
from typing import Any

from pipelines.base import Params
from pipelines.image.illustrator.canvas import darken, lighten, mix
from pipelines.image.illustrator.language.lexicon import Hit, concept_names, group_by_clause, load_lexicon

COLOURS = {
    "red": "#c8382e", "orange": "#e27b2d", "yellow": "#f0bb2d", "gold": "#d9a73a", "green": "#4a7f4b", "teal": "#2f8f8b",
    "blue": "#3b6fb0", "navy": "#2b3a63", "purple": "#75519b", "pink": "#e289a0", "brown": "#7d5136", "beige": "#dcc6a0",
    "white": "#f4efe4", "grey": "#8d9096", "black": "#2e2b31", "blond": "#e3bd69", "auburn": "#9c4322", "rainbow": "#d4508a",
}  # fmt: skip
HAIR_COLOURS = {
    "red": "#b5482a", "orange": "#c9622a", "yellow": "#e3bd69", "gold": "#d9ab55", "brown": "#5f3d28", "white": "#efeae0",
    "grey": "#a5a4a6", "black": "#26222a", "beige": "#cda76c",
}  # fmt: skip
SKIN_COLOURS = {
    "pale": "#f9dcc6",
    "fair": "#f3c9a5",
    "tan": "#d9a172",
    "brown": "#a86f47",
    "dark": "#74482f",
    "east": "#f1cda3",
}
SKIN_TONE_BY_COLOUR = {"white": "pale", "beige": "fair", "brown": "brown", "black": "dark", "gold": "tan"}
FUR_COLOURS = {
    "fox": "#d8702f", "wolf": "#7f8792", "dog": "#b98451", "cat": "#8f8a86", "bear": "#8a5a3a", "panda": "#f2eee6",
    "rabbit": "#c9b49c", "mouse": "#a39ba0", "squirrel": "#b4632f", "hedgehog": "#8f6b4c", "pig": "#eda9a4",
    "cow": "#efe8dc", "sheep": "#f3ecdf", "deer": "#b37a48", "horse": "#9a6238", "unicorn": "#f6eef4", "lion": "#dfa54a",
    "tiger": "#e58a35", "monkey": "#7d5238", "elephant": "#98a2ad", "owl": "#94714f", "bird": "#4f86b8",
    "penguin": "#343a48", "chicken": "#f3e6c8", "frog": "#6ba04a", "turtle": "#7aa263", "dragon": "#4f9a6b",
    "dinosaur": "#74a256", "fish": "#ef8a3c", "whale": "#4f7fa0", "dolphin": "#7f9fb0", "bee": "#f0c040", "snail": "#c9ad86",
    "robot": "#a7b4bf", "alien": "#86bd5e", "ghost": "#eef0f6", "snowman": "#f5f7fb",
}  # fmt: skip
EYE_COLOURS = ("#4a3524", "#3d5a3c", "#3f6079", "#2d2622")
TOPS = ("shirt", "sweater", "jacket", "coat", "dress")
CLOTHING_COLOURS = ("red", "teal", "blue", "green", "yellow", "purple", "orange", "navy", "pink", "beige")
WOMENS_HAIRCUTS = ("bob", "long", "ponytail", "bun", "wavy", "braid", "curly")
MENS_HAIRCUTS = ("short", "short", "curly", "short", "spiky")
_TITLES = frozenset({"old", "young", "little", "big", "dr", "doctor", "prof", "professor", "chef", "captain", "sir"})
_FEMININE_HAIRCUTS = frozenset({"braid", "pigtails", "bun", "bob", "ponytail"})
_FEMININE_NAME_ENDINGS = ("a", "ia", "ah", "ine", "elle", "ette", "子", "美")
_LIGHT_HAIR_COLOURS = frozenset(
    {COLOURS["auburn"], COLOURS["blond"], HAIR_COLOURS["red"], HAIR_COLOURS["orange"], HAIR_COLOURS["yellow"]}
)
_DEFAULT_SKIN_COLOURS = ("#f6d3b5", "#f3c9a5", "#e6b48a", "#d9a172", "#a86f47", "#7f5034")
_SKIN_COLOURS_BY_SCRIPT = (
    ("\u0600", "\u06ff", ("#e6b48a", "#d9a172", "#c98f5f")),
    ("\u0900", "\u097f", ("#c98f5f", "#b57d50", "#a86f47")),
    ("\u3040", "\u9fff", ("#f1cda3", "#f5d6b3", "#e8bd90")),
    ("\uac00", "\ud7af", ("#f1cda3", "#f5d6b3", "#e8bd90")),
)
_AMBIGUOUS_HAIRCUTS = frozenset({"long", "short", "wavy"})
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
_ACCESSORY_NAMES = frozenset(["apron", "vest", "scarf", "cape", "tie", "headscarf", "necklace", "backpack", "flower"])
_ACCESSORY_COLOURS = {
    "apron": "#f1e6d2", "vest": "#7a5a40", "scarf": "#c8463c", "cape": "#8a3040", "tie": "#a8322f", "headscarf": "#c05a6a",
    "necklace": "#e0b64a", "backpack": "#a5693a", "flower": "#e87f97",
}  # fmt: skip
_REPLACED_ACCESSORIES = frozenset({"apron", "vest", "cape", "tie"})
_HAT_COLOURS = {
    "cap": "#2f4a6d", "wool": "#c44d43", "brim": "#b98d57", "top": "#2e2b31", "wizard": "#4b3f7f", "crown": "#e7b93c",
    "helmet": "#9aa5ae", "turban": "#d98f3a", "chef": "#fbf8f0", "pirate": "#2e2b31",
}  # fmt: skip


class Accessory(Params):
    """A worn accessory."""

    name: str
    colour: str


class Appearance(Params):
    """The attributes of a figure. Colours are `#rrggbb`; empty names mean none."""

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
    accessories: tuple[Accessory, ...] = ()
    build: str = ""
    stature: str = ""
    conditions: tuple[str, ...] = ()
    mood: str = "calm"
    dressed: bool = True
    variation_seed: int = 0

    @property
    def human(self) -> bool:
        return self.species == "human"


def stable_seed(*parts: object) -> int:
    """Return a seed that depends only on the strings."""
    return int.from_bytes(hashlib.sha256("\x1f".join(str(word) for word in parts).encode()).digest()[:8], "big")


def recognised(text: str) -> bool:
    """Return whether the lexicon finds appearance words in the text."""
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
    return any(hit.group in groups for hit in load_lexicon().find_concepts(text))


def resolve_appearance(text: str, seed: int, name: str = "") -> Appearance:
    """Return the appearance that `text` describes, completed from `seed`."""
    hits = load_lexicon().find_concepts(text)
    parsed = _parse_appearance(hits)
    if "species" not in parsed and not parsed.get("sex"):
        parsed |= {
            key: value
            for key, value in _parse_appearance(load_lexicon().find_concepts(name)).items()
            if key in ("species", "sex")
        }
    if "sex" not in parsed and (sex := _infer_sex(parsed, name)):
        parsed["sex"] = sex
    if "skin" not in parsed and ("freckles" in parsed.get("features", ()) or parsed.get("hair") in _LIGHT_HAIR_COLOURS):
        parsed["skin"] = SKIN_COLOURS["pale"]
    return _fill_defaults(parsed, random.Random(seed), _skin_colours_for_script(text + name))


def _infer_sex(parsed: dict[str, Any], name: str) -> str:
    """`woman`, `man` or nothing: from what is worn and grown, then from the name and how it ends."""
    if parsed.get("cut") in _FEMININE_HAIRCUTS or parsed.get("top") == "dress":
        return "woman"
    if parsed.get("beard"):
        return "man"
    return _sex_from_first_name(name) or ("woman" if name.strip().endswith(_FEMININE_NAME_ENDINGS) else "")


def _sex_from_first_name(name: str) -> str:
    """`woman` or `man` where the first name is a common one."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", name.lower()) if not unicodedata.combining(c))
    first = next((word for word in re.findall(r"[a-z]+", bare) if word not in _TITLES), "")
    return {**dict.fromkeys(_first_names()["f"], "woman"), **dict.fromkeys(_first_names()["m"], "man")}.get(first, "")


@cache
def _first_names() -> dict[str, frozenset[str]]:
    import yaml

    data = yaml.safe_load((files(__package__) / "firstnames.yaml").read_text("utf-8"))
    return {key: frozenset(names.split()) for key, names in data.items()}


def _skin_colours_for_script(text: str) -> tuple[str, ...]:
    """The skins that words left open are drawn from: people of a story look like those who tell it."""
    for first, last, skins in _SKIN_COLOURS_BY_SCRIPT:
        if any(first <= letter <= last for letter in text[:200]):
            return skins
    return _DEFAULT_SKIN_COLOURS


def apply_state(base: Appearance, text: str) -> Appearance:
    """The base looks in another state: clothes, age, condition and hair may change, the face stays the same."""
    hits = load_lexicon().find_concepts(text)
    parsed, removed = _parse_appearance(hits), set(concept_names(hits, "without"))
    for kept in ("sex", "skin", "species", "eyes", "fur_colour"):
        parsed.pop(kept, None)
    if "age" in parsed and not any(hit.group == "number" for hit in hits):
        parsed["age"] = _relative_age(base.age, parsed["age"])
    parsed["features"] = tuple(
        f for f in dict.fromkeys((*base.features, *parsed.get("features", ()))) if f not in removed
    )
    if base.hat in removed:
        parsed.setdefault("hat", "")
    # New clothes remove the apron; a garment named again keeps its colour.
    other = "top" in parsed and (parsed["top"], parsed.get("top_colour")) != (base.top, base.top_colour)
    worn = {extra.name: extra for extra in base.accessories}
    new = [worn.get(e.name, e) if e.colour == _ACCESSORY_COLOURS[e.name] else e for e in parsed.get("accessories", ())]
    off = removed | {extra.name for extra in new} | (_REPLACED_ACCESSORIES if other else frozenset())
    parsed["accessories"] = (*(extra for extra in base.accessories if extra.name not in off), *new)
    parsed["conditions"] = tuple(dict.fromkeys((*base.conditions, *parsed.get("conditions", ()))))
    if parsed.get("age", 0) >= 62 > base.age and "hair" not in parsed:
        parsed["hair"] = mix(base.hair, "#dcd9d6", 0.8)
    if parsed.get("age", 30) < 14:
        parsed["beard"] = ""
        parsed["conditions"] = tuple(c for c in parsed["conditions"] if c != "tired")
    if parsed.get("top") or base.dressed:
        parsed["dressed"] = True
    return base.model_copy(update=parsed)


def _relative_age(base: int, stated_age: int) -> int:
    """'Older' and 'younger' are meant from where one stands; 'as a child' is not."""
    if stated_age >= 60:
        return max(66, base + 20)
    return stated_age


def _parse_appearance(hits: tuple[Hit, ...]) -> dict[str, Any]:
    """Only what the words say."""
    parsed: dict[str, Any] = {}
    colours = _attach_colours(hits)
    clauses = group_by_clause(hits)

    if species := concept_names(hits, "species"):
        parsed["species"] = species[0]
    if sexes := concept_names(hits, "sex"):
        parsed["sex"] = sexes[0]
    if (age := _parse_age(hits, clauses)) is not None:
        parsed["age"] = age
    if skins := concept_names(hits, "skin"):
        found = [skin for skin in skins if skin != "skin"]
        if found:
            parsed["skin"] = SKIN_COLOURS[found[0]]

    cuts = [
        hit for hit in hits
        if hit.group == "cut" and (hit.name not in _AMBIGUOUS_HAIRCUTS or _refers_to_hair(clauses[hit.clause]))
    ]  # fmt: skip
    if cuts:
        best = min(cuts, key=lambda hit: (hit.name in _AMBIGUOUS_HAIRCUTS, hit.position))
        parsed["cut"] = best.name
    for hit, (colour, shade) in colours.items():
        match hit.group, hit.name:
            case ("hair" | "cut", _):
                parsed.setdefault("hair", _apply_shade(HAIR_COLOURS.get(colour, COLOURS[colour]), shade))
            case "fur", _:
                parsed["fur_colour"] = _apply_shade(COLOURS[colour], shade)
            case "species", name:
                own = FUR_COLOURS[name]
                parsed["fur_colour"] = mix(own, COLOURS[colour], 0.35 if colour in ("red", "brown", "orange") else 0.85)
            case "skin", _:
                parsed["skin"] = SKIN_COLOURS[SKIN_TONE_BY_COLOUR.get(colour, "tan")]
            case "face", "beard" | "moustache":
                parsed.setdefault("hair", _apply_shade(HAIR_COLOURS.get(colour, COLOURS[colour]), shade))
            case "face", "eyes":
                parsed["eyes"] = darken(COLOURS[colour], 0.25)
            case _:
                pass
    for hit in hits:
        # "Dark eyes" name a shade and no colour.
        if hit.concept == "face.eyes" and "eyes" not in parsed and _adjacent_shade(hit, clauses[hit.clause]) == "dark":
            parsed["eyes"] = EYE_COLOURS[3]
    for hit in hits:
        if hit.group == "colour" and hit.name in ("blond", "auburn") and "hair" not in parsed:
            parsed["hair"] = COLOURS[hit.name]
        elif hit.group == "hair" and "hair" not in parsed and (shade := _adjacent_shade(hit, clauses[hit.clause])):
            parsed["hair"] = darken(HAIR_COLOURS["brown"], 0.4) if shade == "dark" else COLOURS["blond"]

    faces = concept_names(hits, "face")
    if "beard" in faces:
        parsed["beard"] = "beard"
    elif "moustache" in faces or "stubble" in faces:
        parsed["beard"] = "moustache" if "moustache" in faces else "stubble"
    if features := tuple(face for face in faces if face in ("freckles", "glasses", "scar", "patch")):
        parsed["features"] = features
    _parse_clothes(hits, colours, parsed)

    if patterns := concept_names(hits, "pattern"):
        parsed["pattern"] = patterns[0]
    for build in concept_names(hits, "build"):
        parsed["build" if build in ("stout", "slim") else "stature"] = build
    conditions = [c for c in concept_names(hits, "state") if c != "none"]
    if "tired" in concept_names(hits, "mood"):
        conditions.append("tired")
    if conditions:
        parsed["conditions"] = tuple(conditions)
    if moods := [mood for mood in concept_names(hits, "mood") if mood != "tired"]:
        parsed["mood"] = moods[0]
    return parsed


def _parse_clothes(hits: tuple[Hit, ...], colours: dict[Hit, tuple[str, str]], parsed: dict[str, Any]) -> None:
    def colour_for(hit: Hit, fallback: str) -> str:
        if hit not in colours:
            return fallback
        colour, shade = colours[hit]
        return _apply_shade(COLOURS[colour], shade)

    accessories: dict[str, Accessory] = {}
    for hit in hits:
        if hit.group == "hat":
            if hit.name == "hood":
                parsed["features"] = (*parsed.get("features", ()), "hood")
            elif "hat" not in parsed:
                parsed["hat"] = hit.name
                parsed["hat_colour"] = colour_for(hit, _HAT_COLOURS[hit.name])
        elif hit.group != "wear":
            continue
        elif hit.name in _TOP_NAMES:
            if "top" not in parsed or (hit.name not in ("shirt", "sweater") and parsed["top"] in ("shirt", "sweater")):
                parsed["top"] = hit.name
                if hit in colours:
                    parsed["top_colour"] = colour_for(hit, "")
                else:
                    parsed.pop("top_colour", None)
        elif hit.name in ("skirt", "trousers", "shorts"):
            parsed["bottom"] = hit.name
            if hit in colours:
                parsed["bottom_colour"] = colour_for(hit, "")
        elif hit.name == "boots":
            parsed["boots"] = True
            parsed["shoe_colour"] = colour_for(hit, "#5a4130")
        elif hit.name in _ACCESSORY_NAMES:
            accessories[hit.name] = Accessory(name=hit.name, colour=colour_for(hit, _ACCESSORY_COLOURS[hit.name]))
    if accessories:
        parsed["accessories"] = tuple(accessories.values())
    if "vest" in accessories and "top" not in parsed and "species" not in parsed:
        parsed |= {"top": "shirt", "top_colour": "#f3ede0"}
    if "top_colour" not in parsed:
        loose = [hit for hit in hits if hit.group == "colour" and hit.name not in ("blond", "auburn")]
        attached = [name for name, _ in colours.values()]
        for hit in loose:
            if hit.name in attached:
                attached.remove(hit.name)
            elif "species" not in parsed:
                parsed["top_colour"] = COLOURS[hit.name]
                break


def _adjacent_shade(noun: Hit, clause: list[Hit]) -> str:
    """The shade that is said right beside a noun."""
    return next((hit.name for hit in clause if hit.group == "shade" and abs(hit.position - noun.position) <= 2), "")


def _refers_to_hair(clause: list[Hit]) -> bool:
    """Long and short are said of coats and of people too: without hair in the clause they mean hair if nothing else is there."""
    if any(hit.group == "hair" or hit.concept in ("colour.blond", "colour.auburn") for hit in clause):
        return True
    return not any(hit.group in ("wear", "hat", "build", "prop", "face", "species") for hit in clause)


_COLOURED_GROUPS = frozenset({"hair", "cut", "wear", "hat", "fur", "species", "skin", "part"})
"""What a colour may belong to. Parts of the body take theirs to themselves, lest a grey muzzle make a grey coat."""


def _attach_colours(hits: tuple[Hit, ...]) -> dict[Hit, tuple[str, str]]:
    """Which colour (and shade) belongs to which noun: the nearest in the same clause, on the side the language puts it."""
    owned: dict[Hit, tuple[str, str]] = {}
    for clause in group_by_clause(hits).values():
        # A hood has the colour of what it belongs to.
        nouns = [
            hit
            for hit in clause
            if (hit.group in _COLOURED_GROUPS and hit.name != "hood")
            or (hit.group == "face" and hit.name in ("eyes", "beard", "moustache"))
        ]
        shades = [hit for hit in clause if hit.group == "shade"]
        colours = [hit for hit in clause if hit.group == "colour"]
        used_positions: set[int] = set()
        for far, noun, colour in sorted(
            ((_attachment_distance(noun, colour), noun, colour) for colour in colours for noun in nouns),
            key=lambda pair: (pair[0], pair[2].position, pair[1].position),
        ):
            # The words of one compound ("mustard-yellow") colour one thing.
            if far > _MAX_ATTACHMENT_DISTANCE or noun in owned or colour.position in used_positions:
                continue
            used_positions |= {other.position for other in colours if abs(other.position - colour.position) <= 1}
            shade = next((s.name for s in shades if abs(s.position - colour.position) <= 2), "")
            owned[noun] = (colour.name, shade)
    return owned


_MAX_ATTACHMENT_DISTANCE = 9


def _attachment_distance(noun: Hit, colour: Hit) -> float:
    """How little a colour seems to belong to a noun: words between them, more on the side where the language has it not."""
    gap = noun.position - colour.position
    wrong_side = gap > 0 if colour.colour_follows_noun else gap < 0
    return abs(gap) + (2.5 if wrong_side else 0) + (0.4 if noun.group == "cut" else 0)


def _apply_shade(colour: str, shade: str) -> str:
    if shade == "dark":
        return darken(colour, 0.35)
    return lighten(colour, 0.35) if shade == "light" else colour


def _parse_age(hits: tuple[Hit, ...], clauses: dict[int, list[Hit]]) -> int | None:
    for clause in clauses.values():
        if not any(hit.concept == "age.years" for hit in clause):
            continue
        for hit in clause:
            if hit.group == "number":
                years = hit.number or int(hit.name)
                if 0 < years < 130:
                    return years
    ages = [name for name in concept_names(hits, "age") if name != "years"]
    if "young" in ages and "child" not in ages:
        return 22
    table = {"toddler": 2, "child": 9, "teen": 15, "young": 22, "middle": 48, "old": 72}
    if "old" in ages and "child" not in ages:
        return 72
    return table[ages[0]] if ages else None


def _fill_defaults(parsed: dict[str, Any], rng: random.Random, skins: tuple[str, ...]) -> Appearance:
    """Complete open attributes. The order of random draws does not depend on the text."""
    sex = rng.choice(("woman", "man"))
    age = rng.choice((24, 31, 38, 45))
    skin = skins[rng.randrange(60) % len(skins)]
    hair = rng.choice(("#26222a", "#3d2a20", "#5f3d28", "#7d4d2c", "#a86a35", "#d1a65c", "#9c4322"))
    cut_woman, cut_man = rng.choice(WOMENS_HAIRCUTS), rng.choice(MENS_HAIRCUTS)
    top = rng.choice(TOPS)
    top_colour, other = rng.sample(CLOTHING_COLOURS, 2)
    bottom = rng.choice(("#3b4254", "#5a4a3f", "#41586b", "#6b5a4a"))
    eyes = rng.choice(EYE_COLOURS)
    variation_seed = rng.randrange(1 << 16)

    fur = parsed.pop("fur_colour", None)
    species = parsed.get("species", "human")
    appearance: dict[str, Any] = {"sex": sex, "age": age, "eyes": eyes, "variation_seed": variation_seed} | parsed
    if species != "human":
        appearance["age"] = parsed.get("age", 20)
        appearance["skin"] = fur or FUR_COLOURS[species]
        appearance["dressed"] = "top" in parsed or "bottom" in parsed
        appearance.setdefault("cut", "bald")
        appearance.setdefault("hair", darken(appearance["skin"], 0.35))
        appearance.setdefault("eyes", "#2d2622")
    else:
        appearance.setdefault("skin", skin)
        appearance.setdefault("hair", "#dcd9d6" if appearance["age"] >= 62 else hair)
        appearance.setdefault("cut", cut_woman if appearance["sex"] == "woman" else cut_man)
        if appearance["age"] >= 62 and appearance["sex"] == "woman" and "cut" not in parsed:
            appearance["cut"] = "bun"
    if "top" not in appearance:
        appearance["top"] = "shirt" if top == "dress" and appearance["sex"] == "man" else top
    defaults = {
        "spacesuit": "#eef0f2",
        "labcoat": "#f7f6f1",
        "armor": "#a3adb5",
        "suit": "#3c4152",
        "overalls": "#47689a",
    }
    appearance.setdefault("top_colour", defaults.get(appearance["top"], COLOURS[top_colour]))
    appearance.setdefault("bottom_colour", bottom)
    if appearance.get("top") == "suit":
        appearance["bottom_colour"] = parsed.get("bottom_colour", darken(appearance["top_colour"], 0.12))
    appearance.setdefault("hat_colour", COLOURS[other])
    return Appearance(**appearance)

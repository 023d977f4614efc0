"""Scene parsing: who does what, where and with which props."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from pipelines.image.illustrator.language.lexicon import Hit, concept_names, load_lexicon, normalize

_MAX_NAME_MATCHES = 200
_MAX_WORD_DISTANCE = 8
"""Words between a name or a verb and a thing that still belongs to it."""


@dataclass(frozen=True, slots=True)
class PropMention:
    """A thing that the words name. `held`: in somebody's hands; `near`: said right behind a name, so that what fits a
    hand is in it; `laid`: on the ground or a table; `colour`: its name, or nothing; `owner`: whose clause it is (index
    in the cast, -1: nobody's); `all`: everybody has one."""

    kind: str
    colour: str
    held: bool
    on_surface: bool
    owner_index: int
    near_name: bool = False
    for_everyone: bool = False


def split_by_character(cast: Sequence[str], scene_text: str) -> list[str]:
    """For each name all words that follow it, each time up to the next name."""
    text = normalize(scene_text)
    found = list(_find_names(cast, text))
    parts = [""] * len(cast)
    after = ""
    for (_, start, index), end in reversed(list(zip(found, [*(f[0] for f in found[1:]), len(text)], strict=False))):
        # "Fox and Owl sit": those who are named together do the same.
        segment = text[start:end] if len(text[start:end].strip(" ,.&;、，،")) > 3 else after
        parts[index] = f"{segment}. {parts[index]}"
        after = segment
    return parts


def _find_names(cast: Sequence[str], text: str) -> Iterator[tuple[int, int, int]]:
    """Where the names stand in the text: (start, end, index in the cast), in order."""
    found: list[tuple[int, int, int]] = []
    for index, figure in enumerate(cast):
        full_name = normalize(figure).strip()
        first = full_name.split(" ")[0]
        name = full_name if full_name and full_name in text else first if len(first) > 2 else ""
        at = text.find(name) if name else -1
        while at >= 0 and len(found) < _MAX_NAME_MATCHES:
            found.append((at, at + len(name), index))
            at = text.find(name, at + len(name))
    yield from sorted(found)


def exclude_animal_actions(hits: Sequence[Hit], cast_species: Collection[str]) -> tuple[Hit, ...]:
    """The hits without what an animal does that nobody plays: "… and a cat sleeps" puts no other actor to sleep."""
    animals = [h for h in hits if h.group == "species" and h.name not in cast_species]
    return tuple(
        h
        for h in hits
        if h.group not in ("pose", "mood")
        or not any(b.clause == h.clause and 0 < h.position - b.position <= 3 for b in animals)
    )


def find_prop_mentions(cast: Sequence[str], scene_text: str) -> list[PropMention]:
    """The things of a scene in the order in which its words name them, each kind once."""
    found: dict[str, PropMention] = {}
    text = normalize(scene_text)
    at = list(_find_names(cast, text))
    # Text before the first name belongs to no actor.
    pieces = [(-1, text[: at[0][0]] if at else text)]
    ends = [*(start for start, _, _ in at[1:]), len(text)]
    pieces += [(index, text[end:stop]) for (_, end, index), stop in zip(at, ends, strict=False)]
    for owner, piece in pieces:
        hits = load_lexicon().find_concepts(piece)
        for hit in (h for h in hits if h.group == "prop"):
            mention = _classify_mention(hit, hits, owner, len(cast))
            # A kite in her hands tells more than a sky full of kites.
            if hit.name not in found or (mention.held and not found[hit.name].held):
                found[hit.name] = mention
    return list(found.values())


def _classify_mention(hit: Hit, hits: Sequence[Hit], owner: int, count: int) -> PropMention:
    clause = [h for h in hits if h.clause == hit.clause]
    before = [h for h in clause if 0 < hit.position - h.position <= _MAX_WORD_DISTANCE]
    colour = next((h.name for h in reversed(before) if h.group == "colour" and hit.position - h.position <= 3), "")
    if not colour:
        colour = next(
            (
                h.name
                for h in clause
                if h.group == "colour" and h.colour_follows_noun and 0 < h.position - hit.position <= 2
            ),
            "",
        )
    on_surface = any(
        h.concept == "where.ground" and -2 <= h.position - hit.position <= _MAX_WORD_DISTANCE for h in clause
    )
    on_surface = on_surface or any(
        h.concept == "where.beside" and h.position < hit.position <= h.position + 6 for h in clause
    )
    held = any(
        h.concept == "where.hand" and abs(h.position - hit.position) <= _MAX_WORD_DISTANCE for h in clause
    ) or any(h.concept in ("pose.hold", "pose.carry", "pose.reach") for h in before)
    # The first words after a name are about its bearer.
    near_name = owner >= 0 and hit.clause == 0 and hit.position <= _MAX_WORD_DISTANCE and not on_surface
    many = any(
        h.group == "number" and 0 < hit.position - h.position <= 3 and (h.number or int(h.name)) >= count
        for h in before
    )
    return PropMention(hit.name, colour, held and not on_surface, on_surface, owner, near_name, many and count > 1)


def is_close_up(scene_text: str) -> bool:
    """Return whether the text asks for a close-up."""
    return "close" in concept_names(load_lexicon().find_concepts(scene_text), "shot")


_SETTINGS_WITH_BIRDS = frozenset({"sea", "cove", "beach", "lighthouse", "harbour", "ship", "sky", "river", "lake"})
_GROUP_DESCRIPTIONS = {"teacher": ("a teacher of forty with brown hair, glasses and a blue cardigan",), "person": ("a person",), "children": ("a girl of nine", "a boy of ten", "a girl of eight"),
         "crowd": ("a woman", "a man", "an old man", "a young woman")}  # fmt: skip


def background_animals(scene_text: str, setting_kind: str) -> Iterator[tuple[str, str]]:
    """The animals that the words name, with the colour that stands before each (or nothing). By the sea the birds are
    in the air already, and ghosts are a manner of speaking."""
    hits = load_lexicon().find_concepts(scene_text)
    for hit in hits:
        if (
            hit.group == "species"
            and hit.name not in ("ghost", "fish", "whale")
            and not (hit.name == "bird" and setting_kind in _SETTINGS_WITH_BIRDS)
        ):
            colours = [
                h.name
                for h in hits
                if h.group == "colour" and h.clause == hit.clause and 0 < hit.position - h.position <= 2
            ]
            yield hit.name, colours[-1] if colours else ""
    if concept_names(hits, "beasts"):
        yield from (("rabbit", ""), ("owl", ""), ("squirrel", ""))


def bystanders(scene_text: str) -> tuple[str, ...]:
    """The people without a name whom the words speak of, each as words of looks."""
    hits = load_lexicon().find_concepts(scene_text)
    found = concept_names(hits, "people")
    if {"children", "crowd"} & set(found):
        return _GROUP_DESCRIPTIONS["children" if "children" in found else "crowd"]
    sexes, ages = concept_names(hits, "sex"), concept_names(hits, "age")
    if not sexes and "child" not in ages:
        return _GROUP_DESCRIPTIONS[found[0]] if found else ()
    # A person described in the scene's text follows it; with few words they look the same in every scene.
    clause = next(h.clause for h in hits if h.group in ("sex", "age"))
    words = re.split(r"[,.;:!?…،؛。、，；：！？।—–\n]", scene_text)
    if clause < len(words) and any(
        h.group in ("hair", "cut", "wear", "hat", "face") for h in hits if h.clause == clause
    ):
        return (words[clause].strip(),)
    return (" ".join(("a", *ages[:1], *(sexes[:1] or ("child",)))),)

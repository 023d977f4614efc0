"""What the words of a scene say of those who are in it: who does what, where, with which things."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from pipelines.image.illustrator.language.lexicon import Hit, lexicon, names, normal

_MENTIONS = 200
_NEAR = 8
"""Words between a name or a verb and a thing that still belongs to it."""


@dataclass(frozen=True, slots=True)
class Mention:
    """A thing that the words name. `held`: in somebody's hands; `near`: said right behind a name, so that what fits a hand
    is in it; `laid`: on the ground or a table; `colour`: its name, or
    nothing; `owner`: whose clause it is (index in the cast, -1: nobody's); `all`: everybody has one."""

    kind: str
    colour: str
    held: bool
    laid: bool
    owner: int
    near: bool = False
    all: bool = False


def segments(cast: Sequence[str], scene: str) -> list[str]:
    """For each name all words that follow it, each time up to the next name."""
    text = normal(scene)
    found = list(_named(cast, text))
    parts = [""] * len(cast)
    after = ""
    for (_, start, index), end in reversed(list(zip(found, [*(f[0] for f in found[1:]), len(text)], strict=False))):
        # "Fox and Owl sit": those who are named together do the same.
        said = text[start:end] if len(text[start:end].strip(" ,.&;、，،")) > 3 else after
        parts[index] = f"{said}. {parts[index]}"
        after = said
    return parts


def _named(cast: Sequence[str], text: str) -> Iterator[tuple[int, int, int]]:
    """Where the names stand in the text: (start, end, index in the cast), in order."""
    found: list[tuple[int, int, int]] = []
    for index, figure in enumerate(cast):
        whole = normal(figure).strip()
        first = whole.split(" ")[0]
        name = whole if whole and whole in text else first if len(first) > 2 else ""
        at = text.find(name) if name else -1
        while at >= 0 and len(found) < _MENTIONS:
            found.append((at, at + len(name), index))
            at = text.find(name, at + len(name))
    yield from sorted(found)


def doings(hits: Sequence[Hit], played: Collection[str]) -> tuple[Hit, ...]:
    """The hits without what an animal does that nobody plays: "… and a cat sleeps" puts nobody else to sleep."""
    beasts_ = [h for h in hits if h.group == "species" and h.name not in played]
    return tuple(
        h
        for h in hits
        if h.group not in ("pose", "mood")
        or not any(b.clause == h.clause and 0 < h.place - b.place <= 3 for b in beasts_)
    )


def mentions(cast: Sequence[str], scene: str) -> list[Mention]:
    """The things of a scene in the order in which its words name them, each kind once."""
    found: dict[str, Mention] = {}
    text = normal(scene)
    at = list(_named(cast, text))
    # What is said before the first name belongs to nobody.
    pieces = [(-1, text[: at[0][0]] if at else text)]
    ends = [*(start for start, _, _ in at[1:]), len(text)]
    pieces += [(index, text[end:stop]) for (_, end, index), stop in zip(at, ends, strict=False)]
    for owner, piece in pieces:
        hits = lexicon().read(piece)
        for hit in (h for h in hits if h.group == "prop"):
            mention = _mention(hit, hits, owner, len(cast))
            # A kite in her hands tells more than a sky full of kites.
            if hit.name not in found or (mention.held and not found[hit.name].held):
                found[hit.name] = mention
    return list(found.values())


def _mention(hit: Hit, hits: Sequence[Hit], owner: int, count: int) -> Mention:
    clause = [h for h in hits if h.clause == hit.clause]
    before = [h for h in clause if 0 < hit.place - h.place <= _NEAR]
    colour = next((h.name for h in reversed(before) if h.group == "colour" and hit.place - h.place <= 3), "")
    if not colour:
        colour = next((h.name for h in clause if h.group == "colour" and h.after and 0 < h.place - hit.place <= 2), "")
    laid = any(h.concept == "where.ground" and -2 <= h.place - hit.place <= _NEAR for h in clause)
    laid = laid or any(h.concept == "where.beside" and h.place < hit.place <= h.place + 6 for h in clause)
    handled = any(h.concept == "where.hand" and abs(h.place - hit.place) <= _NEAR for h in clause) or any(
        h.concept in ("pose.hold", "pose.carry", "pose.reach") for h in before
    )
    # The first words after a name are about its bearer.
    near = owner >= 0 and hit.clause == 0 and hit.place <= _NEAR and not laid
    many = any(
        h.group == "number" and 0 < hit.place - h.place <= 3 and (h.number or int(h.name)) >= count for h in before
    )
    return Mention(hit.name, colour, handled and not laid, laid, owner, near, many and count > 1)


def close(scene: str) -> bool:
    """Whether the words ask for something to be seen from near."""
    return "close" in names(lexicon().read(scene), "shot")


_AIRBORNE = frozenset({"sea", "cove", "beach", "lighthouse", "harbour", "ship", "sky", "river", "lake"})
_MANY = {"teacher": ("a teacher of forty with brown hair, glasses and a blue cardigan",), "person": ("a person",), "children": ("a girl of nine", "a boy of ten", "a girl of eight"),
         "crowd": ("a woman", "a man", "an old man", "a young woman")}  # fmt: skip


def beasts(scene: str, place: str) -> Iterator[tuple[str, str]]:
    """The animals that the words name, with the colour that stands before each (or nothing). By the sea the birds are in
    the air already, and ghosts are a manner of speaking."""
    hits = lexicon().read(scene)
    for hit in hits:
        if (
            hit.group == "species"
            and hit.name not in ("ghost", "fish", "whale")
            and not (hit.name == "bird" and place in _AIRBORNE)
        ):
            colours = [
                h.name for h in hits if h.group == "colour" and h.clause == hit.clause and 0 < hit.place - h.place <= 2
            ]
            yield hit.name, colours[-1] if colours else ""
    if names(hits, "beasts"):
        yield from (("rabbit", ""), ("owl", ""), ("squirrel", ""))


def company(scene: str) -> tuple[str, ...]:
    """The people without a name whom the words speak of, each as words of looks."""
    hits = lexicon().read(scene)
    found = names(hits, "people")
    if {"children", "crowd"} & set(found):
        return _MANY["children" if "children" in found else "crowd"]
    sexes, ages = names(hits, "sex"), names(hits, "age")
    if not sexes and "child" not in ages:
        return _MANY[found[0]] if found else ()
    # Somebody described in the scene's own words looks as they say; with few words, the same in every scene.
    clause = next(h.clause for h in hits if h.group in ("sex", "age"))
    words = re.split(r"[,.;:!?…،؛。、，；：！？।—–\n]", scene)
    if clause < len(words) and any(
        h.group in ("hair", "cut", "wear", "hat", "face") for h in hits if h.clause == clause
    ):
        return (words[clause].strip(),)
    return (" ".join(("a", *ages[:1], *(sexes[:1] or ("child",)))),)

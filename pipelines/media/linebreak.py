"""Where a text may be broken, how good each break is, and how wide the pieces are.

Languages with spaces break at spaces; Chinese and Japanese break between phrases (found by BudouX), never before a
closing mark or after an opening one. A piece that is wider than a line is broken between clusters, so that a mark never
loses its letter and a conjunct stays whole.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from pipelines.media.fonts import clusters

if TYPE_CHECKING:
    from budoux import Parser

UNSPACED = frozenset({"Chinese", "Japanese"})

SENTENCE, CLAUSE, PHRASE, WORD = 0, 1, 2, 3
"""How good a break after a piece is, the best first."""

_SENTENCE_END = re.compile(r"[.!?…。！？｡।॥؟۔]+[\"'”’»›)\]」』）】]*\s*$")
_CLAUSE_END = re.compile(r"[,;:،؛、，；：—–)\]」』）】»”]+[\"'”’]*\s*$")
_ABBREVIATION = re.compile(
    r"^[\"'“‘«(]*(?:[A-Z]|Mr|Mrs|Ms|Dr|St|Prof|Sr|Jr|vs|z|d|M|Mme|Nr|Hr|Fr|Sra|Srta|Ud|bzw|usw|ca)\.\s*$"
)
_CLOSING = frozenset(
    "、。，．！？：；）」』】〕》〉］｝”’…‥ー々ゝゞヽヾぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ・,.!?:;)]}%％"
)
_OPENING = frozenset("（「『【〔《〈［｛“‘([{")

_WEAK_END = {
    "English": "a an the of to in on at by for with from and or but as that which who his her its their my your our is was",
    "German": "der die das den dem des ein eine einen einem einer und oder aber von vom zu zum zur in im am auf mit für als dass",
    "French": "le la les un une des du de et ou mais à au aux en dans sur par pour avec que qui son sa ses leur ce cette",
    "Spanish": "el la los las un una unos unas de del y o pero a al en con por para que su sus se lo",
    "Turkish": "bir ve ile bu şu o ya da en çok",
    "Hindi": "और या एक इस उस वह यह बहुत",
    "Arabic": "في من إلى على عن و أو أن إن هذا هذه ذلك كان لا ما",
    "Korean": "그 이 저 한 두 더 및",
}


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text that is never broken inside. `quality` is that of a break after it."""

    text: str
    quality: int


def units(text: str) -> int:
    """Width in half-width cells: 1 for a letter, 2 for an ideograph, 0 for a mark (Unicode East Asian Width)."""
    return sum(
        0
        if unicodedata.category(character) in ("Mn", "Me", "Cf")
        else 2
        if unicodedata.east_asian_width(character) in "WF"
        else 1
        for character in text
    )


def pieces(text: str, language: str) -> list[Piece]:
    """The text cut at every place where a line may end; joined, the pieces give the text back."""
    cut = _phrases(text, language) if language in UNSPACED else re.findall(r"\S+\s*|^\s+", text)
    return [Piece(piece, _quality(piece, language)) for piece in cut]


@dataclass(frozen=True, slots=True)
class Measure:
    """How much of a line a text takes. `em` measures a text in the font that shows it."""

    em: Callable[[str], float]
    max_em: float
    max_units: float

    def fits(self, text: str) -> bool:
        return self.share([Piece(text, WORD)]) <= 1.0

    def share(self, line: Sequence[Piece]) -> float:
        """Fraction of the line that the pieces fill, 1 at most for one that fits."""
        texts = [*(piece.text for piece in line[:-1]), line[-1].text.rstrip()]
        return max(sum(map(self.em, texts)) / self.max_em, sum(map(units, texts)) / self.max_units)


def split_wide(piece: Piece, measure: Measure) -> list[Piece]:
    """The piece itself if it fits into a line, else as many as needed, broken between clusters."""
    if measure.fits(piece.text):
        return [piece]
    parts, part = [], ""
    for cluster in _unbreakable(piece.text):
        if part and not measure.fits(part + cluster):
            parts.append(part)
            part = ""
        part += cluster
    return [*(Piece(part, WORD) for part in parts), Piece(part, piece.quality)]


def lines(cue: Sequence[Piece], measure: Measure) -> tuple[str, ...] | None:
    """One line if that fits, else the two best balanced and best broken ones; None when two lines do not suffice."""
    if measure.share(cue) <= 1.0:
        return (_text(cue),)
    best: tuple[float, int] | None = None
    for split in range(1, len(cue)):
        above, below = measure.share(cue[:split]), measure.share(cue[split:])
        if max(above, below) > 1.0:
            continue
        lone = 0.5 if split in (1, len(cue) - 1) and min(above, below) < 0.25 else 0.0
        cost = abs(above - below) + 0.05 * (above > below) + 0.15 * cue[split - 1].quality + lone
        if best is None or cost < best[0]:
            best = cost, split
    return (_text(cue[: best[1]]), _text(cue[best[1] :])) if best else None


def _text(line: Sequence[Piece]) -> str:
    return "".join(piece.text for piece in line).strip()


def _quality(piece: str, language: str) -> int:
    if _SENTENCE_END.search(piece):
        return WORD if _ABBREVIATION.match(piece) else SENTENCE
    if _CLAUSE_END.search(piece):
        return CLAUSE
    return WORD if piece.strip().casefold() in _weak_ends(language) else PHRASE


@cache
def _weak_ends(language: str) -> frozenset[str]:
    """Words that belong to what follows: a line that ends with one of them reads badly."""
    return frozenset(_WEAK_END.get(language, "").split())


def _phrases(text: str, language: str) -> list[str]:
    """Phrases of a text without spaces; spaces in it are breaks too, and runs of Latin letters or digits stay whole."""
    found: list[str] = []
    for stretch in re.findall(r"\s*\S+\s*|^\s+$", text):
        for phrase in _parser(language).parse(stretch) if stretch.strip() else [stretch]:
            if found and _joined(found[-1], phrase):
                found[-1] += phrase
            else:
                found.append(phrase)
    return found


def _joined(before: str, after: str) -> bool:
    """Whether there may be no break between two stretches."""
    if before[-1].isspace():
        return False
    narrow = all(unicodedata.east_asian_width(character) not in "WF" for character in (before[-1], after[0]))
    return after[0] in _CLOSING or before[-1] in _OPENING or after[0].isspace() or narrow


def _unbreakable(text: str) -> list[str]:
    """Clusters, with conjuncts (a virama binds the next consonant) and what kinsoku forbids to part kept whole."""
    found: list[str] = []
    for cluster in clusters(text):
        bound = found and (
            unicodedata.combining(found[-1][-1]) == 9
            or cluster[0] in _CLOSING
            or cluster.isspace()
            or found[-1][-1] in _OPENING
        )
        if bound:
            found[-1] += cluster
        else:
            found.append(cluster)
    return found


@cache
def _parser(language: str) -> Parser:
    import budoux

    if language == "Chinese":
        return budoux.load_default_simplified_chinese_parser()
    return budoux.load_default_japanese_parser()

"""Where a text may be broken, how good each break is, and how wide the pieces are.

Languages with spaces break at spaces; Chinese and Japanese break between phrases (found by BudouX), never before a
closing mark or after an opening one. A piece that is wider than a line is broken between clusters, so that a mark never
loses its letter and a conjunct stays whole.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from pipelines.media.subtitles.fonts import clusters

if TYPE_CHECKING:
    from budoux import Parser

UNSPACED = frozenset({"Chinese", "Japanese"})

SENTENCE, CLAUSE, CONJUNCTION, PHRASE, WORD = 0, 1, 2, 3, 4
"""How good a break after a piece is, the best first: a joint stands before a conjunction, `WORD` parts what belongs together."""

_SENTENCE_END = re.compile(r"[.!?…。！？｡।॥؟۔]+[\s\"'”’»›)\]」』）】]*$")
_CLAUSE_END = re.compile(r"[,;:،؛、，；：—–)\]」』）】»”]+[\s\"'”’]*$")
_ABBREVIATION = re.compile(
    r"^[\"'“‘«(]*(?:[A-Z]|Mr|Mrs|Ms|Dr|St|Prof|Sr|Jr|vs|z|d|M|Mme|Nr|Hr|Fr|Sra|Srta|Ud|bzw|usw|ca)\.\s*$"
)
_CLOSING = frozenset(
    "、。»›;，．！？：；）」』】〕》〉］｝”’…‥ー々ゝゞヽヾぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ・,.!?:;)]}%％"
)
_OPENING = frozenset("（「『【〔《〈［｛“‘([{«¿¡„")
_MARKS = "".join(_CLOSING | _OPENING) + " "

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
_CONJUNCTIONS = {
    "English": "and but or because when while that which who where if so then until before after with without into",
    "German": "und aber oder denn weil wenn als dass der die das um bis bevor nachdem während mit ohne wo damit",
    "French": "et mais ou car parce quand que qui où si puis pour dans avec sans avant après pendant afin",
    "Spanish": "y pero o porque cuando que quien donde si entonces para con sin antes después mientras en",
    "Turkish": "ve ama fakat çünkü ya ki",
    "Hindi": "और लेकिन या क्योंकि कि जब जो तो मगर",
    "Arabic": "ولكن لكن لأن عندما الذي التي حتى ثم إذا بينما حيث أو",
    "Korean": "그리고 그러나 하지만 그런데 그래서",
}
_PARTICLES = {"Chinese": frozenset("的了着过们里上下中吗呢吧啊呀地得")}
"""Characters that lean on the word before them."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text that is never broken inside. `quality` is that of a break after it."""

    text: str
    quality: int


def display_width(text: str) -> int:
    """Width in half-width cells: 1 for a letter, 2 for an ideograph, 0 for a mark (Unicode East Asian Width)."""
    return sum(
        0
        if unicodedata.category(character) in ("Mn", "Me", "Cf")
        else 2
        if unicodedata.east_asian_width(character) in "WF"
        else 1
        for character in text
    )


def split_pieces(text: str, language: str) -> list[Piece]:
    """The text cut at every place where a line may end; joined, the pieces give the text back."""
    cut = _split_phrases(text, language) if language in UNSPACED else _split_at_spaces(text)
    return [
        Piece(piece, _break_quality(piece, after, language)) for piece, after in zip(cut, [*cut[1:], ""], strict=False)
    ]


@dataclass(frozen=True, slots=True)
class LineMeasure:
    """How much of a line a text takes. `em_width` measures a text in the font that shows it."""

    em_width: Callable[[str], float]
    max_em: float
    max_units: float

    def fits(self, text: str) -> bool:
        return self.fill_ratio([Piece(text, WORD)]) <= 1.0

    def fill_ratio(self, line: Sequence[Piece]) -> float:
        """Fraction of the line that the pieces fill, 1 at most for one that fits."""
        texts = [*(piece.text for piece in line[:-1]), line[-1].text.rstrip()]
        return max(sum(map(self.em_width, texts)) / self.max_em, sum(map(display_width, texts)) / self.max_units)


def split_wide(piece: Piece, measure: LineMeasure) -> list[Piece]:
    """The piece itself if it fits into a line, else as many as needed, broken between clusters."""
    if measure.fits(piece.text):
        return [piece]
    clusters, count = _unbreakable_clusters(piece.text), 2
    while True:
        size = math.ceil(len(clusters) / count)
        parts = ["".join(clusters[at : at + size]) for at in range(0, len(clusters), size)]
        if size == 1 or all(measure.fits(part) for part in parts):
            return [*(Piece(part, WORD) for part in parts[:-1]), Piece(parts[-1], piece.quality)]
        count += 1


def break_lines(cue: Sequence[Piece], measure: LineMeasure) -> tuple[str, ...] | None:
    """One line if that fits, else the two best balanced and best broken ones; None when two lines do not suffice."""
    if measure.fill_ratio(cue) <= 1.0:
        return (_join_text(cue),)
    best: tuple[float, int] | None = None
    for split in range(1, len(cue)):
        above, below = measure.fill_ratio(cue[:split]), measure.fill_ratio(cue[split:])
        if max(above, below) > 1.0:
            continue
        lone = 0.5 if split in {1, len(cue) - 1} and min(above, below) < 0.25 else 0.0
        cost = abs(above - below) + 0.05 * (above > below) + 0.2 * cue[split - 1].quality + lone
        if best is None or cost < best[0]:
            best = cost, split
    return (_join_text(cue[: best[1]]), _join_text(cue[best[1] :])) if best else None


def _join_text(line: Sequence[Piece]) -> str:
    return "".join(piece.text for piece in line).strip()


def _break_quality(piece: str, after: str, language: str) -> int:
    following = after.lstrip("\"'“‘«¿¡(„「『")
    if _SENTENCE_END.search(piece):
        if _ABBREVIATION.match(piece):
            return WORD
        return CLAUSE if following[:1].islower() else SENTENCE
    if _CLAUSE_END.search(piece):
        return CLAUSE
    if piece.strip().casefold() in _break_words(language, weak=True):
        return WORD
    return CONJUNCTION if following.strip().casefold() in _break_words(language, weak=False) else PHRASE


@cache
def _break_words(language: str, *, weak: bool) -> frozenset[str]:
    """Words with which a line should not end (they belong to what follows), or with which one may well begin."""
    return frozenset((_WEAK_END if weak else _CONJUNCTIONS).get(language, "").split())


def _split_at_spaces(text: str) -> list[str]:
    """Words of a text with spaces, a mark that stands apart (« …  ») staying with the word that it belongs to."""
    found: list[str] = []
    for word in re.findall(r"\S*?\w—+(?=\w)|\S+\s*|^\s+", text):
        leans = all(character in _CLOSING for character in word.strip())
        if found and (leans or found[-1].strip(_MARKS).strip() == ""):
            found[-1] += word
        else:
            found.append(word)
    return found


def _split_phrases(text: str, language: str) -> list[str]:
    """Phrases of a text without spaces; spaces in it are breaks too, and runs of Latin letters or digits stay whole."""
    found: list[str] = []
    for stretch in re.findall(r"\s*\S+\s*|^\s+$", text):
        for phrase in _parser(language).parse(stretch) if stretch.strip() else [stretch]:
            leans = phrase.strip(_MARKS)[:1] in _PARTICLES.get(language, ()) and len(phrase.strip(_MARKS)) == 1
            if found and (leans or _is_unbreakable(found[-1], phrase)):
                found[-1] += phrase
            else:
                found.append(phrase)
    return found


def _is_unbreakable(before: str, after: str) -> bool:
    """Whether there may be no break between two stretches."""
    if before[-1].isspace():
        return False
    narrow = all(unicodedata.east_asian_width(character) not in "WF" for character in (before[-1], after[0]))
    return after[0] in _CLOSING or before[-1] in _OPENING or after[0].isspace() or narrow


def _unbreakable_clusters(text: str) -> list[str]:
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

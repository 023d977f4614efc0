"""Line breaking of subtitles: possible breaks, their quality, and the width of the pieces between them.

Languages with spaces break at spaces. Chinese and Japanese break between phrases (BudouX), never before a closing mark
or after an opening one (kinsoku; compare UAX #14). Pieces wider than a line break between grapheme clusters (compare
UAX #29), so that marks stay with their base character and conjuncts stay together.
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
"""Quality of a break after a piece, the best first. `CONJUNCTION`: before a conjunction; `WORD`: inside a phrase."""

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
    "English": "a an the of to in on at by for with from and or but as that which who his her its their my your our is "
    "was",
    "German": "der die das den dem des ein eine einen einem einer und oder aber von vom zu zum zur in im am auf mit "
    "für als dass",
    "French": "le la les un une des du de et ou mais à au aux en dans sur par pour avec que qui son sa ses "
    "leur ce cette",
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
"""Characters that stay with the word before them."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of text without a possible break inside. `quality`: quality of a break after it."""

    text: str
    quality: int


def display_width(text: str) -> int:
    """Return the width in half-width cells: 1 for a letter, 2 for an ideograph, 0 for a mark (UAX #11)."""
    return sum(
        0
        if unicodedata.category(character) in ("Mn", "Me", "Cf")
        else 2
        if unicodedata.east_asian_width(character) in "WF"
        else 1
        for character in text
    )


def split_pieces(text: str, language: str) -> list[Piece]:
    """Split the text at all possible line ends. The concatenation of the pieces is the text."""
    texts = _split_phrases(text, language) if language in UNSPACED else _split_at_spaces(text)
    return [
        Piece(piece, _break_quality(piece, after, language))
        for piece, after in zip(texts, [*texts[1:], ""], strict=False)
    ]


@dataclass(frozen=True, slots=True)
class LineMeasure:
    """The measure of a line.

    `em_width` returns the width of a text in em. `max_em` and `max_units` (half-width cells) limit a line.
    """

    em_width: Callable[[str], float]
    max_em: float
    max_units: float

    def fits(self, text: str) -> bool:
        """Return whether the text fits into one line."""
        return self.fill_ratio([Piece(text, WORD)]) <= 1.0

    def fill_ratio(self, line: Sequence[Piece]) -> float:
        """Return the fraction of the line that the pieces fill, without trailing spaces; above 1 they do not fit."""
        texts = [*(piece.text for piece in line[:-1]), line[-1].text.rstrip()]
        return max(sum(map(self.em_width, texts)) / self.max_em, sum(map(display_width, texts)) / self.max_units)


def split_wide(piece: Piece, measure: LineMeasure) -> list[Piece]:
    """Return the piece if it fits into a line, else the fewest parts that fit, broken between clusters."""
    if measure.fits(piece.text):
        return [piece]
    units, count = _unbreakable_clusters(piece.text), 2
    while True:
        size = math.ceil(len(units) / count)
        parts = ["".join(units[at : at + size]) for at in range(0, len(units), size)]
        if size == 1 or all(measure.fits(part) for part in parts):
            return [*(Piece(part, WORD) for part in parts[:-1]), Piece(parts[-1], piece.quality)]
        count += 1


def break_lines(cue: Sequence[Piece], measure: LineMeasure) -> tuple[str, ...] | None:
    """Return one line if the cue fits, else two lines with the best balance and break; None when two are too few."""
    if measure.fill_ratio(cue) <= 1.0:
        return (_join_text(cue),)
    best: tuple[float, int] | None = None
    for split in range(1, len(cue)):
        above, below = measure.fill_ratio(cue[:split]), measure.fill_ratio(cue[split:])
        if max(above, below) > 1.0:
            continue
        single_word = 0.5 if split in {1, len(cue) - 1} and min(above, below) < 0.25 else 0.0
        cost = abs(above - below) + 0.05 * (above > below) + 0.2 * cue[split - 1].quality + single_word
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
    """Return the words that should not end a line (`weak`), or the conjunctions that may start one."""
    return frozenset((_WEAK_END if weak else _CONJUNCTIONS).get(language, "").split())


def _split_at_spaces(text: str) -> list[str]:
    """Split a text at spaces and after dashes. Detached marks (« … ») stay with their word."""
    pieces: list[str] = []
    for word in re.findall(r"\S*?\w—+(?=\w)|\S+\s*|^\s+", text):
        is_closing = all(character in _CLOSING for character in word.strip())
        if pieces and (is_closing or pieces[-1].strip(_MARKS).strip() == ""):
            pieces[-1] += word
        else:
            pieces.append(word)
    return pieces


def _split_phrases(text: str, language: str) -> list[str]:
    """Split a text between phrases and at spaces. Runs of Latin letters or digits stay together."""
    pieces: list[str] = []
    for chunk in re.findall(r"\s*\S+\s*|^\s+$", text):
        for phrase in _parser(language).parse(chunk) if chunk.strip() else [chunk]:
            core = phrase.strip(_MARKS)
            is_particle = len(core) == 1 and core in _PARTICLES.get(language, ())
            if pieces and (is_particle or _is_unbreakable(pieces[-1], phrase)):
                pieces[-1] += phrase
            else:
                pieces.append(phrase)
    return pieces


def _is_unbreakable(before: str, after: str) -> bool:
    """Return whether a break between two texts is forbidden."""
    if before[-1].isspace():
        return False
    narrow = all(unicodedata.east_asian_width(character) not in "WF" for character in (before[-1], after[0]))
    return after[0] in _CLOSING or before[-1] in _OPENING or after[0].isspace() or narrow


def _unbreakable_clusters(text: str) -> list[str]:
    """Return the clusters of a text, joined where a break is forbidden: after a virama, and by kinsoku."""
    units: list[str] = []
    for cluster in clusters(text):
        is_bound = units and (
            unicodedata.combining(units[-1][-1]) == 9
            or cluster[0] in _CLOSING
            or cluster.isspace()
            or units[-1][-1] in _OPENING
        )
        if is_bound:
            units[-1] += cluster
        else:
            units.append(cluster)
    return units


@cache
def _parser(language: str) -> Parser:
    import budoux

    if language == "Chinese":
        return budoux.load_default_simplified_chinese_parser()
    return budoux.load_default_japanese_parser()

"""The lexicon: words of ten languages → concepts. Linear in the length of the text; unknown words are ignored."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

LATIN_LANGUAGES = ("en", "fr", "de", "es", "tr")
_TOKEN = re.compile(
    r"(?P<cjk>[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff々ー]+)"
    r"|(?P<word>[^\W_\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]"
    r"(?:[^\W_\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]|[\u0900-\u097f\u064b-\u0652])*)"
    r"|(?P<stop>[.,;:!?()…،؛。、，；：！？।—–\n])"
)
_DIACRITICS = re.compile("[\u064b-\u0652\u0640]")
_ARABIC_PREFIXES = ("وال", "بال", "كال", "فال", "لل", "ال", "و", "ب", "ل", "ف", "ك")
_GERMAN_SUFFIXES = frozenset(("e", "en", "er", "es", "em", "n", "s", "ern"))
_TURKISH_SUFFIXES = frozenset(
    [
        "lı",
        "li",
        "lu",
        "lü",
        "ı",
        "i",
        "u",
        "ü",
        "da",
        "de",
        "ta",
        "te",
        "ın",
        "in",
        "un",
        "ün",
        "lar",
        "ler",
        "ya",
        "ye",
        "nda",
        "nde",
        "nın",
        "nin",
        "a",
        "e",
        "sı",
        "si",
        "dan",
        "den",
        "ları",
        "leri",
        "larda",
        "lerde",
        "lığı",
        "daki",
        "deki",
        "yı",
        "yi",
        "yla",
        "yle",
        "la",
        "le",
        "sında",
        "sinde",
        "na",
        "ne",
    ]
)
_KOREAN_PARTICLES = frozenset(
    [
        "은",
        "는",
        "이",
        "가",
        "을",
        "를",
        "의",
        "에",
        "에서",
        "로",
        "으로",
        "와",
        "과",
        "도",
        "한",
        "만",
        "에게",
        "위",
        "속",
    ]
)
_SIBILANT_ENDINGS = ("s", "x", "z", "ch", "sh", "o")
_MAX_ENTRY_LENGTH = 8
_MAX_TEXT_LENGTH = 40_000


@dataclass(frozen=True, slots=True)
class Hit:
    """A concept found in a text. `place` counts words (letters in Chinese and Japanese), `clause` the parts between
    punctuation, `after` is true where the language puts a colour behind its noun. What words deny ("no hat") stands in
    the group `without`."""

    group: str
    name: str
    position: int
    clause: int
    colour_follows_noun: bool
    number: int = 0

    @property
    def concept(self) -> str:
        return f"{self.group}.{self.name}"


def normalize(text: str) -> str:
    """One spelling of a text: composed, lower case, Arabic letters without vowel signs and hamza forms."""
    text = unicodedata.normalize("NFC", text).lower().replace("i̇", "i")
    text = _DIACRITICS.sub("", text)
    return text.translate(str.maketrans("أإآةى", "اااهي"))


class Lexicon:
    """Concept → words, turned around for look-up: for each language, word (its parts joined by blanks) → concepts."""

    def __init__(self, languages: Iterable[str], concepts: Mapping[str, str]) -> None:
        self._words: dict[str, dict[str, tuple[str, ...]]] = {language: {} for language in languages}
        for concept, row in concepts.items():
            for language, cell in zip(self._words, row.split("|"), strict=True):
                for entry in cell.split():
                    word = " ".join(m["word"] or m["cjk"] for m in _TOKEN.finditer(normalize(entry.replace("_", " "))))
                    known = self._words[language]
                    known[word] = (*known.get(word, ()), concept)

    def find_concepts(self, text: str) -> tuple[Hit, ...]:
        """All concepts of a text in its order; of a text longer than a chapter, those of its beginning."""
        text = text[:_MAX_TEXT_LENGTH]
        tokens = list(_TOKEN.finditer(normalize(text)))
        latin = self._guess_latin_language([m["word"] for m in tokens if m["word"] and m["word"][0] < "\u0250"])
        cjk_language = "ja" if re.search("[\u3040-\u30ff]", text) else "zh"
        hits: list[Hit] = []
        clause = position = skip = 0
        negated = -1
        for index, match in enumerate(tokens):
            if match["stop"]:
                clause += 1
                position += 1
                continue
            if skip:
                skip -= 1
                position += 1
                continue
            if match["cjk"]:
                found = [(offset, names, "") for offset, names in self._scan_unspaced(match["cjk"], cjk_language)]
                length = len(match["cjk"])
            else:
                names, used, language = self._look_up(tokens, index, latin)
                found, length, skip = [(0, names, language)], 1, max(0, used - 1)
            for offset, concepts, language in found:
                if any(concept == "none.negation" for concept in concepts):
                    negated = position + offset
                    continue
                if negated >= 0 and position + offset - negated <= 3:
                    hits += [_negated_hit(concept, position + offset, clause) for concept in concepts]
                    continue
                for concept in concepts:
                    group, name = concept.split(".", 1)
                    if group != "none":
                        hits.append(Hit(group, name, position + offset, clause, language in ("fr", "es", "ar")))
            if match["word"] and match["word"].isdecimal() and len(match["word"]) <= 3:
                hits.append(Hit("number", match["word"], position, clause, False, int(match["word"])))
            position += length
        return tuple(hits)

    def _guess_latin_language(self, words: list[str]) -> str:
        def count_known(language: str) -> int:
            return sum(
                1
                for word in words[:400]
                if any(form in self._words[language] for form in _lemma_candidates(word, language))
            )

        return max(LATIN_LANGUAGES, key=count_known) if words else "en"

    def _look_up(self, tokens: list[re.Match[str]], index: int, latin: str) -> tuple[tuple[str, ...], int, str]:
        """Concepts of the longest entry that begins at token `index`, how many tokens it took, and its language."""
        first = tokens[index]["word"] or ""
        script = _script(first)
        for language in (
            (latin, "en") if script == "latin" and latin != "en" else (latin if script == "latin" else script,)
        ):
            if language not in self._words:
                continue
            for size in (4, 3, 2, 1):
                group = tokens[index : index + size]
                if len(group) < size or not all(match["word"] for match in group):
                    continue
                head = "".join(f"{match['word']} " for match in group[:-1])
                for form in _lemma_candidates(group[-1]["word"], language):
                    if names := self._words[language].get(head + form):
                        return names, size, language
        return (), 1, latin

    def _scan_unspaced(self, run: str, language: str) -> Iterator[tuple[int, tuple[str, ...]]]:
        """Entries inside a run of letters without blanks, longest first, left to right."""
        words, at = self._words[language], 0
        while at < len(run):
            for size in range(min(_MAX_ENTRY_LENGTH, len(run) - at), 0, -1):
                if names := words.get(run[at : at + size]):
                    yield at, names
                    at += size
                    break
            else:
                at += 1


def _negated_hit(concept: str, position: int, clause: int) -> Hit:
    """Move negated concepts to the group `without`."""
    return Hit("without", concept.split(".", 1)[1], position, clause, False)


def _script(word: str) -> str:
    letter = word[:1]
    if "\u0600" <= letter <= "\u06ff":
        return "ar"
    if "\u0900" <= letter <= "\u097f":
        return "hi"
    if "\uac00" <= letter <= "\ud7af":
        return "ko"
    return "latin"


def _lemma_candidates(word: str, language: str) -> Iterator[str]:
    """Return the candidate lexicon forms of an inflected word, the word itself first."""
    yield word
    if language in ("en", "fr", "es"):
        for end in ("s", "es"):
            short = word.removesuffix(end)
            # "Stares" are no stars: English puts -es behind hissing sounds and o alone.
            if (
                short != word
                and len(short) > 2
                and (end == "s" or language != "en" or short.endswith(_SIBILANT_ENDINGS))
            ):
                yield short
    elif language == "ar":
        for head in _ARABIC_PREFIXES:
            if word.startswith(head) and len(word) - len(head) >= 2:
                yield word.removeprefix(head)
        if word.endswith("ا") and len(word) > 3:
            yield word[:-1]
    elif language == "ko":
        for size in range(min(len(word) - 1, 6), 0, -1):
            if size > 1 or word[size:] in _KOREAN_PARTICLES:
                yield word[:size]
        for start in range(1, min(len(word) - 1, 5)):
            yield word[start:]
            for size in range(min(len(word) - start, 5), 1, -1):
                yield word[start : start + size]
    else:
        ends, stem = {"de": (_GERMAN_SUFFIXES, 6), "tr": (_TURKISH_SUFFIXES, 5)}.get(language, (frozenset[str](), 4))
        for size in range(min(len(word) - 1, 24), 2, -1):
            if size >= stem or word[size:] in ends:
                yield word[:size]
        if language == "de":
            for start in range(3, min(len(word) - 4, 20)):
                yield word[start:]


@cache
def load_lexicon() -> Lexicon:
    """Load the packaged lexicon once."""
    import yaml

    data = yaml.safe_load((files(__package__) / "lexicon.yaml").read_text("utf-8"))
    return Lexicon(data["languages"], data["concepts"])


def group_by_clause(hits: Iterable[Hit]) -> dict[int, list[Hit]]:
    """The hits of each clause, in order."""
    clauses: dict[int, list[Hit]] = defaultdict(list)
    for hit in hits:
        clauses[hit.clause].append(hit)
    return dict(clauses)


def concept_names(hits: Iterable[Hit], group: str) -> tuple[str, ...]:
    """The names of a group that were found, each once, in order."""
    return tuple(dict.fromkeys(hit.name for hit in hits if hit.group == group))

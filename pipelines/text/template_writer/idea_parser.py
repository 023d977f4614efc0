"""Idea parser: characters, places, objects, genre, and the scenes of a script. Pure functions."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipelines.step_params import Language
from pipelines.text.template_writer.language import LanguagePack, Noun, load_language_pack, load_world
from pipelines.text.template_writer.text_utils import (
    count_words,
    describe_emoji,
    guess_language,
    split_sentences,
    strip_unspeakable,
)

_MAX_SCANNED_CHARACTERS = 4000
"""Number of characters in which the parser searches for nouns: texts name main characters early."""

_SCENE_WORD = (
    "scene|szene|scène|escena|sahne|दृश्य|مشهد|المشهد|場面|シーン|场景|場景|장면|shot|beat|"
    "chapter|kapitel|chapitre|capítulo|bölüm"
)
_SCENE_MARK = re.compile(
    rf"^[ \t]*(?:(?:{_SCENE_WORD})\s*#?\s*\d+(?:\s*[:.)\-–—：、]|(?=\s*\n))"
    rf"|第\s*[\d一二三四五六七八九十]+\s*[幕场場章][:：、]?|(?:{_SCENE_WORD})\s*[:：]"
    r"|\(?\d{1,3}\s*[.):、：]|[-*•–—▪‣]\s)[ \t]*",
    re.IGNORECASE | re.MULTILINE,
)
_INLINE_SCENE_MARK = re.compile(
    rf"第\s*[\d一二三四五六七八九十]+\s*[幕场場章][:：、]|(?:^|(?<=[\s.!?]))(?:{_SCENE_WORD})\s*#?\s*\d+\s*[:.\-–—：]\s*",
    re.IGNORECASE,
)
_INLINE_NUMBER = re.compile(r"(?:^|(?<=\s))\(?(\d{1,2})[.)]\s+")
_LINE_LABEL = re.compile(
    r"(?P<see>image|visual|picture|we see|setting)\s*:|(?P<say>narration|narrator|voice[- ]?over|voice|text)\s*:",
    re.IGNORECASE,
)
_NUKTA = "\u093c"
"""Combining dot of Hindi's loan sounds, which many writers omit."""
_NAME_PATTERN = r"[^\W\d_][^\W\d_'’-]*(?:[\u0900-\u097f]+)?"


@dataclass(frozen=True, slots=True)
class UserLine:
    """Scene of the client: text of the narration, text of the image (empty: same as the narration), heading."""

    narration: str
    image_description: str = ""
    heading: str = ""


@dataclass(frozen=True, slots=True)
class Idea:
    """Result of parsing an idea.

    `in_film_language`: the idea is in the language of the film. Keys refer to `world.yaml`.
    """

    text: str
    language: str
    in_film_language: bool
    genre: str
    script: tuple[UserLine, ...] = ()
    sentences: tuple[str, ...] = ()
    heroes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()
    lighting: str = ""
    is_pair: bool = False
    gender: str = ""

    @property
    def is_long_text(self) -> bool:
        """Return whether this is a text to condense rather than an idea to expand."""
        return len(self.sentences) > 6 or count_words(self.text[:3000]) > 110


def parse_idea(raw: str, film_language: Language) -> Idea:
    """Parse the cleaned text `raw` for a film in `film_language`."""
    spoken = strip_unspeakable(raw[:_MAX_SCANNED_CHARACTERS])
    language = guess_language(spoken, film_language)
    in_film_language = language == film_language or not any(c.isalpha() for c in spoken)
    source = load_language_pack(language)
    script = tuple(_split_script(raw))
    body = re.sub(r"[ \t]+", " ", re.sub(r"\bhttps?://\S+", " ", raw)).strip()
    stripped = strip_request(strip_unspeakable(body) if len(body) <= _MAX_SCANNED_CHARACTERS else body, source)
    hints = f"{spoken} {describe_emoji(raw)}"
    heroes = _find_nouns(hints, source, source.heroes, "heroes")
    genre = _classify_genre(spoken, stripped, source, heroes)
    user_sentences = [s for s in (strip_unspeakable(x) for x in split_sentences(stripped)) if s]
    if genre == "lesson":
        user_sentences = _lesson_sentences(user_sentences, source)
    elif genre == "product":
        user_sentences = _product_sentences(user_sentences, source)
    return Idea(
        text=stripped,
        language=language,
        in_film_language=in_film_language,
        genre=genre,
        script=script,
        sentences=tuple(user_sentences),
        heroes=heroes,
        names=_find_names(spoken, source, heroes),
        places=_find_nouns(hints, source, source.places, "places"),
        objects=_find_nouns(hints, source, source.objects, "things"),
        lighting=next((row["light"] for row in load_world()["lights"] if _contains_any(row["words"], hints)), ""),
        is_pair=_contains_any(source.data["pair"], spoken),
        gender=_gender_from_words(spoken, source),
    )


def strip_request(text: str, pack: LanguagePack) -> str:
    """Return `text` without a request such as “make a video about”; `text` itself if nothing else remains."""
    short = re.sub(pack.data["meta"], "", text, count=1, flags=re.IGNORECASE).strip(" :：,，、")
    return short if any(c.isalnum() for c in short) else text


_INSTRUCTION_PREFIX = re.compile(
    r"^(?:please\s+|bitte\s+|por favor,?\s+)?"
    r"(?:explain|teach|erklär|explique|explica|enseign|enseña|açıkla|anlat|اشرح|समझा)[^:?!]{0,90}:\s*",
    re.IGNORECASE,
)
"""Instruction to the film maker, such as “Explain to ten-year-olds with Ms. Rivera:”, which the audience must not hear.
"""


def _lesson_sentences(user_sentences: Sequence[str], pack: LanguagePack) -> list[str]:
    """Return a lesson's sentences: the question, then its steps.

    Instructions to the film maker ("Explain to children:") are removed.
    """
    steps: list[str] = []
    for sentence in user_sentences:
        without_prefix = _INSTRUCTION_PREFIX.sub("", sentence)
        if without_prefix:
            steps += _split_steps(
                pack.capitalize(without_prefix),
                pack,
                only_sentence=len(user_sentences) == 1,
                bare_list=without_prefix != sentence,
            )
    return steps or list(user_sentences)


def _split_steps(sentence: str, pack: LanguagePack, *, only_sentence: bool, bare_list: bool = False) -> list[str]:
    """Split “How to brew coffee: grind the beans, pour slowly” into the question and its steps.

    A step needs at least two words. `bare_list`: the sentence is only a list of steps; an earlier sentence asked the
    question.
    """
    head, colon, tail = re.sub(r"\s+explained\W*$", "", sentence).partition(":")
    listed = tail if colon else head
    parts = [part.strip(" .") for part in re.split(r"[,;،、，]", listed)]
    if len(parts) < 2 or min(count_words(part) for part in parts) < 2:
        return [head.strip()] if only_sentence and head.strip() else [sentence]
    steps = [pack.end_sentence(pack.capitalize(part)) for part in parts]
    if colon:
        return [head.strip(), *steps]
    return steps if bare_list else [sentence]


def _product_sentences(user_sentences: Sequence[str], pack: LanguagePack) -> list[str]:
    """Return a product's sentences, with name and description separated.

    One sentence may have both: "The Brisa bottle: a bottle that …".
    """
    if not user_sentences:
        return []
    head, colon, tail = user_sentences[0].partition(":")
    if not colon or count_words(head) > 8 or count_words(tail) < 3:
        return list(user_sentences)
    return [head.strip(), pack.capitalize(tail.strip()), *user_sentences[1:]]


def guess_gender(name: str, description: str, pack: LanguagePack) -> str:
    """Return `m` or `f`: by gendered words in the description, then by known names, then by the ending of the name."""
    stated = _gender_from_words(description, pack) or _gender_from_words(description, load_language_pack("English"))
    if stated:
        return stated
    for gender in ("f", "m"):
        if any(name.casefold().split(" ")[0] == known.casefold() for known in pack.data["names"][gender]):
            return gender
    return "f" if re.search(r"(?:[ae]|ah|ine|elle|ette|[aey]l|iz|ة|ا|ी|ा)$", name.casefold()) else "m"


def _gender_from_words(text: str, pack: LanguagePack) -> str:
    she, he = (_first_position(pack.data[key], text) for key in ("feminine", "masculine"))
    if she is None and he is None:
        return ""
    return "f" if he is None or (she is not None and she < he) else "m"


_ENDINGS = {
    "English": "(?:e?s)?",
    "French": "[esx]{0,2}",
    "Spanish": "(?:e?s)?",
    "German": r"\w{0,3}",
    "Turkish": r"\w{0,6}",
}


def _word_pattern(word: str, language: str) -> str:
    """Return a regular expression for `word` in running text: exact, or with the inflections of its language."""
    word = word.casefold().replace(_NUKTA, "")
    if re.search(r"[\uac00-\ud7af]", word):
        after = r"(?=[에은는이가을를의과와로도,.\s]|으로|속|$)" if len(word) == 1 else ""
        return rf"(?<![\uac00-\ud7af]){re.escape(word)}{after}"
    if re.search(r"[\u3040-\u30ff\u3400-\u9fff]", word):
        alone = language == "Japanese" and re.fullmatch(r"[\u3400-\u9fff]", word)
        return rf"(?<![\u3400-\u9fff]){word}(?![\u3400-\u9fff])" if alone else re.escape(word)
    if re.search(r"[\u0600-\u06ff]", word):
        ending = r"(?:ة|ت\w{0,3}|ات|ي|ان|ين|اً|ًا|ا|ً)?"
        return rf"(?<!\w)(?:[وفبكل]?ال|لل|[وبل])?{re.escape(word.rstrip('ة'))}{ending}(?!\w)"
    if re.search(r"[\u0900-\u097f]", word):
        stem, ending = (word[:-1], "[ाेो]ं?") if word.endswith("ा") else (word, "(?:[ेो]ं?|याँ|यों)?")
        return rf"(?<![\w\u0900-\u097f]){re.escape(stem)}{ending}(?![\w\u0900-\u097f])"
    if len(word) < 4 and language == "German":
        return rf"(?<!\w){re.escape(word)}(?!\w)"
    if len(word) < 5 and language == "Turkish":
        ending = "(?:[nys]?[aeıiuü]n?|l[ae]r\\w{0,5}|d[ae]n?|n[ıiuü]n)?"
        return rf"(?<!\w){re.escape(word)}{ending}(?!\w)"
    stem = word[:-1] if language == "Turkish" and len(word) > 4 and word[-1] in "kçtp" else word
    return rf"(?<!\w){re.escape(stem)}{_ENDINGS.get(language, '')}(?!\w)"


def _fold(text: str) -> str:
    return text.replace("İ", "i").casefold().replace(_NUKTA, "")


def _first_position(words: Sequence[str], text: str) -> int | None:
    folded, found = _fold(text), []
    for word in words:
        spaceless = re.search(r"[\u0600-\u0fff\u3040-\ud7af]", word)
        pattern = (
            rf"^\W*{re.escape(_fold(word[1:]))}"
            if word.startswith("^")
            else (re.escape(_fold(word)) if spaceless else rf"(?<!\w){re.escape(word.casefold())}(?!\w)")
        )
        if match := re.search(pattern, folded):
            found.append(match.start())
    return min(found, default=None)


def _contains_any(words: Sequence[str], text: str) -> bool:
    return _first_position(words, text) is not None


def _find_nouns(text: str, pack: LanguagePack, nouns: Mapping[str, Noun], part: str) -> tuple[str, ...]:
    """Return the keys of the nouns in `text`, in the order of first mention.

    A longer match hides a shorter one within it.
    """
    folded = _fold(text)
    hits: list[tuple[int, int, str]] = []
    for key, noun in nouns.items():
        words = [noun.bare]
        if pack.language == "English":
            words += [key, *load_world()[part][key].get("words", ())]
        else:
            words += [str(w) for w in pack.data.get("words", {}).get(key, ())]
        for word in words:
            for match in re.finditer(_word_pattern(word, pack.language), folded):
                hits.append((match.start(), match.start() - match.end(), key))
    if pack.language != "English":  # the names of emoji are English
        hits += [(len(folded), -len(key), key) for key in nouns if re.search(rf"(?<!\w){re.escape(key)}(?!\w)", folded)]
    found: list[str] = []
    covered_until = -1
    for start, length, key in sorted(hits):
        if start < covered_until and start < len(folded):
            continue
        covered_until = max(covered_until, start - length)
        if key not in found:
            found.append(key)
    return tuple(found)


def _classify_genre(request: str, text: str, pack: LanguagePack, heroes: Sequence[str]) -> str:
    lists: Mapping[str, Sequence[str]] = pack.data["genres"]
    for genre, words in lists.items():
        if _contains_any(words, text[:600]) or (genre in ("product", "lesson") and _contains_any(words, request[:160])):
            # An explanation inside a story does not make the story a lesson.
            if genre == "lesson" and heroes and not _contains_any([w for w in words if w.startswith("^")], text):
                continue
            return genre
    return "lesson" if not heroes and re.search(r"[?？؟]\W*$", text) and len(text) < 200 else "tale"


def _find_names(text: str, pack: LanguagePack, heroes: Sequence[str]) -> tuple[str, ...]:
    """Return the names of people in the idea: after words such as “named”, then capitalised words inside a sentence."""
    found: list[str] = []
    for match in re.finditer(pack.data["called"].replace(r"\p", _NAME_PATTERN), text):
        name = next((group for group in match.groups() if group), "")
        if name and unicodedata.category(name[0]) != "Ll" and name not in found:
            found.append(name)
    if pack.language == "English" and (met := re.match(r"([A-Z][a-z]+) the \w+ (?:\w+s|and|is|who)\b", text)):
        found.append(met[1])
    if pack.language in ("English", "French", "Spanish", "Turkish"):
        found += [n for n in _capitalized_names(text, pack) if n not in found]
    return tuple(found[:4])


def _capitalized_names(text: str, pack: LanguagePack) -> Iterator[str]:
    common = set(
        " ".join(
            noun.bare.casefold() for group in (pack.heroes, pack.places, pack.objects) for noun in group.values()
        ).split()
    )
    verb = r"(?:s|d)$|^and$" if pack.language == "English" else r"^(?:et|y|ve|est|es|busca|cherche|trouve|encuentra)$"
    for match in re.finditer(
        r"([.!?:…\"“«]\s*|^|[^\w]+)([A-ZÀ-ÞİŞÇĞ][a-zà-ÿışğçöü]{1,14})(?=['’]s\b|\b)(\s+\w+)?", text
    ):
        lead, word, after = match[1], match[2], (match[3] or "").strip()
        start = not lead or lead.strip(" ") in tuple('.!?:…"“«')
        lower = word.casefold()
        before = text[: match.start(2)].split()[-1:] or [""]
        excluded = lower in common or lower in _CAPITALIZED_NON_NAMES or before[0].casefold() in _LOCATIVE_PREPOSITIONS
        if not excluded and (
            not start or (re.search(verb, after) and len(word) > 2 and not word.endswith(("tion", "sis", "ing")))
        ):
            yield word


_LOCATIVE_PREPOSITIONS = {"in", "at", "from", "to", "near", "of", "en", "à", "de"}
_CAPITALIZED_NON_NAMES = {
    "i",
    "a",
    "an",
    "the",
    "this",
    "that",
    "these",
    "those",
    "my",
    "our",
    "your",
    "his",
    "her",
    "their",
    "its",
    "it",
    "he",
    "she",
    "we",
    "they",
    "you",
    "one",
    "two",
    "three",
    "four",
    "five",
    "once",
    "when",
    "while",
    "after",
    "before",
    "if",
    "as",
    "in",
    "on",
    "at",
    "to",
    "of",
    "for",
    "with",
    "and",
    "but",
    "or",
    "so",
    "then",
    "there",
    "here",
    "some",
    "many",
    "every",
    "each",
    "all",
    "no",
    "not",
    "what",
    "who",
    "how",
    "why",
    "where",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
    "christmas",
    "easter",
    "english",
    "french",
    "german",
    "spanish",
    "god",
    "mr",
    "mrs",
    "dr",
    "earth",
    "mars",
    "moon",
    "sun",
    "africa",
    "europe",
    "asia",
    "america",
    "un",
    "una",
    "unos",
    "el",
    "la",
    "los",
    "las",
    "le",
    "les",
    "des",
    "du",
    "une",
    "l",
    "d",
    "ce",
    "cette",
    "il",
    "elle",
    "ils",
    "en",
    "y",
    "de",
    "dans",
    "por",
    "con",
    "deux",
    "trois",
    "dos",
    "tres",
    "nos",
    "notre",
    "nuestro",
    "nuestra",
    "mi",
    "mon",
    "ma",
    "cuando",
    "quand",
    "bir",
    "bu",
    "o",
    "iki",
    "üç",
}


def _split_script(raw: str) -> Iterator[UserLine]:
    """Yield the scenes that the client marked: by scene words, numbers, bullets, paragraphs or lines."""
    if len(raw) > 60_000:
        return
    for starts in (list(_SCENE_MARK.finditer(raw)), list(_INLINE_SCENE_MARK.finditer(raw)), _numbered_marks(raw)):
        if len(starts) >= 2:
            for mark, next_mark in zip(starts, [*starts[1:], None], strict=True):
                line = _parse_line(raw[mark.end() : next_mark.start() if next_mark else len(raw)])
                if line.narration or line.image_description:
                    yield line
            return
    parts = [p for p in re.split(r"\n+", raw) if count_words(p) >= 3]
    if len(parts) >= 3 and max(count_words(p) for p in parts) <= 60:
        yield from (_parse_line(part) for part in parts)


def _numbered_marks(raw: str) -> list[re.Match[str]]:
    """Return the marks `1.` `2.` `3.` within running text if they count up from one."""
    marks = list(_INLINE_NUMBER.finditer(raw))
    return marks if [int(m[1]) for m in marks] == list(range(1, len(marks) + 1)) else []


def _parse_line(text: str) -> UserLine:
    text = text.strip()
    heading = ""
    first, _, rest = text.partition("\n")
    if rest.strip() and count_words(first) <= 8 and not re.search(r"[.!?。！？।؟]$", first.strip()):
        heading, text = strip_unspeakable(first), rest
    text = re.sub(r"^\W*", "", text) if text[:1] in "-–—:：" else text
    marks = list(_LINE_LABEL.finditer(text))
    if not any(m["say"] for m in marks):
        return UserLine(strip_unspeakable(text), heading=heading)
    narration_parts: list[str] = []
    image_parts = [text[: marks[0].start()]]
    for mark, next_mark in zip(marks, [*marks[1:], None], strict=True):
        (narration_parts if mark["say"] else image_parts).append(
            text[mark.end() : next_mark.start() if next_mark else len(text)]
        )
    return UserLine(
        strip_unspeakable(" ".join(narration_parts)).strip('"“”'), strip_unspeakable(" ".join(image_parts)), heading
    )

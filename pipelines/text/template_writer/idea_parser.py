"""Reading an idea: who, where, what, which kind of film, and whether the client has written the scenes already. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipelines.step_params import Language
from pipelines.text.template_writer.language import Noun, Tongue, tongue, world
from pipelines.text.template_writer.text_utils import emoji_words, guess_language, sentences, size, speakable

_HEAD = 4000
"""Characters in which heroes, places and things are looked for: who matters is named early."""

_SCENE_WORD = "scene|szene|scène|escena|sahne|दृश्य|مشهد|المشهد|場面|シーン|场景|場景|장면|shot|beat|chapter|kapitel|chapitre|capítulo|bölüm"
_MARK = re.compile(
    rf"^[ \t]*(?:(?:{_SCENE_WORD})\s*#?\s*\d+(?:\s*[:.)\-–—：、]|(?=\s*\n))|第\s*[\d一二三四五六七八九十]+\s*[幕场場章][:：、]?|(?:{_SCENE_WORD})\s*[:：]"
    r"|\(?\d{1,3}\s*[.):、：]|[-*•–—▪‣]\s)[ \t]*",
    re.IGNORECASE | re.MULTILINE,
)
_INLINE = re.compile(
    rf"第\s*[\d一二三四五六七八九十]+\s*[幕场場章][:：、]|(?:^|(?<=[\s.!?]))(?:{_SCENE_WORD})\s*#?\s*\d+\s*[:.\-–—：]\s*",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"(?:^|(?<=\s))\(?(\d{1,2})[.)]\s+")
_LABEL = re.compile(
    r"(?P<see>image|visual|picture|we see|setting)\s*:|(?P<say>narration|narrator|voice[- ]?over|voice|text)\s*:",
    re.IGNORECASE,
)
_NUKTA = "\u093c"
"""The dot of Hindi's borrowed sounds, which many writers leave out."""
_NAME = r"[^\W\d_][^\W\d_'’-]*(?:[\u0900-\u097f]+)?"


@dataclass(frozen=True, slots=True)
class Line:
    """One scene as the client wrote it: `say` is told, `see` is shown (empty: the same words)."""

    say: str
    see: str = ""
    heading: str = ""


@dataclass(frozen=True, slots=True)
class Idea:
    """What was understood. `native`: the idea is in the language of the film. Keys are those of `world.yaml`."""

    text: str
    language: str
    native: bool
    genre: str
    script: tuple[Line, ...] = ()
    sentences: tuple[str, ...] = ()
    heroes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    things: tuple[str, ...] = ()
    light: str = ""
    pair: bool = False
    gender: str = ""

    @property
    def long(self) -> bool:
        """A text to be retold rather than an idea to be made a story of."""
        return len(self.sentences) > 6 or size(self.text[:3000]) > 110


def read_idea(raw: str, wanted: Language) -> Idea:
    """Understand the tidy text `raw` for a film in the language `wanted`."""
    spoken = speakable(raw[:_HEAD])
    language = guess_language(spoken, wanted)
    native = language == wanted or not any(c.isalpha() for c in spoken)
    source = tongue(language)
    script = tuple(_script(raw))
    body = re.sub(r"[ \t]+", " ", re.sub(r"\bhttps?://\S+", " ", raw)).strip()
    stripped = without_request(speakable(body) if len(body) <= _HEAD else body, source)
    hints = f"{spoken} {emoji_words(raw)}"
    heroes = _spotted(hints, source, source.heroes, "heroes")
    genre = _genre(spoken, stripped, source, heroes)
    told = [s for s in (speakable(x) for x in sentences(stripped)) if s]
    if genre == "lesson":
        told = _taught(told, source)
    elif genre == "product":
        told = _offered(told, source)
    return Idea(
        text=stripped,
        language=language,
        native=native,
        genre=genre,
        script=script,
        sentences=tuple(told),
        heroes=heroes,
        names=_names(spoken, source, heroes),
        places=_spotted(hints, source, source.places, "places"),
        things=_spotted(hints, source, source.things, "things"),
        light=next((row["light"] for row in world()["lights"] if _any(row["words"], hints)), ""),
        pair=_any(source.data["pair"], spoken),
        gender=_gender(spoken, source),
    )


def without_request(text: str, source: Tongue) -> str:
    """`text` without “make a video about”; a request that says nothing else stays."""
    short = re.sub(source.data["meta"], "", text, count=1, flags=re.IGNORECASE).strip(" :：,，、")
    return short if any(c.isalnum() for c in short) else text


_TO_THE_MAKER = re.compile(
    r"^(?:please\s+|bitte\s+|por favor,?\s+)?(?:explain|teach|erklär|explique|explica|enseign|enseña|açıkla|anlat|اشرح|समझा)[^:?!]{0,90}:\s*",
    re.IGNORECASE,
)
"""“Explain to ten-year-olds with Ms. Rivera:”, said to whoever makes the film and not to those who see it."""


def _taught(told: Sequence[str], source: Tongue) -> list[str]:
    """A lesson's sentences: the question, then its steps. What is said to the film maker ("Explain to children:") goes."""
    steps: list[str] = []
    for sentence in told:
        said = _TO_THE_MAKER.sub("", sentence)
        if said:
            steps += _steps(source.capital(said), source, alone=len(told) == 1, plain=said != sentence)
    return steps or list(told)


def _steps(sentence: str, source: Tongue, *, alone: bool, plain: bool = False) -> list[str]:
    """“How to brew coffee: grind the beans, pour slowly” → the question, then its steps, if each says enough. `plain`: a bare
    list of steps, whose question was asked before."""
    head, colon, tail = re.sub(r"\s+explained\W*$", "", sentence).partition(":")
    listed = tail if colon else head
    parts = [part.strip(" .") for part in re.split(r"[,;،、，]", listed)]
    if len(parts) < 2 or min(size(part) for part in parts) < 2:
        return [head.strip()] if alone and head.strip() else [sentence]
    steps = [source.ended(source.capital(part)) for part in parts]
    if colon:
        return [head.strip(), *steps]
    return steps if plain else [sentence]


def _offered(told: Sequence[str], source: Tongue) -> list[str]:
    """A product's sentences: what it is called, and what it is where both stand in one ("The Brisa bottle: a bottle that …")."""
    if not told:
        return []
    head, colon, tail = told[0].partition(":")
    if not colon or size(head) > 8 or size(tail) < 3:
        return list(told)
    return [head.strip(), source.capital(tail.strip()), *told[1:]]


def gender_of(name: str, description: str, words: Tongue) -> str:
    """`m` or `f`: by the words around the name, then by known names, then by its ending."""
    told = _gender(description, words) or _gender(description, tongue("English"))
    if told:
        return told
    for gender in ("f", "m"):
        if any(name.casefold().split(" ")[0] == known.casefold() for known in words.data["names"][gender]):
            return gender
    return "f" if re.search(r"(?:[ae]|ah|ine|elle|ette|[aey]l|iz|ة|ا|ी|ा)$", name.casefold()) else "m"


def _gender(text: str, source: Tongue) -> str:
    she, he = (_first(source.data[key], text) for key in ("feminine", "masculine"))
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


def _pattern(word: str, language: str) -> str:
    """How `word` is found in running text: whole, or with the endings of its language."""
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


def _folded(text: str) -> str:
    return text.replace("İ", "i").casefold().replace(_NUKTA, "")


def _first(words: Sequence[str], text: str) -> int | None:
    folded, found = _folded(text), []
    for word in words:
        spaceless = re.search(r"[\u0600-\u0fff\u3040-\ud7af]", word)
        pattern = (
            rf"^\W*{re.escape(_folded(word[1:]))}"
            if word.startswith("^")
            else (re.escape(_folded(word)) if spaceless else rf"(?<!\w){re.escape(word.casefold())}(?!\w)")
        )
        if match := re.search(pattern, folded):
            found.append(match.start())
    return min(found, default=None)


def _any(words: Sequence[str], text: str) -> bool:
    return _first(words, text) is not None


def _spotted(text: str, source: Tongue, nouns: Mapping[str, Noun], part: str) -> tuple[str, ...]:
    """The keys of what `text` names, in the order of first mention; a longer word hides the shorter one within it."""
    folded = _folded(text)
    hits: list[tuple[int, int, str]] = []
    for key, noun in nouns.items():
        words = [noun.bare]
        if source.language == "English":
            words += [key, *world()[part][key].get("words", ())]
        else:
            words += [str(w) for w in source.data.get("words", {}).get(key, ())]
        for word in words:
            for match in re.finditer(_pattern(word, source.language), folded):
                hits.append((match.start(), match.start() - match.end(), key))
    if source.language != "English":  # emoji speak English
        hits += [(len(folded), -len(key), key) for key in nouns if re.search(rf"(?<!\w){re.escape(key)}(?!\w)", folded)]
    found: list[str] = []
    reach = -1
    for start, length, key in sorted(hits):
        if start < reach and start < len(folded):
            continue
        reach = max(reach, start - length)
        if key not in found:
            found.append(key)
    return tuple(found)


def _genre(asked: str, text: str, source: Tongue, heroes: Sequence[str]) -> str:
    lists: Mapping[str, Sequence[str]] = source.data["genres"]
    for genre, words in lists.items():
        if _any(words, text[:600]) or (genre in ("product", "lesson") and _any(words, asked[:160])):
            # What somebody explains or sells within a story does not make the story a lesson.
            if genre == "lesson" and heroes and not _any([w for w in words if w.startswith("^")], text):
                continue
            return genre
    return "lesson" if not heroes and re.search(r"[?？؟]\W*$", text) and len(text) < 200 else "tale"


def _names(text: str, source: Tongue, heroes: Sequence[str]) -> tuple[str, ...]:
    """Names of people in the idea: what is said to be called so, then capitals in the middle of a sentence."""
    found: list[str] = []
    for match in re.finditer(source.data["called"].replace(r"\p", _NAME), text):
        name = next((group for group in match.groups() if group), "")
        if name and unicodedata.category(name[0]) != "Ll" and name not in found:
            found.append(name)
    if source.language == "English" and (met := re.match(r"([A-Z][a-z]+) the \w+ (?:\w+s|and|is|who)\b", text)):
        found.append(met[1])
    if source.language in ("English", "French", "Spanish", "Turkish"):
        found += [n for n in _capitals(text, source) if n not in found]
    return tuple(found[:4])


def _capitals(text: str, source: Tongue) -> Iterator[str]:
    common = set(
        " ".join(
            noun.bare.casefold() for group in (source.heroes, source.places, source.things) for noun in group.values()
        ).split()
    )
    verb = r"(?:s|d)$|^and$" if source.language == "English" else r"^(?:et|y|ve|est|es|busca|cherche|trouve|encuentra)$"
    for match in re.finditer(
        r"([.!?:…\"“«]\s*|^|[^\w]+)([A-ZÀ-ÞİŞÇĞ][a-zà-ÿışğçöü]{1,14})(?=['’]s\b|\b)(\s+\w+)?", text
    ):
        lead, word, after = match[1], match[2], (match[3] or "").strip()
        start = not lead or lead.strip(" ") in tuple('.!?:…"“«')
        lower = word.casefold()
        before = text[: match.start(2)].split()[-1:] or [""]
        usual = lower in common or lower in _CAPITAL_BUT_NO_NAME or before[0].casefold() in _BEFORE_PLACES
        if not usual and (
            not start or (re.search(verb, after) and len(word) > 2 and not word.endswith(("tion", "sis", "ing")))
        ):
            yield word


_BEFORE_PLACES = {"in", "at", "from", "to", "near", "of", "en", "à", "de"}
_CAPITAL_BUT_NO_NAME = {
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


def _script(raw: str) -> Iterator[Line]:
    """The scenes that the client has marked: scene words, numbers, bullets, or one paragraph or line for each."""
    if len(raw) > 60_000:
        return
    for starts in (list(_MARK.finditer(raw)), list(_INLINE.finditer(raw)), _counted(raw)):
        if len(starts) >= 2:
            for here, after in zip(starts, [*starts[1:], None], strict=True):
                line = _line(raw[here.end() : after.start() if after else len(raw)])
                if line.say or line.see:
                    yield line
            return
    parts = [p for p in re.split(r"\n+", raw) if size(p) >= 3]
    if len(parts) >= 3 and max(size(p) for p in parts) <= 60:
        yield from (_line(part) for part in parts)


def _counted(raw: str) -> list[re.Match[str]]:
    """The marks `1.` `2.` `3.` within running text, if they count up from one."""
    marks = list(_NUMBERED.finditer(raw))
    return marks if [int(m[1]) for m in marks] == list(range(1, len(marks) + 1)) else []


def _line(text: str) -> Line:
    text = text.strip()
    heading = ""
    first, _, rest = text.partition("\n")
    if rest.strip() and size(first) <= 8 and not re.search(r"[.!?。！？।؟]$", first.strip()):
        heading, text = speakable(first), rest
    text = re.sub(r"^\W*", "", text) if text[:1] in "-–—:：" else text
    marks = list(_LABEL.finditer(text))
    if not any(m["say"] for m in marks):
        return Line(speakable(text), heading=heading)
    said: list[str] = []
    seen = [text[: marks[0].start()]]
    for here, after in zip(marks, [*marks[1:], None], strict=True):
        (said if here["say"] else seen).append(text[here.end() : after.start() if after else len(text)])
    return Line(speakable(" ".join(said)).strip('"“”'), speakable(" ".join(seen)), heading)

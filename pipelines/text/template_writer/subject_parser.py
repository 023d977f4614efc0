"""The subject of an English idea and what it does: “a shy fox who wants to fly” → a shy fox · wants to fly. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

_DETERMINER = re.compile(r"(?:an?|the|one|two|three|four|five)\b", re.IGNORECASE)
_RELATIVE = ("who", "that", "which", "whose", "where")
_PREPOSITION = {
    "in",
    "on",
    "at",
    "from",
    "of",
    "to",
    "for",
    "by",
    "with",
    "without",
    "under",
    "over",
    "between",
    "among",
    "about",
    "into",
    "through",
    "during",
    "across",
    "near",
    "after",
    "before",
}
_VERB = {
    "is",
    "has",
    "does",
    "goes",
    "was",
    "had",
    "went",
    "finds",
    "wants",
    "learns",
    "dreams",
    "lives",
    "must",
    "can",
    "cannot",
    "can't",
    "will",
    "would",
    "could",
    "may",
    "gets",
    "loves",
}
_PLURAL_VERB = {
    "are",
    "have",
    "do",
    "go",
    "were",
    "find",
    "want",
    "learn",
    "dream",
    "live",
    "discover",
    "search",
    "meet",
    "save",
    "build",
    "travel",
    "help",
    "fight",
    "explore",
    "try",
    "decide",
    "become",
    "get",
    "lose",
    "love",
    "hate",
    "make",
    "run",
    "open",
    "follow",
    "win",
    "sail",
    "fly",
    "climb",
    "rescue",
    "adopt",
    "enter",
    "swap",
    "move",
    "start",
    "chase",
    "cross",
    "hunt",
    "solve",
    "grow",
}


@dataclass(frozen=True, slots=True)
class Subject:
    """`phrase`: who, with article. `rest`: what follows, without a relative pronoun. `predicate`: the rest begins with its verb."""

    phrase: str
    rest: str
    predicate: bool
    single: bool
    relative: str = ""

    @property
    def telling(self) -> bool:
        """Whether this is somebody who does something, and not “the day when …”."""
        return (
            self.single and not self.phrase.startswith("the ") and (self.predicate or self.relative in ("who", "that"))
        )

    @property
    def wish(self) -> str:
        """What the subject wants, as an infinitive: to fly. Empty: nothing said."""
        found = re.match(
            r"(?:wants|hopes|wishes|longs|tries|has|needs|learns|decides|must learn) (to [^,;.]{2,60})$", self.rest
        )
        if not found:
            found = re.match(
                r"(?:wants|hopes|wishes|longs|tries|has|needs|learns|decides) (to \w+(?: \w+){0,5})", self.rest
            )
        return found[1] if found and self.single else ""

    def told(self, name: str, both: str) -> str:
        """The idea as one sentence about `name` (`both`: the names, for a subject in the plural). Empty: cannot be said."""
        if not self.rest:
            return ""
        if not self.single:
            return f"{both} {self.rest}" if self.predicate and not self.relative else ""
        if self.relative in ("who", "that", "which"):
            return f"{name} is {self.phrase} {self.relative} {self.rest}"
        if self.relative:
            return ""
        if self.predicate:
            return f"{name}, {self.phrase}, {self.rest}"
        return f"{name} is {self.phrase} {self.rest}"


def subject_of(text: str) -> Subject | None:
    """The subject at the beginning of the English `text`, if it can be told apart from the rest."""
    first = re.split(r"(?<=[.!?])\s|\n", text.strip(), maxsplit=1)[0].rstrip(".!?… ")
    words = first.split(" ")
    if len(words) < 2 or not _DETERMINER.fullmatch(words[0]):
        return None
    single = words[0].casefold() in ("a", "an", "the", "one")
    end = len(words)
    for i, word in enumerate(words[1:], start=1):
        bare = word.casefold().strip(",;:")
        comma = word != word.rstrip(",;:")
        if i > 1 and (
            bare in _RELATIVE or bare in _PREPOSITION or bare == "and" or _doing(bare) or _verb(bare, single, i)
        ):
            end = i
            break
        if comma or i > 5:
            end = i + 1 if comma else i
            break
    if end < 2 or end > 6 or (not single and end < 2):
        return None
    phrase = " ".join(words[:end]).rstrip(",;:")
    rest = " ".join(words[end:])
    following = words[end].casefold().strip(",;:") if end < len(words) else ""
    if following == "and" or (words[end - 1] != words[end - 1].rstrip(",;:")):
        return None
    relative = following if following in _RELATIVE else ""
    if relative:
        rest = " ".join(words[end + 1 :])
        following = words[end + 1].casefold() if end + 1 < len(words) else ""
    predicate = _verb(following, single, 2)
    phrase = re.sub(r"^(A|An|The|One|Two|Three|Four|Five)\b", lambda m: m[0].lower(), phrase)
    return Subject(phrase, rest, predicate, single, relative=relative)


def _doing(word: str) -> bool:
    return word.endswith("ing") and len(word) > 6 and word not in ("morning", "evening", "building", "duckling")


def _verb(word: str, single: bool, place: int) -> bool:
    if not single:
        return word in _PLURAL_VERB
    return word in _VERB or (
        place > 1 and bool(re.fullmatch(r"[a-z]{2,}[^s'u]s", word)) and word not in ("glass", "lens", "bus", "always")
    )

"""Subject parser of English ideas: “a shy fox who wants to fly” → a shy fox · wants to fly. Pure functions."""

from __future__ import annotations

import re
from dataclasses import dataclass

_DETERMINERS = re.compile(r"(?:an?|the|one|two|three|four|five)\b", re.IGNORECASE)
_RELATIVE_PRONOUNS = ("who", "that", "which", "whose", "where")
_PREPOSITIONS = {
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
_SINGULAR_VERBS = {
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
_PLURAL_VERBS = {
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
    """Subject of an English sentence.

    `phrase`: noun phrase with article. `rest`: text after it, without the relative pronoun. `starts_with_verb`: `rest`
    begins with the verb.
    """

    phrase: str
    rest: str
    starts_with_verb: bool
    singular: bool
    relative_pronoun: str = ""

    @property
    def is_actor(self) -> bool:
        """Return whether the subject acts, unlike “the day when …”."""
        return (
            self.singular
            and not self.phrase.startswith("the ")
            and (self.starts_with_verb or self.relative_pronoun in ("who", "that"))
        )

    @property
    def goal(self) -> str:
        """Return the goal of the subject as an infinitive: to fly. "" if the sentence states none."""
        found = re.match(
            r"(?:wants|hopes|wishes|longs|tries|has|needs|learns|decides|must learn) (to [^,;.]{2,60})$", self.rest
        )
        if not found:
            found = re.match(
                r"(?:wants|hopes|wishes|longs|tries|has|needs|learns|decides) (to \w+(?: \w+){0,5})", self.rest
            )
        return found[1] if found and self.singular else ""

    def sentence_for(self, name: str, all_names: str) -> str:
        """Return the idea as one sentence about `name` (`all_names` for a plural subject). "" if no sentence fits."""
        if not self.rest:
            return ""
        if not self.singular:
            return f"{all_names} {self.rest}" if self.starts_with_verb and not self.relative_pronoun else ""
        if self.relative_pronoun in ("who", "that", "which"):
            return f"{name} is {self.phrase} {self.relative_pronoun} {self.rest}"
        if self.relative_pronoun:
            return ""
        if self.starts_with_verb:
            return f"{name}, {self.phrase}, {self.rest}"
        return f"{name} is {self.phrase} {self.rest}"


def parse_subject(text: str) -> Subject | None:
    """Return the subject at the beginning of the English `text`, or None if it cannot be separated from the rest."""
    first = re.split(r"(?<=[.!?])\s|\n", text.strip(), maxsplit=1)[0].rstrip(".!?… ")
    words = first.split(" ")
    if len(words) < 2 or not _DETERMINERS.fullmatch(words[0]):
        return None
    singular = words[0].casefold() in ("a", "an", "the", "one")
    end = len(words)
    for i, word in enumerate(words[1:], start=1):
        bare = word.casefold().strip(",;:")
        comma = word != word.rstrip(",;:")
        if i > 1 and (
            bare in _RELATIVE_PRONOUNS
            or bare in _PREPOSITIONS
            or bare == "and"
            or _is_participle(bare)
            or _is_verb(bare, singular, i)
        ):
            end = i
            break
        if comma or i > 5:
            end = i + 1 if comma else i
            break
    if end < 2 or end > 6 or (not singular and end < 2):
        return None
    phrase = " ".join(words[:end]).rstrip(",;:")
    rest = " ".join(words[end:])
    following = words[end].casefold().strip(",;:") if end < len(words) else ""
    if following == "and" or (words[end - 1] != words[end - 1].rstrip(",;:")):
        return None
    relative_pronoun = following if following in _RELATIVE_PRONOUNS else ""
    if relative_pronoun:
        rest = " ".join(words[end + 1 :])
        following = words[end + 1].casefold() if end + 1 < len(words) else ""
    starts_with_verb = _is_verb(following, singular, 2)
    phrase = re.sub(r"^(A|An|The|One|Two|Three|Four|Five)\b", lambda m: m[0].lower(), phrase)
    return Subject(phrase, rest, starts_with_verb, singular, relative_pronoun=relative_pronoun)


def _is_participle(word: str) -> bool:
    return word.endswith("ing") and len(word) > 6 and word not in ("morning", "evening", "building", "duckling")


def _is_verb(word: str, singular: bool, position: int) -> bool:
    if not singular:
        return word in _PLURAL_VERBS
    return word in _SINGULAR_VERBS or (
        position > 1
        and bool(re.fullmatch(r"[a-z]{2,}[^s'u]s", word))
        and word not in ("glass", "lens", "bus", "always")
    )

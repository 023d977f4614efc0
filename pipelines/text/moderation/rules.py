"""Keyword rules of text moderation, read from YAML. Pure functions; patterns are compiled once per process.

A rule is a phrase. `word*` matches every word with that prefix, `{name}` any entry of a set of its language, `~2` up to
two words of gap (up to eight characters in Chinese, Japanese and Korean, which do not separate words by spaces), `^`
and `$` the beginning and the end of a sentence. Rules match complete words only: no rule matches inside "Essex" or
"cockatoo".
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

RULES_FOLDER = Path(__file__).with_name("rules")
UNSPACED_LANGUAGES = frozenset({"Chinese", "Japanese", "Korean"})
"""Languages without spaces between words, or with particles attached to words."""
DEVANAGARI_MARKS = (
    "\u0900-\u0903\u093a-\u094f\u0951-\u0957\u0962\u0963"  # `re` does not count Devanagari's vowel signs as \w
)
LETTER = rf"[\w{DEVANAGARI_MARKS}]"
RULE_TOKENS = re.compile(r"\{\w+\}|~\d+|\^|\$")
WORD_SEPARATOR = r"[\s\-]+"
INVISIBLE_CHARACTERS = re.compile("[\u00ad\u0307\u0640\u064b-\u065f\u0670\u200b-\u200f\u2060\ufeff]")
CONFUSABLES = str.maketrans({"أ": "ا", "إ": "ا", "آ": "ا", "ى": "ي", "ة": "ه", "’": "'", "ʼ": "'", "‐": "-", "‑": "-"})


@dataclass(frozen=True, slots=True)
class Rule:
    """Phrase of a language with the sets that it uses.

    A text without any of the `anchors` cannot match; this cheap substring test spares most rules their regular
    expression.
    """

    language: str
    phrase: str
    sets: Mapping[str, Sequence[str]]
    anchors: tuple[str, ...]

    def matches(self, text: str) -> bool:
        """Return whether the rule matches `text`, which is the output of `normalize`."""
        return any(anchor in text for anchor in self.anchors) and self._pattern().search(text) is not None

    def _pattern(self) -> re.Pattern[str]:
        used = tuple((name, tuple(words)) for name, words in self.sets.items() if f"{{{name}}}" in self.phrase)
        return _compile(self.language, self.phrase, used)


@dataclass(frozen=True, slots=True)
class Category:
    """Reason to reject a text. `always_enforced`: under every strictness. `description` is the text for users."""

    name: str
    description: str
    always_enforced: bool
    rules: tuple[Rule, ...]

    def matches(self, text: str) -> bool:
        """Return whether any rule matches `text`, which is the output of `normalize`."""
        return any(rule.matches(text) for rule in self.rules)

    def prefilter(self, text: str) -> Category:
        """Return this category with only the rules that may match in `text`, which is the output of `normalize`."""
        signs = set(text)
        rules = tuple(
            rule for rule in self.rules if any(anchor[0] in signs and anchor in text for anchor in rule.anchors)
        )
        return replace(self, rules=rules)


def normalize(text: str) -> str:
    """Return the form of a text that rules match.

    It is NFKC and case-folded, with confusable characters unified and invisible ones removed.
    """
    return INVISIBLE_CHARACTERS.sub("", unicodedata.normalize("NFKC", text).casefold()).translate(CONFUSABLES)


@cache
def load_categories() -> tuple[Category, ...]:
    """Return all categories, always enforced ones first."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    found = []
    for path in sorted(RULES_FOLDER.glob("*.yaml")):
        content = yaml.load(path.read_text("utf-8"), loader)  # noqa: S506
        rules = [rule for language, part in content["languages"].items() for rule in _parse_rules(language, part)]
        found.append(Category(content["category"], content["says"], content["always"], tuple(rules)))
    return tuple(sorted(found, key=lambda category: (not category.always_enforced, category.name)))


def _parse_rules(language: str, part: Mapping[str, Any]) -> Iterator[Rule]:
    sets: dict[str, list[str]] = {name: [str(word) for word in words] for name, words in part.get("sets", {}).items()}
    stems = {name: [_longest_literal(word) for word in words] for name, words in sets.items()}
    for phrase in part["rules"]:
        choices = [stems[name] for name in re.findall(r"\{(\w+)\}", phrase)]
        words = RULE_TOKENS.sub(" ", phrase).strip()
        if words:
            choices.append([_longest_literal(words)])
        yield Rule(language, phrase, sets, tuple(max(choices, key=lambda stems: min(map(len, stems)))))


def _longest_literal(phrase: str) -> str:
    """Return the longest literal word of a phrase: every matching text contains it."""
    return max((word.rstrip("*") for word in _split_words(phrase)), key=len)


@cache
def _compile(language: str, phrase: str, sets: tuple[tuple[str, tuple[str, ...]], ...]) -> re.Pattern[str]:
    inner = {name: f"(?:{'|'.join(_phrase_pattern(language, word) for word in words)})" for name, words in sets}
    end = "" if language in UNSPACED_LANGUAGES else f"(?!-{LETTER})"
    return re.compile(_rule_pattern(language, phrase, inner) + end)


def _rule_pattern(language: str, rule: str, sets: Mapping[str, str]) -> str:
    """Return the regular expression of a rule: its parts, joined by the gaps between them."""
    pattern, gap = "", ""
    for part in (part for part in re.split(f"({RULE_TOKENS.pattern})", rule) if part):
        if part.startswith("~"):
            gap = _gap_pattern(language, int(part[1:]))
        elif part == "^":
            pattern, gap = r"(?:^|(?<=[.!?:;\"“»\n]))", r"\s*"
        elif part == "$":
            pattern += r"(?=\s*(?:[.!?:;,\"”\n]|$))"
        elif not part.strip():
            gap = gap or _gap_pattern(language, 0)
        else:
            inner = sets[part[1:-1]] if part.startswith("{") else _phrase_pattern(language, part.strip())
            pattern += (gap or (_gap_pattern(language, 0) if part[0] == " " else "") if pattern else "") + inner
            gap = _gap_pattern(language, 0) if part.endswith(" ") else ""
    return pattern


def _gap_pattern(language: str, words: int) -> str:
    if language in UNSPACED_LANGUAGES:
        return rf"[^。！？!?.\n]{{0,{4 * words}}}?" if words else r"\s*"
    return rf"[\s\-]+(?:[^\s.,;:!?]+[\s\-]+){{0,{words}}}?" if words else r"[\s\-]+"


def _phrase_pattern(language: str, phrase: str) -> str:
    words = [
        re.escape(word.removesuffix("*")) + (f"{LETTER}*" if word.endswith("*") else "")
        for word in _split_words(phrase)
    ]
    if language in UNSPACED_LANGUAGES:
        return r"\s*".join(words)
    article = "(?:[وفبلك])?" if language == "Arabic" else ""
    return rf"(?<!{LETTER}){article}{WORD_SEPARATOR.join(words)}(?!{LETTER})"


def _split_words(phrase: str) -> list[str]:
    return re.split(r"[\s\-]+", normalize(phrase).strip())

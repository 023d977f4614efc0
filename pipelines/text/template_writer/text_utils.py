"""Text utilities: cleaning, sentence splitting, length, language detection. Pure functions."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from pipelines.languages import LANGUAGE_FACTS
from pipelines.step_params import Language

MAX_TEXT_LENGTH = 1_000_000
"""Maximum number of characters; a hundred scenes need no longer text."""

_SCRIPTS: tuple[tuple[str, str], ...] = (
    ("Arabic", r"[\u0600-\u06ff\u0750-\u077f\u08a0-\u08ff]"),
    ("Hindi", r"[\u0900-\u097f]"),
    ("Korean", r"[\uac00-\ud7af\u1100-\u11ff\u3130-\u318f]"),
    ("Japanese", r"[\u3040-\u30ff]"),
    ("Chinese", r"[\u3400-\u9fff]"),
)
_COMMON_WORDS = {
    "English": "the a an and of to in is who that with for on his her he she it they from about how why what by are at",
    "German": (
        "der die das und ein eine einen dem den des zu ist mit von auf im wie warum was für nicht sich er sie es über "
        "wer"
    ),
    "French": (
        "le la les un une des et de du à est qui que dans avec pour sur son sa comment pourquoi il elle au ce une d l"
    ),
    "Spanish": (
        "el la los las un una unos y de del a es que en con para por su cómo por qué él ella al se quién sobre como"
    ),
    "Turkish": "bir ve bu da de için ile nasıl neden ne olan o çok gibi kadar küçük büyük mi adında adlı hakkında",
}
_SENTENCE_BREAK = re.compile(
    r"(?<=[。！？!?۔؟।…])[\"”’»」』）)]*\s*|(?<=[^\W\d]\.)[\"”’»)]*\s+(?=\W*\w)|(?<=\d\.)\s+(?=[^\W\d_a-z])|\n+"
)
_ABBREVIATION = re.compile(
    r"(?:^|\s|\()(?:Mr|Mrs|Ms|Dr|St|Prof|Sr|Jr|vs|etc|e\.g|i\.e|z\.B|d\.h|bzw|ca|Nr|Sra|Ud|M|Mme|[A-Z])\.$"
)
_CLAUSE_BREAK = re.compile(r"[,;:，、；：،؛—–]")


def clean_text(text: str) -> str:
    """Return `text` in NFC without control, format and private characters, with `\\n` line breaks and single spaces."""
    text = unicodedata.normalize("NFC", text[:MAX_TEXT_LENGTH]).replace("\r\n", "\n").replace("\r", "\n")
    kept = (
        c if c in "\n\u200c\u200d" or unicodedata.category(c) not in ("Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp") else " "
        for c in text
    )
    text = "".join(kept) if not text.isprintable() else text
    return re.sub(r"\n{3,}", "\n\n", re.sub(r" *\n *", "\n", re.sub(r"[^\S\n]+", " ", text))).strip()


def strip_unspeakable(text: str) -> str:
    """Return `text` without URLs, emoji and markup characters, which a voice cannot speak."""
    text = re.sub(r"\bhttps?://\S+|\bwww\.\S+", " ", text)
    text = "".join(
        " " if unicodedata.category(c) in ("So", "Sk", "Cn") or c in "*_#~`|<>{}[]\\^\u200d\ufe0f" else c for c in text
    )
    return re.sub(r"\s+([,.;:!?…。！？،؛])", r"\1", re.sub(r"\s+", " ", text)).strip(" -–—•·")


def describe_emoji(text: str) -> str:
    """Return the Unicode names of the emoji in `text`: a fox face, a balloon …"""
    return " ".join(unicodedata.name(c, "").lower() for c in text[:2000] if unicodedata.category(c) == "So")


def split_sentences(text: str) -> list[str]:
    """Return the sentences of `text`, in order, each with its punctuation. A line break ends a sentence."""
    found: list[str] = []
    after_abbreviation = False
    for part in (piece.strip() for piece in _SENTENCE_BREAK.split(text)):
        if not part or not any(c.isalnum() for c in part):
            continue
        if after_abbreviation:
            found[-1] += " " + part
        else:
            found.append(part)
        after_abbreviation = bool(_ABBREVIATION.search(part))
    return found


def count_words(text: str) -> int:
    """Return the length of `text` in words; two Chinese or Japanese characters count as one word."""
    spaceless = len(re.findall(r"[\u3040-\u30ff\u3400-\u9fff]", text))
    others = re.sub(r"[\u3040-\u30ff\u3400-\u9fff]", " ", text) if spaceless else text
    return len(re.findall(r"[^\s\W_]\S*", others)) + (spaceless + 1) // 2


def shorten(sentence: str, max_words: int = 36) -> str:
    """Shorten `sentence` to about `max_words` words: remove brackets, then the clauses that do not fit."""
    sentence = sentence[: max_words * 40]  # longer text is cut anyway
    if count_words(sentence) > max_words:
        sentence = re.sub(r"\s*[(（][^()（）]*[)）]", "", sentence)
    if count_words(sentence) <= max_words and len(sentence) <= max_words * 9:
        return sentence
    cuts = [
        m.start()
        for m in _CLAUSE_BREAK.finditer(sentence)
        if max_words // 3 <= count_words(sentence[: m.start()]) <= max_words
    ]
    if cuts:
        return sentence[: cuts[-1]].rstrip()
    words = sentence.split(" ")
    while len(words) > 1 and count_words(" ".join(words)) > max_words:
        del words[max(1, len(words) - max(1, len(words) // 8)) :]
    short = " ".join(words)
    return (short if len(short) <= max_words * 9 else short[: max_words * 4]).rstrip(" ,;:，、；：،؛") + "…"


def guess_language(text: str, preferred: Language) -> str:
    """Return the language of `text`: by its script, then by its most common words.

    In doubt the result is `preferred` if it uses the same script, else English.
    """
    sample = text[:5000]
    counts = {name: len(re.findall(pattern, sample)) for name, pattern in _SCRIPTS}
    latin = len(re.findall(r"[A-Za-zÀ-ɏ]", sample))
    if counts["Japanese"] and counts["Japanese"] * 6 >= counts["Chinese"]:
        counts["Japanese"] += counts["Chinese"]
    best = max(counts, key=lambda name: counts[name])
    if counts[best] * 3 > latin and counts[best]:
        # Han characters alone may be a short Japanese title: the preferred language decides.
        return "Japanese" if best == "Chinese" and preferred == "Japanese" and counts[best] < 12 else best
    if not latin:
        return preferred
    found = re.findall(r"[^\W\d_]+", sample.casefold())
    votes = {name: sum(word in common.split() for word in found) for name, common in _COMMON_WORDS.items()}
    votes["German"] += len(re.findall(r"[ßäö]", sample)) if not re.search(r"[ışğ]", sample) else 0
    votes["Turkish"] += 2 * len(re.findall(r"[ışğİ]", sample))
    votes["Spanish"] += 2 * len(re.findall(r"[ñ¿¡]", sample))
    votes["French"] += len(re.findall(r"[èêàœ]|\b[ldjsnc]['’]", sample))
    top = max(votes.values())
    if preferred in votes and votes[preferred] == top:
        return preferred
    if top == 0:
        return "English"
    return max(votes, key=lambda name: votes[name])


def join_sentences(parts: Sequence[str], language: str) -> str:
    """Join sentences with the separator of the language."""
    return (" " if LANGUAGE_FACTS[language].spaces else "").join(part for part in parts if part)

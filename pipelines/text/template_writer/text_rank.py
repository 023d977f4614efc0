"""Which sentences of a long text carry it. Source of the method: sentences are ranked by the words that they share with
the rest of the text (Luhn 1958; the degree centrality of TextRank, Mihalcea & Tarau 2004). Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from pipelines.text.template_writer.text_utils import joined, shorten, size

_BEST_SIZE = 18.0
"""Words of a sentence that is told well."""


def _terms(sentence: str) -> set[str]:
    folded = sentence.casefold()
    spaceless = re.findall(r"[\u3400-\u9fff\u30a0-\u30ff]{2}", folded)
    return {w[:7] for w in re.findall(r"[^\s\d_.,;:!?।…\"“”«»()،؛؟\u3040-\u9fff]{3,}", folded)} | set(spaceless)


def ranks(told: Sequence[str]) -> list[float]:
    """How much each sentence carries, from 0."""
    terms = [_terms(sentence) for sentence in told]
    spread = Counter(term for group in terms for term in group)
    most = max(4.0, len(told) * 0.35)
    weight = {term: count for term, count in spread.items() if 1 < count <= most}
    found = []
    for sentence, group in zip(told, terms, strict=True):
        shared = sum(weight.get(term, 0) for term in group) / (4 + len(group))
        length = size(sentence)
        found.append((0.2 + shared) * min(length, _BEST_SIZE) / max(length, _BEST_SIZE))
    return found


def beats(told: Sequence[str], count: int, language: str, most: int = 34) -> list[str]:
    """At most `count` passages in the order of the text, each of one to three sentences and about `most` words: the text
    is cut into equal stretches, and the best sentences of each are kept."""
    count = min(count, len(told))
    scores = ranks(told)
    passages = []
    for number in range(count):
        low, high = len(told) * number // count, len(told) * (number + 1) // count
        order = sorted(range(low, high), key=lambda i: (-scores[i] * (1.35 if i == low else 1.0), i))
        chosen: list[int] = []
        room = most
        for i in order:
            need = size(told[i])
            if not chosen or (len(chosen) < 3 and need <= room):
                chosen.append(i)
                room -= need
        passages.append(joined([shorten(told[i]) for i in sorted(chosen)], language))
    return passages

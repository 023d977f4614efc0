"""Extractive summarisation: select the most relevant sentences of a long text. Pure functions.

Source of the method: sentences are ranked by the words that they share with the rest of the text (Luhn 1958; degree
centrality of TextRank, Mihalcea & Tarau 2004).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from pipelines.text.template_writer.text_utils import count_words, join_sentences, shorten

_IDEAL_WORDS = 18.0
"""Length in words of a well-paced spoken sentence."""


def _terms(sentence: str) -> set[str]:
    folded = sentence.casefold()
    spaceless = re.findall(r"[\u3400-\u9fff\u30a0-\u30ff]{2}", folded)
    return {w[:7] for w in re.findall(r"[^\s\d_.,;:!?।…\"“”«»()،؛؟\u3040-\u9fff]{3,}", folded)} | set(spaceless)


def rank_sentences(sentences: Sequence[str]) -> list[float]:
    """Return the relevance of each sentence, from 0."""
    terms = [_terms(sentence) for sentence in sentences]
    frequencies = Counter(term for group in terms for term in group)
    most = max(4.0, len(sentences) * 0.35)
    weight = {term: count for term, count in frequencies.items() if 1 < count <= most}
    scores = []
    for sentence, group in zip(sentences, terms, strict=True):
        shared = sum(weight.get(term, 0) for term in group) / (4 + len(group))
        length = count_words(sentence)
        scores.append((0.2 + shared) * min(length, _IDEAL_WORDS) / max(length, _IDEAL_WORDS))
    return scores


def extract_passages(sentences: Sequence[str], count: int, language: str, max_words: int = 34) -> list[str]:
    """Return at most `count` passages in text order, each of one to three sentences and about `max_words` words.

    The text is divided into equal segments; each passage has the best sentences of one segment.
    """
    count = min(count, len(sentences))
    scores = rank_sentences(sentences)
    passages = []
    for number in range(count):
        low, high = len(sentences) * number // count, len(sentences) * (number + 1) // count
        order = sorted(range(low, high), key=lambda i: (-scores[i] * (1.35 if i == low else 1.0), i))
        chosen: list[int] = []
        remaining_words = max_words
        for i in order:
            word_count = count_words(sentences[i])
            if not chosen or (len(chosen) < 3 and word_count <= remaining_words):
                chosen.append(i)
                remaining_words -= word_count
        passages.append(join_sentences([shorten(sentences[i]) for i in sorted(chosen)], language))
    return passages

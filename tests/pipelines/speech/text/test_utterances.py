"""Utterance boundaries."""

import time

import pytest

from pipelines.speech.text.tokenize import split_words
from pipelines.speech.text.utterances import PARAGRAPH_PAUSE, SENTENCE_PAUSE, split_utterances


def said(text, **limits):
    return ["".join(word.text for word in each.words).strip() for each in split_utterances(split_words(text), **limits)]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("The sun went down. The moon came up.", ["The sun went down.", "The moon came up."]),
        ("Dr. Smith met J. R. Miller. They talked.", ["Dr. Smith met J. R. Miller.", "They talked."]),
        ("It cost 3.50 euros. Too much!", ["It cost 3.50 euros.", "Too much!"]),
        ("“Go!” he cried, and ran away.", ["“Go!” he cried, and ran away."]),
        ("太阳下山了。月亮出来了。", ["太阳下山了。", "月亮出来了。"]),
        ("गाँव में रात हुई। चाँद निकला।", ["गाँव में रात हुई।", "चाँद निकला।"]),
    ],
)
def test_each_sentence_is_an_utterance(text, parts):
    assert said(text, min_length=6) == parts


def test_a_very_short_sentence_joins_the_next_one():
    assert said("No! Never in my life have I seen this.") == ["No! Never in my life have I seen this."]


def test_a_long_sentence_is_split_at_a_comma():
    text = "and so they walked through the wood, " * 12
    parts = said(text)
    assert all(part.endswith(",") for part in parts)
    assert max(map(len, parts)) < 200


def test_a_paragraph_ends_with_a_longer_pause():
    assert [
        each.pause
        for each in split_utterances(split_words("It was late at night here.\n\nIt was early morning there."))
    ] == [
        PARAGRAPH_PAUSE,
        SENTENCE_PAUSE,
    ]


def test_splitting_a_hundred_thousand_words_takes_linear_time():
    def seconds(count):
        words = split_words("word " * count)
        start = time.process_time()
        assert sum(len(each.words) for each in split_utterances(words)) == count
        return time.process_time() - start

    assert seconds(100_000) < 60 * seconds(10_000) + 1

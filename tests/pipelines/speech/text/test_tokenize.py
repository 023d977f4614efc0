"""Words that concatenate to the original text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.speech.text.tokenize import MAX_WORD_LENGTH, split_words


@given(st.text(alphabet=st.sampled_from("aé9 .,—…“”(¿\n今日はょー。「」한글مر🎉%$\u0301\u200d'")))
def test_words_concatenate_to_the_text(text):
    words = split_words(text)
    assert not words or "".join(word.text for word in words) == text
    assert all(word.leading + word.core + word.trailing == word.text and word.core for word in words)


@given(st.text())
def test_words_of_any_text_concatenate_to_it(text):
    words = split_words(text)
    assert bool(words) == any(character.isalnum() or character in "%&+=@€$£¥₹₺₩°×÷" for character in text)
    assert not words or "".join(word.text for word in words) == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Hello, world!", ["Hello, ", "world!"]),
        ("“Who?” — she said.", ["“Who?” — ", "she ", "said."]),
        ("¿Qué? (sí)", ["¿Qué? ", "(sí)"]),
        ("wait—what… now", ["wait—", "what… ", "now"]),
        ("A 🎉 party", ["A 🎉 ", "party"]),
        ("今日は。「きょう」", ["今", "日", "は。", "「きょ", "う」"]),
        ("你好！ABC。", ["你", "好！", "ABC。"]),
        ("안녕하세요 여러분.", ["안녕하세요 ", "여러분."]),
        ("  lead", ["  lead"]),
        ("…!?", []),
    ],
)
def test_word_boundaries(text, words):
    assert [word.text for word in split_words(text)] == words


def test_a_long_run_without_spaces_is_split():
    assert max(len(word.core) for word in split_words("a" * 1000)) == MAX_WORD_LENGTH

"""Line breaking in each language: possible breaks, their quality, widths and balance."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.media.subtitles.line_breaking import (
    CLAUSE,
    CONJUNCTION,
    PHRASE,
    SENTENCE,
    WORD,
    LineMeasure,
    Piece,
    break_lines,
    display_width,
    split_pieces,
    split_wide,
)
from pipelines.step_params import LANGUAGES
from tests.pipelines.media.stories import STORIES


def cut(text, language):
    return [piece.text for piece in split_pieces(text, language)]


def letters(limit: float) -> LineMeasure:
    return LineMeasure(em_width=lambda text: len(text), max_em=limit, max_units=1000)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_pieces_of_a_story_concatenate_to_its_text(language):
    text = f"  {STORIES[language]}  "
    assert "".join(cut(text, language)) == text


@given(st.text(max_size=60), st.sampled_from(LANGUAGES))
def test_the_pieces_of_arbitrary_text_concatenate_to_it(text, language):
    text = " ".join(text.split())
    assert "".join(cut(text, language)) == text


def test_languages_with_spaces_break_at_spaces_only():
    assert cut("The cat's well-known house.", "English") == ["The ", "cat's ", "well-known ", "house."]
    assert cut("고양이는 매일 아침", "Korean") == ["고양이는 ", "매일 ", "아침"]
    assert cut("क्षत्रिय श्रीमान की", "Hindi") == ["क्षत्रिय ", "श्रीमान ", "की"]


def test_a_detached_mark_stays_with_its_word():
    assert cut("« Où sont-ils ? » dit-il", "French") == ["« Où ", "sont-ils ? » ", "dit-il"]


def test_a_line_may_break_after_a_dash_between_words():
    assert cut("Wait—what", "English") == ["Wait—", "what"]


def test_chinese_and_japanese_break_between_phrases():
    assert cut("むかしむかし、ある村に猫が住んでいました。", "Japanese")[0] == "むかしむかし、"
    assert "村庄里，" in cut("在河边一个安静的村庄里，住着", "Chinese")


@pytest.mark.parametrize("language", ["Chinese", "Japanese"])
def test_no_line_begins_with_a_closing_mark_or_ends_with_an_opening_one(language):
    text = "「どこ（へ）行った？」と、『ピップ』は言った…。" * 3 + STORIES[language]
    for piece in cut(text, language):
        assert piece[0] not in "、。，！？」』）…ーっゃゅょ"
        assert piece.rstrip()[-1] not in "「『（"


@pytest.mark.parametrize("language", ["Chinese", "Japanese"])
def test_latin_words_and_numbers_in_unspaced_text_are_not_split(language):
    text = {"Chinese": "他在2024年买了iPhone15手机。", "Japanese": "彼は2024年にiPhone15を買いました。"}[language]
    joined = "|".join(cut(text, language))
    assert "2024" in joined
    assert "iPhone15" in joined


def test_the_quality_of_breaks_in_an_english_sentence():
    found = {
        piece.text.strip(): piece.quality
        for piece in split_pieces("Mr. Hale, the cook and I went home. He slept.", "English")
    }
    assert found == {
        "Mr.": WORD, "Hale,": CLAUSE, "the": WORD, "cook": CONJUNCTION, "and": WORD, "I": PHRASE, "went": PHRASE,
        "home.": SENTENCE, "He": PHRASE, "slept.": SENTENCE,
    }  # fmt: skip


def test_a_question_inside_a_sentence_does_not_end_it():
    assert next(piece.quality for piece in split_pieces('"Why?" she asked.', "English")) == CLAUSE


def test_wide_characters_have_width_two_and_combining_marks_zero():
    assert display_width("ab") == 2
    assert display_width("猫") == 2
    assert display_width("한") == 2
    assert display_width("e\u0301") == 1
    assert display_width("कि") == 2


def test_a_cue_breaks_into_balanced_lines_or_none():
    cue = split_pieces("Every morning he waited for the fishermen to return", "English")
    assert break_lines(cue, letters(60)) == ("Every morning he waited for the fishermen to return",)
    assert break_lines(cue, letters(40)) == ("Every morning he waited", "for the fishermen to return")
    assert break_lines(cue, letters(20)) is None


def test_a_line_does_not_end_with_an_article():
    upper, _ = break_lines(split_pieces("He opened slowly the very old wooden box", "English"), letters(26)) or (
        "the",
        "",
    )
    assert upper.split()[-1] != "the"


@given(st.text(alphabet="abcdefक्षिाまっ、e\u0301", min_size=1, max_size=80), st.integers(5, 30))
def test_a_piece_that_is_too_wide_is_split_between_clusters(word, limit):
    parts = split_wide(Piece(word, SENTENCE), letters(limit))
    assert "".join(part.text for part in parts) == word
    assert parts[-1].quality == SENTENCE
    for before, after in itertools.pairwise(parts):
        assert after.text[0] not in "\u0301ि्ाっ、"
        assert before.text[-1] != "\u094d"  # a virama binds the letter after it

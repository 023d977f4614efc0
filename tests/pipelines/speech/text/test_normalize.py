"""Normalization of written words to spoken words."""

import pytest

from pipelines.speech.g2p import chinese, japanese, korean
from pipelines.speech.text.normalize import normalize_text


@pytest.mark.parametrize(
    ("core", "language", "said"),
    [
        ("Dr", "English", "doctor"),
        ("Mme", "French", "madame"),
        ("z.B", "German", "zum Beispiel"),
        ("$5.50", "English", "5.50 dollars"),
        ("20€", "German", "20 Euro"),
        ("50%", "Spanish", "50 por ciento"),
        ("%50", "Turkish", "yüzde 50"),
        ("50%", "Chinese", "百分之50"),
        ("www.example.com/story", "English", "www dot example dot com story"),
        ("me@example.org", "English", "me at example dot org"),
        ("*bold*text", "English", "bold text"),
        ("party🎉", "English", "party"),
        ("𝓗𝓲", "English", "Hi"),
        ("well-known", "English", "well-known"),
        ("नमस्ते", "Hindi", "नमस्ते"),
    ],
)
def test_a_word_is_normalized_to_its_spoken_form(core, language, said):
    assert normalize_text(core, language) == said


@pytest.mark.parametrize(
    ("digits", "korean_", "chinese_", "japanese_"),
    [
        ("0", "영", "零", "ゼロ"),
        ("10", "십", "十", "ジュー"),
        ("305", "삼백오", "三百零五", "サンビャクゴ"),
        ("1999", "천구백구십구", "一千九百九十九", "センキューヒャクキュージューキュー"),
        ("10000", "만", "一万", "イチマン"),
        ("20030", "이만삼십", "二万零三十", "ニマンサンジュー"),
    ],
)
def test_numbers_are_spelled_out_in_korean_chinese_and_japanese(digits, korean_, chinese_, japanese_):
    assert (korean.spell_number(digits), chinese.spell_number(digits), japanese.spell_number(digits)) == (
        korean_,
        chinese_,
        japanese_,
    )


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("같이", "kaʨʰi"), ("값이", "kapɕi"), ("국물", "kuŋmul"), ("신라", "ɕilla"), ("독립", "toŋnip"), ("좋아요", "ʨoajo"),
        ("없는", "ʌmnɯn"), ("앉아", "anʥa"), ("3마리", "sammaɾi"), ("hello", ""),
    ],
)  # fmt: skip
def test_korean_phonemes_follow_the_pronunciation_rules(word, said):
    assert korean.phonemize(word) == said


def test_japanese_kana_are_distributed_among_the_characters():
    assert japanese.to_kana(["今", "日", "は", "東", "京"]) == ["キョ", "ー", "ワ", "トー", "キョー"]
    assert "".join(japanese.phonemize(["今", "日", "は"])).split() == ["kʲoː", "βa"]


def test_each_chinese_character_is_one_syllable_with_its_tone():
    assert chinese.phonemize(["银", "行", "很", "好"]) == [" i↗n", "xa↗ŋ", " xə↓n", " xau↓"]

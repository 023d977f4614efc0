"""Mood classifier of the music."""

import unicodedata

import pytest

from pipelines.moods import MOODS, classify_mood, stems_of


@pytest.mark.parametrize(
    ("mood", "prompt", "chosen"),
    [
        ("calm", "", "calm"),
        ("tense", "", "energetic"),
        ("joyful, playful", "", "happy"),
        ("melancholic", "", "nostalgic"),
        ("warm", "", "tender"),
        ("", "A fox looks for the stars on a quiet night", "calm"),
        ("", "The hero escapes from the monster in a race against the storm", "energetic"),
        ("joyful", "a quiet night, the moon and a dream", "happy"),
        ("", "una batalla en la tormenta", "energetic"),
        ("", "der traurige Abschied", "nostalgic"),
        ("", "la fête d'anniversaire", "happy"),
        ("", "annesinin sevgisi", "tender"),
        ("", "快乐的小狐狸", "happy"),
        ("", "悲しい思い出", "nostalgic"),
        ("", "전쟁과 모험", "energetic"),
        ("", "युद्ध और खतरा", "energetic"),
        ("", "حزين وحيد", "nostalgic"),
        ("", "", "calm"),
        ("", "zxqv", "calm"),
        ("", "A mother hugs her baby. They love each other.", "tender"),
    ],
)
def test_the_mood_follows_from_mood_words_and_story(mood, prompt, chosen):
    assert classify_mood(mood, prompt, MOODS) == chosen


def test_the_classifier_returns_only_available_moods():
    assert classify_mood("tense", "", ("happy", "tender")) in ("happy", "tender")


@pytest.mark.parametrize("mood", MOODS)
def test_every_stem_is_in_one_script(mood):
    """A stem in mixed scripts looks correct and never matches."""
    for word in (word for words in stems_of(mood) for word in words):
        scripts = {unicodedata.name(char).split()[0] for char in word if unicodedata.category(char).startswith("L")}
        assert len(scripts - {"CJK"} - {"HIRAGANA", "KATAKANA"}) <= 1, word

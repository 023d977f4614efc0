"""The words of a story choose the mood of its music."""

import pytest

from pipelines.music.moods import mood_of

MOODS = ("calm", "energetic", "happy", "nostalgic", "tender")


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
    ],
)
def test_mood(mood, prompt, chosen):
    assert mood_of(mood, prompt, MOODS) == chosen


def test_only_moods_that_there_are():
    assert mood_of("tense", "", ("happy", "tender")) in ("happy", "tender")

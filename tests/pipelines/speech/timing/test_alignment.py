"""Alignment of written words with spoken ones."""

from pipelines.speech.timing.alignment import align_words_to_events, split_phonemes_by_word


def test_a_clause_with_one_phoneme_word_per_written_word_is_split_at_spaces():
    assert split_phonemes_by_word("ðə fˈɑks", ["ðə", "fˈɑks"]) == ["ðə", "fˈɑks"]


def test_words_that_are_spoken_as_one_are_split():
    assert split_phonemes_by_word("ʌvðə wˈɔːɾɚ", ["ʌv", "ðə", "wˈɔːɾɚ"]) == ["ʌv", "ðə", "wˈɔːɾɚ"]


def test_the_spoken_words_of_a_number_stay_one_written_word():
    parts = split_phonemes_by_word("wˈʌnhˈʌndɹɪd twˈɛnti dˈeɪz", ["wˈʌnhˈʌndɹɪd twˈɛnti", "dˈeɪz"])
    assert parts == ["wˈʌnhˈʌndɹɪd twˈɛnti", "dˈeɪz"]


def test_time_between_two_events_is_distributed_evenly():
    assert align_words_to_events([0, 4, 8], [(0, 0), (8, 400)], length=12, seconds=1.0) == [
        (0.0, 0.2),
        (0.2, 0.4),
        (0.4, 1.0),
    ]


def test_events_that_go_back_in_time_are_ignored():
    spans = align_words_to_events([0, 4], [(0, 0), (4, 500), (2, 100), (9, 9000)], length=8, seconds=1.0)
    assert spans[0] == (0.0, 0.5)
    assert spans[1] == (0.5, 1.0)

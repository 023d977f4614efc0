"""Words → tokens → audio → word times, with a model that hums for one second per token."""

import numpy as np

from pipelines.speech.text.tokenize import split_words
from pipelines.speech.timed import WordTokens, synthesize_timed, tokenize_word

LETTERS = {letter: number for number, letter in enumerate(" abc,.")}


def hum(ids):
    durations = np.ones(len(ids) + 2)
    return np.full(len(durations) * 10, 0.5, np.float32), durations


def test_punctuation_tokens_are_outside_the_word_slice():
    word = split_words("ab, c")[0]
    assert tokenize_word(word, " ab", LETTERS, lambda around: around.strip()) == WordTokens((0, 1, 2, 4), slice(1, 3))


def test_a_word_of_unknown_letters_has_no_tokens():
    assert tokenize_word(split_words("x")[0], " ж", LETTERS, str.strip) == WordTokens((), slice(0, 0))


def test_word_times_follow_token_durations():
    words = [WordTokens((0, 1, 2), slice(1, 3)), WordTokens((), slice(0, 0)), WordTokens((0, 3), slice(1, 2))]
    sound = synthesize_timed(words, hum, rate=10, pitch=1.0, max_tokens=100)
    assert np.allclose(sound.word_times, [(2.0, 4.0), (4.0, 4.0), (5.0, 6.0)])


def test_words_beyond_the_token_limit_go_to_the_next_batch():
    asked = []

    def counted(ids):
        asked.append(len(ids))
        return hum(ids)

    sound = synthesize_timed([WordTokens((0, 1, 2), slice(1, 3))] * 40, counted, rate=10, pitch=1.0, max_tokens=50)
    assert max(asked) <= 50
    assert sum(asked) == 120
    assert len(sound.samples) == 10 * (120 + 2 * len(asked))
    assert sound.word_times == sorted(sound.word_times)


def test_a_higher_pitch_shortens_audio_and_word_times():
    sound = synthesize_timed([WordTokens((1,), slice(0, 1))], hum, rate=10, pitch=2.0, max_tokens=50)
    assert len(sound.samples) == 15
    assert np.allclose(sound.word_times, [(0.5, 1.0)])

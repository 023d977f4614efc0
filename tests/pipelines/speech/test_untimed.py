"""Voices that speak whole texts: when each word is spoken is estimated, and what recordings of voices are good for."""

import wave

import numpy as np
import pytest

from pipelines.base import BadInput
from pipelines.media.audio.reader import SAMPLE_RATE
from pipelines.speech.text.tokenize import split_words
from pipelines.speech.timing.estimate import estimate_word_times
from pipelines.speech.untimed import synthesize_all
from pipelines.speech.voice_sample import load_voice_sample, write_wav

HERTZ = 1000


def hum(seconds, rate=HERTZ):
    return (0.3 * np.sin(2 * np.pi * 120 * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def test_words_share_what_sounds_by_their_length_and_pauses_belong_to_none():
    samples = np.concatenate([hum(0.4), np.zeros(500, np.float32), hum(0.8)])
    spans = estimate_word_times(split_words("aaa, bbbbbbb"), samples, HERTZ)
    assert spans[0] == pytest.approx((0.0, 0.4), abs=0.02)
    assert spans[1] == pytest.approx((0.9, 1.7), abs=0.02)


def test_without_any_sound_the_words_share_the_time():
    spans = estimate_word_times(split_words("one two"), np.zeros(1000, np.float32), HERTZ)
    assert [round(edge, 2) for span in spans for edge in span] == [0.0, 0.5, 0.5, 1.0]
    assert estimate_word_times([], hum(1), HERTZ) == []


def test_longer_texts_are_spoken_piece_by_piece_with_pauses_between_sentences():
    told = []

    def say(text):
        told.append(text)
        return np.concatenate([np.zeros(100, np.float32), hum(1.0), np.zeros(200, np.float32)])

    words = split_words("The fox looked at the moon. It was very late, and Dr. Smith paid $5 for it.")
    sound = synthesize_all(words, "English", say, HERTZ, 1.0, max_characters=60)
    assert told == ["The fox looked at the moon.", "It was very late, and doctor Smith paid 5 dollars for it."]
    assert len(sound.word_times) == len(words)
    clock = 0.0
    for start, end in sound.word_times:
        assert clock <= start <= end
        clock = end
    moon, it = sound.word_times[5], sound.word_times[6]
    assert 0.3 < it[0] - moon[1] < 0.6, "a pause between the sentences"


def test_numbers_in_hindi_are_words():
    told = []

    def say(text):
        told.append(text)
        return hum(1.0)

    synthesize_all(split_words("3 तारे।"), "Hindi", say, HERTZ, 1.0, max_characters=60)
    assert told == ["तीन तारे।"]


def test_a_recording_is_heard_mono_without_the_quiet_around_it(tmp_path):
    voice = np.concatenate(
        [np.zeros(SAMPLE_RATE, np.float32), hum(4.0, SAMPLE_RATE), np.zeros(SAMPLE_RATE, np.float32)]
    )
    samples = load_voice_sample({"voice_sample": [write_wav(voice, tmp_path / "voice.wav")]})
    assert len(samples) / SAMPLE_RATE == pytest.approx(4.0, abs=0.15)
    assert load_voice_sample({}) is None


def test_of_a_long_recording_half_a_minute_is_enough(tmp_path):
    samples = load_voice_sample({"voice_sample": [write_wav(hum(40.0, SAMPLE_RATE), tmp_path / "voice.wav")]})
    assert len(samples) == 30 * SAMPLE_RATE


def test_what_is_too_short_or_no_sound_is_refused_in_the_clients_words(tmp_path):
    with pytest.raises(BadInput, match=r"audio\.narrator_sample.*3 seconds"):
        load_voice_sample({"voice_sample": [write_wav(hum(1.0, SAMPLE_RATE), tmp_path / "short.wav")]})
    text = tmp_path / "text.wav"
    text.write_text("no sound at all, whatever its name says")
    with pytest.raises(BadInput) as error:
        load_voice_sample({"voice_sample": [text]})
    assert error.value.field == "audio.narrator_sample"


def test_a_written_recording_is_a_wav_file_of_48_khz(tmp_path):
    with wave.open(str(write_wav(hum(1.0, SAMPLE_RATE), tmp_path / "voice.wav"))) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, SAMPLE_RATE)

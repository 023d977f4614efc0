"""Models without word times: estimated times, and recordings of voices."""

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


def test_words_divide_the_speech_by_length_and_pauses_belong_to_no_word():
    samples = np.concatenate([hum(0.4), np.zeros(500, np.float32), hum(0.8)])
    spans = estimate_word_times(split_words("aaa, bbbbbbb"), samples, HERTZ)
    assert spans[0] == pytest.approx((0.0, 0.4), abs=0.02)
    assert spans[1] == pytest.approx((0.9, 1.7), abs=0.02)


def test_words_divide_silent_audio_by_length():
    spans = estimate_word_times(split_words("one two"), np.zeros(1000, np.float32), HERTZ)
    assert [round(edge, 2) for span in spans for edge in span] == [0.0, 0.5, 0.5, 1.0]
    assert estimate_word_times([], hum(1), HERTZ) == []


def test_long_texts_are_synthesized_in_pieces_with_pauses_between_sentences():
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


def test_hindi_numbers_are_spelled_out():
    told = []

    def say(text):
        told.append(text)
        return hum(1.0)

    synthesize_all(split_words("3 तारे।"), "Hindi", say, HERTZ, 1.0, max_characters=60)
    assert told == ["तीन तारे।"]


def test_a_voice_sample_is_mono_and_trimmed(tmp_path):
    voice = np.concatenate(
        [np.zeros(SAMPLE_RATE, np.float32), hum(4.0, SAMPLE_RATE), np.zeros(SAMPLE_RATE, np.float32)]
    )
    samples = load_voice_sample({"voice_sample": [write_wav(voice, tmp_path / "voice.wav")]})
    assert len(samples) / SAMPLE_RATE == pytest.approx(4.0, abs=0.15)
    assert load_voice_sample({}) is None


def test_a_long_voice_sample_is_truncated_to_30_seconds(tmp_path):
    samples = load_voice_sample({"voice_sample": [write_wav(hum(40.0, SAMPLE_RATE), tmp_path / "voice.wav")]})
    assert len(samples) == 30 * SAMPLE_RATE


def test_a_short_or_invalid_voice_sample_is_bad_input_with_its_field(tmp_path):
    with pytest.raises(BadInput, match=r"audio\.narrator_sample.*3 seconds"):
        load_voice_sample({"voice_sample": [write_wav(hum(1.0, SAMPLE_RATE), tmp_path / "short.wav")]})
    text = tmp_path / "text.wav"
    text.write_text("no sound at all, whatever its name says")
    with pytest.raises(BadInput) as error:
        load_voice_sample({"voice_sample": [text]})
    assert error.value.field == "audio.narrator_sample"


def test_a_voice_sample_is_written_as_48_khz_wav(tmp_path):
    with wave.open(str(write_wav(hum(1.0, SAMPLE_RATE), tmp_path / "voice.wav"))) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, SAMPLE_RATE)

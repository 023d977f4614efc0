"""Number words for letter-only voices, and pitch estimation."""

import numpy as np
import pytest

from pipelines.speech.audio.pitch import estimate_pitch
from pipelines.speech.text.numbers import spell_out_numbers


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0", "शून्य"), ("99", "निन्यानवे"), ("105", "एक सौ पाँच"), ("1234", "एक हज़ार दो सौ चौंतीस"), ("12,50,000", "बारह लाख पचास हज़ार"),
        ("3.5", "तीन दशमलव पाँच"), ("२१", "इक्कीस"), ("चाँद", "चाँद"),
    ],
)  # fmt: skip
def test_hindi_number_words_use_lakh_and_crore(text, said):
    assert spell_out_numbers(text, "Hindi") == said


@pytest.mark.parametrize(
    ("text", "language", "said"),
    [
        ("1,234", "English", "one thousand two hundred and thirty four"),
        ("1.234", "German", "eintausendzweihundertvierunddreißig"),
        ("3,5", "French", "trois virgule cinq"),
        ("3.5", "English", "three point five"),
        ("20", "Turkish", "yirmi"),
        ("x2", "Spanish", "x dos"),
        ("12", "Korean", "십이"),
    ],
)
def test_number_words_of_other_languages_come_from_num2words(text, language, said):
    pytest.importorskip("num2words", reason="numbers in words come from num2words (extra tts)")
    assert spell_out_numbers(text, language) == said


@pytest.mark.parametrize("hertz", [90, 130, 210, 300])
def test_estimated_pitch_is_the_fundamental_not_an_overtone(hertz):
    rate = 16_000
    phase = 2 * np.pi * hertz * np.arange(rate) / rate
    voice = sum(np.sin(phase * number) / number for number in range(1, 9))
    assert estimate_pitch((0.2 * voice).astype(np.float32), rate) == pytest.approx(hertz, rel=0.03)


def test_noise_and_silence_have_no_pitch():
    noise = np.random.default_rng(1).normal(0, 0.2, 16_000).astype(np.float32)
    assert estimate_pitch(noise, 16_000) is None
    assert estimate_pitch(np.zeros(16_000, np.float32), 16_000) is None

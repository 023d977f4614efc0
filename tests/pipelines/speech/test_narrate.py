"""The promises of NarrateParams, with every installed voice in every language of it."""

import numpy as np
import pytest

from pipelines.base import BadInput, Device
from pipelines.models.catalog import load
from pipelines.speech.espeak import Espeak
from pipelines.speech.g2p.espeak_binding import open_espeak
from pipelines.step_params import LANGUAGES

TEXTS = {
    "Arabic": "نظر الثعلب إلى القمر.",
    "Chinese": "小狐狸看着月亮。",
    "English": "The fox saw 3 stars.",
    "French": "Le renard vit la lune.",
    "German": "Der Fuchs sah den Mond.",
    "Hindi": "लोमड़ी ने चाँद देखा।",
    "Japanese": "狐は月を見た。",
    "Korean": "여우는 달을 보았다.",
    "Spanish": "El zorro vio la luna.",
    "Turkish": "Tilki ayı gördü.",
}
SPOKEN = [
    (model, language)
    for model in ("kokoro", "piper", "espeak")
    for language in LANGUAGES
    if not load().spec(model).languages or language in load().spec(model).languages
]


def quiet_ends(narration):
    """Seconds of near silence before and after the speech."""
    loud = np.flatnonzero(np.abs(narration.samples) > 0.01)
    return loud[0] / narration.rate, (len(narration.samples) - 1 - loud[-1]) / narration.rate


@pytest.mark.parametrize(("model", "language"), SPOKEN)
def test_narration_has_audio_and_word_times_in_every_language(narrate, model, language):
    text = TEXTS[language]
    narration = narrate(model, text, language)
    assert "".join(word["text"] for word in narration.words) == text
    clock = 0.0
    for word in narration.words:
        assert clock <= word["start"] < word["end"] <= narration.seconds
        clock = word["end"]
    assert narration.seconds == pytest.approx(len(narration.samples) / narration.rate, abs=1e-3)
    assert 0.6 < narration.seconds < 5
    assert max(quiet_ends(narration)) < 0.1
    assert 0.3 < np.abs(narration.samples).max() <= 0.96
    assert abs(narration.samples.mean()) < 0.005


@pytest.mark.parametrize("model", ["kokoro", "piper", "espeak"])
def test_narration_gives_the_same_bytes_after_other_texts(narrate, model):
    text = "One fine morning, the fox went out."
    first = narrate(model, text)
    narrate(model, "Something else!", narrator="Bill")
    again = narrate(model, text)
    assert first.bytes == again.bytes
    assert first.words == again.words


def test_voice_families_do_not_affect_each_other(narrate):
    text = "The fox went out."
    alone = narrate("espeak", text)
    narrate("kokoro", "Le renard sortit.", "French")
    assert narrate("espeak", text).bytes == alone.bytes


@pytest.mark.parametrize("model", ["kokoro", "espeak"])
def test_sentences_have_pauses_between_them_and_no_clicks(narrate, model):
    narration = narrate(model, "The old clock struck twelve times. The children were asleep by then.")
    times = next(word for word in narration.words if word["text"].startswith("times"))
    after = next(word for word in narration.words if word["text"] == "The " and word["start"] > times["start"])
    assert 0.3 < after["start"] - times["end"] < 0.8
    silent = np.flatnonzero(narration.samples[int(times["start"] * narration.rate) :] == 0) + int(
        times["start"] * narration.rate
    )
    runs = np.split(silent, np.flatnonzero(np.diff(silent) > 1) + 1)
    pause = max(runs, key=len)
    assert len(pause) / narration.rate == pytest.approx(0.35, abs=0.05)
    around = narration.samples[[pause[0] - 1, pause[0] - 20, pause[-1] + 1, pause[-1] + 20]]
    assert np.abs(around).max() < 0.02


@pytest.mark.parametrize(
    "text",
    ["A", "No.", "12345678901234567890", "a" * 90, "https://example.com/x?y=1", "<b>&amp;</b> [[x]]", "Hello 世界 مرحبا 안녕 мир",
     "x\u200by", "\u0301abc", "-5 °C", "%", "rock'n'roll", "ALL CAPS", "Line\nbreak\n\nparagraph", "Ⅷ ½ ﷺ"],
)  # fmt: skip
@pytest.mark.parametrize("model", ["espeak"])
def test_unusual_texts_are_narrated(narrate, model, text):
    narration = narrate(model, text)
    assert "".join(word["text"] for word in narration.words) == text
    assert narration.seconds > 0.1


def test_kokoro_narrates_unusual_texts_in_one_text(narrate):
    text = "Hello 世界, مرحبا! Dr. Smith paid $5 (50%) at https://example.com — 🎉 “rock'n'roll”…"
    assert "".join(word["text"] for word in narrate("kokoro", text).words) == text


@pytest.mark.parametrize("text", ["…", "🎉🎉", "?!", " \n ", "—"])
@pytest.mark.parametrize("model", ["kokoro", "espeak"])
def test_a_text_without_pronounceable_words_is_bad_input(narrate, model, text):
    with pytest.raises(BadInput) as error:
        narrate(model, text)
    assert error.value.field == "narration"


def test_an_unknown_narrator_is_bad_input(narrate):
    with pytest.raises(BadInput, match="Rachel") as error:
        narrate("espeak", "Hello", narrator="Nobody")
    assert error.value.field == "narrator"


def test_narration_records_its_voice_and_reports_full_progress(narrate):
    report = narrate("kokoro", "The fox went out. It was cold.", narrator="Brian").report
    assert report.facts["narrator"] == "Brian"
    assert report.fractions[-1] == 1.0
    assert narrate("kokoro", "قمر", "Arabic").report.warnings


def test_espeak_is_reset_for_each_caller():
    with open_espeak() as library:
        first = library.to_phonemes("hello world", "en-us")
        library.to_phonemes("bonjour", "fr")
        assert library.to_phonemes("hello world", "en-us") == first
    with open_espeak() as library:
        assert library.to_phonemes("hello world", "en-us") == first


def test_an_invalid_voice_setting_names_its_narrator():
    spec = (
        load()
        .spec("espeak")
        .model_copy(update={"options": {"narrators": {"Rachel": {"variant": "f2", "base_pitch": 900}}}})
    )
    with pytest.raises(ValueError, match="Rachel"):
        Espeak.load(spec, Device())

"""Loudness against EBU Tech 3341 and ffmpeg, true peaks, and the limiter."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.media.audio.loudness import (
    PEAK_MARGIN,
    SILENCE,
    Limiter,
    LoudnessMeter,
    db_to_gain,
    measure_loudness,
    true_peaks,
)
from tests.pipelines.media.studio import RATE, babble, ebur128, tone, wav


def metered(sound: np.ndarray, block: int = 50_000) -> float:
    meter = LoudnessMeter()
    for at in range(0, len(sound), block):
        meter.add(sound[at : at + block])
    return meter.integrated()


def stereo(sound: np.ndarray) -> np.ndarray:
    return np.stack([sound, sound], axis=1)


def test_the_reference_signal_of_ebu_tech_3341_has_minus_23_lufs():
    # EBU Tech 3341, case 1: a 1 kHz sine in both channels whose peaks are at −23 dBFS has −23 LUFS.
    assert metered(stereo(tone(20, 1000, level=db_to_gain(-23)))) == pytest.approx(-23.0, abs=0.1)


def test_quiet_passages_are_gated():
    # EBU Tech 3341, case 3: quiet beginnings and ends do not count.
    quiet, loud = tone(10, 1000, level=db_to_gain(-36)), tone(60, 1000, level=db_to_gain(-23))
    assert metered(stereo(np.concatenate([quiet, loud, quiet]))) == pytest.approx(-23.0, abs=0.1)


@pytest.mark.parametrize("case", ["babble", "left only", "music", "loud end"])
def test_integrated_loudness_agrees_with_ffmpeg(case, tmp_path):
    sound = {
        "babble": stereo(babble(12)),
        "left only": np.stack([babble(9), np.zeros(9 * RATE, np.float32)], axis=1),
        "music": np.stack([tone(7.3, 110), tone(7.3, 523.25)], axis=1),
        "loud end": stereo(np.concatenate([babble(8, level=0.02), babble(2, level=0.9)])),
    }[case]
    assert metered(sound) == pytest.approx(ebur128(wav(tmp_path / "sound.wav", sound, subtype="FLOAT"))[0], abs=0.1)


@given(st.lists(st.integers(1, 200_000), min_size=1, max_size=8))
@settings(max_examples=10, deadline=None)
def test_the_loudness_does_not_depend_on_the_size_of_the_blocks(sizes):
    sound = stereo(babble(6))
    meter, at = LoudnessMeter(), 0
    for size in sizes:
        meter.add(sound[at : at + size])
        at += size
    meter.add(sound[at:])
    assert meter.integrated() == pytest.approx(metered(sound, len(sound)), abs=1e-3)


def test_zeros_and_audio_below_400_ms_have_no_loudness():
    assert metered(np.zeros((RATE, 2), np.float32)) == SILENCE
    assert metered(stereo(tone(0.2, 1000))) == SILENCE  # shorter than one gating block


def test_audio_shorter_than_a_gating_block_can_be_measured():
    assert measure_loudness(stereo(tone(0.2, 1000, level=db_to_gain(-23)))) == pytest.approx(-23.0, abs=0.5)


def test_true_peaks_include_peaks_between_samples():
    # At a quarter of the rate, shifted by an eighth of a period, every sample lies 3 dB below the peak.
    sound = stereo(np.sin(np.pi / 2 * np.arange(RATE) + np.pi / 4).astype(np.float32) * 0.5)
    assert np.abs(sound).max() == pytest.approx(0.354, abs=0.001)
    assert true_peaks(sound)[PEAK_MARGIN:-PEAK_MARGIN].max() == pytest.approx(0.5, rel=0.01)


@given(
    st.lists(st.tuples(st.integers(0, 999), st.floats(0.01, 4.0)), min_size=1, max_size=30),
    st.floats(0.1, 10),
    st.floats(0.1, 1),
)
@settings(max_examples=100, deadline=None)
def test_the_limiter_keeps_every_peak_below_the_ceiling(bursts, raised, ceiling):
    peaks = np.full(1000, 0.001, np.float32)
    for at, level in bursts:
        peaks[at] = level
    curve = Limiter(peaks, raised, ceiling).curve(0, 1000 * Limiter.STEP).reshape(1000, Limiter.STEP)
    assert (curve.max(axis=1) * peaks).max() <= ceiling * 1.0001
    assert curve.max() <= raised * 1.0001


def test_the_limiter_keeps_quiet_audio_and_changes_its_gain_smoothly():
    peaks = np.full(1000, 0.1, np.float32)
    peaks[500] = 2.0
    curve = Limiter(peaks, 1.0, 0.8).curve(0, 1000 * Limiter.STEP)
    assert curve[: 480 * Limiter.STEP].min() == pytest.approx(1.0)
    assert curve.min() == pytest.approx(0.4, rel=0.01)
    assert np.abs(np.diff(curve)).max() < 0.01
    assert curve[-1] > 0.98

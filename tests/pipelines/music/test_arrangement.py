"""Arrangement of short tracks to the length of a film."""

from itertools import islice, pairwise

import numpy as np
import pytest

from pipelines.music.arrangement import RATE, arrange_tracks, cut_to_bars
from pipelines.music.beats import detect_beats


def drum(tempo, seconds, offset, pitch=220.0):
    """A chord with a stroke on every beat."""
    time = np.arange(int(seconds * RATE)) / RATE
    since = np.mod(time - offset, 60 / tempo)
    tone = 0.2 * np.sin(2 * np.pi * pitch * time) * np.exp(-4 * since)
    stroke = 0.6 * np.exp(-60 * since) * np.sin(2 * np.pi * 90 * since)
    music = np.where(time < offset, 0.0, tone + stroke)
    return np.stack([music, music], axis=1).astype(np.float32)


@pytest.mark.parametrize(("tempo", "offset"), [(72.0, 0.3), (96.0, 0.05), (120.0, 0.41)])
def test_detects_tempo_and_first_beat(tempo, offset):
    pulse = detect_beats(drum(tempo, 20, offset), RATE)
    assert 60 * RATE / pulse.period == pytest.approx(tempo, rel=0.005)
    assert pulse.first / RATE == pytest.approx(offset, abs=0.05)


def test_a_passage_has_complete_bars():
    part = cut_to_bars(drum(120.0, 20, 0.3))
    assert part.exit_sample / RATE % 2.0 == pytest.approx(
        0.0, abs=0.05
    ) or part.exit_sample / RATE % 2.0 == pytest.approx(2.0, abs=0.05)
    assert part.exit_sample + part.crossfade_samples <= len(part.music)


@pytest.mark.parametrize("length", [1, 100, RATE, 5 * RATE + 7, 100 * RATE])
def test_an_arrangement_has_exactly_the_requested_length(length):
    blocks = list(
        arrange_tracks(["a", "b"], lambda name: drum(120.0, 12, 0.3, 220.0 if name == "a" else 330.0), length)
    )
    music = np.concatenate(blocks)
    assert music.shape == (length, 2)
    assert np.abs(music).max() <= 1.0


def test_an_arrangement_starts_and_ends_in_silence_without_clicks_or_dips():
    track = drum(120.0, 12, 0.3)
    music = np.concatenate(list(arrange_tracks(["a"], lambda name: track, 40 * RATE)))
    assert max(np.abs(music[0]).max(), np.abs(music[-1]).max()) < 1e-6
    fade = np.abs(music[-int(2.5 * RATE) :, 0]).reshape(5, -1).max(axis=1)
    assert all(later < earlier for earlier, later in pairwise(fade))
    gain = np.abs(music).max() / np.abs(track).max()
    assert np.abs(np.diff(music, axis=0)).max() < 1.5 * gain * np.abs(np.diff(track, axis=0)).max()
    seconds = np.sqrt(np.mean(music[RATE : 37 * RATE, 0].reshape(36, RATE) ** 2, axis=1))
    assert seconds.min() > 0.6 * seconds.max()


def test_an_arrangement_opens_each_track_on_first_use():
    opened = []

    def open_track(name):
        opened.append(name)
        return drum(120.0, 12, 0.3)

    list(islice(arrange_tracks(["a", "b", "c"], open_track, 3600 * RATE), 2))
    assert opened == ["a", "b"]

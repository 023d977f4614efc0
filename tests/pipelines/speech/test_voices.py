"""Twenty-one narrators with distinct voices."""

import os
from itertools import combinations, pairwise

import numpy as np
import pytest

from pipelines.base import Kind
from pipelines.models.catalog import load

NARRATORS = (
    "Rachel", "Aria", "Roger", "Sarah", "Laura", "Charlie", "George", "Callum", "River", "Liam", "Charlotte", "Alice", "Matilda",
    "Will", "Jessica", "Eric", "Chris", "Brian", "Daniel", "Lily", "Bill",
)  # fmt: skip
WOMEN = {"Rachel", "Aria", "Sarah", "Laura", "Charlotte", "Alice", "Matilda", "Jessica", "Lily"}


def height(samples, rate):
    """Median fundamental frequency in hertz, by autocorrelation of the voiced frames."""
    size, found = int(rate * 0.04), []
    for start in range(0, len(samples) - size, size // 2):
        frame = samples[start : start + size]
        if np.sqrt(np.mean(frame**2)) < 0.06:
            continue
        frame = (frame - frame.mean()) * np.hanning(size)
        similar = np.fft.irfft(np.abs(np.fft.rfft(frame, 2 * size)) ** 2)[:size] / (1.0001 - np.arange(size) / size)
        low, high = int(rate / 400), int(rate / 65)
        best = low + int(np.argmax(similar[low:high]))
        early = [
            lag for lag in range(low, best) if similar[lag] > 0.9 * similar[best] and similar[lag] >= similar[lag + 1]
        ]
        if similar[best] > 0.5 * similar[0]:
            found.append(rate / (early[0] if early else best))
    return float(np.median(found))


def colour(samples, rate):
    """The mean spectrum of the loud frames in 24 bands, in decibels above its own mean."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, 1024)[::512] * np.hanning(1024)
    power = np.abs(np.fft.rfft(frames)) ** 2
    power = power[power.sum(axis=1) > np.median(power.sum(axis=1))]
    edges = np.geomspace(100, 8000, 25) * 1024 / rate
    bands = np.array([power[:, int(a) : max(int(a) + 1, int(b))].mean() for a, b in pairwise(edges)])
    decibels = 10 * np.log10(bands + 1e-12)
    return decibels - decibels.mean()


@pytest.mark.parametrize("model", [name for name, spec in load().models.items() if Kind.NARRATE in spec.kinds])
def test_every_model_has_all_narrators(model):
    assert set(load().spec(model).options["narrators"]) == set(NARRATORS)


SOME = ("Rachel", "Laura", "River", "Charlie", "Brian", "George")
SENTENCE = "He packed a small bag, and set off over the dark green hills."


@pytest.mark.parametrize("model", ["kokoro", "espeak"])
def test_narrators_are_distinct_and_women_speak_higher_than_men(narrate, model):
    """Kokoro needs a minute for all narrators: STORY_ENGINE_ALL_VOICES=1."""
    names = NARRATORS if model == "espeak" or os.environ.get("STORY_ENGINE_ALL_VOICES") else SOME
    said = {name: narrate(model, SENTENCE, narrator=name) for name in names}
    heights = {name: height(each.samples, each.rate) for name, each in said.items()}
    colours = {name: colour(each.samples, each.rate) for name, each in said.items()}
    women = [heights[name] for name in names if name in WOMEN]
    men = [heights[name] for name in names if name not in WOMEN and name != "River"]
    assert max(men) < 150 < 160 < min(women), heights
    assert max(men) < heights["River"]

    def apart(a, b):
        """In steps that a listener notices: semitones, decibels of the spectrum, tenths of the pace."""
        semitones = 12 * np.log2(heights[a] / heights[b])
        decibels = np.sqrt(np.mean((colours[a] - colours[b]) ** 2))
        pace = np.log(said[a].seconds / said[b].seconds) / 0.1
        return float(np.sqrt(semitones**2 + decibels**2 + pace**2))

    closest = min(combinations(names, 2), key=lambda pair: apart(*pair))
    assert apart(*closest) > 2, (closest, apart(*closest))

"""Beat detection by onset strength, autocorrelation and a comb filter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Stereo = NDArray[np.float32]
"""float32 of shape (samples, 2), in [-1, 1]."""

_HOP, _WINDOW = 512, 2048
_MIN_BPM, _MAX_BPM = 60.0, 160.0  # beats per minute


@dataclass(frozen=True, slots=True)
class BeatGrid:
    """Steady beat: the first beat at sample `first`, one every `period` samples (fractional)."""

    first: float
    period: float


def detect_beats(music: Stereo, rate: int) -> BeatGrid:
    """Return the beat grid of a piece.

    The tempo comes from the autocorrelation of the onset strength, the phase from the strongest onsets.
    """
    onsets = _onset_envelope(music)
    frames = rate / _HOP  # onset frames per second
    centred = onsets - onsets.mean()
    size = 1 << (2 * len(centred) - 1).bit_length()
    correlation = np.fft.irfft(np.abs(np.fft.rfft(centred, size)) ** 2)[: len(centred)]
    lags = np.arange(len(correlation), dtype=np.float64)
    periods = np.linspace(60 * frames / _MAX_BPM, 60 * frames / _MIN_BPM, 800)
    # A beat also correlates at two and four periods. Listeners prefer a tempo near 100 beats per minute.
    strength = sum(np.interp(periods * multiple, lags, correlation) for multiple in (1, 2, 4))
    strength = strength * np.exp(-0.5 * (np.log2(periods / (60 * frames / 100)) / 0.9) ** 2)
    period = float(periods[int(np.argmax(strength))])
    # The comb over the complete piece gives a finer period than the autocorrelation: a small error would accumulate.
    choices = [_best_phase(onsets, finer) for finer in period * np.linspace(0.985, 1.015, 61)]
    _, first, period = max(choices)
    return BeatGrid(first=first * _HOP, period=period * _HOP)


def _best_phase(onsets: NDArray[np.float64], period: float) -> tuple[float, float, float]:
    """Return the mean onset strength at the best phase of `period`, that phase, and `period`. Units: onset frames."""
    phases = np.arange(0.0, period, 0.5)
    count = int((len(onsets) - 1 - period) / period)
    comb = phases[:, None] + np.arange(count)[None, :] * period
    strength = np.interp(comb, np.arange(len(onsets)), onsets).mean(axis=1)
    best = int(np.argmax(strength))
    return float(strength[best]), float(phases[best]), float(period)


def _onset_envelope(music: Stereo) -> NDArray[np.float64]:
    """Return the spectral flux, one value every `_HOP` samples.

    It is the increase of the log spectrum, summed over frequencies.
    """
    mono = music.mean(axis=1)
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(mono, (_WINDOW // 2, _WINDOW)), _WINDOW)[::_HOP]
    spectrum = np.log1p(10 * np.abs(np.fft.rfft(frames * np.hanning(_WINDOW).astype(np.float32), axis=1)))
    rise = np.maximum(0.0, np.diff(spectrum, axis=0, prepend=spectrum[:1])).sum(axis=1)
    return np.asarray(rise, dtype=np.float64)

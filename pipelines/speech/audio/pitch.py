"""Pitch estimation of speech."""

from __future__ import annotations

import numpy as np

from pipelines.speech.audio.samples import Samples

_FRAME_SECONDS = 0.04  # seconds
_MIN_HZ, _MAX_HZ = 65.0, 400.0  # hertz
_MIN_FRAME_RMS = 0.06  # minimum RMS of an analysed frame of normalized speech


def pitch_shift_ratio(own_hz: float | None, target_hz: float | None, limits: tuple[float, float]) -> float:
    """Return the factor from `own_hz` to `target_hz`, clamped to `limits`; 1 if either is unknown."""
    if not own_hz or not target_hz:
        return 1.0
    return min(max(target_hz / own_hz, limits[0]), limits[1])


def estimate_pitch(samples: Samples, rate: int) -> float | None:
    """Return the median fundamental frequency of the voiced frames in hertz; None without voiced frames.

    Method: autocorrelation. Expects samples from `normalize_level`.
    """
    size = int(rate * _FRAME_SECONDS)
    low, high = int(rate / _MAX_HZ), int(rate / _MIN_HZ)
    weights = 1.0001 - np.arange(size) / size
    found: list[float] = []
    for start in range(0, len(samples) - size, size // 2):
        frame = samples[start : start + size].astype(np.float64)
        if np.sqrt(np.mean(frame**2)) < _MIN_FRAME_RMS:
            continue
        frame = (frame - frame.mean()) * np.hanning(size)
        autocorrelation = np.fft.irfft(np.abs(np.fft.rfft(frame, 2 * size)) ** 2)[:size] / weights
        best = low + int(np.argmax(autocorrelation[low:high]))
        if autocorrelation[best] <= 0.5 * autocorrelation[0]:
            continue
        # Twice the period correlates as well as the period: the first peak of nearly the same height is the pitch.
        early = (
            lag
            for lag in range(low, best)
            if autocorrelation[lag] > 0.9 * autocorrelation[best] and autocorrelation[lag] >= autocorrelation[lag + 1]
        )
        found.append(rate / next(early, best))
    return float(np.median(found)) if found else None

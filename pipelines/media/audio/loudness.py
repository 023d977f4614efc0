"""Integrated loudness (ITU-R BS.1770-4, EBU R 128), true peaks (BS.1770-4, annex 2) and a look-ahead limiter.

Audio is float32 of shape (samples, 2) at 48 kHz with full scale at ±1. All functions work on blocks, and the results do
not depend on the size of the blocks. The filters run in the frequency domain: that is exact, and fast without compiled
code.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

from pipelines.media.audio.reader import SAMPLE_RATE, AudioSamples

SILENCE = -math.inf
"""Loudness of silence, in LUFS."""

_HOP = SAMPLE_RATE // 10  # gating blocks of 400 ms overlap by 75 %
_PAD = 15_872  # samples after which the response of the slower filter is below −120 dB
_HOPS = 24
_CHUNK = _HOPS * _HOP
_SIZE = _PAD + _CHUNK  # 2¹⁷

_SHELF = ((1.53512485958697, -2.69169618940638, 1.19839281085285), (1.0, -1.69065929318241, 0.73248077421585))
_HIGHPASS = ((1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621))
"""The two stages of the K-weighting of BS.1770-4 at 48 kHz, numerators and denominators: high shelf and high-pass."""


class LoudnessMeter:
    """Meter of the integrated loudness of all added blocks (BS.1770-4 with both gates)."""

    def __init__(self) -> None:
        self._history = np.zeros((_PAD, 2), np.float32)
        self._buffer: list[AudioSamples] = []
        self._buffered = 0
        self._energies: list[NDArray[np.float64]] = []

    def add(self, block: AudioSamples) -> None:
        """Add a block of any length."""
        self._buffer.append(block)
        self._buffered += len(block)
        if self._buffered >= _CHUNK:
            buffered = np.concatenate(self._buffer)
            for start in range(0, len(buffered) - _CHUNK + 1, _CHUNK):
                self._add_chunk(buffered[start : start + _CHUNK], _HOPS)
            self._buffer = [buffered[len(buffered) // _CHUNK * _CHUNK :]]
            self._buffered = len(self._buffer[0])

    def integrated(self) -> float:
        """Return the gated loudness in LUFS; `SILENCE` for less than 0.4 s or when no gating block exceeds −70 LUFS."""
        if self._buffer and self._buffered >= _HOP:
            rest = np.concatenate(self._buffer)
            padded = np.zeros((_CHUNK, 2), np.float32)
            padded[: len(rest)] = rest
            self._add_chunk(padded, len(rest) // _HOP)
        self._buffer, self._buffered = [], 0
        if not self._energies or sum(map(len, self._energies)) < 4:
            return SILENCE
        energies = np.concatenate(self._energies)
        power = np.convolve(energies, np.ones(4) / (4 * _HOP), "valid")
        gated = power[power > _lufs_to_power(-70.0)]
        if not len(gated):
            return SILENCE
        gated = gated[gated > np.mean(gated) * 0.1]  # −10 LU
        return -0.691 + 10 * math.log10(float(np.mean(gated)))

    def _add_chunk(self, chunk: AudioSamples, hops: int) -> None:
        """Append the K-weighted energy of the first `hops` tenths of a second of a chunk of `_CHUNK` samples."""
        window = np.concatenate([self._history, chunk])
        left, right = np.ascontiguousarray(window.T)
        energy = _weighted_energy(left)
        # the channels of speech are equal, which saves one of two transforms
        energy = energy * 2 if np.array_equal(left, right) else energy + _weighted_energy(right)
        self._energies.append(energy[:hops])
        self._history = window[-_PAD:]


def measure_loudness(audio: AudioSamples) -> float:
    """Return the loudness of short audio in LUFS. Audio below 0.4 s is repeated to fill a gating block."""
    meter = LoudnessMeter()
    for _ in range(max(1, math.ceil(0.4 * SAMPLE_RATE / len(audio)))):
        meter.add(audio)
    return meter.integrated()


PEAK_MARGIN = 240
"""Samples at each end of the input for which the results of `true_peaks` are not exact."""


def true_peaks(audio: AudioSamples) -> NDArray[np.float32]:
    """Return the true peak of both channels at each sample, float32 of shape (samples,), full scale at 1.

    It is the maximum of the sample and three interpolated points after it (4× oversampling by FFT). The first and last
    `PEAK_MARGIN` values are not exact.
    """
    size = len(audio)
    peaks = np.zeros(size, np.float32)
    for channel in np.ascontiguousarray(audio.T):
        oversampled = np.abs(np.fft.irfft(np.fft.rfft(channel), 4 * size))
        for phase in range(4):
            np.maximum(peaks, oversampled[phase::4] * 4, out=peaks)
    return peaks


class Limiter:
    """The gain curve that keeps peaks below a ceiling, with look-ahead, smooth attack and exponential release.

    `peaks`: the true peak of every `STEP` samples. `gain`: factor before the limiter. `ceiling`: largest peak after it.
    No peak exceeds the ceiling, since each value of the curve is a mean of values that the peak allows.
    """

    STEP = SAMPLE_RATE // 1000
    _LOOKAHEAD = 5  # steps
    _RELEASE = 0.1  # seconds

    def __init__(self, peaks: NDArray[np.float32], gain: float, ceiling: float) -> None:
        allowed = np.minimum(1.0, ceiling / np.maximum(peaks.astype(np.float64) * gain, 1e-9))
        reach = self._LOOKAHEAD + 1
        padded = np.pad(allowed, reach, constant_values=1.0)
        minimum = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1).min(axis=1)
        level, recovery = 1.0, 1 - math.exp(-self.STEP / SAMPLE_RATE / self._RELEASE)
        released = []
        for value in minimum.tolist():
            level = min(value, level + (1.0 - level) * recovery)
            released.append(level)
        extended = np.pad(np.array(released), self._LOOKAHEAD, mode="edge")
        kernel = np.ones(2 * self._LOOKAHEAD + 1) / (2 * self._LOOKAHEAD + 1)
        self._curve = np.convolve(extended, kernel, "valid") * gain
        self.min_gain = float(minimum.min(initial=1.0))

    def curve(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return the gain of samples `start` to before `stop`, float32 of shape (stop - start,)."""
        steps = (np.arange(start, stop) + 0.5) / self.STEP - 0.5
        return np.interp(steps, np.arange(len(self._curve)), self._curve).astype(np.float32)


def db_to_gain(decibels: float) -> float:
    """Return the amplitude factor of a change in decibels."""
    return float(10 ** (decibels / 20))


def _lufs_to_power(lufs: float) -> float:
    return float(10 ** ((lufs + 0.691) / 10))


def _weighted_energy(channel: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the K-weighted energy of each tenth of a second of a chunk, float64 of shape (`_HOPS`,).

    `channel`: `_PAD` samples before the chunk and the chunk.
    """
    weighted = np.fft.irfft(np.fft.rfft(channel) * _k_weighting(), _SIZE)[_PAD:].reshape(_HOPS, _HOP)
    energy: NDArray[np.float64] = np.einsum("ij,ij->i", weighted, weighted, dtype=np.float64)
    return energy


@cache
def _k_weighting() -> NDArray[np.complex64]:
    """Return the frequency response of the K-weighting for a real FFT of `_SIZE` samples."""
    delay = np.exp(-2j * np.pi * np.arange(_SIZE // 2 + 1) / _SIZE)
    response = np.ones(_SIZE // 2 + 1, np.complex128)
    for numerator, denominator in (_SHELF, _HIGHPASS):
        response *= np.polyval(numerator[::-1], delay) / np.polyval(denominator[::-1], delay)
    return response.astype(np.complex64)

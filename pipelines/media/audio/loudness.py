"""Loudness as people hear it (ITU-R BS.1770-4, EBU R 128), peaks between the samples, and the limiter that holds them down.

Everything works on blocks, and gives the same figures whatever the blocks. The filters are applied in the frequency domain,
where they are exact and fast without compiled code of our own.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

from pipelines.media.audio.reader import SAMPLE_RATE, AudioSamples

SILENCE = -math.inf

_HOP = SAMPLE_RATE // 10
_PAD = 15_872  # samples after which the slower filter has rung out below −120 dB
_CHUNK = 24 * _HOP
_SIZE = _PAD + _CHUNK  # 2¹⁷

_SHELF = ((1.53512485958697, -2.69169618940638, 1.19839281085285), (1.0, -1.69065929318241, 0.73248077421585))
_HIGHPASS = ((1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621))
"""The two filters of BS.1770-4 at 48 kHz: the head's shelf, and the fall towards the bass."""


class LoudnessMeter:
    """Integrated loudness of everything that is added."""

    def __init__(self) -> None:
        self._history = np.zeros((_PAD, 2), np.float32)
        self._buffer: list[AudioSamples] = []
        self._buffered = 0
        self._energies: list[NDArray[np.float64]] = []

    def add(self, block: AudioSamples) -> None:
        self._buffer.append(block)
        self._buffered += len(block)
        if self._buffered >= _CHUNK:
            whole = np.concatenate(self._buffer)
            for at in range(0, len(whole) - _CHUNK + 1, _CHUNK):
                self._add_chunk(whole[at : at + _CHUNK], 24)
            self._buffer = [whole[len(whole) // _CHUNK * _CHUNK :]]
            self._buffered = len(self._buffer[0])

    def integrated(self) -> float:
        """LUFS of all that was added, gated; `SILENCE` if there is less than 0.4 s or nothing above −70 LUFS."""
        if self._buffer and self._buffered >= _HOP:
            rest = np.concatenate(self._buffer)
            padded = np.zeros((_CHUNK, 2), np.float32)
            padded[: len(rest)] = rest
            self._add_chunk(padded, len(rest) // _HOP)
        self._buffer, self._buffered = [], 0
        if not self._energies or sum(map(len, self._energies)) < 4:
            return SILENCE
        hops = np.concatenate(self._energies)
        power = np.convolve(hops, np.ones(4) / (4 * _HOP), "valid")
        loud = power[power > _lufs_to_power(-70.0)]
        if not len(loud):
            return SILENCE
        loud = loud[loud > np.mean(loud) * 0.1]  # −10 LU
        return -0.691 + 10 * math.log10(float(np.mean(loud)))

    def _add_chunk(self, chunk: AudioSamples, hops: int) -> None:
        """Append the K-weighted energy of the first `hops` tenths of a second of a chunk."""
        window = np.concatenate([self._history, chunk])
        left, right = np.ascontiguousarray(window.T)
        energy = _weighted_energy(left)
        energy = (
            energy * 2 if np.array_equal(left, right) else energy + _weighted_energy(right)
        )  # a voice is the same on both sides
        self._energies.append(energy[:hops])
        self._history = window[-_PAD:]


def measure_loudness(audio: AudioSamples) -> float:
    """LUFS of a short sound; what is shorter than 0.4 s is repeated until it is long enough to be measured."""
    meter = LoudnessMeter()
    for _ in range(max(1, math.ceil(0.4 * SAMPLE_RATE / len(audio)))):
        meter.add(audio)
    return meter.integrated()


PEAK_MARGIN = 240
"""Samples on either side that `true_peaks` needs to see but cannot say anything exact about."""


def true_peaks(audio: AudioSamples) -> NDArray[np.float32]:
    """The highest of both channels at each sample and at three points between it and the next (4× oversampled).

    The first and last `PEAK_MARGIN` samples are not exact.
    """
    size = len(audio)
    peaks = np.zeros(size, np.float32)
    for channel in np.ascontiguousarray(audio.T):
        fine = np.abs(np.fft.irfft(np.fft.rfft(channel), 4 * size))
        for phase in range(4):
            np.maximum(peaks, fine[phase::4] * 4, out=peaks)
    return peaks


class Limiter:
    """The gain curve that keeps peaks below a ceiling: it looks ahead, falls softly and recovers slowly.

    `peaks` holds the true peak of every `STEP` samples. The curve never lets a peak through, because each value is an
    average of values none of which is higher than that peak allows.
    """

    STEP = SAMPLE_RATE // 1000
    _LOOKAHEAD = 5
    _RELEASE = 0.1

    def __init__(self, peaks: NDArray[np.float32], gain: float, ceiling: float) -> None:
        allowed = np.minimum(1.0, ceiling / np.maximum(peaks.astype(np.float64) * gain, 1e-9))
        reach = self._LOOKAHEAD + 1
        padded = np.pad(allowed, reach, constant_values=1.0)
        least = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1).min(axis=1)
        held, recovery = 1.0, 1 - math.exp(-self.STEP / SAMPLE_RATE / self._RELEASE)
        released = []
        for value in least.tolist():
            held = min(value, held + (1.0 - held) * recovery)
            released.append(held)
        soft = np.pad(np.array(released), self._LOOKAHEAD, mode="edge")
        self._curve = np.convolve(soft, np.ones(2 * self._LOOKAHEAD + 1) / (2 * self._LOOKAHEAD + 1), "valid") * gain
        self.min_gain = float(least.min(initial=1.0))

    def curve(self, start: int, stop: int) -> NDArray[np.float32]:
        """The gain of the samples from `start` to `stop`."""
        at = (np.arange(start, stop) + 0.5) / self.STEP - 0.5
        return np.interp(at, np.arange(len(self._curve)), self._curve).astype(np.float32)


def db_to_gain(decibels: float) -> float:
    """The factor for a change in decibels."""
    return float(10 ** (decibels / 20))


def _lufs_to_power(lufs: float) -> float:
    return float(10 ** ((lufs + 0.691) / 10))


def _weighted_energy(channel: NDArray[np.float32]) -> NDArray[np.float64]:
    """Of each tenth of a second of a chunk, as the ear weighs it."""
    weighted = np.fft.irfft(np.fft.rfft(channel) * _k_weighting(), _SIZE)[_PAD:].reshape(24, _HOP)
    energy: NDArray[np.float64] = np.einsum("ij,ij->i", weighted, weighted, dtype=np.float64)
    return energy


@cache
def _k_weighting() -> NDArray[np.complex64]:
    delay = np.exp(-2j * np.pi * np.arange(_SIZE // 2 + 1) / _SIZE)
    response = np.ones(_SIZE // 2 + 1, np.complex128)
    for above, below in (_SHELF, _HIGHPASS):
        response *= np.polyval(above[::-1], delay) / np.polyval(below[::-1], delay)
    return response.astype(np.complex64)

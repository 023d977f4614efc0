"""Operations on speech samples: trimming, level, pitch, WAV output."""

from __future__ import annotations

import wave
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
"""float32 of shape (samples,), mono, in [-1, 1]."""

_FRAME_SECONDS = 0.01  # length of a loudness frame in seconds
_SILENCE_THRESHOLD = 0.004  # RMS of full scale, after `normalize_level`
_TARGET_RMS = 0.16  # RMS of the loud samples; about −18 dBFS over all speech
_MAX_PEAK = 0.95
_PADDING_BEFORE, _PADDING_AFTER = 0.03, 0.05  # seconds kept around speech
_FADE_SECONDS = 0.004


def normalize_level(samples: Samples) -> Samples:
    """Return the speech at the target level: −18 dBFS RMS in speech, peaks below −0.4 dBFS, no DC offset."""
    if not len(samples):
        return samples
    samples = samples - samples.mean(dtype=np.float64).astype(np.float32)
    peak = float(np.abs(samples).max(initial=0.0))
    if peak < 1e-4:
        return samples
    loud = samples[np.abs(samples) > peak * 0.05]
    level = float(np.sqrt(np.mean(np.square(loud, dtype=np.float64))))
    return (samples * np.float32(min(_TARGET_RMS / level, _MAX_PEAK / peak))).astype(np.float32)


def speech_bounds(samples: Samples, rate: int) -> tuple[int, int]:
    """Return the first and end sample of the speech with a short margin; (0, 0) for silence.

    Expects samples from `normalize_level`.
    """
    size = max(1, int(rate * _FRAME_SECONDS))
    frames = len(samples) // size
    energy = np.sqrt(np.mean(np.square(samples[: frames * size].reshape(frames, size), dtype=np.float64), axis=1))
    loud = np.flatnonzero(energy > _SILENCE_THRESHOLD)
    if not len(loud):
        return 0, 0
    return max(0, int(loud[0] * size - rate * _PADDING_BEFORE)), min(
        len(samples), int((loud[-1] + 1) * size + rate * _PADDING_AFTER)
    )


def apply_fades(samples: Samples, rate: int) -> Samples:
    """Return the samples with a 4 ms fade at both ends, so that joins do not click."""
    count = min(int(rate * _FADE_SECONDS), len(samples) // 2)
    ramp = np.linspace(0.0, 1.0, count, dtype=np.float32)
    samples = samples.copy()
    samples[:count] *= ramp
    samples[len(samples) - count :] *= ramp[::-1]
    return samples


def shift_pitch(samples: Samples, ratio: float) -> Samples:
    """Return speech with `ratio` times the pitch and 1/`ratio` times the length.

    It sounds like a smaller (ratio > 1) or larger speaker. Band-limited resampling in the frequency domain; expects
    silent ends.
    """
    if ratio == 1.0 or len(samples) < 2:
        return samples
    length = max(2, round(len(samples) / ratio))
    spectrum = np.fft.rfft(samples.astype(np.float64))
    shorter = np.zeros(length // 2 + 1, dtype=np.complex128)
    count = min(len(spectrum), len(shorter))
    shorter[:count] = spectrum[:count]
    return (np.fft.irfft(shorter, length) * (length / len(samples))).astype(np.float32)


class WavWriter:
    """Writer of a mono 16-bit WAV file, block by block. A context manager."""

    def __init__(self, path: Path, rate: int) -> None:
        self.rate = rate
        self.frames = 0
        self._file = wave.open(str(path), "wb")  # noqa: SIM115 (closed by __exit__)
        self._file.setnchannels(1)
        self._file.setsampwidth(2)
        self._file.setframerate(rate)

    @property
    def seconds(self) -> float:
        return self.frames / self.rate

    def write(self, samples: Samples) -> None:
        pcm = np.clip(np.rint(samples.astype(np.float64) * 32767.0), -32768, 32767).astype("<i2")
        self._file.writeframesraw(pcm.tobytes())
        self.frames += len(pcm)

    def write_silence(self, seconds: float) -> None:
        self.write(np.zeros(round(seconds * self.rate), dtype=np.float32))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

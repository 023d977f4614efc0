"""Speech as samples: trimming, level, pitch, and the WAV file."""

from __future__ import annotations

import wave
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
"""Mono, −1 to 1."""

_FRAME_SECONDS = 0.01  # seconds over which loudness is looked at
_SILENCE_THRESHOLD = 0.004  # of full scale, after levelling to `_LEVEL`
_TARGET_RMS = 0.16  # root mean square of what is loud in speech; about −18 dBFS over all of it
_MAX_PEAK = 0.95
_PADDING_BEFORE, _PADDING_AFTER = 0.03, 0.05  # seconds kept around speech
_FADE_SECONDS = 0.004


def normalize_level(samples: Samples) -> Samples:
    """The same speech at the house's level: −18 dBFS where there is speech, no peak above −0.4 dBFS, no DC."""
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
    """First sample and end of the speech, with a breath around it; (0, 0) if all is quiet. Expects `levelled` samples."""
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
    """With ends that begin and end at zero, so that what is joined does not click."""
    count = min(int(rate * _FADE_SECONDS), len(samples) // 2)
    ramp = np.linspace(0.0, 1.0, count, dtype=np.float32)
    samples = samples.copy()
    samples[:count] *= ramp
    samples[len(samples) - count :] *= ramp[::-1]
    return samples


def shift_pitch(samples: Samples, ratio: float) -> Samples:
    """`ratio` times as high and 1/`ratio` as long: the sound of a smaller (above 1) or larger speaker. Exact band-limited
    resampling by way of the spectrum; expects quiet ends."""
    if ratio == 1.0 or len(samples) < 2:
        return samples
    length = max(2, round(len(samples) / ratio))
    spectrum = np.fft.rfft(samples.astype(np.float64))
    shorter = np.zeros(length // 2 + 1, dtype=np.complex128)
    count = min(len(spectrum), len(shorter))
    shorter[:count] = spectrum[:count]
    return (np.fft.irfft(shorter, length) * (length / len(samples))).astype(np.float32)


class WavWriter:
    """A mono 16-bit WAV file that is written piece by piece. A context manager."""

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

"""A given recording of a voice, for models that speak with it."""

from __future__ import annotations

import wave
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from pipelines.base import BadInput
from pipelines.media.audio.reader import SAMPLE_RATE, read_blocks
from pipelines.speech.audio.samples import Samples, normalize_level, speech_bounds

FIELD = "audio.narrator_sample"
MIN_SECONDS, MAX_SECONDS = 3.0, 30.0
"""Seconds of speech that a voice can be told from; what is beyond is not listened to."""
_MAX_READ_SECONDS = 120.0  # seconds


def load_voice_sample(inputs: Mapping[str, Sequence[Path]]) -> Samples | None:
    """The speech of the input `sample`, mono at 48 kHz, levelled, without the quiet around it; None where none was given.
    Raises BadInput for what is no recording of a voice."""
    paths = inputs.get("voice_sample")
    if not paths:
        return None
    parts, length = [], 0
    for block in read_blocks(paths[0], FIELD):
        parts.append(block.mean(axis=1, dtype=np.float32))
        length += len(block)
        if length >= _MAX_READ_SECONDS * SAMPLE_RATE:
            break
    samples = normalize_level(np.concatenate(parts))
    first, end = speech_bounds(samples, SAMPLE_RATE)
    if end - first < MIN_SECONDS * SAMPLE_RATE:
        raise BadInput(FIELD, f"has less than {MIN_SECONDS:g} seconds of speech.", "Give 5 to 30 seconds of one voice.")
    return samples[first : min(end, first + round(MAX_SECONDS * SAMPLE_RATE))]


def write_wav(samples: Samples, path: Path) -> Path:
    """The same as a WAV file of 48 kHz, for models that take a file."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(np.clip(np.rint(samples.astype(np.float64) * 32767), -32768, 32767).astype("<i2").tobytes())
    return path

"""Recording of a voice, for models with voice cloning."""

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
"""Range of the seconds of speech in a recording; longer recordings are truncated."""
_MAX_READ_SECONDS = 120.0  # seconds


def load_voice_sample(inputs: Mapping[str, Sequence[Path]]) -> Samples | None:
    """Return the speech of the input `voice_sample`, mono at 48 kHz, normalized and trimmed; None without this input.

    Raises BadInput for a file that is no audio, or has less than `MIN_SECONDS` of speech.
    """
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
    """Write the samples as a 48 kHz WAV file, for models that take a file."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(np.clip(np.rint(samples.astype(np.float64) * 32767), -32768, 32767).astype("<i2").tobytes())
    return path

"""Mastering: audio of a model → `music.wav`, 48 kHz stereo, normalized, as long as the film, with a fade-out."""

from __future__ import annotations

import wave
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from pipelines.base import BadInput
from pipelines.media.timeline import Timeline
from pipelines.music.arrangement import RATE, apply_fades, normalize_level
from pipelines.music.beats import Stereo

_BLOCK_SAMPLES = RATE


def film_length_samples(inputs: Mapping[str, Sequence[Path]]) -> int:
    """Return the length of the film in samples at 48 kHz. Raises BadInput without a timeline."""
    if not inputs.get("timeline"):
        raise BadInput("timeline", "the score needs the film's timeline.")
    timeline = Timeline.model_validate_json(inputs["timeline"][0].read_text("utf-8"))
    return (timeline.frames * RATE + timeline.fps // 2) // timeline.fps


def to_stereo(music: Stereo) -> Stereo:
    """Return float32 audio of shape (samples, 1) or (samples, channels) as (samples, 2)."""
    return np.ascontiguousarray(np.broadcast_to(music, (len(music), 2)) if music.shape[1] == 1 else music[:, :2])


def resample(music: Stereo, rate: int) -> Stereo:
    """Resample audio of shape (samples, 2) from `rate` to 48 kHz."""
    if rate == RATE:
        return music
    import av

    resampler = av.AudioResampler(format="flt", layout="stereo", rate=RATE)
    blocks: list[Stereo] = []
    for start in range(0, len(music), _BLOCK_SAMPLES):
        block = np.ascontiguousarray(music[start : start + _BLOCK_SAMPLES], np.float32)
        frame = av.AudioFrame.from_ndarray(block.reshape(1, -1), format="flt", layout="stereo")
        frame.sample_rate, frame.pts = rate, start
        blocks += [one.to_ndarray().reshape(-1, 2) for one in resampler.resample(frame)]
    blocks += [one.to_ndarray().reshape(-1, 2) for one in resampler.resample(None)]
    return np.concatenate(blocks) if blocks else np.zeros((0, 2), np.float32)


def fit_to_length(music: Iterable[Stereo], length: int) -> Iterator[Stereo]:
    """Yield blocks of exactly `length` samples with fades; music that is too short is padded with silence."""
    return apply_fades(_pad_with_silence(music, length), length)


def write_wav(music: Iterable[Stereo], path: Path) -> None:
    """Blocks at 48 kHz → a WAV file of 16 bits."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        for block in music:
            pcm = np.clip(np.rint(block.astype(np.float64) * 32767.0), -32768, 32767).astype("<i2")
            file.writeframesraw(pcm.tobytes())


def master(music: Stereo, rate: int) -> Stereo:
    """One piece of music, made ready: two channels at 48 kHz at the house's level."""
    return normalize_level(resample(to_stereo(music), rate))


def _pad_with_silence(music: Iterable[Stereo], length: int) -> Iterator[Stereo]:
    done = 0
    for block in music:
        done += len(block)
        yield block
    while done < length:
        done += _BLOCK_SAMPLES
        yield np.zeros((_BLOCK_SAMPLES, 2), np.float32)

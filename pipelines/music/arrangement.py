"""Arrangement: joins short tracks on the beat to music of any length that ends with a fade-out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle

import numpy as np

from pipelines.music.beats import Stereo, detect_beats

RATE = 48_000
_BEATS_PER_BAR = 4  # beats
_FADE_IN, _FADE_OUT = 0.25, 2.5  # seconds
_TARGET_RMS, _MAX_PEAK = 0.1, 0.9  # RMS and maximum peak of a normalized track, of full scale


@dataclass(frozen=True, slots=True)
class Passage:
    """Track cut to bars.

    `music` starts at its first beat. The next passage enters at `exit_sample`, over `crossfade_samples` samples.
    """

    music: Stereo
    exit_sample: int
    crossfade_samples: int


def cut_to_bars(music: Stereo) -> Passage:
    """Cut a track to complete bars, from its first beat to the last bar that leaves one bar for the crossfade."""
    beat_grid = detect_beats(music, RATE)
    start = round(beat_grid.first)
    music = normalize_level(music[start:])
    crossfade = round(beat_grid.period * _BEATS_PER_BAR)
    bars = int((len(music) - crossfade) // (beat_grid.period * _BEATS_PER_BAR))
    if bars < 1:
        return Passage(music, exit_sample=len(music) // 2, crossfade_samples=len(music) - len(music) // 2)
    return Passage(music, exit_sample=round(bars * beat_grid.period * _BEATS_PER_BAR), crossfade_samples=crossfade)


def arrange_tracks(tracks: Sequence[str], open_track: Callable[[str], Stereo], length: int) -> Iterator[Stereo]:
    """Yield blocks of exactly `length` samples in total: the tracks in sequence, from the first again after the last.

    At most two tracks are in memory at a time.
    """
    yield from apply_fades(_crossfade_tracks(tracks, open_track), length)


def _crossfade_tracks(tracks: Sequence[str], open_track: Callable[[str], Stereo]) -> Iterator[Stereo]:
    tail: Stereo | None = None
    for name in cycle(tracks):
        part = cut_to_bars(open_track(name))
        begin = 0
        if tail is not None:
            begin = min(len(tail), part.exit_sample)
            yield _crossfade(tail[:begin], part.music[:begin])
        yield part.music[begin : part.exit_sample]
        tail = part.music[part.exit_sample : part.exit_sample + part.crossfade_samples]


def apply_fades(blocks: Iterator[Stereo], length: int) -> Iterator[Stereo]:
    """Yield the first `length` samples with a short fade-in and a fade-out to silence."""
    fade_out = min(round(_FADE_OUT * RATE), length // 2)
    fade_in = min(round(_FADE_IN * RATE), length // 4)
    position = 0
    while position < length:
        block = next(blocks)[: length - position]
        at = np.arange(position, position + len(block))
        gain = np.ones(len(block), np.float32)
        if position < fade_in:
            gain *= np.sin(np.pi / 2 * np.minimum(1.0, at / fade_in)).astype(np.float32) ** 2
        if position + len(block) > length - fade_out:
            gain *= (
                np.cos(np.pi / 2 * np.clip((at - (length - 1 - fade_out)) / fade_out, 0.0, 1.0)).astype(np.float32) ** 2
            )
        yield block * gain[:, None]
        position += len(block)


def _crossfade(old: Stereo, new: Stereo) -> Stereo:
    """Return an equal-power crossfade of two signals of the same length."""
    angle = np.linspace(0.0, np.pi / 2, len(old), dtype=np.float32)[:, None]
    return np.asarray(old * np.cos(angle) + new * np.sin(angle), np.float32)


def normalize_level(music: Stereo) -> Stereo:
    """Return the music at an RMS of 0.1, lower if its peak would exceed 0.9. Silence stays silence."""
    level = float(np.sqrt(np.mean(np.square(music, dtype=np.float64))))
    peak = float(np.abs(music).max(initial=0.0))
    if peak < 1e-4:
        return music
    return np.asarray(music * np.float32(min(_TARGET_RMS / level, _MAX_PEAK / peak)), np.float32)

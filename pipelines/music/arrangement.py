"""Tracks of half a minute → music of any length: one track flows into the next on the beat, and the end fades away."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle

import numpy as np

from pipelines.music.beats import Stereo, beats

RATE = 48_000
_BAR = 4  # beats
_FADE_IN, _FADE_OUT = 0.25, 2.5  # seconds
_LEVEL, _PEAK = 0.1, 0.9  # root mean square and highest peak of a levelled track


@dataclass(frozen=True, slots=True)
class Passage:
    """A track made ready: `music` from its first beat, to be left at sample `leave`, where the next comes in over `blend`
    samples."""

    music: Stereo
    leave: int
    blend: int


def passage(music: Stereo) -> Passage:
    """Cut a track to whole bars: from its first beat to the last bar that leaves a bar for the blend."""
    pulse = beats(music, RATE)
    start = round(pulse.first)
    music = levelled(music[start:])
    blend = round(pulse.period * _BAR)
    bars = int((len(music) - blend) // (pulse.period * _BAR))
    if bars < 1:
        return Passage(music, leave=len(music) // 2, blend=len(music) - len(music) // 2)
    return Passage(music, leave=round(bars * pulse.period * _BAR), blend=blend)


def arrange(tracks: Sequence[str], open_track: Callable[[str], Stereo], length: int) -> Iterator[Stereo]:
    """Blocks that together are exactly `length` samples: the tracks one after the other, again from the first when all have
    been played. Two tracks at most are in memory."""
    yield from faded(_endless(tracks, open_track), length)


def _endless(tracks: Sequence[str], open_track: Callable[[str], Stereo]) -> Iterator[Stereo]:
    tail: Stereo | None = None
    for name in cycle(tracks):
        part = passage(open_track(name))
        begin = 0
        if tail is not None:
            begin = min(len(tail), part.leave)
            yield _blended(tail[:begin], part.music[:begin])
        yield part.music[begin : part.leave]
        tail = part.music[part.leave : part.leave + part.blend]


def faded(blocks: Iterator[Stereo], length: int) -> Iterator[Stereo]:
    """The first `length` samples, with a short fade-in, and a fade-out that ends in silence."""
    fade_out = min(round(_FADE_OUT * RATE), length // 2)
    fade_in = min(round(_FADE_IN * RATE), length // 4)
    place = 0
    while place < length:
        block = next(blocks)[: length - place]
        at = np.arange(place, place + len(block))
        gain = np.ones(len(block), np.float32)
        if place < fade_in:
            gain *= np.sin(np.pi / 2 * np.minimum(1.0, at / fade_in)).astype(np.float32) ** 2
        if place + len(block) > length - fade_out:
            gain *= (
                np.cos(np.pi / 2 * np.clip((at - (length - 1 - fade_out)) / fade_out, 0.0, 1.0)).astype(np.float32) ** 2
            )
        yield block * gain[:, None]
        place += len(block)


def _blended(old: Stereo, new: Stereo) -> Stereo:
    """From one to the other at equal power."""
    angle = np.linspace(0.0, np.pi / 2, len(old), dtype=np.float32)[:, None]
    return np.asarray(old * np.cos(angle) + new * np.sin(angle), np.float32)


def levelled(music: Stereo) -> Stereo:
    """The same music at the house's level, with room for its peaks; silence stays silence."""
    level = float(np.sqrt(np.mean(np.square(music, dtype=np.float64))))
    peak = float(np.abs(music).max(initial=0.0))
    if peak < 1e-4:
        return music
    return np.asarray(music * np.float32(min(_LEVEL / level, _PEAK / peak)), np.float32)

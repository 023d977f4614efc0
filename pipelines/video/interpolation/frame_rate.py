"""Frames of a film out of a clip that has another rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Protocol

from pipelines.media.codec.frames import MAX_SLOWDOWN, fitted_frames
from pipelines.media.codec.probe import open_clip
from pipelines.media.codec.yuv import Planes
from pipelines.media.timeline import SceneTiming
from pipelines.video.interpolation import warp
from pipelines.video.interpolation.warp import Floats

FRAME_TOLERANCE = 0.04
"""Parts of a clip's frame: a moment so near to a frame of the clip is that frame."""


class FlowFunction(Protocol):
    """Two pictures as `warp.downscale` gives them → flow (height, width, 4) and mask (height, width) of the moment `time`, 0…1."""

    def __call__(self, before: Floats, after: Floats, time: float) -> tuple[Floats, Floats]: ...


@dataclass(frozen=True, slots=True)
class FrameRate:
    """A clip with evenly spaced frames: `fps` a second, `count` in all."""

    fps: int
    count: int

    @classmethod
    def from_clip(cls, path: Path) -> FrameRate | None:
        """None where the frames are not evenly spaced, or not a whole number of them a second (29.97 is told as 30)."""
        with open_clip(path) as container:
            stream = container.streams.video[0]
            times = sorted(packet.pts for packet in container.demux(stream) if packet.size and packet.pts is not None)
            tick = Fraction(stream.time_base)
        gaps = [after - before for before, after in pairwise(times)]
        if not gaps or max(gaps) - min(gaps) > max(1, min(gaps) // 50):
            return None
        fps = float(len(gaps) / ((times[-1] - times[0]) * tick))
        return cls(round(fps), len(times)) if round(fps) and abs(fps - round(fps)) < 0.05 else None

    def covers_exactly(self, timing: SceneTiming) -> bool:
        """Whether every frame of the scene is one of the clip's, at the clip's own pace."""
        return self.fps % timing.fps == 0 and self._slowdown(timing) == 1

    def frame_positions(self, timing: SceneTiming) -> Iterator[float]:
        """For each frame of the scene where it lies among the clip's frames, counted from 0. Each frame stands for the time it is
        shown, so middle lies on middle. A clip that is too short is slowed down (up to `MAX_SLOWDOWN`), then held."""
        pace = self.fps / (timing.fps * self._slowdown(timing))
        for number in range(timing.frames):
            yield min(max((number + 0.5) * pace - 0.5, 0.0), self.count - 1.0)

    def frames(
        self,
        path: Path,
        numbers: Iterable[int],
        timing: SceneTiming,
        size: tuple[int, int],
        flow: FlowFunction,
        warn: Callable[[str], None],
    ) -> Iterator[Planes]:
        """The frames `numbers` of the scene (ascending), of `size` (width, height)."""
        missing = timing.seconds - self.count / self.fps * self._slowdown(timing)
        if missing > 0.5:
            warn(f"the clip is too short for its scene: its last picture is held for {missing:.1f} s")
        own = SceneTiming(fps=self.fps, frames=self.count)
        film = enumerate(fitted_frames(path, 0, self.count, own, *size, warn))
        known: dict[int, Planes] = {}
        moments = list(self.frame_positions(timing))
        for number in numbers:
            before = math.floor(moments[number] + FRAME_TOLERANCE)
            share = max(moments[number] - before, 0.0)
            after = before if share < FRAME_TOLERANCE else min(before + 1, self.count - 1)
            while after not in known:
                found, frame = next(film)
                known = {place: kept for place, kept in known.items() if place >= before} | {found: frame}
            yield known[before] if after == before else interpolate(known[before], known[after], share, flow)

    def _slowdown(self, timing: SceneTiming) -> float:
        return min(max(timing.seconds * self.fps / self.count, 1.0), MAX_SLOWDOWN)


def interpolate(before: Planes, after: Planes, share: float, flow: FlowFunction) -> Planes:
    """The frame `share`, 0…1, of the way from one to the other; the nearer of them where they show different things."""
    small = warp.downscale(before), warp.downscale(after)
    way, mask = flow(*small, share)
    if warp.similarity(*small, way) < warp.MIN_SIMILARITY:
        return before if share < 0.5 else after
    return warp.interpolate((before, after), small, way, mask, share)

"""Conversion of the frame rate of a clip by interpolation."""

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
"""Distance in frames of the clip below which a frame of the clip is used without interpolation."""


class FlowFunction(Protocol):
    """The interface of `FlowNetwork.__call__`: two images of `warp.downscale` and a time, 0 to 1 → flow and mask."""

    def __call__(self, before: Floats, after: Floats, time: float) -> tuple[Floats, Floats]: ...


@dataclass(frozen=True, slots=True)
class FrameRate:
    """The frame rate of a clip with evenly spaced frames. `count`: number of its frames."""

    fps: int
    count: int

    @classmethod
    def from_clip(cls, path: Path) -> FrameRate | None:
        """Return the frame rate of a clip; None when its frames are unevenly spaced or its rate is not integer.

        29.97 fps counts as 30 fps. Raises BadInput when the file is not a readable video.
        """
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
        """Return whether each frame of the scene is a frame of the clip at its original speed."""
        return self.fps % timing.fps == 0 and self._slowdown(timing) == 1

    def frame_positions(self, timing: SceneTiming) -> Iterator[float]:
        """Yield the position of each frame of the scene in frames of the clip, from 0.

        The centres of the frames' display times are aligned. A clip that is too short is slowed down (up to
        `MAX_SLOWDOWN`), then its last frame is held.
        """
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
        """Yield the frames `numbers` (ascending) of the scene in `size` (width, height)."""
        missing = timing.seconds - self.count / self.fps * self._slowdown(timing)
        if missing > 0.5:
            warn(f"the clip is too short for its scene: its last frame is held for {missing:.1f} s")
        clip_timing = SceneTiming(fps=self.fps, frames=self.count)
        decoded = enumerate(fitted_frames(path, 0, self.count, clip_timing, *size, warn))
        buffer: dict[int, Planes] = {}  # frames of the clip by index
        positions = list(self.frame_positions(timing))
        for number in numbers:
            before = math.floor(positions[number] + FRAME_TOLERANCE)
            progress = max(positions[number] - before, 0.0)
            after = before if progress < FRAME_TOLERANCE else min(before + 1, self.count - 1)
            while after not in buffer:
                index, frame = next(decoded)
                buffer = {other: kept for other, kept in buffer.items() if other >= before} | {index: frame}
            yield buffer[before] if after == before else interpolate(buffer[before], buffer[after], progress, flow)

    def _slowdown(self, timing: SceneTiming) -> float:
        return min(max(timing.seconds * self.fps / self.count, 1.0), MAX_SLOWDOWN)


def interpolate(before: Planes, after: Planes, progress: float, flow: FlowFunction) -> Planes:
    """Return the frame at `progress`, 0 to 1, between two frames; the nearer frame when they show different things."""
    small = warp.downscale(before), warp.downscale(after)
    flow_field, mask = flow(*small, progress)
    if warp.similarity(*small, flow_field) < warp.MIN_SIMILARITY:
        return before if progress < 0.5 else after
    return warp.interpolate((before, after), small, flow_field, mask, progress)

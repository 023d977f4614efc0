"""Any clip as the frames of a scene: exact count, size, rate and colour."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from av.error import FFmpegError
from av.video.frame import VideoFrame

from pipelines.base import BadInput
from pipelines.media.codec.encoder import BT709, LIMITED_RANGE
from pipelines.media.codec.probe import open_clip
from pipelines.media.codec.yuv import Planes, black_frame, split_planes
from pipelines.media.timeline import SceneTiming

MAX_SLOWDOWN = 1.25
"""A clip that is too short is slowed down at most so much; then its last frame is held."""
_MATRICES = {1: BT709, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}  # AVCOL_SPC → SWS_CS; others are guessed by size
_FULL_RANGE = 2  # AVCOL_RANGE_JPEG

Warn = Callable[[str], None]


def exact_frames(path: Path, first: int, last: int, timing: SceneTiming) -> Iterator[Planes]:
    """Frames `first` to before `last` of a clip that `Encoder` made for this scene; starts at the group before `first`."""
    with open_clip(path, header_only=True) as container:
        stream = container.streams.video[0]
        stream.thread_count = 1
        tick = Fraction(1, timing.fps) / stream.time_base
        container.seek(int(first * tick), stream=stream)
        for frame in container.decode(stream):
            number = int(frame.pts / tick)
            if number >= last:
                return
            if number >= first:
                yield np.asarray(frame.to_ndarray(), np.uint8)


def fitted_frames(
    path: Path, first: int, last: int, timing: SceneTiming, width: int, height: int, warn: Warn
) -> Iterator[Planes]:
    """Frames `first` to before `last` of any clip, made to fit the scene.

    Upright and with square pixels; scaled to cover the frame and cut in the middle; bt709, limited range, 8 bit; each frame
    is the one that the clip shows at that time. A clip that is too long is cut; one that is too short is slowed down
    (up to `MAX_SLOWDOWN`), then its last frame is held. Raises BadInput when nothing can be decoded.
    """
    length = _duration(path)
    slow = min(max(timing.seconds / length, 1.0), MAX_SLOWDOWN) if length else 1.0
    missing = timing.seconds - length * slow
    if missing > 0.5:
        warn(
            f"the clip is {length:.1f} s long, its scene {timing.seconds:.1f} s: its last picture is held for {missing:.1f} s"
        )
    fit = _FrameFitter(width, height, _pixel_aspect(path))
    number, shown = 0, None
    for second, frame in _decode(path):
        # frame `number` shows what the clip shows in the middle of that frame's time
        while shown is not None and number < timing.frames and (number + 0.5) / timing.fps < second * slow:
            if number >= last:
                return
            if number >= first:
                yield fit(shown)
            number += 1
        shown = frame
    if shown is None:
        raise BadInput("clip", "holds no picture that can be decoded.")
    for held in range(number, last):
        if held >= first:
            yield fit(shown)


def fit_inside(path: Path, width: int, height: int) -> tuple[int, int]:
    """The largest even size within `width` × `height` in which the whole clip can be seen undistorted. Raises BadInput when nothing
    can be decoded."""
    for _, frame in _decode(path):
        shown = (frame.width * _pixel_aspect(path), float(frame.height))
        wide, high = shown if round(frame.rotation / 90) % 2 == 0 else shown[::-1]
        scale = min(width / wide, height / high)
        return tuple(min(limit, max(2, 2 * round(side * scale / 2))) for side, limit in ((wide, width), (high, height)))  # type: ignore[return-value]
    raise BadInput("clip", "holds no picture that can be decoded.")


def letterbox(frames: Iterator[Planes], width: int, height: int) -> Iterator[Planes]:
    """Frames in the middle of a larger, black frame."""
    for planes in frames:
        picture = black_frame(width, height)
        luma, *_ = split_planes(planes)
        y, x = (
            (outer - inner) // 4 for outer, inner in zip((height, width), luma.shape, strict=True)
        )  # in pixels of colour
        for source, target, step in zip(split_planes(planes), split_planes(picture), (2, 1, 1), strict=True):
            rows, columns = source.shape
            target[step * y : step * y + rows, step * x : step * x + columns] = source
        yield picture


class _FrameFitter:
    """One decoded frame → `Planes` of the frame's size; the last result is kept, since frames are often shown twice."""

    def __init__(self, width: int, height: int, aspect: float) -> None:
        self._width, self._height, self._aspect = width, height, aspect
        self._frame: VideoFrame | None = None
        self._planes: Planes = black_frame(width, height)

    def __call__(self, frame: VideoFrame) -> Planes:
        if frame is not self._frame:
            self._planes, self._frame = self._fit(frame), frame
        return self._planes

    def _fit(self, frame: VideoFrame) -> Planes:
        turns = round(frame.rotation / 90) % 4
        shown = (frame.width * self._aspect, float(frame.height))
        wide, high = shown if turns % 2 == 0 else shown[::-1]
        scale = max(self._width / wide, self._height / high)
        across, down = (_round_up_even(side * scale) for side in shown)
        known = _MATRICES.get(frame.colorspace, BT709 if frame.height >= 720 or frame.width >= 1280 else 5)
        scaled = frame.reformat(
            across,
            down,
            "yuv420p",
            src_colorspace=known,
            dst_colorspace=BT709,
            src_color_range=_FULL_RANGE
            if frame.color_range == _FULL_RANGE or frame.format.name.startswith("yuvj")
            else LIMITED_RANGE,
            dst_color_range=LIMITED_RANGE,
            interpolation="AREA" if scale < 1 else "BICUBIC",
        )
        return self._crop(np.asarray(scaled.to_ndarray(), np.uint8), turns)

    def _crop(self, planes: Planes, turns: int) -> Planes:
        result = black_frame(self._width, self._height)
        for source, target in zip(split_planes(planes), split_planes(result), strict=True):
            turned = np.rot90(source, turns)
            rows, columns = target.shape
            y, x = (turned.shape[0] - rows) // 2, (turned.shape[1] - columns) // 2
            target[:] = turned[y : y + rows, x : x + columns]
        return result


def _decode(path: Path) -> Iterator[tuple[float, VideoFrame]]:
    """(second since the first frame, frame). A damaged end is the end."""
    with open_clip(path) as container:
        stream = container.streams.video[0]
        stream.thread_count = 1
        begin: float | None = None
        try:
            for count, frame in enumerate(container.decode(stream)):
                second = frame.time if frame.time is not None else count / float(stream.average_rate or 25)
                begin = second if begin is None else begin
                yield second - begin, frame
        except FFmpegError:
            return


def _duration(path: Path) -> float:
    """How long the clip is shown: to the end of its last frame, by its packets."""
    with open_clip(path) as container:
        stream = container.streams.video[0]
        times = [
            (float(packet.pts * stream.time_base), float((packet.duration or 0) * stream.time_base))
            for packet in container.demux(stream)
            if packet.pts is not None and packet.size
        ]
        if not times:
            return 0.0
        begin, (end, duration) = min(times)[0], max(times)
        return end - begin + (duration or 1 / float(stream.average_rate or 25))


def _pixel_aspect(path: Path) -> float:
    """Width of a pixel over its height."""
    with open_clip(path) as container:
        stream = container.streams.video[0]
        aspect = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
        return float(aspect) if aspect and aspect > 0 else 1.0


def _round_up_even(side: float) -> int:
    return max(2, math.ceil(round(side, 3) / 2) * 2)


def scene_frames(
    path: Path, first: int, last: int, timing: SceneTiming, width: int, height: int, exact: bool, warn: Warn
) -> Iterator[Planes]:
    """Frames `first` to before `last` of a scene's clip; `exact` when the house's encoder made it for this scene."""
    if exact:
        return exact_frames(path, first, last, timing)
    return fitted_frames(path, first, last, timing, width, height, warn)

"""The frames of a scene from any clip, with exact count, size, rate and colour.

Frames are `Planes`: yuv420p, bt709, limited range (see `pipelines.media.codec.yuv`).
"""

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
"""Largest factor by which a clip that is too short is slowed down. After that its last frame is held."""
_MATRICES = {1: BT709, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}  # AVCOL_SPC → SWS_CS; for others the size decides
_FULL_RANGE = 2  # AVCOL_RANGE_JPEG

Warn = Callable[[str], None]


def exact_frames(path: Path, first: int, last: int, timing: SceneTiming) -> Iterator[Planes]:
    """Yield frames `first` to before `last` of a clip that `Encoder` wrote for this scene.

    Decoding starts at the keyframe before `first`.
    """
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
    """Yield frames `first` to before `last` of any clip, fitted to the scene.

    Frames are upright with square pixels, scaled to cover `width` × `height` and cropped to the centre; bt709, limited
    range, 8 bit. Each frame is the one that the clip shows in the middle of the frame's time. A clip that is too long
    is cut. A clip that is too short is slowed down (up to `MAX_SLOWDOWN`), then its last frame is held; `warn` reports
    more than half a second of that. Raises BadInput when no frame can be decoded.
    """
    duration = _duration(path)
    slowdown = min(max(timing.seconds / duration, 1.0), MAX_SLOWDOWN) if duration else 1.0
    missing = timing.seconds - duration * slowdown
    if missing > 0.5:
        warn(
            f"the clip lasts {duration:.1f} s, its scene {timing.seconds:.1f} s: "
            f"the last frame is held for {missing:.1f} s"
        )
    fit = _FrameFitter(width, height, _pixel_aspect(path))
    number, shown = 0, None
    for second, frame in _decode(path):
        while shown is not None and number < timing.frames and (number + 0.5) / timing.fps < second * slowdown:
            if number >= last:
                return
            if number >= first:
                yield fit(shown)
            number += 1
        shown = frame
    if shown is None:
        raise BadInput("clip", "no frame can be decoded.")
    for held in range(number, last):
        if held >= first:
            yield fit(shown)


def fit_inside(path: Path, width: int, height: int) -> tuple[int, int]:
    """Return the largest even size within `width` × `height` that shows the uncropped clip without distortion.

    Raises BadInput when no frame can be decoded.
    """
    for _, frame in _decode(path):
        shown = (frame.width * _pixel_aspect(path), float(frame.height))
        wide, high = shown if round(frame.rotation / 90) % 2 == 0 else shown[::-1]
        scale = min(width / wide, height / high)
        return min(width, max(2, 2 * round(wide * scale / 2))), min(height, max(2, 2 * round(high * scale / 2)))
    raise BadInput("clip", "no frame can be decoded.")


def letterbox(frames: Iterator[Planes], width: int, height: int) -> Iterator[Planes]:
    """Yield each frame in the centre of a black frame of `width` × `height`."""
    for planes in frames:
        framed = black_frame(width, height)
        luma, *_ = split_planes(planes)
        # offsets in chroma pixels
        y, x = ((outer - inner) // 4 for outer, inner in zip((height, width), luma.shape, strict=True))
        for source, target, step in zip(split_planes(planes), split_planes(framed), (2, 1, 1), strict=True):
            rows, columns = source.shape
            target[step * y : step * y + rows, step * x : step * x + columns] = source
        yield framed


class _FrameFitter:
    """Conversion of decoded frames to `Planes` of one size. It caches the last result, since frames often repeat."""

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
        matrix = _MATRICES.get(frame.colorspace, BT709 if frame.height >= 720 or frame.width >= 1280 else 5)
        scaled = frame.reformat(
            across,
            down,
            "yuv420p",
            src_colorspace=matrix,
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
            upright = np.rot90(source, turns)
            rows, columns = target.shape
            y, x = (upright.shape[0] - rows) // 2, (upright.shape[1] - columns) // 2
            target[:] = upright[y : y + rows, x : x + columns]
        return result


def _decode(path: Path) -> Iterator[tuple[float, VideoFrame]]:
    """Yield (seconds since the first frame, frame). Stops at the first frame that cannot be decoded."""
    with open_clip(path) as container:
        stream = container.streams.video[0]
        stream.thread_count = 1
        start: float | None = None
        try:
            for count, frame in enumerate(container.decode(stream)):
                second = frame.time if frame.time is not None else count / float(stream.average_rate or 25)
                start = second if start is None else start
                yield second - start, frame
        except FFmpegError:
            return


def _duration(path: Path) -> float:
    """Return the seconds from the first frame to the end of the last one, by the timestamps of the packets."""
    with open_clip(path) as container:
        stream = container.streams.video[0]
        times = [
            (float(packet.pts * stream.time_base), float((packet.duration or 0) * stream.time_base))
            for packet in container.demux(stream)
            if packet.pts is not None and packet.size
        ]
        if not times:
            return 0.0
        start, (end, frame_duration) = min(times)[0], max(times)
        return end - start + (frame_duration or 1 / float(stream.average_rate or 25))


def _pixel_aspect(path: Path) -> float:
    """Return the pixel aspect ratio: the width of a pixel over its height."""
    with open_clip(path) as container:
        stream = container.streams.video[0]
        aspect = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
        return float(aspect) if aspect and aspect > 0 else 1.0


def _round_up_even(side: float) -> int:
    return max(2, math.ceil(round(side, 3) / 2) * 2)


def scene_frames(
    path: Path, first: int, last: int, timing: SceneTiming, width: int, height: int, exact: bool, warn: Warn
) -> Iterator[Planes]:
    """Return frames `first` to before `last` of a scene's clip. `exact`: `Encoder` wrote the clip for this scene."""
    if exact:
        return exact_frames(path, first, last, timing)
    return fitted_frames(path, first, last, timing, width, height, warn)

"""The one encoder: every part of a film is made by it, so that parts can be joined by copying.

Parts join because they have the same preset, quality, size, rate, colour tags and time base, and because every part is a
closed group of pictures with parameter sets that do not depend on its content (`stitchable`). x264 runs with one thread: the
machine is filled by parts being made side by side, and the same frames give the same bytes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, get_args

import av
import cv2
from av.video.frame import PictureType

from pipelines.base import BadInput
from pipelines.media.planes import Planes

Preset = Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower"]
BT709 = 1  # the number of bt709 in primaries, transfer and matrix alike (ITU-T H.273)
LIMITED = 1  # AVCOL_RANGE_MPEG
AVX_512F = 13  # CV_CPU_AVX_512F, which OpenCV's Python module does not name


@dataclass(frozen=True, slots=True)
class Coding:
    """How the film is coded. All parts of one film must be made with the same."""

    preset: Preset = "veryfast"
    crf: float = 18.0

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> Self:
        """The settings in a model's options (`preset`, `crf`). Raises BadInput."""
        preset, crf = options.get("preset", cls().preset), options.get("crf", cls().crf)
        if preset not in get_args(Preset):
            raise BadInput("options.preset", f"{preset!r} is unknown.", f"Known: {', '.join(get_args(Preset))}.")
        if not isinstance(crf, int | float) or not 0 < crf <= 40:
            raise BadInput("options.crf", f"{crf!r} must be a number above 0, at most 40.", "18 is visually lossless.")
        return cls(preset, float(crf))


def track_timescale(fps: int) -> int:
    """Ticks per second of the track: a multiple of the frame rate, at least 10000 (12288 at 24 frames a second)."""
    scale = fps
    while scale < 10_000:
        scale *= 2
    return scale


def require_even(width: int, height: int) -> None:
    """4:2:0 pictures have even sides. Raises BadInput."""
    if width % 2 or height % 2:
        raise BadInput("width/height", f"{width}×{height}: video needs even sides.", "Choose the next even number.")


class Encoder:
    """Writes one part: `with Encoder(path, …) as encoder: encoder.write(planes)`.

    `idr` holds the numbers of the frames that start a closed group of pictures, where the part can be cut without being
    encoded again; frame 0 always does.
    """

    def __init__(
        self, path: Path, width: int, height: int, fps: int, coding: Coding, idr: Collection[int] = frozenset()
    ) -> None:
        require_even(width, height)
        self._idr = frozenset(idr)
        self._written = 0
        self._container = av.open(str(path), "w", format="mp4", options=container_options(fps))
        self._stream = self._container.add_stream("libx264", rate=fps, options=_x264_options(coding))
        context = self._stream.codec_context
        context.width, context.height, context.pix_fmt = width, height, "yuv420p"
        context.color_primaries = context.color_trc = context.colorspace = BT709
        context.color_range = LIMITED
        context.sample_aspect_ratio = 1
        context.thread_count = 1

    def write(self, planes: Planes) -> None:
        """Append one frame."""
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        frame.pts = self._written
        frame.color_range, frame.colorspace = LIMITED, BT709
        if self._written in self._idr:
            frame.pict_type = PictureType.I
        for packet in self._stream.encode(frame):
            self._container.mux(packet)
        self._written += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            for packet in self._stream.encode(None):
                self._container.mux(packet)
        self._container.close()


def container_options(fps: int) -> dict[str, str]:
    """Options of the mp4 muxer for every part: one time base, no dates, no names of libraries."""
    return {"fflags": "+bitexact", "video_track_timescale": str(track_timescale(fps))}


def _x264_options(coding: Coding) -> dict[str, str]:
    return {
        "preset": coding.preset,
        "crf": f"{coding.crf:g}",
        "forced-idr": "1",
        "x264-params": f"open-gop=0:stitchable=1:threads=1{_steady_code()}",
    }


@cache
def _steady_code() -> str:
    """x264's AVX-512 code reads memory that it has not written (macroblock tree, core 165): the same frames then give other
    bytes now and then. Its AVX2 code does not; the difference in speed is below what can be measured."""
    return ":asm=avx2,fma3,bmi2,lzcnt" if cv2.checkHardwareSupport(AVX_512F) else ""

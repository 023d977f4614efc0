"""The one encoder: every part of a film is made by it, so that parts can be joined by copying.

Parts join because they have the same preset, quality, size, rate, colour tags and time base, and because every part is a
closed group of pictures with parameter sets that do not depend on its content (`stitchable`). x264 runs with one thread: the
machine is filled by parts being made side by side, and the same frames give the same bytes.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import cv2
import numpy as np
from av.video.frame import PictureType

from pipelines.base import BadInput
from pipelines.media.codec.encoding_options import EncodingOptions
from pipelines.media.codec.yuv import Planes, split_planes

BT709 = 1  # the number of bt709 in primaries, transfer and matrix alike (ITU-T H.273)
LIMITED_RANGE = 1  # AVCOL_RANGE_MPEG
FAST_ZONE_OPTIONS = "subme=1,me=dia,ref=1,trellis=0,partitions=none"
"""x264's search at its shortest that a stream can come back from (`subme=0` cannot be left again). The headers stay the same."""
AVX_512F = 13  # CV_CPU_AVX_512F, which OpenCV's Python module does not name


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
    encoded again; frame 0 always does. `fast_ranges` are frames that are looked at for less long: as good, but larger.
    """

    def __init__(
        self,
        path: Path,
        width: int,
        height: int,
        fps: int,
        encoding: EncodingOptions,
        idr: Collection[int] = frozenset(),
        fast_ranges: Sequence[range] = (),
    ) -> None:
        require_even(width, height)
        self._idr = frozenset(idr)
        self._written = 0
        self._container = av.open(str(path), "w", format="mp4", options=container_options(fps))
        self._stream = self._container.add_stream("libx264", rate=fps, options=x264_options(encoding, fast_ranges))
        context = self._stream.codec_context
        context.width, context.height, context.pix_fmt = width, height, "yuv420p"
        context.color_primaries = context.color_trc = context.colorspace = BT709
        context.color_range = LIMITED_RANGE
        context.sample_aspect_ratio = 1
        context.thread_count = 1
        # x264 copies what it is given: one frame serves for all, and no memory is asked for while coding
        self._frame = av.VideoFrame(width, height, "yuv420p")
        self._frame.color_range, self._frame.colorspace = LIMITED_RANGE, BT709
        self._planes = [
            np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]
            for plane in self._frame.planes
        ]

    def write(self, planes: Planes) -> None:
        """Append one frame. `planes` may be written anew afterwards."""
        for target, source in zip(self._planes, split_planes(planes), strict=True):
            target[:] = source
        self._frame.pts = self._written
        self._frame.pict_type = PictureType.I if self._written in self._idr else PictureType.NONE
        for packet in self._stream.encode(self._frame):
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


def x264_options(encoding: EncodingOptions, fast_ranges: Sequence[range] = ()) -> dict[str, str]:
    """Options of libx264 for every part, as ffmpeg names them."""
    zones = "/".join(f"{frames.start},{frames.stop - 1},{FAST_ZONE_OPTIONS}" for frames in fast_ranges if frames)
    return {
        "preset": encoding.preset,
        "crf": f"{encoding.crf:g}",
        "forced-idr": "1",
        "x264-params": f"open-gop=0:stitchable=1:threads=1{_asm_option()}{zones and f':zones={zones}'}",
    }


@cache
def _asm_option() -> str:
    """x264's AVX-512 code reads memory that it has not written (macroblock tree, core 165): the same frames then give other
    bytes now and then. Its AVX2 code does not; the difference in speed is below what can be measured."""
    return ":asm=avx2,fma3,bmi2,lzcnt" if cv2.checkHardwareSupport(AVX_512F) else ""

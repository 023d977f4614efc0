"""The H.264 encoder of all segments of a film. Its segments can be joined without encoding them again.

All segments have the same preset, quality, size, frame rate, colour tags and time base. Each is a closed group of
pictures (GOP), and x264's option `stitchable` keeps its parameter sets independent of its content. x264 runs with one
thread, so that the same frames give the same bytes; several segments are encoded in parallel instead.
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

BT709 = 1  # the code of bt709 for primaries, transfer and matrix (ITU-T H.273)
LIMITED_RANGE = 1  # AVCOL_RANGE_MPEG
FAST_ZONE_OPTIONS = "subme=1,me=dia,ref=1,trellis=0,partitions=none"
"""The fastest x264 settings that a zone may set without a change of the headers. `subme=0` cannot be changed back later
in the stream."""
AVX_512F = 13  # CV_CPU_AVX_512F; OpenCV's Python module has no constant for it


def track_timescale(fps: int) -> int:
    """Return the ticks per second of the track: a multiple of `fps`, at least 10000 (12288 at 24 fps)."""
    scale = fps
    while scale < 10_000:
        scale *= 2
    return scale


def require_even(width: int, height: int) -> None:
    """Check that both sides are even, as 4:2:0 chroma needs. Raises BadInput."""
    if width % 2 or height % 2:
        raise BadInput("width/height", f"{width}×{height}: both sides must be even.", "Use the next even number.")


class Encoder:
    """Writer of one segment: H.264 in mp4, yuv420p, bt709, limited range.

    Use it as a context manager: `with Encoder(path, …) as encoder: encoder.write(planes)`. `idr` holds the numbers of
    the frames that start a closed GOP; there the segment can be cut without encoding it again. Frame 0 always starts
    one. The frames of `fast_ranges` get a shorter motion search: the same quality, more bytes. Raises BadInput when a
    side is odd.
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
        # x264 copies its input, so one frame buffer serves all frames
        self._frame = av.VideoFrame(width, height, "yuv420p")
        self._frame.color_range, self._frame.colorspace = LIMITED_RANGE, BT709
        self._planes = [
            np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]
            for plane in self._frame.planes
        ]

    def write(self, planes: Planes) -> None:
        """Append one frame. `planes` is copied; the caller may overwrite it afterwards."""
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
    """Return the options of the mp4 muxer: a fixed time base, no dates, no library names."""
    return {"fflags": "+bitexact", "video_track_timescale": str(track_timescale(fps))}


def x264_options(encoding: EncodingOptions, fast_ranges: Sequence[range] = ()) -> dict[str, str]:
    """Return the options of libx264 under ffmpeg's names."""
    zones = "/".join(f"{frames.start},{frames.stop - 1},{FAST_ZONE_OPTIONS}" for frames in fast_ranges if frames)
    return {
        "preset": encoding.preset,
        "crf": f"{encoding.crf:g}",
        "forced-idr": "1",
        "x264-params": f"open-gop=0:stitchable=1:threads=1{_asm_option()}{zones and f':zones={zones}'}",
    }


@cache
def _asm_option() -> str:
    """Return the x264 parameter that restricts x264 to AVX2 on CPUs with AVX-512, else an empty text.

    x264's AVX-512 code (core 165, macroblock tree) reads uninitialised memory, so that the same frames sometimes give
    different bytes. The AVX2 code does not, and its speed shows no measurable difference.
    """
    return ":asm=avx2,fma3,bmi2,lzcnt" if cv2.checkHardwareSupport(AVX_512F) else ""

"""A picture without depth, made ready to be looked at by a moving camera, and the frames that it sees."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipelines.base import BadInput
from pipelines.media.codec.yuv import Planes, blank, split, yuv444
from pipelines.video.animatic.camera_path import Stage
from pipelines.video.animatic.resampling import continued, sample

Matrix = NDArray[np.float64]
DENSITY = 1.5
"""Pixels of a prepared picture per pixel of the frame: a move between pixels then neither softens nor shimmers."""
CHROMA = np.array([[2.0, 0, 0], [0, 2, 0.5], [0, 0, 1]])
"""Where a pixel of a chroma plane lies among those of the frame: every second one, sited left."""


@dataclass(frozen=True, slots=True)
class Flat:
    """`luma` has `DENSITY` pixels per pixel of the frame, each of the two `chromas` half as many, all `continued`. The stage has one
    depth."""

    stage: Stage
    luma: Planes
    chromas: tuple[Planes, Planes]

    def film(self, path: Iterable[Sequence[Matrix]]) -> Iterator[Planes]:
        """The frames that the camera sees. One buffer: each frame is valid until the next is asked for."""
        picture = blank(self.stage.width, self.stage.height)
        y, u, v = split(picture)
        before: Matrix | None = None
        for (view,) in path:
            if before is None or not np.array_equal(view, before):
                sample(self.luma, _within(view, DENSITY), y)
                half = _within(view @ CHROMA, DENSITY / 2)
                for chroma, target in zip(self.chromas, (u, v), strict=True):
                    sample(chroma, half, target)
            before = view
            yield picture


def flat(keyframe: Path, width: int, height: int, closest: float) -> Flat:
    """A picture cut to the frame's shape from its middle. `closest`: the largest zoom that it will be seen at, up to which
    pixels beyond the frame's own are kept."""
    rgb = read_picture(keyframe, cv2.IMREAD_COLOR_RGB)
    rows, columns = rgb.shape[:2]
    scale = min(columns / width, rows / height)
    across, down = round(width * scale), round(height * scale)
    x, y = (columns - across) // 2, (rows - down) // 2
    rgb = np.ascontiguousarray(rgb[y : y + down, x : x + across])
    kept = min(scale, closest)
    if kept < scale:
        rgb = cv2.resize(rgb, (round(width * kept), round(height * kept)), interpolation=cv2.INTER_AREA)
    luma, *chromas = cv2.split(yuv444(rgb))
    u, v = (continued(_resized(chroma, width * DENSITY / 2, height * DENSITY / 2)) for chroma in chromas)
    stage = Stage(width, height, 0, (0.5, 0.5), (1.0,))
    return Flat(stage, continued(_resized(luma, width * DENSITY, height * DENSITY)), (u, v))


def read_picture(path: Path, mode: int) -> Planes:
    """The pixels of a picture, as OpenCV's `mode` says. Raises BadInput."""
    pixels = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), mode)
    if pixels is None:
        raise BadInput("keyframe", "is not a picture that can be read.")
    return np.asarray(pixels, np.uint8)


def _resized(plane: Planes, width: float, height: float) -> Planes:
    size = round(width), round(height)
    smooth = cv2.INTER_AREA if size[0] < plane.shape[1] else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(plane, size, interpolation=smooth), np.uint8)


def _within(matrix: Matrix, density: float) -> Matrix:
    """Pixel of the frame's size → pixel of a plane with `density` pixels for each, both counted from the centre of the first."""
    local = matrix * density
    local[:, 2] += 0.5 * density - 0.5
    return local

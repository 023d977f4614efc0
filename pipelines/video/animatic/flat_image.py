"""A picture without depth, made ready to be looked at by a moving camera, and the frames that it sees."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipelines.base import BadInput
from pipelines.media.codec.yuv import Planes, black_frame, rgb_to_yuv444, split_planes
from pipelines.video.animatic.camera_path import SceneGeometry
from pipelines.video.animatic.resampling import pad_plane, resample

Matrix = NDArray[np.float64]
OVERSAMPLING = 1.5
"""Pixels of a prepared picture per pixel of the frame: a move between pixels then neither softens nor shimmers."""
CHROMA_TRANSFORM = np.array([[2.0, 0, 0], [0, 2, 0.5], [0, 0, 1]])
"""Where a pixel of a chroma plane lies among those of the frame: every second one, sited left."""


@dataclass(frozen=True, slots=True)
class FlatImage:
    """`luma` has `OVERSAMPLING` pixels per pixel of the frame, each of the two `chromas` half as many, all after `pad_plane`. The stage has one
    depth."""

    geometry: SceneGeometry
    luma: Planes
    chromas: tuple[Planes, Planes]

    def frames(self, matrices: Iterable[Sequence[Matrix]]) -> Iterator[Planes]:
        """The frames that the camera sees. One buffer: each frame is valid until the next is asked for."""
        picture = black_frame(self.geometry.width, self.geometry.height)
        y, u, v = split_planes(picture)
        before: Matrix | None = None
        for (view,) in matrices:
            if before is None or not np.array_equal(view, before):
                resample(self.luma, _to_plane_pixels(view, OVERSAMPLING), y)
                half = _to_plane_pixels(view @ CHROMA_TRANSFORM, OVERSAMPLING / 2)
                for chroma, target in zip(self.chromas, (u, v), strict=True):
                    resample(chroma, half, target)
            before = view
            yield picture


def load_flat_image(keyframe: Path, width: int, height: int, max_zoom: float) -> FlatImage:
    """A picture cut to the frame's shape from its middle. `max_zoom`: the largest zoom that it will be seen at, up to which
    pixels beyond the frame's own are kept."""
    rgb = read_image(keyframe, cv2.IMREAD_COLOR_RGB)
    rows, columns = rgb.shape[:2]
    scale = min(columns / width, rows / height)
    across, down = round(width * scale), round(height * scale)
    x, y = (columns - across) // 2, (rows - down) // 2
    rgb = np.ascontiguousarray(rgb[y : y + down, x : x + across])
    kept = min(scale, max_zoom)
    if kept < scale:
        rgb = cv2.resize(rgb, (round(width * kept), round(height * kept)), interpolation=cv2.INTER_AREA)
    luma, *chromas = cv2.split(rgb_to_yuv444(rgb))
    u, v = (pad_plane(_resize(chroma, width * OVERSAMPLING / 2, height * OVERSAMPLING / 2)) for chroma in chromas)
    stage = SceneGeometry(width, height, 0, (0.5, 0.5), (1.0,))
    return FlatImage(stage, pad_plane(_resize(luma, width * OVERSAMPLING, height * OVERSAMPLING)), (u, v))


def read_image(path: Path, mode: int) -> Planes:
    """The pixels of a picture, as OpenCV's `mode` says. Raises BadInput."""
    pixels = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), mode)
    if pixels is None:
        raise BadInput("keyframe", "is not a picture that can be read.")
    return np.asarray(pixels, np.uint8)


def _resize(plane: Planes, width: float, height: float) -> Planes:
    size = round(width), round(height)
    smooth = cv2.INTER_AREA if size[0] < plane.shape[1] else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(plane, size, interpolation=smooth), np.uint8)


def _to_plane_pixels(matrix: Matrix, density: float) -> Matrix:
    """Pixel of the frame's size → pixel of a plane with `density` pixels for each, both counted from the centre of the first."""
    local = matrix * density
    local[:, 2] += 0.5 * density - 0.5
    return local

"""An image without layers, prepared for a moving camera, and the frames of that camera."""

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
"""Pixels of a prepared image per pixel of the frame. They prevent blur and shimmer in moves of fractions of a pixel."""
CHROMA_TRANSFORM = np.array([[2.0, 0, 0], [0, 2, 0.5], [0, 0, 1]])
"""Matrix from a pixel of a 4:2:0 chroma plane to a pixel of the frame: half size, sited left."""


@dataclass(frozen=True, slots=True)
class FlatImage:
    """A padded image without layers.

    `luma` has `OVERSAMPLING` pixels per pixel of the frame, `chromas` (U and V) have half of that. All planes are
    results of `pad_plane`. The geometry has one depth.
    """

    geometry: SceneGeometry
    luma: Planes
    chromas: tuple[Planes, Planes]

    def frames(self, matrices: Iterable[Sequence[Matrix]]) -> Iterator[Planes]:
        """Yield the frame of each matrix. All frames share one buffer: each is valid until the next one."""
        frame = black_frame(self.geometry.width, self.geometry.height)
        y, u, v = split_planes(frame)
        previous: Matrix | None = None
        for (matrix,) in matrices:
            if previous is None or not np.array_equal(matrix, previous):
                resample(self.luma, _to_plane_pixels(matrix, OVERSAMPLING), y)
                chroma_matrix = _to_plane_pixels(matrix @ CHROMA_TRANSFORM, OVERSAMPLING / 2)
                for chroma, target in zip(self.chromas, (u, v), strict=True):
                    resample(chroma, chroma_matrix, target)
            previous = matrix
            yield frame


def load_flat_image(keyframe: Path, width: int, height: int, max_zoom: float) -> FlatImage:
    """Load an image, cropped to the aspect ratio of the frame around its centre.

    `max_zoom`: the largest zoom of the camera; detail beyond it is discarded. Raises BadInput for an unreadable image.
    """
    rgb = read_image(keyframe, cv2.IMREAD_COLOR_RGB)
    rows, columns = rgb.shape[:2]
    scale = min(columns / width, rows / height)
    across, down = round(width * scale), round(height * scale)
    x, y = (columns - across) // 2, (rows - down) // 2
    rgb = np.ascontiguousarray(rgb[y : y + down, x : x + across])
    density = min(scale, max_zoom)
    if density < scale:
        rgb = cv2.resize(rgb, (round(width * density), round(height * density)), interpolation=cv2.INTER_AREA)
    luma, *chromas = cv2.split(rgb_to_yuv444(rgb))
    u, v = (pad_plane(_resize(chroma, width * OVERSAMPLING / 2, height * OVERSAMPLING / 2)) for chroma in chromas)
    geometry = SceneGeometry(width, height, 0, (0.5, 0.5), (1.0,))
    return FlatImage(geometry, pad_plane(_resize(luma, width * OVERSAMPLING, height * OVERSAMPLING)), (u, v))


def read_image(path: Path, mode: int) -> Planes:
    """Return the pixels of an image file in OpenCV's `mode`, uint8. Raises BadInput when the file is not an image."""
    pixels = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), mode)
    if pixels is None:
        raise BadInput("keyframe", "the file is not a readable image.")
    return np.asarray(pixels, np.uint8)


def _resize(plane: Planes, width: float, height: float) -> Planes:
    size = round(width), round(height)
    interpolation = cv2.INTER_AREA if size[0] < plane.shape[1] else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(plane, size, interpolation=interpolation), np.uint8)


def _to_plane_pixels(matrix: Matrix, density: float) -> Matrix:
    """Return the matrix with its results in pixels of a plane that has `density` pixels per pixel of the frame."""
    scaled = matrix * density
    scaled[:, 2] += 0.5 * density - 0.5
    return scaled

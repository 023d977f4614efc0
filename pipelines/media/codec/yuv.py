"""The one form of a picture between decoder, camera, bridge and encoder: yuv420p, bt709, limited range, chroma sited left.

A `Planes` is the uint8 array (height * 3 / 2, width) that video codecs know as I420: Y, then U, then V, each plane whole.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Planes = NDArray[np.uint8]

# bt709: full-range RGB → limited-range Y, U, V; the last column is the offset.
RGB_TO_YUV = np.array(
    [
        [0.182586, 0.614231, 0.062007, 16.0],
        [-0.100644, -0.338572, 0.439216, 128.0],
        [0.439216, -0.398942, -0.040274, 128.0],
    ],
    np.float64,
)


def black_frame(width: int, height: int) -> Planes:
    """A black picture."""
    picture = np.full((height * 3 // 2, width), 128, np.uint8)
    picture[:height] = 16
    return picture


def split_planes(planes: Planes) -> tuple[Planes, Planes, Planes]:
    """Views of Y (height, width), U and V (height / 2, width / 2): writing into them writes into the picture."""
    width = planes.shape[1]
    height = planes.shape[0] * 2 // 3
    chroma = planes.reshape(-1)[height * width :].reshape(2, height // 2, width // 2)
    return planes[:height], chroma[0], chroma[1]


def downsample_chroma(full: Planes, out: Planes) -> None:
    """A chroma plane at full size → at half size, sited left: [1 2 1] across, two rows averaged."""
    size = (out.shape[1], out.shape[0])
    shifted = np.empty_like(full)
    shifted[:, 1:] = full[:, :-1]
    shifted[:, 0] = full[:, 0]
    right = cv2.resize(full, size, interpolation=cv2.INTER_AREA)
    left = cv2.resize(shifted, size, interpolation=cv2.INTER_AREA)
    cv2.addWeighted(left, 0.5, right, 0.5, 0, dst=out)


def rgb_to_yuv444(rgb: Planes) -> Planes:
    """(height, width, 3) RGB → (height, width, 3) YUV at full chroma size."""
    return np.asarray(cv2.transform(rgb, RGB_TO_YUV), np.uint8)


def rgb_to_planes(rgb: Planes) -> Planes:
    """(height, width, 3) RGB with even sides → `Planes`."""
    height, width = rgb.shape[:2]
    picture = black_frame(width, height)
    y, u, v = split_planes(picture)
    full = rgb_to_yuv444(rgb)
    y[:] = full[..., 0]
    downsample_chroma(np.ascontiguousarray(full[..., 1]), u)
    downsample_chroma(np.ascontiguousarray(full[..., 2]), v)
    return picture

"""The frame format between decoder, camera, transition and encoder: yuv420p, bt709, limited range, chroma sited left.

`Planes` is a uint8 array of shape (height * 3 / 2, width) in the layout I420: all of Y, then all of U, then all of V.
Limited range: Y 16 to 235, U and V 16 to 240 with 128 as neutral.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Planes = NDArray[np.uint8]

# Full-range RGB (0 to 255) → limited-range Y, U, V (ITU-R BT.709); the last column is the offset.
RGB_TO_YUV = np.array(
    [
        [0.182586, 0.614231, 0.062007, 16.0],
        [-0.100644, -0.338572, 0.439216, 128.0],
        [0.439216, -0.398942, -0.040274, 128.0],
    ],
    np.float64,
)


def black_frame(width: int, height: int) -> Planes:
    """Return a black frame (Y 16, U and V 128)."""
    planes = np.full((height * 3 // 2, width), 128, np.uint8)
    planes[:height] = 16
    return planes


def split_planes(planes: Planes) -> tuple[Planes, Planes, Planes]:
    """Return views of Y (height, width), U and V (height / 2, width / 2). Writes to a view change `planes`."""
    width = planes.shape[1]
    height = planes.shape[0] * 2 // 3
    chroma = planes.reshape(-1)[height * width :].reshape(2, height // 2, width // 2)
    return planes[:height], chroma[0], chroma[1]


def downsample_chroma(full: Planes, out: Planes) -> None:
    """Write a full-size chroma plane into `out` at half size, sited left.

    The filter is [1 2 1] / 4 across and the mean of two rows down.
    """
    size = (out.shape[1], out.shape[0])
    shifted = np.empty_like(full)
    shifted[:, 1:] = full[:, :-1]
    shifted[:, 0] = full[:, 0]
    right = cv2.resize(full, size, interpolation=cv2.INTER_AREA)
    left = cv2.resize(shifted, size, interpolation=cv2.INTER_AREA)
    cv2.addWeighted(left, 0.5, right, 0.5, 0, dst=out)


def rgb_to_yuv444(rgb: Planes) -> Planes:
    """Convert full-range RGB to limited-range YUV 4:4:4; both uint8 of shape (height, width, 3)."""
    return np.asarray(cv2.transform(rgb, RGB_TO_YUV), np.uint8)


def rgb_to_planes(rgb: Planes) -> Planes:
    """Convert full-range RGB, uint8 of shape (height, width, 3) with even sides, to `Planes`."""
    height, width = rgb.shape[:2]
    planes = black_frame(width, height)
    y, u, v = split_planes(planes)
    full = rgb_to_yuv444(rgb)
    y[:] = full[..., 0]
    downsample_chroma(np.ascontiguousarray(full[..., 1]), u)
    downsample_chroma(np.ascontiguousarray(full[..., 2]), v)
    return planes

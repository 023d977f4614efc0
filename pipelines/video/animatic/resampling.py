"""A plane of a picture as a moving camera sees it: between the pixels, at the cost of a plain change of size where that will do."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from pipelines.media.codec.yuv import Planes

PADDING = 56
"""Pixels by which a plane is continued beyond its edges, so that any grid of `_GRID_OFFSETS` lies within it up to 1.5 pixels a step."""
_GRID_OFFSETS = np.arange(32)
_GRID_TOLERANCE = 1 / 32
"""Of a pixel of the plane: how far a grid may lie beside the one wished for. Nobody sees a fiftieth of a pixel of the frame."""


def pad_plane(plane: Planes) -> Planes:
    """A plane with its edges repeated `PADDING` pixels outwards, as `resample` wants it."""
    return np.asarray(
        cv2.copyMakeBorder(np.ascontiguousarray(plane), PADDING, PADDING, PADDING, PADDING, cv2.BORDER_REPLICATE),
        np.uint8,
    )


def resample(plane: Planes, view: NDArray[np.float64], out: Planes) -> None:
    """Write into `out` what lies at `view` (2×3: pixel of `out` → pixel of the plane before it was continued), linearly between pixels.

    OpenCV changes sizes three times as fast as it warps, but only on grids that begin half a step from a whole pixel. A grid that
    begins some steps earlier has another rest, and so there nearly always is one that meets the pixels wished for.
    """
    (across, skew, x), (tilt, down, y) = view
    if not (skew or tilt):
        rows, columns = out.shape
        column, row = _grid(across, x, columns, plane.shape[1]), _grid(down, y, rows, plane.shape[0])
        if column and row:
            (along, left), (high, top) = column, row
            seen = cv2.resize(plane[high, along], None, fx=1 / across, fy=1 / down, interpolation=cv2.INTER_LINEAR)
            out[:] = seen[top : top + rows, left : left + columns]
            return
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    local = view + np.array([[0, 0, PADDING], [0, 0, PADDING]])
    cv2.warpAffine(plane, local, out.shape[::-1], dst=out, flags=flags, borderMode=cv2.BORDER_REPLICATE)


def _grid(step: float, first: float, count: int, length: int) -> tuple[slice, int] | None:
    """Which pixels of a continued line of `length` to bring to another size, for `count` pixels of the result to lie at `first` and
    every `step` from there on, and how many of the result come before them. None: no grid is near enough."""
    begins = first + PADDING + 0.5 - (_GRID_OFFSETS + 0.5) * step
    whole = np.rint(begins)
    before = int(np.argmin(np.abs(begins - whole)))
    begin = int(whole[before])
    end = begin + math.ceil((before + count) * step) + 1
    near = abs(begins[before] - begin) <= _GRID_TOLERANCE
    return (slice(begin, end), before) if near and begin >= 0 and end <= length else None

"""Resampling of a plane by an affine transform, by a resize instead of a warp where the transform allows it."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from pipelines.media.codec.yuv import Planes

PADDING = 56
"""Pixels of padding on each side of a plane. Grids of all `_GRID_OFFSETS` fit into it for steps of up to 1.5 pixels."""
_GRID_OFFSETS = np.arange(32)
_GRID_TOLERANCE = 1 / 32
"""Largest distance between the used grid and the requested one, in pixels of the plane: 1/48 pixel of the frame, which
is not visible."""


def pad_plane(plane: Planes) -> Planes:
    """Return a plane with `PADDING` pixels of its edge repeated on each side, as `resample` needs it."""
    return np.asarray(
        cv2.copyMakeBorder(np.ascontiguousarray(plane), PADDING, PADDING, PADDING, PADDING, cv2.BORDER_REPLICATE),
        np.uint8,
    )


def resample(plane: Planes, matrix: NDArray[np.float64], out: Planes) -> None:
    """Write the plane under an affine transform into `out`, with linear interpolation.

    `plane`: uint8, padded by `pad_plane`. `matrix`: 2×3, pixel of `out` → pixel of the plane before padding. OpenCV
    resizes three times as fast as it warps, but its grids start half a step from an integer pixel. A grid that starts
    some steps earlier has another fraction, so that nearly always one matches the requested pixels within
    `_GRID_TOLERANCE`.
    """
    (step_x, skew_x, x), (skew_y, step_y, y) = matrix
    if not (skew_x or skew_y):
        rows, columns = out.shape
        column_grid = _grid(step_x, x, columns, plane.shape[1])
        row_grid = _grid(step_y, y, rows, plane.shape[0])
        if column_grid and row_grid:
            (source_columns, left), (source_rows, top) = column_grid, row_grid
            source = plane[source_rows, source_columns]
            resized = cv2.resize(source, None, fx=1 / step_x, fy=1 / step_y, interpolation=cv2.INTER_LINEAR)
            out[:] = resized[top : top + rows, left : left + columns]
            return
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    padded_matrix = matrix + np.array([[0, 0, PADDING], [0, 0, PADDING]])
    cv2.warpAffine(plane, padded_matrix, out.shape[::-1], dst=out, flags=flags, borderMode=cv2.BORDER_REPLICATE)


def _grid(step: float, first: float, count: int, length: int) -> tuple[slice, int] | None:
    """Return the pixels of a padded line to resize, and the number of leading results to skip.

    After that, `count` results lie at `first` and every `step` from there. `length`: pixels of the padded line. None
    when no grid is within `_GRID_TOLERANCE`.
    """
    starts = first + PADDING + 0.5 - (_GRID_OFFSETS + 0.5) * step
    rounded = np.rint(starts)
    skipped = int(np.argmin(np.abs(starts - rounded)))
    start = int(rounded[skipped])
    end = start + math.ceil((skipped + count) * step) + 1
    is_near = abs(starts[skipped] - start) <= _GRID_TOLERANCE
    return (slice(start, end), skipped) if is_near and start >= 0 and end <= length else None

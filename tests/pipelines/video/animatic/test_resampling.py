"""Resampling of a plane, compared with bilinear interpolation pixel by pixel."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.video.animatic import resampling
from pipelines.video.animatic.resampling import PADDING, pad_plane, resample

ROWS, COLUMNS = 90, 160


@pytest.fixture(scope="module")
def plane():
    noise = np.random.default_rng(3).integers(0, 255, (135, 240), dtype=np.uint8)
    soft = cv2.GaussianBlur(noise, (0, 0), 2.5)
    return np.asarray(cv2.normalize(soft, None, 0, 255, cv2.NORM_MINMAX), np.uint8)


def bilinear(plane, view):
    x, y = np.meshgrid(np.arange(COLUMNS), np.arange(ROWS))
    across, down = (row[0] * x + row[1] * y + row[2] for row in view)
    across, down = across.clip(0, plane.shape[1] - 1), down.clip(0, plane.shape[0] - 1)
    left, top = np.floor(across).astype(int), np.floor(down).astype(int)
    right, low = np.minimum(left + 1, plane.shape[1] - 1), np.minimum(top + 1, plane.shape[0] - 1)
    u, v = across - left, down - top
    pixels = plane.astype(np.float64)
    above = pixels[top, left] * (1 - u) + pixels[top, right] * u
    below = pixels[low, left] * (1 - u) + pixels[low, right] * u
    return above * (1 - v) + below * v


def resampled(plane, view):
    out = np.zeros((ROWS, COLUMNS), np.uint8)
    resample(pad_plane(plane), np.array(view, np.float64), out)
    return out


@settings(max_examples=60, deadline=None)
@given(zoom=st.floats(1, 1.2), x=st.floats(0, 1), y=st.floats(0, 1))
def test_zoom_and_shift_match_bilinear_interpolation(plane, zoom, x, y):
    step = 1.5 / zoom
    spare = 240 - COLUMNS * step, 135 - ROWS * step
    view = [[step, 0, x * spare[0]], [0, step, y * spare[1]]]
    error = np.abs(resampled(plane, view) - bilinear(plane, view))
    slope = max(int(np.abs(np.diff(plane.astype(int), axis=axis)).max()) for axis in (0, 1))
    assert error.max() <= 1 + slope / 16
    assert error.mean() < 0.5


@pytest.mark.parametrize("roll", [-0.02, 0.001, 0.3])
def test_roll_matches_bilinear_interpolation(plane, roll):
    cos, sin = 1.2 * np.cos(roll), 1.2 * np.sin(roll)
    view = [[cos, sin, 10], [-sin, cos, 12]]
    assert np.abs(resampled(plane, view) - bilinear(plane, view)).max() <= 1


def test_the_edge_pixels_repeat_beyond_the_edges(plane):
    view = [[1.5, 0, -20.0], [0, 1.5, 30.0]]
    assert np.abs(resampled(plane, view) - bilinear(plane, view)).max() <= 1
    far = [[1.5, 0, 4.0 * PADDING], [0, 1.5, -4.0 * PADDING]]
    assert np.abs(resampled(plane, far) - bilinear(plane, far)).max() <= 1


def test_most_steps_of_a_zoom_are_resized_instead_of_warped(plane, monkeypatch):
    warped = []
    monkeypatch.setattr(resampling.cv2, "warpAffine", lambda *given, **named: warped.append(1))
    for zoom in np.linspace(1.003, 1.1, 100):
        resampled(plane, [[1.5 / zoom, 0, 5 * zoom], [0, 1.5 / zoom, 3 * zoom]])
    assert len(warped) < 33

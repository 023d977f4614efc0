"""The path of a camera: its pose at each frame, and the affine transform of each layer of the image."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipelines.video.animatic.move_parser import CameraMove

EASE_RAMP = 0.28
"""Fraction of a move in which it accelerates, and in which it decelerates."""
FOCUS_OVERSHOOT = 1.6
"""Factor on the distance of the focus from the centre: a push in aims beyond the focus, so that the focus moves to the
centre."""
UNIFORM_ZOOM_SHARE = 0.35
"""Fraction of a zoom that enlarges all depths equally; the rest grows with depth."""
SWAY_WEIGHTS = (1.0, 0.45, 0.18)
"""Amplitudes of the slow, medium and fast wave of a handheld camera."""


@dataclass(frozen=True, slots=True)
class CameraPose:
    """The camera at one frame. Shifts are fractions of the frame width, `roll` is in radians, `zoom` is at least 1.

    `pan_*` shift all depths equally. `track_*` shift in proportion to the depth relative to `pivot`, which stays in
    place.
    """

    zoom: float = 1.0
    pan_x: float = 0.0
    pan_y: float = 0.0
    track_x: float = 0.0
    track_y: float = 0.0
    pivot: float = 0.0
    roll: float = 0.0


@dataclass(frozen=True, slots=True)
class SceneGeometry:
    """The geometry of an image.

    `width`, `height`: the frame in pixels. `margin`: pixels by which the layers exceed the frame on each side. `focus`:
    the goal of a push in, as fractions of the frame. `depths`: the depth of each layer.
    """

    width: int
    height: int
    margin: float
    focus: tuple[float, float]
    depths: Sequence[float]


def camera_poses(move: CameraMove, frames: int, fps: int, loop: int, seed: int) -> list[CameraPose]:
    """Return the camera pose at each frame. With `loop` above 1 the move runs that many times, forward and backward."""
    seconds = frames / fps / loop
    zoom = _clamp(0.016 * seconds, 0.03, 0.11) * move.pace * abs(move.zoom)
    shift = _clamp(0.011 * seconds, 0.022, 0.075) * move.pace
    damping = 1.0 if not move.zoom else 0.6  # shifts are smaller in combination with a zoom
    sway = _handheld_sway(seed) if move.handheld else None
    path: list[CameraPose] = []
    for frame in range(frames):
        progress = _ping_pong(frame / max(1, frames - 1), loop)
        side = (progress - 0.5) * shift * damping  # symmetric about the original view
        pose = CameraPose(
            zoom=1 + zoom * (progress if move.zoom > 0 else 1 - progress),
            pan_x=side * move.pan,
            pan_y=-side * move.tilt,
            track_x=side * (move.track + move.orbit),
            track_y=-side * move.crane,
            pivot=1.0 if move.orbit else 0.0,
        )
        if sway:
            x, y, roll = sway(frame / fps)
            amount = move.handheld
            pose = replace(
                pose, pan_x=pose.pan_x + x * amount, pan_y=pose.pan_y + y * amount, roll=pose.roll + roll * amount
            )
        path.append(pose)
    return path


def layer_matrices(path: Sequence[CameraPose], geometry: SceneGeometry) -> Iterator[list[NDArray[np.float64]]]:
    """Yield for each frame the 2×3 matrix of each layer: pixel of the frame → pixel of the layer.

    Both are pixel centres, relative to the corner of the frame. One enlargement of all layers over the whole path
    ensures that no frame shows the area beyond an edge.
    """
    enlargement = max(
        1.0, *(_required_enlargement(pose, depth, geometry) for pose in path for depth in geometry.depths)
    )
    for pose in path:
        yield [_frame_to_layer(pose, depth, geometry, enlargement) for depth in geometry.depths]


def ease(u: float) -> float:
    """Map progress 0..1 to 0..1 with a smooth start, constant speed and a smooth end.

    The speed at both ends is a smoothstep over `EASE_RAMP`.
    """
    if u < EASE_RAMP:
        v = u / EASE_RAMP
        return EASE_RAMP * (v**3 - v**4 / 2) / (1 - EASE_RAMP)
    if u > 1 - EASE_RAMP:
        return 1 - ease(1 - u)
    return (u - EASE_RAMP / 2) / (1 - EASE_RAMP)


def _ping_pong(u: float, loop: int) -> float:
    """Return the eased progress at time `u`, 0 to 1, of a move that runs `loop` times, forward and backward."""
    run, rest = divmod(u * loop, 1.0)
    progress = ease(rest) if u < 1 else ease(1.0)
    index = int(run) if u < 1 else loop - 1
    return progress if index % 2 == 0 else 1 - progress


def _clamp(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


def _handheld_sway(seed: int) -> Callable[[float], tuple[float, float, float]]:
    """Return a function from seconds to the (x, y, roll) of a handheld camera; each is a sum of three waves."""
    rng = random.Random(seed)  # noqa: S311 - visual variation, no secret
    rates = ((0.15, 0.3), (0.45, 0.7), (0.9, 1.3))
    waves = [[(2 * math.pi * rng.uniform(*rate), rng.uniform(0, 2 * math.pi)) for rate in rates] for _ in range(3)]

    def at(second: float) -> tuple[float, float, float]:
        x, y, roll = (
            sum(
                weight * math.sin(rate * second + phase)
                for weight, (rate, phase) in zip(SWAY_WEIGHTS, axis, strict=True)
            )
            for axis in waves
        )
        return 0.0042 * x, 0.0034 * y, 0.0019 * roll

    return at


def _layer_placement(pose: CameraPose, depth: float, geometry: SceneGeometry) -> tuple[float, float, float]:
    """Return the scale of a layer and its point (x, y) at the centre of the frame, before enlargement and roll."""
    scale = 1 + (pose.zoom - 1) * (UNIFORM_ZOOM_SHARE + (1 - UNIFORM_ZOOM_SHARE) * depth)
    distance = depth - pose.pivot
    x = _centre(geometry.width, geometry.focus[0], geometry.width * (pose.pan_x + pose.track_x * distance), scale)
    y = _centre(geometry.height, geometry.focus[1], geometry.width * (pose.pan_y + pose.track_y * distance), scale)
    return scale, x, y


def _centre(size: int, focus: float, shift: float, scale: float) -> float:
    """Return the coordinate of a layer at the centre of the frame, along an axis of `size` pixels."""
    goal = _clamp(0.5 + FOCUS_OVERSHOOT * (focus - 0.5), 0.05, 0.95) * (size - 1)
    return goal + ((size - 1) / 2 - goal + shift) / scale


def _required_enlargement(pose: CameraPose, depth: float, geometry: SceneGeometry) -> float:
    """Return the smallest enlargement at which the layer covers all corners of the frame."""
    scale, x, y = _layer_placement(pose, depth, geometry)
    cos, sin = math.cos(pose.roll), abs(math.sin(pose.roll))
    right, bottom = geometry.width - 1, geometry.height - 1
    across, down = (cos * right + sin * bottom) / 2 / scale, (cos * bottom + sin * right) / 2 / scale
    available_x, available_y = geometry.margin + min(x, right - x), geometry.margin + min(y, bottom - y)
    return max(across / max(available_x, 1.0), down / max(available_y, 1.0))


def _frame_to_layer(pose: CameraPose, depth: float, geometry: SceneGeometry, enlargement: float) -> NDArray[np.float64]:
    """Return the 2×3 matrix from a pixel of the frame to a pixel of the layer."""
    scale, x, y = _layer_placement(pose, depth, geometry)
    cos, sin = math.cos(pose.roll) / (scale * enlargement), math.sin(pose.roll) / (scale * enlargement)
    right, bottom = (geometry.width - 1) / 2, (geometry.height - 1) / 2
    return np.array(
        [[cos, sin, x - cos * right - sin * bottom], [-sin, cos, y + sin * right - cos * bottom]], np.float64
    )

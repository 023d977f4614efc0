"""A move over time: where the camera stands at each frame, and where that puts a layer of the picture."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipelines.video.animatic.move_parser import CameraMove

EASE_RAMP = 0.28  # share of a move in which it gathers speed, and again in which it loses it
FOCUS_OVERSHOOT = (
    1.6  # a push in goes to a point this much farther from the middle than its goal, so that the goal nears the middle
)
UNIFORM_ZOOM_SHARE = (
    0.35  # share of a zoom that enlarges every depth alike; the rest enlarges the near more than the far
)
SWAY_WEIGHTS = (1.0, 0.45, 0.18)  # how strong the slow, middle and quick wave of a hand are


@dataclass(frozen=True, slots=True)
class CameraPose:
    """The camera at one frame. Shifts are fractions of the frame's width; `roll` in radians; `zoom` ≥ 1.

    `pan_*` shift every depth alike, `track_*` shift by depth, measured from `pivot` (the depth that stays)."""

    zoom: float = 1.0
    pan_x: float = 0.0
    pan_y: float = 0.0
    track_x: float = 0.0
    track_y: float = 0.0
    pivot: float = 0.0
    roll: float = 0.0


@dataclass(frozen=True, slots=True)
class SceneGeometry:
    """What the camera looks at: frame size in pixels, how far the pictures reach beyond it, the goal of a push in (fractions
    of the frame), and the depths of the layers."""

    width: int
    height: int
    margin: float
    focus: tuple[float, float]
    depths: Sequence[float]


def camera_poses(move: CameraMove, frames: int, fps: int, loop: int, seed: int) -> list[CameraPose]:
    """The camera at each frame. With `loop` > 1 the move is made so often, to and fro."""
    seconds = frames / fps / loop
    zoom = _clamp(0.016 * seconds, 0.03, 0.11) * move.pace * abs(move.zoom)
    shift = _clamp(0.011 * seconds, 0.022, 0.075) * move.pace
    carry = 1.0 if not move.zoom else 0.6  # a move of two kinds goes less far in each
    sway = _handheld_sway(seed) if move.handheld else None
    path: list[CameraPose] = []
    for frame in range(frames):
        along = _ping_pong(frame / max(1, frames - 1), loop)
        side = (along - 0.5) * shift * carry  # symmetric about the picture as it was made
        pose = CameraPose(
            zoom=1 + zoom * (along if move.zoom > 0 else 1 - along),
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
    """For each frame and layer the 2×3 matrix frame → picture (pixel centres, both counted from the frame's corner).

    All pictures are enlarged together by as much as the farthest reach of the camera needs, so that no edge is uncovered.
    """
    enlarge = max(1.0, *(_enlargement(pose, depth, geometry) for pose in path for depth in geometry.depths))
    for pose in path:
        yield [_frame_to_layer(pose, depth, geometry, enlarge) for depth in geometry.depths]


def ease(u: float) -> float:
    """0..1 → 0..1: smooth start, even speed, smooth end (the speed itself is a smoothstep over `EASE_RAMP`)."""
    if u < EASE_RAMP:
        v = u / EASE_RAMP
        return EASE_RAMP * (v**3 - v**4 / 2) / (1 - EASE_RAMP)
    if u > 1 - EASE_RAMP:
        return 1 - ease(1 - u)
    return (u - EASE_RAMP / 2) / (1 - EASE_RAMP)


def _ping_pong(u: float, loop: int) -> float:
    leg, rest = divmod(u * loop, 1.0)
    along = ease(rest) if u < 1 else ease(1.0)
    index = int(leg) if u < 1 else loop - 1
    return along if index % 2 == 0 else 1 - along


def _clamp(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


def _handheld_sway(seed: int) -> Callable[[float], tuple[float, float, float]]:
    """Seconds → (x, y, roll) of a hand that holds a camera: three slow waves for each."""
    rng = random.Random(seed)  # noqa: S311 - a choice of taste, not a secret
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
    """Scale, and the picture's point that the middle of the frame shows (before enlargement and roll)."""
    scale = 1 + (pose.zoom - 1) * (UNIFORM_ZOOM_SHARE + (1 - UNIFORM_ZOOM_SHARE) * depth)
    away = depth - pose.pivot
    x = _centre(geometry.width, geometry.focus[0], geometry.width * (pose.pan_x + pose.track_x * away), scale)
    y = _centre(geometry.height, geometry.focus[1], geometry.width * (pose.pan_y + pose.track_y * away), scale)
    return scale, x, y


def _centre(size: int, focus: float, shift: float, scale: float) -> float:
    goal = _clamp(0.5 + FOCUS_OVERSHOOT * (focus - 0.5), 0.05, 0.95) * (size - 1)
    return goal + ((size - 1) / 2 - goal + shift) / scale


def _enlargement(pose: CameraPose, depth: float, geometry: SceneGeometry) -> float:
    """The least enlargement at which the picture covers every corner of the frame."""
    scale, x, y = _layer_placement(pose, depth, geometry)
    cos, sin = math.cos(pose.roll), abs(math.sin(pose.roll))
    right, bottom = geometry.width - 1, geometry.height - 1
    across, down = (cos * right + sin * bottom) / 2 / scale, (cos * bottom + sin * right) / 2 / scale
    room_x, room_y = geometry.margin + min(x, right - x), geometry.margin + min(y, bottom - y)
    return max(across / max(room_x, 1.0), down / max(room_y, 1.0))


def _frame_to_layer(pose: CameraPose, depth: float, geometry: SceneGeometry, enlarge: float) -> NDArray[np.float64]:
    scale, x, y = _layer_placement(pose, depth, geometry)
    cos, sin = math.cos(pose.roll) / (scale * enlarge), math.sin(pose.roll) / (scale * enlarge)
    right, bottom = (geometry.width - 1) / 2, (geometry.height - 1) / 2
    return np.array(
        [[cos, sin, x - cos * right - sin * bottom], [-sin, cos, y + sin * right - cos * bottom]], np.float64
    )

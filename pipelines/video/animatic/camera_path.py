"""A move over time: where the camera stands at each frame, and where that puts a layer of the picture."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipelines.video.animatic.move_parser import Move

RAMP = 0.28  # share of a move in which it gathers speed, and again in which it loses it
REACH = (
    1.6  # a push in goes to a point this much farther from the middle than its goal, so that the goal nears the middle
)
RIGID = 0.35  # share of a zoom that enlarges every depth alike; the rest enlarges the near more than the far
WAVES = (1.0, 0.45, 0.18)  # how strong the slow, middle and quick wave of a hand are


@dataclass(frozen=True, slots=True)
class Pose:
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
class Stage:
    """What the camera looks at: frame size in pixels, how far the pictures reach beyond it, the goal of a push in (fractions
    of the frame), and the depths of the layers."""

    width: int
    height: int
    margin: float
    focus: tuple[float, float]
    depths: Sequence[float]


def poses(move: Move, frames: int, fps: int, loop: int, seed: int) -> list[Pose]:
    """The camera at each frame. With `loop` > 1 the move is made so often, to and fro."""
    seconds = frames / fps / loop
    zoom = _within(0.016 * seconds, 0.03, 0.11) * move.pace * abs(move.zoom)
    shift = _within(0.011 * seconds, 0.022, 0.075) * move.pace
    carry = 1.0 if not move.zoom else 0.6  # a move of two kinds goes less far in each
    sway = _sway(seed) if move.handheld else None
    path: list[Pose] = []
    for frame in range(frames):
        along = _to_and_fro(frame / max(1, frames - 1), loop)
        side = (along - 0.5) * shift * carry  # symmetric about the picture as it was made
        pose = Pose(
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


def matrices(path: Sequence[Pose], stage: Stage) -> Iterator[list[NDArray[np.float64]]]:
    """For each frame and layer the 2×3 matrix frame → picture (pixel centres, both counted from the frame's corner).

    All pictures are enlarged together by as much as the farthest reach of the camera needs, so that no edge is uncovered.
    """
    enlarge = max(1.0, *(_enlargement(pose, depth, stage) for pose in path for depth in stage.depths))
    for pose in path:
        yield [_inverse(pose, depth, stage, enlarge) for depth in stage.depths]


def ease(u: float) -> float:
    """0..1 → 0..1: smooth start, even speed, smooth end (the speed itself is a smoothstep over `RAMP`)."""
    if u < RAMP:
        v = u / RAMP
        return RAMP * (v**3 - v**4 / 2) / (1 - RAMP)
    if u > 1 - RAMP:
        return 1 - ease(1 - u)
    return (u - RAMP / 2) / (1 - RAMP)


def _to_and_fro(u: float, loop: int) -> float:
    leg, rest = divmod(u * loop, 1.0)
    along = ease(rest) if u < 1 else ease(1.0)
    index = int(leg) if u < 1 else loop - 1
    return along if index % 2 == 0 else 1 - along


def _within(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


def _sway(seed: int) -> Callable[[float], tuple[float, float, float]]:
    """Seconds → (x, y, roll) of a hand that holds a camera: three slow waves for each."""
    dice = random.Random(seed)  # noqa: S311 - a choice of taste, not a secret
    rates = ((0.15, 0.3), (0.45, 0.7), (0.9, 1.3))
    waves = [[(2 * math.pi * dice.uniform(*rate), dice.uniform(0, 2 * math.pi)) for rate in rates] for _ in range(3)]

    def at(second: float) -> tuple[float, float, float]:
        x, y, roll = (
            sum(weight * math.sin(rate * second + phase) for weight, (rate, phase) in zip(WAVES, axis, strict=True))
            for axis in waves
        )
        return 0.0042 * x, 0.0034 * y, 0.0019 * roll

    return at


def _placed(pose: Pose, depth: float, stage: Stage) -> tuple[float, float, float]:
    """Scale, and the picture's point that the middle of the frame shows (before enlargement and roll)."""
    scale = 1 + (pose.zoom - 1) * (RIGID + (1 - RIGID) * depth)
    away = depth - pose.pivot
    x = _middle(stage.width, stage.focus[0], stage.width * (pose.pan_x + pose.track_x * away), scale)
    y = _middle(stage.height, stage.focus[1], stage.width * (pose.pan_y + pose.track_y * away), scale)
    return scale, x, y


def _middle(size: int, focus: float, shift: float, scale: float) -> float:
    goal = _within(0.5 + REACH * (focus - 0.5), 0.05, 0.95) * (size - 1)
    return goal + ((size - 1) / 2 - goal + shift) / scale


def _enlargement(pose: Pose, depth: float, stage: Stage) -> float:
    """The least enlargement at which the picture covers every corner of the frame."""
    scale, x, y = _placed(pose, depth, stage)
    cos, sin = math.cos(pose.roll), abs(math.sin(pose.roll))
    right, bottom = stage.width - 1, stage.height - 1
    across, down = (cos * right + sin * bottom) / 2 / scale, (cos * bottom + sin * right) / 2 / scale
    room_x, room_y = stage.margin + min(x, right - x), stage.margin + min(y, bottom - y)
    return max(across / max(room_x, 1.0), down / max(room_y, 1.0))


def _inverse(pose: Pose, depth: float, stage: Stage, enlarge: float) -> NDArray[np.float64]:
    scale, x, y = _placed(pose, depth, stage)
    cos, sin = math.cos(pose.roll) / (scale * enlarge), math.sin(pose.roll) / (scale * enlarge)
    right, bottom = (stage.width - 1) / 2, (stage.height - 1) / 2
    return np.array(
        [[cos, sin, x - cos * right - sin * bottom], [-sin, cos, y + sin * right - cos * bottom]], np.float64
    )

"""A frame between two frames, from where its pixels lie in both. What both show moves; what only one shows moves with what is
around it, and fades."""

from __future__ import annotations

from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from pipelines.media.codec.yuv import RGB_TO_YUV, Planes, split_planes

Floats = NDArray[np.float32]
Pixels = TypeVar("Pixels", Planes, Floats)

MAX_SIDE = 640
"""Motion is looked for in pictures whose longer side has at most so many pixels."""
SAME_PIXEL_THRESHOLD = 12.0
"""Two pixels are the same thing seen twice when their mean difference is at most so many steps of 255."""
MIN_SIMILARITY = 0.65
"""The share of the frame that two pictures must show both. Pictures of one place and light have 0.77 and more, others 0.46
and less; above the one nothing melts that should not, below the other everything does."""
CHANGED_THRESHOLD = 20.0
"""From here they are certainly two things."""
MASK_BLUR_SIGMA = 8.0
"""How far around such pixels their neighbours are doubted as well: standard deviation in pixels of the small picture."""
CLOSING_SIZE = 41
"""Between two such places so near to each other nothing is trusted: figures change as a whole. Pixels of the small picture, odd."""
CHANGE_NEIGHBOURHOOD = 97
"""Diameter, in pixels of the small picture, of the neighbourhood of a change."""
EDGE_STRENGTH = 100.0
"""Sobel units: how steep an edge is for half of the trust."""
FLOW_DEVIATION = 6.0
"""What moves so many pixels otherwise than the frame as a whole has half a say in how that moves."""
IRLS_ITERATIONS = 8
SMOOTHING_SIGMA = 64.0
"""Over how many pixels of the small picture the motion around a doubted place is averaged."""
DOWNSAMPLING = 8
"""Averages over such distances need only every eighth pixel."""


def downscale(planes: Planes) -> Floats:
    """The picture in which motion is looked for: (height, width, 3) RGB, 0…255."""
    height, width = planes.shape[0] * 2 // 3, planes.shape[1]
    share = min(1.0, MAX_SIDE / max(height, width))
    size = max(1, round(width * share)), max(1, round(height * share))
    yuv = np.dstack([cv2.resize(plane, size, interpolation=cv2.INTER_AREA) for plane in split_planes(planes)])
    inverse = np.linalg.inv(RGB_TO_YUV[:, :3])
    back = np.hstack([inverse, -inverse @ RGB_TO_YUV[:, 3:]])
    return np.asarray(np.clip(cv2.transform(yuv.astype(np.float32), back), 0, 255), np.float32)


def similarity(before: Floats, after: Floats, flow: Floats) -> float:
    """The share of the frame that both small pictures show, where `flow` (height, width, 4) looks for it in them."""
    return float(
        np.mean(_difference(_remap(before, flow[..., :2]), _remap(after, flow[..., 2:])) <= SAME_PIXEL_THRESHOLD)
    )


def interpolate(
    frames: tuple[Planes, Planes], pictures: tuple[Floats, Floats], flow: Floats, mask: Floats, share: float
) -> Planes:
    """The frame between two `frames`, whose small `pictures` gave `flow` (height, width, 4) and `mask` (height, width): where
    each of its pixels lies in both, and how much of it comes from the first. `share`, 0…1, is how far the second frame has come
    where the two show different things."""
    moved = _remap(pictures[0], flow[..., :2]), _remap(pictures[1], flow[..., 2:])
    other = _changed_mask(_difference(*moved))
    around = _smooth_flow(flow, _confidence(other) * _texture_weight(moved[0]))
    # Beside what changed, a motion of its own is what bends and melts: it is part of the change.
    beside = cv2.dilate(other, _ellipse(CHANGE_NEIGHBOURHOOD)) & (
        np.abs(flow - around).max(axis=2) > FLOW_DEVIATION
    ).astype(np.uint8)
    known = _confidence(other | beside)
    flow = known[..., None] * flow + (1 - known[..., None]) * around
    keep = known * mask + (1 - known) * np.float32(1 - share)
    result = np.empty_like(frames[0])
    for one, other, target in zip(*map(split_planes, frames), split_planes(result), strict=True):
        size = one.shape[1], one.shape[0]
        scale = np.array([one.shape[1] / mask.shape[1], one.shape[0] / mask.shape[0]] * 2, np.float32)
        way = cv2.resize(flow, size, interpolation=cv2.INTER_LINEAR) * scale
        part = np.clip(cv2.resize(keep, size, interpolation=cv2.INTER_LINEAR), 0, 1)
        target[:] = cv2.blendLinear(_remap(one, way[..., :2]), _remap(other, way[..., 2:]), part, 1 - part)
    return result


def _difference(one: Floats, other: Floats) -> Floats:
    """How much two pictures differ, pixel by pixel: 0…255."""
    return np.asarray(cv2.absdiff(one, other).mean(axis=2), np.float32)


def _texture_weight(picture: Floats) -> Floats:
    """1 where there is something to recognise, near 0 where a motion cannot be seen: on plain walls and in empty skies."""
    grey = cv2.GaussianBlur(picture.mean(axis=2), (0, 0), 1)
    steep = cv2.magnitude(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    return np.asarray(steep / (steep + EDGE_STRENGTH) + 1e-3, np.float32)


def _changed_mask(difference: Floats) -> Planes:
    """1 where the two pictures show different things, else 0; a thin line or a drop of rain is no thing."""
    return np.asarray(
        cv2.morphologyEx((difference > CHANGED_THRESHOLD).astype(np.uint8), cv2.MORPH_OPEN, _ellipse(3)), np.uint8
    )


def _confidence(changed: Planes) -> Floats:
    """1 where both pictures show the same, falling to 0 where they do not; what lies between two such places is one with them."""
    doubted = cv2.dilate(cv2.morphologyEx(changed, cv2.MORPH_CLOSE, _ellipse(CLOSING_SIZE)), _ellipse(9))
    return np.asarray(
        np.clip(1 - 1.6 * cv2.GaussianBlur(doubted.astype(np.float32), (0, 0), MASK_BLUR_SIGMA), 0, 1), np.float32
    )


def _ellipse(size: int) -> Planes:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)), np.uint8)


def _smooth_flow(flow: Floats, weight: Floats) -> Floats:
    """How each pixel would move with what is trusted around it (`weight`, 0…1): as the frame as a whole shifts, grows and shears,
    corrected by the mean of what its neighbours do otherwise. Least squares, reweighted by Cauchy's function."""
    height, width = weight.shape
    size = max(2, width // DOWNSAMPLING), max(2, height // DOWNSAMPLING)
    motion = cv2.resize(flow * weight[..., None], size, interpolation=cv2.INTER_AREA)
    weight = cv2.resize(weight, size, interpolation=cv2.INTER_AREA)[..., None]
    motion /= weight + 1e-6
    y, x = np.mgrid[-1 : 1 : size[1] * 1j, -1 : 1 : size[0] * 1j]
    place = np.stack([x, y, np.ones_like(x)], 2)
    trust = weight.astype(np.float64)
    frame = np.zeros_like(motion, np.float64)
    for _ in range(IRLS_ITERATIONS):
        equations = (place * trust).reshape(-1, 3)
        # A little is added, so that a frame of which nothing is trusted stands still.
        normal = equations.T @ place.reshape(-1, 3) + np.eye(3) * 1e-6
        frame = place @ np.linalg.solve(normal, equations.T @ motion.reshape(-1, 4))
        trust = weight / (1 + (np.square(motion - frame).sum(axis=2, keepdims=True)) / FLOW_DEVIATION**2)
    near = cv2.GaussianBlur(
        np.dstack([(motion - frame) * trust, trust]).astype(np.float32), (0, 0), SMOOTHING_SIGMA / DOWNSAMPLING
    )
    return np.asarray(cv2.resize(frame + near[..., :4] / (near[..., 4:] + 1e-2), (width, height)), np.float32)


def _remap(picture: Pixels, flow: Floats) -> Pixels:
    height, width = picture.shape[:2]
    columns, rows = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    return cv2.remap(  # type: ignore[no-any-return]
        picture, columns + flow[..., 0], rows + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )

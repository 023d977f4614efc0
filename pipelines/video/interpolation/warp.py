"""Synthesis of a frame between two frames from their flow.

Content of both frames moves. Content of only one frame fades and moves with its surroundings.
"""

from __future__ import annotations

from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from pipelines.media.codec.yuv import RGB_TO_YUV, Planes, split_planes

Floats = NDArray[np.float32]
Pixels = TypeVar("Pixels", Planes, Floats)

MAX_SIDE = 640
"""Longer side of the small images for flow estimation, in pixels. All pixel units below refer to the small images."""
SAME_PIXEL_THRESHOLD = 12.0
"""Largest mean difference of two pixels, 0 to 255, that show the same thing."""
MIN_SIMILARITY = 0.65
"""Smallest fraction of the frame that both images must show for interpolation. Measured: images of one place and light
have 0.77 and more, other pairs 0.46 and less, and those melt when they are interpolated."""
CHANGED_THRESHOLD = 20.0
"""Mean difference of two pixels, 0 to 255, above which they show different things."""
MASK_BLUR_SIGMA = 8.0
"""Standard deviation, in pixels, of the blur of changed regions; it lowers the confidence around them."""
CLOSING_SIZE = 41
"""Diameter, in pixels (odd), of the closing that joins nearby changed regions, since characters change as a whole."""
CHANGE_NEIGHBOURHOOD = 97
"""Diameter, in pixels, of the neighbourhood of a changed region."""
EDGE_STRENGTH = 100.0
"""Sobel gradient at which a pixel has half of the largest weight."""
FLOW_DEVIATION = 6.0
"""Deviation in pixels from the global motion at which a pixel has half of its weight in the fit (Cauchy scale)."""
IRLS_ITERATIONS = 8
"""Iterations of the reweighted least squares."""
SMOOTHING_SIGMA = 64.0
"""Standard deviation, in pixels, of the average of the motion around a region without confidence."""
DOWNSAMPLING = 8
"""Factor of downsampling before averages over such distances."""


def downscale(planes: Planes) -> Floats:
    """Return the small image for flow estimation: float32 RGB of shape (height, width, 3), full range, 0 to 255."""
    height, width = planes.shape[0] * 2 // 3, planes.shape[1]
    scale = min(1.0, MAX_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    yuv = np.dstack([cv2.resize(plane, size, interpolation=cv2.INTER_AREA) for plane in split_planes(planes)])
    inverse = np.linalg.inv(RGB_TO_YUV[:, :3])
    back = np.hstack([inverse, -inverse @ RGB_TO_YUV[:, 3:]])
    return np.asarray(np.clip(cv2.transform(yuv.astype(np.float32), back), 0, 255), np.float32)


def similarity(before: Floats, after: Floats, flow: Floats) -> float:
    """Return the fraction of the frame, 0 to 1, that two small images both show under `flow` (height, width, 4)."""
    return float(
        np.mean(_difference(_remap(before, flow[..., :2]), _remap(after, flow[..., 2:])) <= SAME_PIXEL_THRESHOLD)
    )


def interpolate(
    frames: tuple[Planes, Planes], images: tuple[Floats, Floats], flow: Floats, mask: Floats, progress: float
) -> Planes:
    """Return the frame between two frames.

    `images`: the small images of the frames. `flow` (height, width, 4), in pixels, and `mask` (height, width), 0 to 1,
    are the result of the flow network for them: the positions of each pixel in both images, and the share of the first.
    `progress`, 0 to 1: the opacity of the second frame where the two show different things.
    """
    warped = _remap(images[0], flow[..., :2]), _remap(images[1], flow[..., 2:])
    changed = _changed_mask(_difference(*warped))
    smooth_flow = _smooth_flow(flow, _confidence(changed) * _texture_weight(warped[0]))
    # Near a change, deviating flow is an artifact that bends and melts objects, so it counts as changed.
    deviating = (np.abs(flow - smooth_flow).max(axis=2) > FLOW_DEVIATION).astype(np.uint8)
    nearby = cv2.dilate(changed, _ellipse(CHANGE_NEIGHBOURHOOD)) & deviating
    confidence = _confidence(changed | nearby)
    flow = confidence[..., None] * flow + (1 - confidence[..., None]) * smooth_flow
    weight = confidence * mask + (1 - confidence) * np.float32(1 - progress)
    result = np.empty_like(frames[0])
    for before, after, target in zip(*map(split_planes, frames), split_planes(result), strict=True):
        size = before.shape[1], before.shape[0]
        scale = np.array([before.shape[1] / mask.shape[1], before.shape[0] / mask.shape[0]] * 2, np.float32)
        plane_flow = cv2.resize(flow, size, interpolation=cv2.INTER_LINEAR) * scale
        plane_weight = np.clip(cv2.resize(weight, size, interpolation=cv2.INTER_LINEAR), 0, 1)
        warped_before, warped_after = _remap(before, plane_flow[..., :2]), _remap(after, plane_flow[..., 2:])
        target[:] = cv2.blendLinear(warped_before, warped_after, plane_weight, 1 - plane_weight)
    return result


def _difference(before: Floats, after: Floats) -> Floats:
    """Return the mean absolute difference of the channels of each pixel, 0 to 255, shape (height, width)."""
    return np.asarray(cv2.absdiff(before, after).mean(axis=2), np.float32)


def _texture_weight(image: Floats) -> Floats:
    """Return the weight of each pixel, 0 to 1: near 1 at edges, near 0 on plain areas, where flow is not observable."""
    grey = cv2.GaussianBlur(image.mean(axis=2), (0, 0), 1)
    gradient = cv2.magnitude(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    return np.asarray(gradient / (gradient + EDGE_STRENGTH) + 1e-3, np.float32)


def _changed_mask(difference: Floats) -> Planes:
    """Return 1 where the images show different things, else 0. The opening removes thin lines and drops of rain."""
    return np.asarray(
        cv2.morphologyEx((difference > CHANGED_THRESHOLD).astype(np.uint8), cv2.MORPH_OPEN, _ellipse(3)), np.uint8
    )


def _confidence(changed: Planes) -> Floats:
    """Return the confidence of the flow, 0 to 1: it falls smoothly to 0 in and between changed regions."""
    region = cv2.dilate(cv2.morphologyEx(changed, cv2.MORPH_CLOSE, _ellipse(CLOSING_SIZE)), _ellipse(9))
    blurred = cv2.GaussianBlur(region.astype(np.float32), (0, 0), MASK_BLUR_SIGMA)
    return np.asarray(np.clip(1 - 1.6 * blurred, 0, 1), np.float32)


def _ellipse(size: int) -> Planes:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)), np.uint8)


def _smooth_flow(flow: Floats, weight: Floats) -> Floats:
    """Return a smooth flow (height, width, 4) that follows the pixels of high `weight`, 0 to 1.

    It is the affine motion of the frame plus the weighted mean of the deviations of nearby pixels. The affine motion is
    fitted by iteratively reweighted least squares with Cauchy weights (Holland & Welsch 1977).
    """
    height, width = weight.shape
    size = max(2, width // DOWNSAMPLING), max(2, height // DOWNSAMPLING)
    motion = cv2.resize(flow * weight[..., None], size, interpolation=cv2.INTER_AREA)
    weight = cv2.resize(weight, size, interpolation=cv2.INTER_AREA)[..., None]
    motion /= weight + 1e-6
    y, x = np.mgrid[-1 : 1 : size[1] * 1j, -1 : 1 : size[0] * 1j]
    basis = np.stack([x, y, np.ones_like(x)], 2)
    robust_weight = weight.astype(np.float64)
    affine = np.zeros_like(motion, np.float64)
    for _ in range(IRLS_ITERATIONS):
        equations = (basis * robust_weight).reshape(-1, 3)
        # The regularisation gives no motion for a frame without weight.
        normal = equations.T @ basis.reshape(-1, 3) + np.eye(3) * 1e-6
        affine = basis @ np.linalg.solve(normal, equations.T @ motion.reshape(-1, 4))
        deviation = np.square(motion - affine).sum(axis=2, keepdims=True)
        robust_weight = weight / (1 + deviation / FLOW_DEVIATION**2)
    weighted = np.dstack([(motion - affine) * robust_weight, robust_weight]).astype(np.float32)
    local = cv2.GaussianBlur(weighted, (0, 0), SMOOTHING_SIGMA / DOWNSAMPLING)
    return np.asarray(cv2.resize(affine + local[..., :4] / (local[..., 4:] + 1e-2), (width, height)), np.float32)


def _remap(image: Pixels, flow: Floats) -> Pixels:
    """Sample an image at each pixel plus its flow (height, width, 2) in pixels, bilinearly, with replicated borders."""
    height, width = image.shape[:2]
    columns, rows = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    return cv2.remap(  # type: ignore[no-any-return]
        image, columns + flow[..., 0], rows + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )

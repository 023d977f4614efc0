"""Blends: functions of two frames and a progress `u`, above 0 and below 1, that return one frame.

Frames are `Planes` (see `pipelines.media.codec.yuv`). A blend does not change its inputs.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from pipelines.media.codec.yuv import Planes, black_frame, split_planes
from pipelines.step_params import Transition

WIPE_SOFTNESS = 0.12  # width of the soft edge of a wipe, as a fraction of the frame
MATCH_ZOOM = 0.10  # enlargement of each frame of a match when it is invisible


def ease(u: float) -> float:
    """Return the smootherstep of `u`, 0 to 1 (Perlin 2002): its first two derivatives are 0 at both ends."""
    return u**3 * (u * (6 * u - 15) + 10)


def dissolve(before: Planes, after: Planes, u: float) -> Planes:
    """Fade from one frame to the other, with the smoothstep of `u`."""
    share = u * u * (3 - 2 * u)
    return np.asarray(cv2.addWeighted(before, 1 - share, after, share, 0), np.uint8)


def dip(before: Planes, after: Planes, u: float) -> Planes:
    """Fade the first frame to black, then fade the second one in."""
    frame, opacity = (before, ease(1 - 2 * u)) if u < 0.5 else (after, ease(2 * u - 1))
    height, width = frame.shape[0] * 2 // 3, frame.shape[1]
    return np.asarray(cv2.addWeighted(frame, opacity, black_frame(width, height), 1 - opacity, 0), np.uint8)


def wipe(before: Planes, after: Planes, u: float) -> Planes:
    """Replace the first frame by the second one from left to right, with a soft edge."""
    result = np.empty_like(before)
    edge = ease(u) * (1 + WIPE_SOFTNESS) - WIPE_SOFTNESS  # left end of the soft edge, as a fraction of the width
    for old, new, target in zip(split_planes(before), split_planes(after), split_planes(result), strict=True):
        columns = (np.arange(old.shape[1]) + 0.5) / old.shape[1]
        fade = np.clip((columns - edge) / WIPE_SOFTNESS, 0, 1)
        keep = np.broadcast_to((fade * fade * (3 - 2 * fade)).astype(np.float32), old.shape)
        target[:] = cv2.blendLinear(old, new, keep, 1 - keep)
    return result


def match(before: Planes, after: Planes, u: float) -> Planes:
    """Dissolve while the first frame zooms in and the second one zooms out to its size."""
    progress = ease(u)
    return dissolve(_scale(before, 1 + MATCH_ZOOM * progress), _scale(after, 1 + MATCH_ZOOM * (1 - progress)), u)


def _scale(planes: Planes, scale: float) -> Planes:
    """Return the frame enlarged by `scale` (1 or more) about its centre."""
    result = np.empty_like(planes)
    for source, target in zip(split_planes(planes), split_planes(result), strict=True):
        height, width = source.shape
        centre = np.array([(width - 1) / 2, (height - 1) / 2])
        inverse = np.hstack([np.eye(2) / scale, (centre - centre / scale)[:, None]])
        cv2.warpAffine(
            source,
            inverse,
            (width, height),
            dst=target,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
    return result


BLENDS: dict[Transition, Callable[[Planes, Planes, float], Planes]] = {
    "dissolve": dissolve,
    "dip": dip,
    "wipe": wipe,
    "match": match,
}
"""The blend of each transition."""

"""Two frames and how far the change has come → one frame. All work on the planes of yuv420p pictures."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from pipelines.media.codec.yuv import Planes, black_frame, split_planes
from pipelines.step_params import Transition

WIPE_SOFTNESS = 0.12  # width of a wipe's edge, as a share of the frame
MATCH_ZOOM = 0.10  # how much each picture of a match has grown at the moment when it is gone


def ease(u: float) -> float:
    """Smootherstep: starts and ends with no speed and no acceleration."""
    return u**3 * (u * (6 * u - 15) + 10)


def dissolve(before: Planes, after: Planes, u: float) -> Planes:
    """One picture fades into the other."""
    share = u * u * (3 - 2 * u)
    return np.asarray(cv2.addWeighted(before, 1 - share, after, share, 0), np.uint8)


def dip(before: Planes, after: Planes, u: float) -> Planes:
    """Down to black, and up again."""
    seen, shown = (before, ease(1 - 2 * u)) if u < 0.5 else (after, ease(2 * u - 1))
    height, width = seen.shape[0] * 2 // 3, seen.shape[1]
    return np.asarray(cv2.addWeighted(seen, shown, black_frame(width, height), 1 - shown, 0), np.uint8)


def wipe(before: Planes, after: Planes, u: float) -> Planes:
    """A soft edge travels from left to right, the new picture behind it."""
    result = np.empty_like(before)
    edge = ease(u) * (1 + WIPE_SOFTNESS) - WIPE_SOFTNESS  # where the soft edge begins
    for old, new, target in zip(split_planes(before), split_planes(after), split_planes(result), strict=True):
        columns = (np.arange(old.shape[1]) + 0.5) / old.shape[1]
        fade = np.clip((columns - edge) / WIPE_SOFTNESS, 0, 1)
        keep = np.broadcast_to((fade * fade * (3 - 2 * fade)).astype(np.float32), old.shape)
        target[:] = cv2.blendLinear(old, new, keep, 1 - keep)
    return result


def match(before: Planes, after: Planes, u: float) -> Planes:
    """One movement through the cut: the old picture keeps growing while it fades, the new one settles to its size."""
    moved = ease(u)
    return dissolve(_scale(before, 1 + MATCH_ZOOM * moved), _scale(after, 1 + MATCH_ZOOM * (1 - moved)), u)


def _scale(picture: Planes, scale: float) -> Planes:
    result = np.empty_like(picture)
    for source, target in zip(split_planes(picture), split_planes(result), strict=True):
        height, width = source.shape
        middle = np.array([(width - 1) / 2, (height - 1) / 2])
        inverse = np.hstack([np.eye(2) / scale, (middle - middle / scale)[:, None]])
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
"""By the name of the transition."""

"""A picture with depth, made ready to be looked at by a moving camera, and the frames that it sees."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from pydantic import ValidationError

from pipelines.base import BadInput
from pipelines.media.codec.yuv import Planes, black_frame, downsample_chroma, rgb_to_yuv444, split_planes
from pipelines.media.layers import Layers
from pipelines.video.animatic.camera_path import SceneGeometry
from pipelines.video.animatic.flat_image import OVERSAMPLING, Matrix, read_image

PNG_SIGNATURE = b"\x89PNG"


@dataclass(slots=True)
class ImageLayer:
    """One depth of a picture: Y, U, V (multiplied by A) and A, `density` pixels per pixel of the frame.

    `left`, `top`: where it begins, in pixels of the frame. `opaque`: it covers all that lies behind it.
    """

    pixels: Planes
    left: float
    top: float
    density: float
    opaque: bool
    _last_matrix: bytes = field(default=b"", init=False)
    _last_result: tuple[Planes, int, int] | None = field(default=None, init=False)
    _buffer: Planes = field(default_factory=lambda: np.empty((0, 0, 4), np.uint8), init=False)

    def sample(self, matrix: Matrix, width: int, height: int) -> tuple[Planes, int, int] | None:
        """What the frame shows of it: pixels (valid until the next look), and where they begin; None when nothing.
        `matrix`: frame → picture."""
        if self._last_matrix != matrix.tobytes():
            self._last_matrix = matrix.tobytes()
            box = (0, 0, width, height) if self.opaque else self._visible_box(matrix, width, height)
            self._last_result = None if box is None else self._warp(matrix, width, height, box)
        return self._last_result

    def _warp(self, matrix: Matrix, width: int, height: int, box: tuple[int, int, int, int]) -> tuple[Planes, int, int]:
        x, y, across, down = box
        if self._buffer.shape[:2] != (height, width):
            self._buffer = np.empty((height, width, 4), np.uint8)
        # pixel centres: a point p of the frame lies at (p + 0.5) * density - 0.5 of the prepared picture
        local = np.array(matrix)
        local[:, 2] += local[:, :2] @ np.array([x, y]) - np.array([self.left, self.top])
        local = local * self.density
        local[:, 2] += 0.5 * self.density - 0.5
        border = cv2.BORDER_REPLICATE if self.opaque else cv2.BORDER_CONSTANT
        seen = self._buffer[:down, :across]
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        cv2.warpAffine(self.pixels, local, (across, down), dst=seen, flags=flags, borderMode=border)
        return seen, x, y

    def _visible_box(self, matrix: Matrix, width: int, height: int) -> tuple[int, int, int, int] | None:
        """The part of the frame that it can touch: x, y, width, height."""
        rows, columns = self.pixels.shape[:2]
        right, bottom = self.left + columns / self.density, self.top + rows / self.density
        corners = np.array([[x, y] for x in (self.left, right) for y in (self.top, bottom)]) - 0.5
        seen = (corners - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
        low = np.maximum(np.floor(seen.min(axis=0)).astype(int) - 1, 0)
        high = np.minimum(np.ceil(seen.max(axis=0)).astype(int) + 2, [width, height])
        if (high <= low).any():
            return None
        return int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1])


@dataclass(frozen=True, slots=True)
class LayeredImage:
    """Plates, far to near, and the stage that a camera path needs; `geometry.depths` has one entry per plate."""

    geometry: SceneGeometry
    layers: Sequence[ImageLayer]

    def frames(self, matrices: Iterable[Sequence[Matrix]]) -> Iterator[Planes]:
        """The frames that the camera sees. One buffer: each frame is valid until the next is asked for."""
        width, height = self.geometry.width, self.geometry.height
        picture = black_frame(width, height)
        y, u, v = split_planes(picture)
        canvas = [y, *np.empty((2, height, width), np.uint8)]
        parts = [*np.empty((4, height, width), np.uint8)]
        before: Sequence[Matrix] | None = None
        for views in matrices:
            if before is None or any(not np.array_equal(a, b) for a, b in zip(views, before, strict=True)):
                self._compose(views, canvas, parts)
                downsample_chroma(canvas[1], u)
                downsample_chroma(canvas[2], v)
            before = views
            yield picture

    def _compose(self, views: Sequence[Matrix], canvas: Sequence[Planes], channels: Sequence[Planes]) -> None:
        """Lay the plates over each other into `canvas` (Y, U, V at full size); `parts` is room for the channels of one."""
        for plate, view in zip(self.layers, views, strict=True):
            seen = plate.sample(view, self.geometry.width, self.geometry.height)
            if seen is None:
                continue
            pixels, x, y = seen
            rows, columns = pixels.shape[:2]
            windows = [target[y : y + rows, x : x + columns] for target in canvas]
            *colours, through = (part[:rows, :columns] for part in channels)
            if plate.opaque:
                cv2.split(pixels, [*windows, through])
                continue
            cv2.split(pixels, [*colours, through])
            cv2.bitwise_not(through, dst=through)
            for window, colour in zip(windows, colours, strict=True):
                cv2.multiply(window, through, dst=window, scale=1 / 255)
                cv2.add(window, colour, dst=window)


def load_layered_image(files: Sequence[Path], width: int, height: int) -> LayeredImage:
    """A picture with depth, from the files of a keyframe's `layer*` in any order but the pictures' own (far to near).

    Raises BadInput when they do not belong together.
    """
    description, pictures = _split_files(files)
    scale = max(width / description.width, height / description.height)
    margin = description.margin * scale
    # cut the middle where the layers were made for a frame of another shape
    left = (width - description.width * scale) / 2 - margin
    top = (height - description.height * scale) / 2 - margin
    depths: list[float] = []
    merged: list[Planes] = []
    for layer, path in zip(description.layers, pictures, strict=True):
        pixels = _premultiply(read_image(path, cv2.IMREAD_UNCHANGED))
        if merged and pixels.shape != merged[0].shape:
            raise BadInput("layers", "the pictures differ in size.")
        if depths and layer.depth == depths[-1]:
            merged[-1] = _composite_over(pixels, merged[-1])
        else:
            depths.append(layer.depth)
            merged.append(pixels)
    merged[0] = _composite_over(merged[0], np.full_like(merged[0], (16, 128, 128, 255)))
    plates: list[ImageLayer] = []
    kept: list[float] = []
    for number, (pixels, depth) in enumerate(zip(merged, depths, strict=True)):
        x, y, across, down = cv2.boundingRect(pixels[..., 3])
        if not across:
            continue
        part = pixels[y : y + down, x : x + across]
        size = (round(across * scale * OVERSAMPLING), round(down * scale * OVERSAMPLING))
        smooth = cv2.INTER_AREA if scale * OVERSAMPLING < 1 else cv2.INTER_CUBIC
        plates.append(
            ImageLayer(
                cv2.resize(part, size, interpolation=smooth),
                left + x * scale,
                top + y * scale,
                OVERSAMPLING,
                number == 0,
            )
        )
        kept.append(depth)
    return LayeredImage(SceneGeometry(width, height, max(0.0, margin - 1), description.focus, tuple(kept)), plates)


def _split_files(files: Sequence[Path]) -> tuple[Layers, list[Path]]:
    """layers.json and its pictures: told apart by content, since inputs come without meaningful names."""
    described = [path for path in files if path.read_bytes()[:4] != PNG_SIGNATURE]
    pictures = [path for path in files if path.read_bytes()[:4] == PNG_SIGNATURE]
    if len(described) != 1:
        raise BadInput("layers", f"{len(described)} descriptions came, not 1.")
    try:
        description = Layers.model_validate_json(described[0].read_bytes())
    except ValidationError as error:
        raise BadInput("layers", f"the description is not valid ({error.errors()[0]['msg']}).") from error
    if len(pictures) != len(description.layers):
        raise BadInput("layers", f"{len(description.layers)} are described but {len(pictures)} pictures came.")
    return description, pictures


def _premultiply(bgra: Planes) -> Planes:
    """BGR(A), straight → Y, U, V multiplied by A, and A."""
    alpha = bgra[..., 3] if bgra.ndim == 3 and bgra.shape[2] == 4 else np.full(bgra.shape[:2], 255, np.uint8)
    colours = cv2.split(rgb_to_yuv444(np.ascontiguousarray(bgra[..., 2::-1])))
    return np.asarray(cv2.merge([*(cv2.multiply(colour, alpha, scale=1 / 255) for colour in colours), alpha]), np.uint8)


def _composite_over(near: Planes, far: Planes) -> Planes:
    through = cv2.bitwise_not(near[..., 3])
    behind = cv2.multiply(far, cv2.merge([through] * 4), scale=1 / 255)
    return np.asarray(cv2.add(near, behind), np.uint8)

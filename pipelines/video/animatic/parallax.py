"""An image with layers, prepared for a moving camera, and the frames of that camera."""

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
    """One layer: uint8 pixels of shape (rows, columns, 4) with Y, U, V multiplied by alpha, and alpha.

    `density`: pixels of the layer per pixel of the frame. `left`, `top`: position of its corner in pixels of the frame.
    `opaque`: the layer covers everything behind it.
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
        """Return the visible part of the layer and its position (x, y) in the frame; None when it is outside.

        `matrix`: pixel of the frame → pixel of the layer. The pixels are valid until the next call.
        """
        if self._last_matrix != matrix.tobytes():
            self._last_matrix = matrix.tobytes()
            box = (0, 0, width, height) if self.opaque else self._visible_box(matrix, width, height)
            self._last_result = None if box is None else self._warp(matrix, width, height, box)
        return self._last_result

    def _warp(self, matrix: Matrix, width: int, height: int, box: tuple[int, int, int, int]) -> tuple[Planes, int, int]:
        x, y, across, down = box
        if self._buffer.shape[:2] != (height, width):
            self._buffer = np.empty((height, width, 4), np.uint8)
        # pixel centres: point p of the frame lies at (p + 0.5) * density - 0.5 in the layer
        inverse = np.array(matrix)
        inverse[:, 2] += inverse[:, :2] @ np.array([x, y]) - np.array([self.left, self.top])
        inverse = inverse * self.density
        inverse[:, 2] += 0.5 * self.density - 0.5
        border = cv2.BORDER_REPLICATE if self.opaque else cv2.BORDER_CONSTANT
        visible = self._buffer[:down, :across]
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        cv2.warpAffine(self.pixels, inverse, (across, down), dst=visible, flags=flags, borderMode=border)
        return visible, x, y

    def _visible_box(self, matrix: Matrix, width: int, height: int) -> tuple[int, int, int, int] | None:
        """Return the bounding box (x, y, width, height) of the layer in the frame; None when it is outside."""
        rows, columns = self.pixels.shape[:2]
        right, bottom = self.left + columns / self.density, self.top + rows / self.density
        corners = np.array([[x, y] for x in (self.left, right) for y in (self.top, bottom)]) - 0.5
        projected = (corners - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
        low = np.maximum(np.floor(projected.min(axis=0)).astype(int) - 1, 0)
        high = np.minimum(np.ceil(projected.max(axis=0)).astype(int) + 2, [width, height])
        if (high <= low).any():
            return None
        return int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1])


@dataclass(frozen=True, slots=True)
class LayeredImage:
    """The layers of an image, far to near. `geometry.depths` has one entry per layer."""

    geometry: SceneGeometry
    layers: Sequence[ImageLayer]

    def frames(self, matrices: Iterable[Sequence[Matrix]]) -> Iterator[Planes]:
        """Yield the frame of each list of matrices. All frames share one buffer: each is valid until the next one."""
        width, height = self.geometry.width, self.geometry.height
        frame = black_frame(width, height)
        y, u, v = split_planes(frame)
        canvas = [y, *np.empty((2, height, width), np.uint8)]
        channels = [*np.empty((4, height, width), np.uint8)]
        previous: Sequence[Matrix] | None = None
        for layer_matrices in matrices:
            if previous is None or any(not np.array_equal(a, b) for a, b in zip(layer_matrices, previous, strict=True)):
                self._compose(layer_matrices, canvas, channels)
                downsample_chroma(canvas[1], u)
                downsample_chroma(canvas[2], v)
            previous = layer_matrices
            yield frame

    def _compose(self, matrices: Sequence[Matrix], canvas: Sequence[Planes], channels: Sequence[Planes]) -> None:
        """Composite the layers into `canvas` (Y, U, V at full size). `channels`: four scratch planes of that size."""
        for layer, matrix in zip(self.layers, matrices, strict=True):
            visible = layer.sample(matrix, self.geometry.width, self.geometry.height)
            if visible is None:
                continue
            pixels, x, y = visible
            rows, columns = pixels.shape[:2]
            windows = [target[y : y + rows, x : x + columns] for target in canvas]
            *colours, alpha = (channel[:rows, :columns] for channel in channels)
            if layer.opaque:
                cv2.split(pixels, [*windows, alpha])
                continue
            cv2.split(pixels, [*colours, alpha])
            transparency = cv2.bitwise_not(alpha, dst=alpha)
            for window, colour in zip(windows, colours, strict=True):
                cv2.multiply(window, transparency, dst=window, scale=1 / 255)
                cv2.add(window, colour, dst=window)


def load_layered_image(files: Sequence[Path], width: int, height: int) -> LayeredImage:
    """Load a layered image from `layers.json` and its images, which are in order from far to near.

    Neighbouring layers of equal depth are merged, and empty layers are left out. Raises BadInput when the files do not
    match.
    """
    description, images = _split_files(files)
    scale = max(width / description.width, height / description.height)
    margin = description.margin * scale
    # crop to the centre when the layers have another aspect ratio
    left = (width - description.width * scale) / 2 - margin
    top = (height - description.height * scale) / 2 - margin
    depths, merged = _merge_depths(description, images)
    layers: list[ImageLayer] = []
    layer_depths: list[float] = []
    for index, (pixels, depth) in enumerate(zip(merged, depths, strict=True)):
        x, y, across, down = cv2.boundingRect(pixels[..., 3])
        if not across:
            continue
        content = pixels[y : y + down, x : x + across]
        size = (round(across * scale * OVERSAMPLING), round(down * scale * OVERSAMPLING))
        interpolation = cv2.INTER_AREA if scale * OVERSAMPLING < 1 else cv2.INTER_CUBIC
        resized = cv2.resize(content, size, interpolation=interpolation)
        layers.append(ImageLayer(resized, left + x * scale, top + y * scale, OVERSAMPLING, opaque=index == 0))
        layer_depths.append(depth)
    geometry = SceneGeometry(width, height, max(0.0, margin - 1), description.focus, tuple(layer_depths))
    return LayeredImage(geometry, layers)


def _merge_depths(description: Layers, images: Sequence[Path]) -> tuple[list[float], list[Planes]]:
    """Return the distinct depths and their pixels, far to near, the first on opaque black.

    Raises BadInput when the sizes of the images differ.
    """
    depths: list[float] = []
    merged: list[Planes] = []
    for layer, path in zip(description.layers, images, strict=True):
        pixels = _premultiply(read_image(path, cv2.IMREAD_UNCHANGED))
        if merged and pixels.shape != merged[0].shape:
            raise BadInput("layers", "the images differ in size.")
        if depths and layer.depth == depths[-1]:
            merged[-1] = _composite_over(pixels, merged[-1])
        else:
            depths.append(layer.depth)
            merged.append(pixels)
    merged[0] = _composite_over(merged[0], np.full_like(merged[0], (16, 128, 128, 255)))
    return depths, merged


def _split_files(files: Sequence[Path]) -> tuple[Layers, list[Path]]:
    """Return the content of layers.json and the images, by their magic bytes, since inputs have no file names."""
    descriptions = [path for path in files if path.read_bytes()[:4] != PNG_SIGNATURE]
    images = [path for path in files if path.read_bytes()[:4] == PNG_SIGNATURE]
    if len(descriptions) != 1:
        raise BadInput("layers", f"{len(descriptions)} files are no PNG images; exactly one must be the layers.json.")
    try:
        description = Layers.model_validate_json(descriptions[0].read_bytes())
    except ValidationError as error:
        raise BadInput("layers", f"the layers.json is not valid ({error.errors()[0]['msg']}).") from error
    if len(images) != len(description.layers):
        raise BadInput(
            "layers", f"layers.json has {len(description.layers)} layers, but {len(images)} images were given."
        )
    return description, images


def _premultiply(bgra: Planes) -> Planes:
    """Convert BGR or BGRA with straight alpha to YUVA with premultiplied alpha, uint8 of shape (rows, columns, 4)."""
    alpha = bgra[..., 3] if bgra.ndim == 3 and bgra.shape[2] == 4 else np.full(bgra.shape[:2], 255, np.uint8)
    colours = cv2.split(rgb_to_yuv444(np.ascontiguousarray(bgra[..., 2::-1])))
    return np.asarray(cv2.merge([*(cv2.multiply(colour, alpha, scale=1 / 255) for colour in colours), alpha]), np.uint8)


def _composite_over(near: Planes, far: Planes) -> Planes:
    """Composite two images with premultiplied alpha (Porter-Duff over)."""
    transparency = cv2.bitwise_not(near[..., 3])
    visible = cv2.multiply(far, cv2.merge([transparency] * 4), scale=1 / 255)
    return np.asarray(cv2.add(near, visible), np.uint8)

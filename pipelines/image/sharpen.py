"""Sharpen images without a model: reduce noise, sharpen edges and raise local contrast a little."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self

from pipelines.base import BadInput, Device, Kind, ModelSpec, Params, Report
from pipelines.step_params import EnhanceParams


class Sharpen:
    """Edge-preserving denoising, then an unsharp mask. Input `image`, output `image.png` of the same pixel size."""

    name: ClassVar[str] = "sharpen"
    version: ClassVar[str] = "1"
    params: ClassVar[Mapping[Kind, type[Params]]] = {Kind.ENHANCE: EnhanceParams}

    @classmethod
    def load(cls, spec: ModelSpec, device: Device) -> Self:
        return cls()

    def run(
        self,
        kind: Kind,
        params: Params,
        inputs: Mapping[str, Sequence[Path]],
        out: Path,
        report: Report,
        *,
        seed: int,
    ) -> Iterable[Path]:
        from PIL import Image, ImageFilter

        from pipelines.media.images import flatten_alpha, open_image, png_bytes

        if not inputs.get("image"):
            raise BadInput("image", "no image to enhance.")
        given = flatten_alpha(open_image(inputs["image"][0]))
        report.progress(0.2, "denoising")
        # A 3 × 3 median removes single-pixel noise; blending half of it keeps lines of one pixel.
        quiet = Image.blend(given, given.filter(ImageFilter.MedianFilter(3)), 0.5)
        wide = quiet.filter(ImageFilter.UnsharpMask(radius=24, percent=12, threshold=0))
        report.progress(0.7, "sharpening")
        better = wide.filter(ImageFilter.UnsharpMask(radius=1.4, percent=85, threshold=2))
        path = out / "image.png"
        path.write_bytes(png_bytes(better))
        return [path]

    def close(self) -> None:
        return None

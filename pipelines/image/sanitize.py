"""Convert untrusted images to clean PNG files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self

from pipelines.base import Device, Kind, ModelSpec, Params, Report
from pipelines.step_params import SanitizeImageParams


class ImageSanitizer:
    """Decode, apply the EXIF orientation, crop and re-encode an image; only its pixels are kept, no metadata."""

    name: ClassVar[str] = "sanitize-image"
    version: ClassVar[str] = "1"
    params: ClassVar[Mapping[Kind, type[Params]]] = {Kind.SANITIZE_IMAGE: SanitizeImageParams}

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
        from pipelines.media.images import cover, open_image

        assert isinstance(params, SanitizeImageParams)
        picture = open_image(inputs["image"][0])
        if params.width and params.height:
            if picture.width < params.width or picture.height < params.height:
                report.warn(
                    f"the input picture has {picture.width} × {picture.height} pixels; "
                    f"enlarging to {params.width} × {params.height}"
                )
            picture = cover(picture, params.width, params.height)
        path = out / "image.png"
        picture.save(path, "PNG", compress_level=3)
        return [path]

    def close(self) -> None:
        pass

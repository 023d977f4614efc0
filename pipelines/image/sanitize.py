"""Family: a picture that came from outside → safe pixels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self

from pipelines.base import Device, Kind, ModelSpec, Params, Report
from pipelines.step_params import SanitizeImageParams


class ImageSanitizer:
    """Decodes, turns upright, crops, and writes anew: nothing of the file that came survives but its pixels."""

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
                    f"the given picture has {picture.width} × {picture.height} pixels and is enlarged to {params.width} × {params.height}"
                )
            picture = cover(picture, params.width, params.height)
        made = out / "image.png"
        picture.save(made, "PNG", compress_level=3)
        return [made]

    def close(self) -> None:
        pass

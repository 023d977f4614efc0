"""Base of the image families: reference images, generation size and output files."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import Field

from pipelines.base import BadInput, Device, Kind, MemoryMode, ModelSpec, Params, Report
from pipelines.diffusion.acceleration import acceleration_record, check_supported
from pipelines.diffusion.options import PipelineOptions
from pipelines.step_params import ElementParams, EncodePromptParams, ImageParams, KeyframeParams, PortraitParams

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

IMAGE_PARAMS: Mapping[Kind, type[Params]] = {
    Kind.PORTRAIT: PortraitParams,
    Kind.ELEMENT: ElementParams,
    Kind.KEYFRAME: KeyframeParams,
}
"""Step kinds that generate an image."""

_OUTPUT_NAMES = {Kind.PORTRAIT: "portrait.png", Kind.ELEMENT: "element.png", Kind.KEYFRAME: "keyframe.png"}


class ImageOptions(PipelineOptions):
    """Options of every image model in models.yaml."""

    steps: int = Field(28, ge=1, le=200, description="Denoising steps.")
    guidance: float = Field(1.0, ge=0, le=30, description="Guidance scale; see the model card.")
    pixels: tuple[int, int] = Field(
        (512 * 512, 1024 * 1024),
        description="Minimum and maximum pixel count of generation; the image is scaled to the requested size.",
    )
    reference_pixels: int = Field(1024 * 1024, ge=4096, description="Maximum pixel count of a reference image.")


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """One picture to be drawn at `width` × `height` pixels, a size that the model likes. `words`: the prompt as it was
    encoded in a step of its own (None: it was not); `pictures`: what the model is shown, in the order in which the
    prompt counts them."""

    prompt: str
    prompt_embeds: Mapping[str, torch.Tensor] | None
    reference_images: tuple[Image, ...]
    width: int
    height: int
    seed: int
    report: Report


class ImageFamily(ABC):
    """An image family except for the model: `generate` makes one image, `run` does the rest."""

    version: ClassVar[str] = "1"
    params: ClassVar[Mapping[Kind, type[Params]]] = IMAGE_PARAMS
    memory_modes: ClassVar[tuple[MemoryMode, ...]] = tuple(MemoryMode)[1:]
    options_type: ClassVar[type[ImageOptions]] = ImageOptions
    multiple: ClassVar[int] = 16
    """Width and height are multiples of this number of pixels."""

    def __init__(self, spec: ModelSpec, device: Device) -> None:
        self.spec, self.device = spec, device
        self.options = self.options_type.from_spec(spec)
        check_supported(spec, self.options, device)

    @classmethod
    def load(cls, spec: ModelSpec, device: Device) -> Self:
        from pipelines.diffusion.loading import prepare_loading

        prepare_loading(spec, device)
        return cls(spec, device)

    def run(
        self,
        kind: Kind,
        params: Params,
        inputs: Mapping[str, Sequence[Path]],
        out: Path,
        report: Report,
        *,
        seed: int,
    ) -> list[Path]:
        """See `pipelines.base.Family.run`."""
        if isinstance(params, EncodePromptParams):
            from pipelines.diffusion.prompt_embeds import write_prompt_embeds

            return [write_prompt_embeds(self.encode(params.prompt, report), out)]
        if not isinstance(params, ImageParams) or kind not in _OUTPUT_NAMES:
            raise BadInput("kind", f"{self.spec.name} cannot {kind}.")
        picture = self._passthrough_reference(params, inputs, report) or self._generate_image(
            params, inputs, report, seed
        )
        made = out / _OUTPUT_NAMES[kind]
        made.write_bytes(_encode_png_at_size(picture, params.width, params.height))
        if not isinstance(params, KeyframeParams):
            return [made]
        from pipelines.media.conversation import write_turn

        before = inputs.get("previous_context", ())
        return [made, write_turn(params, before[0] if before else None, made, out)]

    def encode(self, prompt: str, report: Report) -> Mapping[str, torch.Tensor]:
        """Return the prompt embeddings by the name of the pipeline argument."""
        raise BadInput("kind", f"{self.spec.name} encodes the prompt together with reference images.")

    @property
    def reference_pixels(self) -> int:
        """Maximum pixel count of a reference image."""
        pixels = self.options.reference_pixels
        return pixels * 9 // 16 if self.device.memory_mode >= MemoryMode.REDUCED_SIZE else pixels

    @abstractmethod
    def generate(self, request: ImageRequest) -> Image:
        """Generate one image of the requested width and height."""

    @abstractmethod
    def close(self) -> None:
        """Give back all memory."""

    def _passthrough_reference(
        self, params: ImageParams, inputs: Mapping[str, Sequence[Path]], report: Report
    ) -> Image | None:
        """Use the given image itself for a model that accepts no references."""
        references = inputs.get("reference", ())
        if self.spec.max_references != 0 or isinstance(params, KeyframeParams) or not references:
            return None
        from pipelines.media.images import flatten_alpha, open_image

        report.record(drawn=False)
        return flatten_alpha(open_image(references[0], "reference"))

    def _generate_image(
        self, params: ImageParams, inputs: Mapping[str, Sequence[Path]], report: Report, seed: int
    ) -> Image:
        from pipelines.diffusion.loading import torch_device
        from pipelines.diffusion.prompt_embeds import read_prompt_embeds

        smaller = self.device.memory_mode >= MemoryMode.REDUCED_SIZE
        width, height = generation_size(
            params.width, params.height, self.options.pixels, self.multiple, reduced=smaller
        )
        shown, on_sheet = self._reference_images(params, inputs)
        if smaller:
            report.warn(
                f"{self.spec.name}: generated at {width} × {height} pixels and enlarged, because memory is short"
            )
        report.record(
            drawn=True,
            size=[width, height],
            steps=self.options.steps,
            guidance=self.options.guidance,
            pictures=len(shown),
            on_sheet=on_sheet,
            memory_mode=self.device.memory_mode.name,
            **acceleration_record(self.options, self.device),
        )
        words = read_prompt_embeds(inputs, torch_device(self.device))
        return self.generate(ImageRequest(params.prompt, words, shown, width, height, seed, report))

    def _reference_images(
        self, params: ImageParams, inputs: Mapping[str, Sequence[Path]]
    ) -> tuple[tuple[Image, ...], int]:
        """Return the reference images, and how many images the last one (a contact sheet) holds."""
        from pipelines.media.images import flatten_alpha, open_image

        roles = ("references",) if isinstance(params, KeyframeParams) else ("reference", "base")
        limit = (
            params.max_references
            if isinstance(params, KeyframeParams) and params.max_references
            else self.spec.max_references
        )
        if limit == 0:
            return (), 0
        pictures = [flatten_alpha(open_image(path, role)) for role in roles for path in inputs.get(role, ())]
        alone, together = split_references(pictures, limit)
        shown = [fit_reference(picture, self.reference_pixels, self.multiple) for picture in alone]
        if together:
            shown.append(contact_sheet(together, self.reference_pixels, self.multiple))
        return tuple(shown), len(together)


def warn_truncated_prompt(prompt: str, tokenizer: Any, max_tokens: int, report: Report) -> None:
    """Warn if the prompt has more than `max_tokens` tokens: the text encoder drops the end, which describes the references."""
    count = len(tokenizer(prompt).input_ids)
    if count > max_tokens:
        report.warn(f"the prompt has {count} tokens; the model reads only the first {max_tokens}. Shorten descriptions")


def generation_size(
    width: int, height: int, pixel_range: tuple[int, int], multiple: int, *, reduced: bool = False
) -> tuple[int, int]:
    """The size at which a model draws what is wanted at `width` × `height`: the same shape, with not fewer and not more
    than `pixels`, both sides multiples of `multiple`. `smaller`: three quarters of that, whatever the fewest are."""
    least, most = pixel_range
    scale = math.sqrt(min(max(width * height, least), most) / (width * height)) * (0.75 if reduced else 1.0)
    wide, high = (max(multiple, round(side * scale / multiple) * multiple) for side in (width, height))
    return wide, high


def split_references(pictures: Sequence[Image], limit: int | None) -> tuple[Sequence[Image], Sequence[Image]]:
    """Split references for a model that takes `limit` images: those shown alone, and those on a contact sheet in the last place."""
    if limit is None or len(pictures) <= limit:
        return pictures, ()
    return pictures[: limit - 1], pictures[limit - 1 :]


MAX_ASPECT_RATIO = 4.0
"""Largest aspect ratio of a reference image; models are not trained beyond it."""
MIN_SIDE = 64
"""Smallest side of a reference image in pixels."""
BACKGROUND = (128, 128, 128)
"""Padding colour. Grey reads neither as sky nor as paper nor as night."""


def fit_reference(picture: Image, max_pixels: int, multiple: int) -> Image:
    """The whole picture in RGB with at most `most` pixels, sides multiples of `multiple`, nothing distorted; enlarged
    only where a model could not take it."""
    from PIL import Image as Pillow
    from PIL import ImageOps

    width, height = picture.size
    if max(width / height, height / width) > MAX_ASPECT_RATIO:
        width, height = (
            max(width, math.ceil(height / MAX_ASPECT_RATIO)),
            max(height, math.ceil(width / MAX_ASPECT_RATIO)),
        )
        picture = ImageOps.pad(picture, (width, height), Pillow.Resampling.LANCZOS, BACKGROUND)
    scale = min(1.0, math.sqrt(max_pixels / (width * height)))
    scale = max(scale, MIN_SIDE / min(width, height))
    wide, high = (max(multiple, int(side * scale) // multiple * multiple) for side in (width, height))
    if picture.size == (wide, high):
        return picture
    return ImageOps.fit(picture, (wide, high), Pillow.Resampling.LANCZOS)


def contact_sheet(pictures: Sequence[Image], max_pixels: int, multiple: int) -> Image:
    """All pictures on one, row by row from the top left, in equal cells between grey lines, each whole and undistorted.
    As near to a square as it can be without an empty row, with at most `most` pixels."""
    from PIL import Image as Pillow
    from PIL import ImageOps

    shapes = [picture.width / picture.height for picture in pictures]
    shape = min(2.0, max(0.5, math.exp(sum(map(math.log, shapes)) / len(shapes))))
    count = len(pictures)
    grids = [(columns, math.ceil(count / columns)) for columns in range(1, count + 1)]
    columns, rows = min(grids, key=lambda grid: (abs(math.log(grid[0] * shape / grid[1])), -grid[0]))
    height = math.sqrt(max_pixels / (columns * rows * shape))
    height = min(height, max(picture.height for picture in pictures))
    cell = [max(multiple, int(side) // multiple * multiple) for side in (height * shape, height)]
    gap = max(1, min(cell) // 48)
    made = Pillow.new("RGB", (columns * cell[0], rows * cell[1]), BACKGROUND)
    for number, picture in enumerate(pictures):
        inner = (cell[0] - 2 * gap, cell[1] - 2 * gap)
        part = ImageOps.contain(picture, inner, Pillow.Resampling.LANCZOS)
        left = number % columns * cell[0] + (cell[0] - part.width) // 2
        top = number // columns * cell[1] + (cell[1] - part.height) // 2
        made.paste(part, (left, top))
    return made


def _encode_png_at_size(picture: Image, width: int, height: int) -> bytes:
    from pipelines.media.images import cover, png_bytes

    picture = picture.convert("RGB")
    return png_bytes(picture if picture.size == (width, height) else cover(picture, width, height))

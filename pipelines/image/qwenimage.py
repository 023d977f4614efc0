"""Family: Qwen-Image (Alibaba): pictures from words and several reference pictures. Its text encoder sees the pictures together
with the words, so words are not encoded beforehand.

Qwen-Image-Edit (2509, 2511) draws after pictures only; the same weights draw from words alone as Qwen-Image. Qwen-Image 2.1 does both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cached_property, partial
from math import isqrt
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from pipelines.base import Device, ModelSpec
from pipelines.diffusion.acceleration import running
from pipelines.diffusion.image_family import Job, Painter, PictureRecipe
from pipelines.diffusion.loading import pipeline_name
from pipelines.diffusion.options import UNMASKED, Attention, Cache

if TYPE_CHECKING:
    from PIL.Image import Image

EDITS = "QwenImageEditPlusPipeline"
DRAWS = "QwenImage21Pipeline"


class QwenRecipe(PictureRecipe):
    """`guidance` above 1 steers away from the words of `negative`, at twice the time. 4 is the model card's for Qwen-Image-Edit; Qwen-Image
    2.1 and few-step LoRAs want 1."""

    caches: ClassVar[tuple[Cache, ...]] = ("MagCache", "TaylorSeerCache", "FirstBlockCache")
    attentions: ClassVar[tuple[Attention, ...]] = UNMASKED

    steps: int = 40
    guidance: float = 4.0
    negative: str = " "
    scheduler: Mapping[str, Any] = Field(
        default_factory=dict,
        description="Settings of the scheduler other than the weights' own, as few-step LoRAs want.",
    )
    quantizable: tuple[str, ...] = ("transformer", "text_encoder")


class QwenImage(Painter):
    """Kinds `portrait`, `element`, `keyframe`."""

    name: ClassVar[str] = "qwen-image"
    options = QwenRecipe
    recipe: QwenRecipe
    multiple = 32

    def __init__(self, spec: ModelSpec, device: Device) -> None:
        super().__init__(spec, device)
        self._name = pipeline_name(spec, (EDITS, DRAWS))

    @cached_property
    def pipe(self) -> Any:
        import diffusers

        from pipelines.diffusion.loading import load_pipeline

        def prepare(pipe: Any) -> None:
            if self.recipe.scheduler:
                pipe.scheduler = type(pipe.scheduler).from_config(pipe.scheduler.config, **self.recipe.scheduler)

        kind = getattr(diffusers, self._name)
        return load_pipeline(kind, self.spec, self.recipe, self.device, prepare=prepare, turns=True)

    @cached_property
    def _from_words(self) -> Any:
        """The pipeline that draws without pictures: of the same parts."""
        if self._name == DRAWS:
            return self.pipe
        from diffusers import QwenImagePipeline

        parts = {name: part for name, part in self.pipe.components.items() if name != "processor"}
        pipe = QwenImagePipeline(**parts)
        pipe.set_progress_bar_config(disable=True)
        return pipe

    def paint(self, job: Job) -> Image:
        with ExitStack() as settings:
            if not job.pictures:
                draw = self._from_words
            elif self._name == DRAWS:
                draw = partial(self.pipe, image=list(job.pictures), output_resolution=isqrt(self.reference_pixels))
            else:
                settings.enter_context(_enlarged_to(self.reference_pixels))
                draw = partial(self.pipe, image=list(job.pictures))
            settings.enter_context(running(self.pipe, job.report))
            return self._called(draw, job)

    def _called(self, draw: Callable[..., Any], job: Job) -> Image:
        from pipelines.diffusion.callbacks import dice, told

        picture: Image = draw(
            prompt=job.prompt,
            negative_prompt=self.recipe.negative if self.recipe.guidance > 1 else None,
            true_cfg_scale=self.recipe.guidance,
            width=job.width,
            height=job.height,
            num_inference_steps=self.recipe.steps,
            generator=dice(job.seed),
            callback_on_step_end=told(job.report, self.recipe.steps, "drawing"),
        ).images[0]
        return picture

    def close(self) -> None:
        self.__dict__.pop("_from_words", None)
        self.__dict__.pop("pipe", None)


@contextmanager
def _enlarged_to(pixels: int) -> Iterator[None]:
    """Qwen-Image-Edit brings every picture that it is shown to the same number of pixels, which is a constant of its module: once for the
    network, once (fewer) for the text encoder."""
    from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit_plus as module

    before = module.VAE_IMAGE_SIZE, module.CONDITION_IMAGE_SIZE
    module.VAE_IMAGE_SIZE, module.CONDITION_IMAGE_SIZE = pixels, min(before[1], pixels)
    try:
        yield
    finally:
        module.VAE_IMAGE_SIZE, module.CONDITION_IMAGE_SIZE = before

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
from pipelines.diffusion.acceleration import caches_active
from pipelines.diffusion.image_family import ImageFamily, ImageOptions, ImageRequest
from pipelines.diffusion.loading import pipeline_name
from pipelines.diffusion.options import ALL_BACKENDS, AttentionBackend, StepCacheName

if TYPE_CHECKING:
    from PIL.Image import Image

QWEN_IMAGE_EDIT_PIPELINE = "QwenImageEditPlusPipeline"
QWEN_IMAGE_21_PIPELINE = "QwenImage21Pipeline"


class QwenOptions(ImageOptions):
    """`guidance` above 1 steers away from the words of `negative`, at twice the time. 4 is the model card's for Qwen-Image-Edit; Qwen-Image
    2.1 and few-step LoRAs want 1."""

    supported_caches: ClassVar[tuple[StepCacheName, ...]] = ("MagCache", "TaylorSeerCache", "FirstBlockCache")
    supported_backends: ClassVar[tuple[AttentionBackend, ...]] = ALL_BACKENDS

    steps: int = 40
    guidance: float = 4.0
    negative_prompt: str = " "
    scheduler: Mapping[str, Any] = Field(
        default_factory=dict,
        description="Settings of the scheduler other than the weights' own, as few-step LoRAs want.",
    )
    quantizable: tuple[str, ...] = ("transformer", "text_encoder")


class QwenImage(ImageFamily):
    """Kinds `portrait`, `element`, `keyframe`."""

    name: ClassVar[str] = "qwen-image"
    options_type = QwenOptions
    options: QwenOptions
    multiple = 32

    def __init__(self, spec: ModelSpec, device: Device) -> None:
        super().__init__(spec, device)
        self._pipeline_name = pipeline_name(spec, (QWEN_IMAGE_EDIT_PIPELINE, QWEN_IMAGE_21_PIPELINE))

    @cached_property
    def pipe(self) -> Any:
        import diffusers

        from pipelines.diffusion.loading import load_pipeline

        def prepare(pipe: Any) -> None:
            if self.options.scheduler:
                pipe.scheduler = type(pipe.scheduler).from_config(pipe.scheduler.config, **self.options.scheduler)

        kind = getattr(diffusers, self._pipeline_name)
        return load_pipeline(kind, self.spec, self.options, self.device, prepare=prepare, model_offload=True)

    @cached_property
    def _text_to_image(self) -> Any:
        """The pipeline that draws without pictures: of the same parts."""
        if self._pipeline_name == QWEN_IMAGE_21_PIPELINE:
            return self.pipe
        from diffusers import QwenImagePipeline

        parts = {name: part for name, part in self.pipe.components.items() if name != "processor"}
        pipe = QwenImagePipeline(**parts)
        pipe.set_progress_bar_config(disable=True)
        return pipe

    def generate(self, request: ImageRequest) -> Image:
        with ExitStack() as settings:
            if not request.reference_images:
                draw = self._text_to_image
            elif self._pipeline_name == QWEN_IMAGE_21_PIPELINE:
                draw = partial(
                    self.pipe, image=list(request.reference_images), output_resolution=isqrt(self.reference_pixels)
                )
            else:
                settings.enter_context(_image_size_limit(self.reference_pixels))
                draw = partial(self.pipe, image=list(request.reference_images))
            settings.enter_context(caches_active(self.pipe, request.report))
            return self._run_pipeline(draw, request)

    def _run_pipeline(self, draw: Callable[..., Any], request: ImageRequest) -> Image:
        from pipelines.diffusion.callbacks import generator, step_callback

        picture: Image = draw(
            prompt=request.prompt,
            negative_prompt=self.options.negative_prompt if self.options.guidance > 1 else None,
            true_cfg_scale=self.options.guidance,
            width=request.width,
            height=request.height,
            num_inference_steps=self.options.steps,
            generator=generator(request.seed),
            callback_on_step_end=step_callback(request.report, self.options.steps, "drawing"),
        ).images[0]
        return picture

    def close(self) -> None:
        self.__dict__.pop("_text_to_image", None)
        self.__dict__.pop("pipe", None)


@contextmanager
def _image_size_limit(pixels: int) -> Iterator[None]:
    """Qwen-Image-Edit brings every picture that it is shown to the same number of pixels, which is a constant of its module: once for the
    network, once (fewer) for the text encoder."""
    from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit_plus as module

    before = module.VAE_IMAGE_SIZE, module.CONDITION_IMAGE_SIZE
    module.VAE_IMAGE_SIZE, module.CONDITION_IMAGE_SIZE = pixels, min(before[1], pixels)
    try:
        yield
    finally:
        module.VAE_IMAGE_SIZE, module.CONDITION_IMAGE_SIZE = before

"""Family: Qwen-Image (Alibaba): images from a prompt and several reference images.

The text encoder reads the prompt together with the reference images, so prompts are not encoded in a step of their own.
The pipeline of Qwen-Image-Edit (2509, 2511) needs reference images; without any, its weights run as Qwen-Image.
Qwen-Image 2.1 supports both in one pipeline.
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
    """Options. A `guidance` above 1 uses `negative_prompt` and doubles the time.

    The model card of Qwen-Image-Edit recommends 4; Qwen-Image 2.1 and few-step LoRAs need 1.
    """

    supported_caches: ClassVar[tuple[StepCacheName, ...]] = ("MagCache", "TaylorSeerCache", "FirstBlockCache")
    supported_backends: ClassVar[tuple[AttentionBackend, ...]] = ALL_BACKENDS

    steps: int = 40
    guidance: float = 4.0
    negative_prompt: str = " "
    scheduler: Mapping[str, Any] = Field(
        default_factory=dict,
        description="Scheduler settings that override those of the weights, for example for few-step LoRAs.",
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
        """The pipeline without reference images, built from the same components."""
        if self._pipeline_name == QWEN_IMAGE_21_PIPELINE:
            return self.pipe
        from diffusers import QwenImagePipeline

        components = {name: component for name, component in self.pipe.components.items() if name != "processor"}
        pipe = QwenImagePipeline(**components)
        pipe.set_progress_bar_config(disable=True)
        return pipe

    def generate(self, request: ImageRequest) -> Image:
        with ExitStack() as settings:
            if not request.reference_images:
                pipeline = self._text_to_image
            elif self._pipeline_name == QWEN_IMAGE_21_PIPELINE:
                pipeline = partial(
                    self.pipe, image=list(request.reference_images), output_resolution=isqrt(self.reference_pixels)
                )
            else:
                settings.enter_context(_image_size_limit(self.reference_pixels))
                pipeline = partial(self.pipe, image=list(request.reference_images))
            settings.enter_context(caches_active(self.pipe, request.report))
            return self._run_pipeline(pipeline, request)

    def _run_pipeline(self, pipeline: Callable[..., Any], request: ImageRequest) -> Image:
        from pipelines.diffusion.callbacks import generator, step_callback

        image: Image = pipeline(
            prompt=request.prompt,
            negative_prompt=self.options.negative_prompt if self.options.guidance > 1 else None,
            true_cfg_scale=self.options.guidance,
            width=request.width,
            height=request.height,
            num_inference_steps=self.options.steps,
            generator=generator(request.seed),
            callback_on_step_end=step_callback(request.report, self.options.steps, "generating the image"),
        ).images[0]
        return image

    def close(self) -> None:
        self.__dict__.pop("_text_to_image", None)
        self.__dict__.pop("pipe", None)


@contextmanager
def _image_size_limit(pixels: int) -> Iterator[None]:
    """Set the pixel count to which Qwen-Image-Edit resizes reference images; restore it at exit.

    diffusers has two module constants for it: one for the denoiser, and a smaller one for the text encoder.
    """
    from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit_plus as module

    before = module.VAE_IMAGE_SIZE, module.CONDITION_IMAGE_SIZE
    module.VAE_IMAGE_SIZE, module.CONDITION_IMAGE_SIZE = pixels, min(before[1], pixels)
    try:
        yield
    finally:
        module.VAE_IMAGE_SIZE, module.CONDITION_IMAGE_SIZE = before

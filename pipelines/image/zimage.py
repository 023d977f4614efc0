"""Family: Z-Image (Tongyi-MAI): images from a prompt only; the Turbo weights need eight denoiser calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pipelines.base import Device, Kind, ModelSpec, Params, Report
from pipelines.diffusion.acceleration import caches_active
from pipelines.diffusion.components import DENOISER, TEXT_ENCODER, build_component_groups
from pipelines.diffusion.image_family import (
    IMAGE_PARAMS,
    ImageFamily,
    ImageOptions,
    ImageRequest,
    warn_truncated_prompt,
)
from pipelines.diffusion.options import ALL_BACKENDS, AttentionBackend
from pipelines.step_params import EncodePromptParams

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image


class ZImageOptions(ImageOptions):
    """Defaults of the Turbo model card: nine steps, of which the last has no effect, and no guidance."""

    supported_backends: ClassVar[tuple[AttentionBackend, ...]] = ALL_BACKENDS

    steps: int = 9
    guidance: float = 0.0
    quantizable: tuple[str, ...] = ("transformer", "text_encoder")


class ZImage(ImageFamily):
    """Kinds `encode_prompt`, `portrait`, `element`, `keyframe`. Reference images are not supported."""

    name: ClassVar[str] = "z-image"
    params: ClassVar[Mapping[Kind, type[Params]]] = {Kind.ENCODE_PROMPT: EncodePromptParams, **IMAGE_PARAMS}
    options_type = ZImageOptions

    def __init__(self, spec: ModelSpec, device: Device) -> None:
        super().__init__(spec, device)
        self.component_groups = build_component_groups(
            "ZImagePipeline", spec, self.options, device, encoder_parts=("text_encoder", "tokenizer")
        )

    def encode(self, prompt: str, report: Report) -> Mapping[str, torch.Tensor]:
        import torch

        pipe = self.component_groups[TEXT_ENCODER]
        warn_truncated_prompt(prompt, pipe.tokenizer, 512, report)
        with torch.no_grad():
            embeds, empty = pipe.encode_prompt(prompt, do_classifier_free_guidance=self.options.guidance > 1)
        encoded = {"prompt_embeds": embeds[0]}
        if empty:
            encoded["negative_prompt_embeds"] = empty[0]
        return encoded

    def generate(self, request: ImageRequest) -> Image:
        from pipelines.diffusion.callbacks import generator, step_callback

        embeds = request.prompt_embeds or self.encode(request.prompt, request.report)
        pipe = self.component_groups[DENOISER]
        with caches_active(pipe, request.report):
            image: Image = pipe(
                **{name: [tensor] for name, tensor in embeds.items()},
                width=request.width,
                height=request.height,
                num_inference_steps=self.options.steps,
                guidance_scale=self.options.guidance,
                generator=generator(request.seed),
                callback_on_step_end=step_callback(request.report, self.options.steps, "generating the image"),
            ).images[0]
        return image

    def close(self) -> None:
        self.component_groups.close()

"""Family: FLUX.1 Kontext (Black Forest Labs): images from a prompt and one reference image or grid of images."""

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
from pipelines.diffusion.options import ALL_BACKENDS, AttentionBackend, StepCacheName
from pipelines.step_params import EncodePromptParams

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image


class KontextOptions(ImageOptions):
    """Options with the guidance of the model card."""

    supported_caches: ClassVar[tuple[StepCacheName, ...]] = (
        "MagCache",
        "TaylorSeerCache",
        "FirstBlockCache",
        "PyramidAttentionBroadcast",
    )
    supported_backends: ClassVar[tuple[AttentionBackend, ...]] = ALL_BACKENDS

    guidance: float = 2.5
    quantizable: tuple[str, ...] = ("transformer", "text_encoder_2")


class Kontext(ImageFamily):
    """Kinds `encode_prompt`, `portrait`, `element`, `keyframe`. Models of this family have `max_references: 1`."""

    name: ClassVar[str] = "flux-kontext"
    params: ClassVar[Mapping[Kind, type[Params]]] = {Kind.ENCODE_PROMPT: EncodePromptParams, **IMAGE_PARAMS}
    options_type = KontextOptions

    def __init__(self, spec: ModelSpec, device: Device) -> None:
        super().__init__(spec, device)
        encoder_parts = ("text_encoder", "tokenizer", "text_encoder_2", "tokenizer_2")
        self.component_groups = build_component_groups(
            "FluxKontextPipeline", spec, self.options, device, encoder_parts=encoder_parts
        )

    def encode(self, prompt: str, report: Report) -> Mapping[str, torch.Tensor]:
        import torch

        pipe = self.component_groups[TEXT_ENCODER]
        warn_truncated_prompt(prompt, pipe.tokenizer_2, 512, report)
        with torch.no_grad():
            embeds, pooled, _ = pipe.encode_prompt(prompt)
        return {"prompt_embeds": embeds, "pooled_prompt_embeds": pooled}

    def generate(self, request: ImageRequest) -> Image:
        from pipelines.diffusion.callbacks import generator, step_callback

        embeds = request.prompt_embeds or self.encode(request.prompt, request.report)
        pipe = self.component_groups[DENOISER]
        with caches_active(pipe, request.report):
            image: Image = pipe(
                image=request.reference_images[0] if request.reference_images else None,
                **embeds,
                width=request.width,
                height=request.height,
                # The defaults of both change an aspect ratio: of the output image and of the reference image.
                max_area=request.width * request.height,
                _auto_resize=False,
                num_inference_steps=self.options.steps,
                guidance_scale=self.options.guidance,
                generator=generator(request.seed),
                callback_on_step_end=step_callback(request.report, self.options.steps, "generating the image"),
            ).images[0]
        return image

    def close(self) -> None:
        self.component_groups.close()

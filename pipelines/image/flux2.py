"""Family: FLUX.2 (Black Forest Labs): images from a prompt and several reference images.

klein (4B, 9B; text encoder Qwen3) and dev (32B; text encoder Mistral 3) have different pipeline classes;
`model_index.json` names the class.
"""

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
from pipelines.diffusion.loading import pipeline_name
from pipelines.diffusion.options import ALL_BACKENDS, AttentionBackend, StepCacheName
from pipelines.step_params import EncodePromptParams

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image


class Flux2Options(ImageOptions):
    """Defaults of the distilled klein weights: 4 steps, guidance 1."""

    supported_caches: ClassVar[tuple[StepCacheName, ...]] = ("MagCache", "TaylorSeerCache")
    supported_backends: ClassVar[tuple[AttentionBackend, ...]] = ALL_BACKENDS

    steps: int = 4
    quantizable: tuple[str, ...] = ("transformer", "text_encoder")


class Flux2(ImageFamily):
    """Kinds `encode_prompt`, `portrait`, `element`, `keyframe`.

    The text encoder is as large as the denoiser; each is loaded without the other.
    """

    name: ClassVar[str] = "flux2"
    params: ClassVar[Mapping[Kind, type[Params]]] = {Kind.ENCODE_PROMPT: EncodePromptParams, **IMAGE_PARAMS}
    options_type = Flux2Options

    def __init__(self, spec: ModelSpec, device: Device) -> None:
        super().__init__(spec, device)
        name = pipeline_name(spec, ("Flux2KleinPipeline", "Flux2Pipeline"))
        self.component_groups = build_component_groups(
            name, spec, self.options, device, encoder_parts=("text_encoder", "tokenizer")
        )

    def encode(self, prompt: str, report: Report) -> Mapping[str, torch.Tensor]:
        import torch

        pipe = self.component_groups[TEXT_ENCODER]
        # dev's tokenizer is wrapped in a processor for text and images.
        tokenizer = getattr(pipe.tokenizer, "tokenizer", pipe.tokenizer)
        warn_truncated_prompt(prompt, tokenizer, pipe.tokenizer_max_length, report)
        with torch.no_grad():
            embeds = {"prompt_embeds": pipe.encode_prompt(prompt)[0]}
            # Only the undistilled klein weights use an empty negative prompt.
            if self.options.guidance > 1 and pipe.config.get("is_distilled") is False:
                embeds["negative_prompt_embeds"] = pipe.encode_prompt("")[0]
        return embeds

    def generate(self, request: ImageRequest) -> Image:
        from pipelines.diffusion.callbacks import generator, step_callback

        embeds = request.prompt_embeds or self.encode(request.prompt, request.report)
        pipe = self.component_groups[DENOISER]
        with caches_active(pipe, request.report):
            image: Image = pipe(
                image=list(request.reference_images) or None,
                **embeds,
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

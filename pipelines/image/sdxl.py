"""Family: Stable Diffusion XL (Stability AI): images from a prompt, and from reference images with an IP-Adapter.

The adapter is a second entry in the model's `weights`, named in `options.adapter`. It transfers appearance, not
composition, and blends several reference images.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from pipelines.base import Device, Kind, MemoryMode, ModelSpec, Params, Report
from pipelines.diffusion.components import DENOISER, TEXT_ENCODER, build_component_groups
from pipelines.diffusion.image_family import BACKGROUND, IMAGE_PARAMS, ImageFamily, ImageOptions, ImageRequest
from pipelines.step_params import EncodePromptParams

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image


class IpAdapterOptions(BaseModel):
    """Location of an IP-Adapter's files in the weights `role`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: str = "adapter"
    folder: str = "sdxl_models"
    file: str = Field("ip-adapter-plus_sdxl_vit-h.safetensors", pattern=r"\.safetensors$")
    image_encoder: str = Field("models/image_encoder", description="Folder of the image encoder.")
    strength: float = Field(0.6, ge=0, le=2)


class SdxlOptions(ImageOptions):
    """Usual settings of the base weights."""

    steps: int = 30
    guidance: float = 6.0
    negative_prompt: str = "blurry, deformed, watermark, text"
    adapter: IpAdapterOptions | None = None
    quantizable: tuple[str, ...] = ()


class Sdxl(ImageFamily):
    """Kinds `encode_prompt`, `portrait`, `element`, `keyframe`.

    INT8 is not offered: the weights are too small to benefit.
    """

    name: ClassVar[str] = "sdxl"
    params: ClassVar[Mapping[Kind, type[Params]]] = {Kind.ENCODE_PROMPT: EncodePromptParams, **IMAGE_PARAMS}
    memory_modes: ClassVar[tuple[MemoryMode, ...]] = tuple(
        mode for mode in ImageFamily.memory_modes if mode != MemoryMode.INT8
    )
    options_type = SdxlOptions
    options: SdxlOptions

    def __init__(self, spec: ModelSpec, device: Device) -> None:
        super().__init__(spec, device)
        encoder_parts = ("text_encoder", "tokenizer", "text_encoder_2", "tokenizer_2")
        self.component_groups = build_component_groups(
            "StableDiffusionXLPipeline",
            spec,
            self.options,
            device,
            encoder_parts=encoder_parts,
            denoiser_parts=("unet", "vae"),
            prepare=self._load_ip_adapter,
        )

    def _load_ip_adapter(self, pipe: Any) -> None:
        adapter = self.options.adapter
        if adapter is None:
            return
        from transformers import CLIPVisionModelWithProjection

        from pipelines.models.weights import verified_folder

        folder = verified_folder(self.spec, adapter.role)
        image_encoder = CLIPVisionModelWithProjection.from_pretrained(
            folder / adapter.image_encoder, dtype=pipe.dtype, local_files_only=True, use_safetensors=True
        )
        pipe.register_modules(image_encoder=image_encoder)
        pipe.load_ip_adapter(folder, subfolder=adapter.folder, weight_name=adapter.file, local_files_only=True)

    def encode(self, prompt: str, report: Report) -> Mapping[str, torch.Tensor]:
        import torch

        pipe = self.component_groups[TEXT_ENCODER]
        with torch.no_grad():
            parts = [
                pipe.encode_prompt(part, negative_prompt=self.options.negative_prompt)
                for part in split_prompt(prompt, pipe.tokenizer)
            ]
        return {
            "prompt_embeds": torch.cat([part[0] for part in parts], dim=1),
            "negative_prompt_embeds": torch.cat([part[1] for part in parts], dim=1),
            "pooled_prompt_embeds": parts[0][2],
            "negative_pooled_prompt_embeds": parts[0][3],
        }

    def generate(self, request: ImageRequest) -> Image:
        from pipelines.diffusion.callbacks import generator, step_callback

        embeds = request.prompt_embeds or self.encode(request.prompt, request.report)
        pipe = self.component_groups[DENOISER]
        image: Image = pipe(
            **embeds,
            **self._ip_adapter_kwargs(pipe, request),
            width=request.width,
            height=request.height,
            num_inference_steps=self.options.steps,
            guidance_scale=self.options.guidance,
            generator=generator(request.seed),
            callback_on_step_end=step_callback(request.report, self.options.steps, "generating the image"),
        ).images[0]
        return image

    def _ip_adapter_kwargs(self, pipe: Any, request: ImageRequest) -> dict[str, Any]:
        """Return the images for the adapter, which needs at least one: a plain image with scale 0 by default."""
        if self.options.adapter is None:
            return {}
        from PIL import Image as Pillow

        pipe.set_ip_adapter_scale(self.options.adapter.strength if request.reference_images else 0.0)
        return {"ip_adapter_image": [list(request.reference_images) or [Pillow.new("RGB", (224, 224), BACKGROUND)]]}

    def close(self) -> None:
        self.component_groups.close()


def split_prompt(prompt: str, tokenizer: Any) -> list[str]:
    """Split a prompt between words into parts that fit the context of CLIP (77 tokens with begin and end).

    The embeddings of the parts are concatenated, so a long prompt is not truncated.
    """
    max_tokens = tokenizer.model_max_length - 2
    parts: list[str] = []
    for word in prompt.split():
        longer = f"{parts[-1]} {word}" if parts else word
        fits = len(tokenizer(longer, add_special_tokens=False).input_ids) <= max_tokens
        parts[-1:] = [longer] if fits else [*parts[-1:], word]
    return parts or [""]

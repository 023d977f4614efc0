"""Family: Stable Diffusion XL (Stability AI): pictures from words; with an IP-Adapter also after pictures.

An adapter is a second entry of the model's `weights`, named in `options.adapter`. It carries over how something looks, not where it stands,
and mixes what several pictures show.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from pipelines.base import Device, Economy, Kind, ModelSpec, Params, Report
from pipelines.diffusion.components import DRAWS, READS, halves_of
from pipelines.diffusion.image_family import PAPER, PICTURES, Job, Painter, PictureRecipe
from pipelines.step_params import EncodeParams

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image


class Adapter(BaseModel):
    """Where the files of an IP-Adapter lie in the weights `role`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: str = "adapter"
    folder: str = "sdxl_models"
    file: str = Field("ip-adapter-plus_sdxl_vit-h.safetensors", pattern=r"\.safetensors$")
    sees: str = Field("models/image_encoder", description="Folder of what sees the pictures.")
    strength: float = Field(0.6, ge=0, le=2)


class SdxlRecipe(PictureRecipe):
    """Usual settings of the base weights. `negative`: words for what is not wanted."""

    steps: int = 30
    guidance: float = 6.0
    negative: str = "blurry, deformed, watermark, text"
    adapter: Adapter | None = None
    quantizable: tuple[str, ...] = ()


class Sdxl(Painter):
    """Kinds `encode`, `portrait`, `element`, `keyframe`. The weights are too small for fewer bits to be worth it."""

    name: ClassVar[str] = "sdxl"
    params: ClassVar[Mapping[Kind, type[Params]]] = {Kind.ENCODE: EncodeParams, **PICTURES}
    economies: ClassVar[tuple[Economy, ...]] = tuple(rung for rung in Painter.economies if rung != Economy.QUANTIZED)
    options = SdxlRecipe
    recipe: SdxlRecipe

    def __init__(self, spec: ModelSpec, device: Device) -> None:
        super().__init__(spec, device)
        reads = ("text_encoder", "tokenizer", "text_encoder_2", "tokenizer_2")
        self.halves = halves_of(
            "StableDiffusionXLPipeline",
            spec,
            self.recipe,
            device,
            reads=reads,
            draws=("unet", "vae"),
            prepare=self._adapt,
        )

    def _adapt(self, pipe: Any) -> None:
        adapter = self.recipe.adapter
        if adapter is None:
            return
        from transformers import CLIPVisionModelWithProjection

        from pipelines.models.weights import folder

        place = folder(self.spec, adapter.role)
        sees = CLIPVisionModelWithProjection.from_pretrained(
            place / adapter.sees, dtype=pipe.dtype, local_files_only=True, use_safetensors=True
        )
        pipe.register_modules(image_encoder=sees)
        pipe.load_ip_adapter(place, subfolder=adapter.folder, weight_name=adapter.file, local_files_only=True)

    def encode(self, prompt: str, report: Report) -> Mapping[str, torch.Tensor]:
        import torch

        pipe = self.halves[READS]
        with torch.no_grad():
            parts = [
                pipe.encode_prompt(part, negative_prompt=self.recipe.negative)
                for part in in_parts(prompt, pipe.tokenizer)
            ]
        return {
            "prompt_embeds": torch.cat([part[0] for part in parts], dim=1),
            "negative_prompt_embeds": torch.cat([part[1] for part in parts], dim=1),
            "pooled_prompt_embeds": parts[0][2],
            "negative_pooled_prompt_embeds": parts[0][3],
        }

    def paint(self, job: Job) -> Image:
        from pipelines.diffusion.callbacks import dice, told

        words = job.words or self.encode(job.prompt, job.report)
        pipe = self.halves[DRAWS]
        picture: Image = pipe(
            **words,
            **self._after(pipe, job),
            width=job.width,
            height=job.height,
            num_inference_steps=self.recipe.steps,
            guidance_scale=self.recipe.guidance,
            generator=dice(job.seed),
            callback_on_step_end=told(job.report, self.recipe.steps, "drawing"),
        ).images[0]
        return picture

    def _after(self, pipe: Any, job: Job) -> dict[str, Any]:
        """The pictures for the adapter. It may not be left without any, so it gets a grey one that counts for nothing."""
        if self.recipe.adapter is None:
            return {}
        from PIL import Image as Pillow

        pipe.set_ip_adapter_scale(self.recipe.adapter.strength if job.pictures else 0.0)
        return {"ip_adapter_image": [list(job.pictures) or [Pillow.new("RGB", (224, 224), PAPER)]]}

    def close(self) -> None:
        self.halves.close()


def in_parts(prompt: str, tokenizer: Any) -> list[str]:
    """The words in pieces that CLIP can read (77 tokens with begin and end), cut between words: encoded piece by piece and laid end to
    end, nothing of a long prompt is lost."""
    room = tokenizer.model_max_length - 2
    parts: list[str] = []
    for word in prompt.split():
        longer = f"{parts[-1]} {word}" if parts else word
        fits = len(tokenizer(longer, add_special_tokens=False).input_ids) <= room
        parts[-1:] = [longer] if fits else [*parts[-1:], word]
    return parts or [""]

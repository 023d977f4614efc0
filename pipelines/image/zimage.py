"""Family: Z-Image (Tongyi-MAI): pictures from words alone, the Turbo weights in eight passes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pipelines.base import Device, Kind, ModelSpec, Params, Report
from pipelines.diffusion.acceleration import running
from pipelines.diffusion.components import DRAWS, READS, halves_of
from pipelines.diffusion.image_family import PICTURES, Job, Painter, PictureRecipe, tell_what_is_not_read
from pipelines.diffusion.options import UNMASKED, Attention
from pipelines.step_params import EncodeParams

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image


class ZImageRecipe(PictureRecipe):
    """The model card's settings of Turbo: nine steps, of which the last moves nothing; no guidance."""

    attentions: ClassVar[tuple[Attention, ...]] = UNMASKED

    steps: int = 9
    guidance: float = 0.0
    quantizable: tuple[str, ...] = ("transformer", "text_encoder")


class ZImage(Painter):
    """Kinds `encode`, `portrait`, `element`, `keyframe`; it sees no pictures."""

    name: ClassVar[str] = "z-image"
    params: ClassVar[Mapping[Kind, type[Params]]] = {Kind.ENCODE: EncodeParams, **PICTURES}
    options = ZImageRecipe

    def __init__(self, spec: ModelSpec, device: Device) -> None:
        super().__init__(spec, device)
        self.halves = halves_of("ZImagePipeline", spec, self.recipe, device, reads=("text_encoder", "tokenizer"))

    def encode(self, prompt: str, report: Report) -> Mapping[str, torch.Tensor]:
        import torch

        pipe = self.halves[READS]
        tell_what_is_not_read(prompt, pipe.tokenizer, 512, report)
        with torch.no_grad():
            words, empty = pipe.encode_prompt(prompt, do_classifier_free_guidance=self.recipe.guidance > 1)
        encoded = {"prompt_embeds": words[0]}
        if empty:
            encoded["negative_prompt_embeds"] = empty[0]
        return encoded

    def paint(self, job: Job) -> Image:
        from pipelines.diffusion.callbacks import dice, told

        words = job.words or self.encode(job.prompt, job.report)
        pipe = self.halves[DRAWS]
        with running(pipe, job.report):
            picture: Image = pipe(
                **{name: [tensor] for name, tensor in words.items()},
                width=job.width,
                height=job.height,
                num_inference_steps=self.recipe.steps,
                guidance_scale=self.recipe.guidance,
                generator=dice(job.seed),
                callback_on_step_end=told(job.report, self.recipe.steps, "drawing"),
            ).images[0]
        return picture

    def close(self) -> None:
        self.halves.close()

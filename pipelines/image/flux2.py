"""Family: FLUX.2 (Black Forest Labs): pictures from words and several reference pictures.

klein (4B, 9B; Qwen3 reads the words) and dev (32B; Mistral 3 reads them) differ in the class of their pipeline, which the weights name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pipelines.base import Device, Kind, ModelSpec, Params, Report
from pipelines.diffusion.acceleration import running
from pipelines.diffusion.components import DRAWS, READS, halves_of
from pipelines.diffusion.image_family import PICTURES, Job, Painter, PictureRecipe, tell_what_is_not_read
from pipelines.diffusion.loading import pipeline_name
from pipelines.diffusion.options import UNMASKED, Attention, Cache
from pipelines.step_params import EncodeParams

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image


class Flux2Recipe(PictureRecipe):
    """klein's steps and guidance, distilled: 4 and 1."""

    caches: ClassVar[tuple[Cache, ...]] = ("MagCache", "TaylorSeerCache")
    attentions: ClassVar[tuple[Attention, ...]] = UNMASKED

    steps: int = 4
    quantizable: tuple[str, ...] = ("transformer", "text_encoder")


class Flux2(Painter):
    """Kinds `encode`, `portrait`, `element`, `keyframe`. The text encoder is as large as the network that draws; neither needs the other."""

    name: ClassVar[str] = "flux2"
    params: ClassVar[Mapping[Kind, type[Params]]] = {Kind.ENCODE: EncodeParams, **PICTURES}
    options = Flux2Recipe

    def __init__(self, spec: ModelSpec, device: Device) -> None:
        super().__init__(spec, device)
        name = pipeline_name(spec, ("Flux2KleinPipeline", "Flux2Pipeline"))
        self.halves = halves_of(name, spec, self.recipe, device, reads=("text_encoder", "tokenizer"))

    def encode(self, prompt: str, report: Report) -> Mapping[str, torch.Tensor]:
        import torch

        pipe = self.halves[READS]
        # dev's tokenizer is part of a processor, which could read pictures too.
        tokenizer = getattr(pipe.tokenizer, "tokenizer", pipe.tokenizer)
        tell_what_is_not_read(prompt, tokenizer, pipe.tokenizer_max_length, report)
        with torch.no_grad():
            words = {"prompt_embeds": pipe.encode_prompt(prompt)[0]}
            # Only klein's undistilled weights are guided away from empty words.
            if self.recipe.guidance > 1 and pipe.config.get("is_distilled") is False:
                words["negative_prompt_embeds"] = pipe.encode_prompt("")[0]
        return words

    def paint(self, job: Job) -> Image:
        from pipelines.diffusion.callbacks import dice, told

        words = job.words or self.encode(job.prompt, job.report)
        pipe = self.halves[DRAWS]
        with running(pipe, job.report):
            picture: Image = pipe(
                image=list(job.pictures) or None,
                **words,
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

"""Family: FLUX.1 Kontext (Black Forest Labs): pictures from words and one picture, which may be a sheet of several."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pipelines.base import Device, Kind, ModelSpec, Params, Report
from pipelines.diffusion.acceleration import running
from pipelines.diffusion.components import DRAWS, READS, halves_of
from pipelines.diffusion.image_family import PICTURES, Job, Painter, PictureRecipe, tell_what_is_not_read
from pipelines.diffusion.options import UNMASKED, Attention, Cache
from pipelines.step_params import EncodeParams

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image


class KontextRecipe(PictureRecipe):
    """The model card's guidance."""

    caches: ClassVar[tuple[Cache, ...]] = (
        "MagCache",
        "TaylorSeerCache",
        "FirstBlockCache",
        "PyramidAttentionBroadcast",
    )
    attentions: ClassVar[tuple[Attention, ...]] = UNMASKED

    guidance: float = 2.5
    quantizable: tuple[str, ...] = ("transformer", "text_encoder_2")


class Kontext(Painter):
    """Kinds `encode`, `portrait`, `element`, `keyframe`. Models of this family have `max_references: 1`."""

    name: ClassVar[str] = "flux-kontext"
    params: ClassVar[Mapping[Kind, type[Params]]] = {Kind.ENCODE: EncodeParams, **PICTURES}
    options = KontextRecipe

    def __init__(self, spec: ModelSpec, device: Device) -> None:
        super().__init__(spec, device)
        reads = ("text_encoder", "tokenizer", "text_encoder_2", "tokenizer_2")
        self.halves = halves_of("FluxKontextPipeline", spec, self.recipe, device, reads=reads)

    def encode(self, prompt: str, report: Report) -> Mapping[str, torch.Tensor]:
        import torch

        pipe = self.halves[READS]
        tell_what_is_not_read(prompt, pipe.tokenizer_2, 512, report)
        with torch.no_grad():
            words, pooled, _ = pipe.encode_prompt(prompt)
        return {"prompt_embeds": words, "pooled_prompt_embeds": pooled}

    def paint(self, job: Job) -> Image:
        from pipelines.diffusion.callbacks import dice, told

        words = job.words or self.encode(job.prompt, job.report)
        pipe = self.halves[DRAWS]
        with running(pipe, job.report):
            picture: Image = pipe(
                image=job.pictures[0] if job.pictures else None,
                **words,
                width=job.width,
                height=job.height,
                # Both would change the shape: of what is drawn, and of what is shown.
                max_area=job.width * job.height,
                _auto_resize=False,
                num_inference_steps=self.recipe.steps,
                guidance_scale=self.recipe.guidance,
                generator=dice(job.seed),
                callback_on_step_end=told(job.report, self.recipe.steps, "drawing"),
            ).images[0]
        return picture

    def close(self) -> None:
        self.halves.close()

"""Family: FLUX.3 klein (Black Forest Labs): pictures from words and several reference pictures, by a modular pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pipelines.base import Device, Economy, Kind, ModelSpec, Params, Report
from pipelines.diffusion.components import DRAWS, READS, Halves
from pipelines.diffusion.image_family import PICTURES, Job, Painter, PictureRecipe
from pipelines.diffusion.options import UNMASKED, Attention
from pipelines.step_params import EncodeParams

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

KNOWN = ("Flux3DistilledModularPipeline", "Flux3ModularPipeline")


class Flux3Recipe(PictureRecipe):
    """Steps of the distilled weights, which take no guidance; the others want 50 steps and guidance."""

    attentions: ClassVar[tuple[Attention, ...]] = UNMASKED

    steps: int = 16
    quantizable: tuple[str, ...] = ("transformer", "text_encoder")


class Flux3(Painter):
    """Kinds `encode`, `portrait`, `element`, `keyframe`. The pipeline's own prompt upsampler is left out: the words arrive ready."""

    name: ClassVar[str] = "flux3"
    params: ClassVar[Mapping[Kind, type[Params]]] = {Kind.ENCODE: EncodeParams, **PICTURES}
    options = Flux3Recipe

    def __init__(self, spec: ModelSpec, device: Device) -> None:
        super().__init__(spec, device)
        makers = {
            READS: lambda: self._load("text_encoder"),
            DRAWS: lambda: self._load("vae_encoder", "denoise", "decode"),
        }
        self.halves = Halves(makers, together=device.economy < Economy.APART)

    def _load(self, *names: str) -> Any:
        from pipelines.diffusion.modular import blocks_of, load_modular

        blocks = blocks_of(self.spec, KNOWN)
        for name in set(blocks.sub_blocks) - set(names):
            blocks.sub_blocks.pop(name)
        pipe = load_modular(blocks, self.spec, self.recipe, self.device)
        if getattr(pipe, "guider", None) is not None:
            pipe.update_components(guider=pipe.guider.new(guidance_scale=self.recipe.guidance))
        return pipe

    def encode(self, prompt: str, report: Report) -> Mapping[str, torch.Tensor]:
        words = {"prompt_embeds": self._read(prompt)}
        if self.recipe.guidance > 1:
            words["negative_prompt_embeds"] = self._read("")
        return words

    def _read(self, prompt: str) -> torch.Tensor:
        read: torch.Tensor = self.halves[READS](prompt=prompt, output="prompt_embeds")
        return read

    def paint(self, job: Job) -> Image:
        from pipelines.diffusion.callbacks import counted, dice

        words = job.words or self.encode(job.prompt, job.report)
        shown = {"image": list(job.pictures)} if job.pictures else {}
        pipe = self.halves[DRAWS]
        passes = self.recipe.steps * (2 if self.recipe.guidance > 1 else 1)
        with counted(pipe.transformer, job.report, passes, "drawing"):
            picture: Image = pipe(
                **words,
                **shown,
                width=job.width,
                height=job.height,
                num_inference_steps=self.recipe.steps,
                generator=dice(job.seed),
                output="images",
            )[0]
        return picture

    def close(self) -> None:
        self.halves.close()

"""Family: LTX-Video (Lightricks), 0.9 to 0.9.8: clips from a keyframe, and bridges from one frame to another.

Weights from 0.9.5 on take pictures anywhere in a clip (LTXConditionPipeline), older ones at its beginning alone. They name their class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from pipelines.base import Kind, ModelSpec, Params
from pipelines.diffusion.acceleration import running
from pipelines.diffusion.components import DRAWS, READS
from pipelines.diffusion.options import MASKABLE, Attention, Cache
from pipelines.diffusion.video_family import FILMS, Filmer, FilmRecipe, Job
from pipelines.diffusion.windows import Window
from pipelines.step_params import BridgeParams

if TYPE_CHECKING:
    import torch

    from pipelines.diffusion.clip_writer import Made

ANYWHERE = "LTXConditionPipeline"
BEGINNING = "LTXImageToVideoPipeline"
FIRST = "LTXPipeline"
"""What the first weights were published as; the parts are the same."""


class LtxRecipe(FilmRecipe):
    """What LTX alone can be told."""

    caches: ClassVar[tuple[Cache, ...]] = (
        "MagCache",
        "TaylorSeerCache",
        "FirstBlockCache",
        "PyramidAttentionBroadcast",
    )
    attentions: ClassVar[tuple[Attention, ...]] = MASKABLE

    negative: str = "worst quality, inconsistent motion, blurry, jittery, distorted"
    quantizable: tuple[str, ...] = ("transformer", "text_encoder")
    anywhere: bool = Field(
        False, description="They take pictures anywhere in a clip, whatever pipeline they are published as."
    )
    timesteps: tuple[float, ...] = Field(
        (), description="Of weights distilled to few steps: all of them, instead of `steps`."
    )
    rescale: float = Field(0.0, ge=0, le=1, description="How much of the contrast that guidance adds is taken back.")
    decode_timestep: float = Field(0.05, ge=0, le=1, description="At which noise the picture is decoded.")
    decode_noise: float = Field(0.025, ge=0, le=1, description="How much noise is added for that.")
    picture_noise: float = Field(0.025, ge=0, le=1, description="Noise added to given pictures, so that they move.")

    @property
    def passes(self) -> int:
        return len(self.timesteps) or self.steps


class Ltx(Filmer[LtxRecipe]):
    """Kinds `encode`, `animate`, and `bridge` as far as the weights can."""

    name: ClassVar[str] = "ltx"
    params: ClassVar[Mapping[Kind, type[Params]]] = {**FILMS, Kind.BRIDGE: BridgeParams}
    known: ClassVar[tuple[str, ...]] = (ANYWHERE, BEGINNING, FIRST)

    @staticmethod
    def options(spec: ModelSpec) -> LtxRecipe:
        return LtxRecipe.of(spec)

    def usual(self) -> Window:
        return Window(fps=24, frames=121, every=8, width=960, height=544, multiple=32)

    @property
    def ends(self) -> bool:
        return self.recipe.anywhere or self.pipeline == ANYWHERE

    def half(self, without: Sequence[str]) -> Any:
        import diffusers

        from pipelines.diffusion.loading import load_pipeline

        kind = getattr(diffusers, ANYWHERE if self.ends else BEGINNING)
        return load_pipeline(kind, self.spec, self.recipe, self.device, without=without, published=self.known)

    def encode(self, prompt: str) -> Mapping[str, torch.Tensor]:
        words, mask, negative, negative_mask = self.halves[READS].encode_prompt(
            prompt, self.recipe.negative, self.recipe.guided
        )
        encoded = {"prompt_embeds": words, "prompt_attention_mask": mask}
        if self.recipe.guided:
            encoded |= {"negative_prompt_embeds": negative, "negative_prompt_attention_mask": negative_mask}
        return encoded

    def film(self, job: Job) -> Made:
        from pipelines.diffusion.callbacks import dice, told
        from pipelines.diffusion.clip_writer import Made, as_frames

        recipe = self.recipe
        steps = recipe.passes
        pipe = self.halves[DRAWS]
        with running(pipe, job.report):
            video = pipe(
                **self._pictures(job),
                **job.words,
                width=job.first.width,
                height=job.first.height,
                num_frames=job.frames,
                frame_rate=self.window.fps,
                num_inference_steps=steps,
                timesteps=list(recipe.timesteps) or None,
                guidance_scale=recipe.guidance,
                guidance_rescale=recipe.rescale,
                decode_timestep=recipe.decode_timestep,
                decode_noise_scale=recipe.decode_noise,
                generator=dice(job.seed),
                output_type="np",
                callback_on_step_end=told(job.report, steps, "moving", job.begin, job.end),
            ).frames[0]
        return Made(as_frames(video))

    def _pictures(self, job: Job) -> dict[str, Any]:
        if not self.ends:
            return {"image": job.first}
        from diffusers.pipelines.ltx.pipeline_ltx_condition import LTXVideoCondition

        conditions = [LTXVideoCondition(image=job.first)]
        if job.last is not None:
            conditions.append(LTXVideoCondition(image=job.last, frame_index=job.frames - 1))
        return {"conditions": conditions, "image_cond_noise_scale": self.recipe.picture_noise}

"""Family: CogVideoX image-to-video (Zhipu AI): clips from a keyframe.

The first CogVideoX makes 49 frames, 8 a second, of one size only; 1.5 makes 81, 16 a second, of any shape. The configuration of the
network says which it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from pipelines.base import ModelSpec
from pipelines.diffusion.acceleration import running
from pipelines.diffusion.components import DRAWS, READS
from pipelines.diffusion.options import Cache
from pipelines.diffusion.video_family import Filmer, FilmRecipe, Job
from pipelines.diffusion.windows import Window

if TYPE_CHECKING:
    import torch

    from pipelines.diffusion.clip_writer import Made

TOKENS = 226
"""Length to which words are filled up; the network counts on it."""


class CogVideoXRecipe(FilmRecipe):
    """What CogVideoX alone can be told."""

    caches: ClassVar[tuple[Cache, ...]] = (
        "MagCache",
        "TaylorSeerCache",
        "FirstBlockCache",
        "PyramidAttentionBroadcast",
    )

    steps: int = Field(50, ge=1, le=200)
    guidance: float = Field(6.0, ge=0, le=30)
    quantizable: tuple[str, ...] = ("transformer", "text_encoder")
    dynamic: bool = Field(False, description="Guidance that grows from step to step.")


class CogVideoX(Filmer[CogVideoXRecipe]):
    """Kinds `encode`, `animate`."""

    name: ClassVar[str] = "cogvideox"
    known: ClassVar[tuple[str, ...]] = ("CogVideoXImageToVideoPipeline",)

    @staticmethod
    def options(spec: ModelSpec) -> CogVideoXRecipe:
        return CogVideoXRecipe.of(spec)

    def usual(self) -> Window:
        if self._config("transformer").get("patch_size_t"):
            return Window(fps=16, frames=81, every=16, width=1360, height=768)
        return Window(fps=8, frames=49, every=8, width=720, height=480)

    def size(self, width: int, height: int) -> tuple[int, int]:
        network = self._config("transformer")
        if not network.get("use_learned_positional_embeddings"):
            return super().size(width, height)
        # Its knowledge of where things are is a table of one size.
        scale = 2 ** (len(self._config("vae")["block_out_channels"]) - 1)
        return network["sample_width"] * scale, network["sample_height"] * scale

    def _config(self, part: str) -> dict[str, Any]:
        from pipelines.models.weights import folder

        config: dict[str, Any] = json.loads((folder(self.spec) / part / "config.json").read_text("utf-8"))
        return config

    def half(self, without: Sequence[str]) -> Any:
        from diffusers import CogVideoXImageToVideoPipeline

        from pipelines.diffusion.loading import load_pipeline

        return load_pipeline(CogVideoXImageToVideoPipeline, self.spec, self.recipe, self.device, without=without)

    def encode(self, prompt: str) -> Mapping[str, torch.Tensor]:
        words, negative = self.halves[READS].encode_prompt(
            prompt, self.recipe.negative, self.recipe.guided, max_sequence_length=TOKENS
        )
        return {"prompt_embeds": words} | ({"negative_prompt_embeds": negative} if self.recipe.guided else {})

    def film(self, job: Job) -> Made:
        from pipelines.diffusion.callbacks import dice, told
        from pipelines.diffusion.clip_writer import Made, as_frames

        recipe = self.recipe
        pipe = self.halves[DRAWS]
        with running(pipe, job.report):
            video = pipe(
                image=job.first,
                **job.words,
                width=job.first.width,
                height=job.first.height,
                num_frames=job.frames,
                num_inference_steps=recipe.steps,
                guidance_scale=recipe.guidance,
                use_dynamic_cfg=recipe.dynamic,
                generator=dice(job.seed),
                output_type="np",
                callback_on_step_end=told(job.report, recipe.steps, "moving", job.begin, job.end),
            ).frames[0]
        return Made(as_frames(video))

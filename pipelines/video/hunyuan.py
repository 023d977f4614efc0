"""Family: HunyuanVideo-1.5 (Tencent): clips from a keyframe.

The size follows from the picture: the weights are made for a number of pixels and know a list of shapes with about that many.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from pipelines.base import Economy, ModelSpec
from pipelines.diffusion.acceleration import running
from pipelines.diffusion.components import DRAWS, READS
from pipelines.diffusion.options import MASKABLE, Attention, Cache
from pipelines.diffusion.video_family import Filmer, FilmRecipe, Job
from pipelines.diffusion.windows import SMALLER, Window

if TYPE_CHECKING:
    import torch

    from pipelines.diffusion.clip_writer import Made

WORDS = ("prompt_embeds", "prompt_embeds_mask", "prompt_embeds_2", "prompt_embeds_mask_2")


class HunyuanRecipe(FilmRecipe):
    """Steps and guidance of the weights that are not distilled: 50 and 6."""

    caches: ClassVar[tuple[Cache, ...]] = ("TaylorSeerCache",)
    attentions: ClassVar[tuple[Attention, ...]] = MASKABLE

    steps: int = Field(50, ge=1, le=200)
    guidance: float = Field(6.0, ge=0, le=30)
    quantizable: tuple[str, ...] = ("transformer", "text_encoder")


class Hunyuan(Filmer[HunyuanRecipe]):
    """Kinds `encode`, `animate`."""

    name: ClassVar[str] = "hunyuan-video"
    known: ClassVar[tuple[str, ...]] = ("HunyuanVideo15ImageToVideoPipeline",)
    reads: ClassVar[tuple[str, ...]] = ("text_encoder", "tokenizer", "text_encoder_2", "tokenizer_2")
    # The pipeline does not come up without its decoder.
    draws: ClassVar[tuple[str, ...]] = ("transformer", "image_encoder", "feature_extractor")

    @staticmethod
    def options(spec: ModelSpec) -> HunyuanRecipe:
        return HunyuanRecipe.of(spec)

    def usual(self) -> Window:
        return Window(fps=24, frames=121, every=4)

    def half(self, without: Sequence[str]) -> Any:
        from diffusers import HunyuanVideo15ImageToVideoPipeline

        from pipelines.diffusion.loading import load_pipeline

        pipe = load_pipeline(HunyuanVideo15ImageToVideoPipeline, self.spec, self.recipe, self.device, without=without)
        pipe.guider = pipe.guider.new(guidance_scale=self.recipe.guidance)
        pipe.target_size = self._side()
        return pipe

    def size(self, width: int, height: int) -> tuple[int, int]:
        from diffusers.pipelines.hunyuan_video1_5.image_processor import HunyuanVideo15ImageProcessor

        multiple, side = self._multiple(), self._side()
        choose = HunyuanVideo15ImageProcessor(vae_scale_factor=multiple).calculate_default_height_width
        high, wide = choose(height, width, side)
        # For some of its own shapes it chooses their neighbour: on until one stays.
        while (chosen := choose(high, wide, side)) != (high, wide):
            high, wide = chosen
        return wide, high

    def _side(self) -> int:
        """The side of the square with as many pixels as the weights are made for."""
        side: int = self._config("transformer").get("target_size", 640)
        if self.device.economy < Economy.SMALLER:
            return side
        multiple = self._multiple()
        return int(side * SMALLER) // multiple * multiple

    def _multiple(self) -> int:
        multiple: int = self._config("vae").get("spatial_compression_ratio", 16)
        return multiple

    def _config(self, part: str) -> dict[str, Any]:
        from pipelines.models.weights import folder

        config: dict[str, Any] = json.loads((folder(self.spec) / part / "config.json").read_text("utf-8"))
        return config

    def encode(self, prompt: str) -> Mapping[str, torch.Tensor]:
        pipe = self.halves[READS]
        words = dict(zip(WORDS, pipe.encode_prompt(prompt), strict=True))
        if self.recipe.guided:
            negative = pipe.encode_prompt(self.recipe.negative)
            words |= {f"negative_{name}": tensor for name, tensor in zip(WORDS, negative, strict=True)}
        return words

    def film(self, job: Job) -> Made:
        from pipelines.diffusion.callbacks import dice
        from pipelines.diffusion.clip_writer import Made, as_frames

        pipe = self.halves[DRAWS]
        told = _told(pipe.transformer, job, self.recipe.steps * (2 if self.recipe.guided else 1))
        with running(pipe, job.report), told:
            video = pipe(
                image=job.first,
                **job.words,
                num_frames=job.frames,
                num_inference_steps=self.recipe.steps,
                generator=dice(job.seed),
                output_type="np",
            ).frames[0]
        return Made(as_frames(video))


@contextmanager
def _told(network: Any, job: Job, passes: int) -> Iterator[None]:
    """Reports how far the work is by counting passes of the network: the pipeline calls nobody back."""
    done = 0

    def after_pass(*_: Any) -> None:
        nonlocal done
        done += 1
        job.report.progress(job.begin + (job.end - job.begin) * min(1.0, done / passes), "moving")

    hook = network.register_forward_hook(after_pass)
    try:
        yield
    finally:
        hook.remove()

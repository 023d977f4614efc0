"""Family: CogVideoX image-to-video (Zhipu AI): clips from a keyframe.

CogVideoX 1.0 generates 49 frames at 8 frames/s in one fixed size. CogVideoX 1.5 generates 81 frames at 16 frames/s
in any aspect ratio. The config of the transformer tells the versions apart.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from pipelines.base import ModelSpec
from pipelines.diffusion.acceleration import caches_active
from pipelines.diffusion.components import DENOISER, TEXT_ENCODER
from pipelines.diffusion.options import StepCacheName
from pipelines.diffusion.video_family import VideoFamily, VideoOptions, WindowRequest
from pipelines.diffusion.windows import Window

if TYPE_CHECKING:
    import torch

    from pipelines.diffusion.clip_writer import GeneratedWindow

MAX_SEQUENCE_LENGTH = 226
"""Tokens of a padded prompt; the transformer requires this length."""


class CogVideoXOptions(VideoOptions):
    """Options that only CogVideoX has."""

    supported_caches: ClassVar[tuple[StepCacheName, ...]] = (
        "MagCache",
        "TaylorSeerCache",
        "FirstBlockCache",
        "PyramidAttentionBroadcast",
    )

    steps: int = Field(50, ge=1, le=200)
    guidance: float = Field(6.0, ge=0, le=30)
    quantizable: tuple[str, ...] = ("transformer", "text_encoder")
    dynamic_cfg: bool = Field(False, description="Increase the guidance scale from step to step.")


class CogVideoX(VideoFamily[CogVideoXOptions]):
    """Kinds `encode_prompt`, `animate`."""

    name: ClassVar[str] = "cogvideox"
    pipeline_classes: ClassVar[tuple[str, ...]] = ("CogVideoXImageToVideoPipeline",)

    @staticmethod
    def parse_options(spec: ModelSpec) -> CogVideoXOptions:
        return CogVideoXOptions.from_spec(spec)

    def default_window(self) -> Window:
        if self._config("transformer").get("patch_size_t"):
            return Window(fps=16, frames=81, frame_stride=16, width=1360, height=768)
        return Window(fps=8, frames=49, frame_stride=8, width=720, height=480)

    def size(self, width: int, height: int) -> tuple[int, int]:
        network = self._config("transformer")
        if not network.get("use_learned_positional_embeddings"):
            return super().size(width, height)
        # The learned positional embeddings have one fixed size.
        scale = 2 ** (len(self._config("vae")["block_out_channels"]) - 1)
        return network["sample_width"] * scale, network["sample_height"] * scale

    def _config(self, part: str) -> dict[str, Any]:
        from pipelines.models.weights import verified_folder

        config: dict[str, Any] = json.loads((verified_folder(self.spec) / part / "config.json").read_text("utf-8"))
        return config

    def load_part(self, exclude: Sequence[str]) -> Any:
        from diffusers import CogVideoXImageToVideoPipeline

        from pipelines.diffusion.loading import load_pipeline

        return load_pipeline(CogVideoXImageToVideoPipeline, self.spec, self.options, self.device, exclude=exclude)

    def encode(self, prompt: str) -> Mapping[str, torch.Tensor]:
        embeds, negative = self.component_groups[TEXT_ENCODER].encode_prompt(
            prompt, self.options.negative_prompt, self.options.uses_guidance, max_sequence_length=MAX_SEQUENCE_LENGTH
        )
        return {"prompt_embeds": embeds} | ({"negative_prompt_embeds": negative} if self.options.uses_guidance else {})

    def generate_window(self, request: WindowRequest) -> GeneratedWindow:
        from pipelines.diffusion.callbacks import generator, step_callback
        from pipelines.diffusion.clip_writer import GeneratedWindow, as_frames

        options = self.options
        pipe = self.component_groups[DENOISER]
        with caches_active(pipe, request.report):
            video = pipe(
                image=request.first_frame,
                **request.prompt_embeds,
                width=request.first_frame.width,
                height=request.first_frame.height,
                num_frames=request.num_frames,
                num_inference_steps=options.steps,
                guidance_scale=options.guidance,
                use_dynamic_cfg=options.dynamic_cfg,
                generator=generator(request.seed),
                output_type="np",
                callback_on_step_end=step_callback(
                    request.report, options.steps, "generating frames", request.progress_start, request.progress_end
                ),
            ).frames[0]
        return GeneratedWindow(as_frames(video))

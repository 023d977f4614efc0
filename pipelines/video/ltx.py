"""Family: LTX-Video (Lightricks), 0.9 to 0.9.8: clips from a keyframe, and transitions between two frames.

Weights since 0.9.5 accept images at any frame (LTXConditionPipeline), older ones only at the first.
`model_index.json` names the class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from pipelines.base import Kind, ModelSpec, Params
from pipelines.diffusion.acceleration import caches_active
from pipelines.diffusion.components import DENOISER, TEXT_ENCODER
from pipelines.diffusion.options import MASK_CAPABLE_BACKENDS, AttentionBackend, StepCacheName
from pipelines.diffusion.video_family import VIDEO_PARAMS, VideoFamily, VideoOptions, WindowRequest
from pipelines.diffusion.windows import Window
from pipelines.step_params import TransitionParams

if TYPE_CHECKING:
    import torch

    from pipelines.diffusion.clip_writer import GeneratedWindow

CONDITION_PIPELINE = "LTXConditionPipeline"
IMAGE_TO_VIDEO_PIPELINE = "LTXImageToVideoPipeline"
LEGACY_PIPELINE = "LTXPipeline"
"""Text-to-video class under which the first weights were published; the components are the same."""


class LtxOptions(VideoOptions):
    """Options that only LTX-Video has."""

    supported_caches: ClassVar[tuple[StepCacheName, ...]] = (
        "MagCache",
        "TaylorSeerCache",
        "FirstBlockCache",
        "PyramidAttentionBroadcast",
    )
    supported_backends: ClassVar[tuple[AttentionBackend, ...]] = MASK_CAPABLE_BACKENDS

    negative_prompt: str = "worst quality, inconsistent motion, blurry, jittery, distorted"
    quantizable: tuple[str, ...] = ("transformer", "text_encoder")
    condition_any_frame: bool = Field(
        False, description="The weights accept images at any frame, although they are published under another class."
    )
    timesteps: tuple[float, ...] = Field(
        (), description="All timesteps of weights distilled to few steps; replaces `steps`."
    )
    guidance_rescale: float = Field(
        0.0, ge=0, le=1, description="Share of the contrast increase by guidance that is removed."
    )
    decode_timestep: float = Field(0.05, ge=0, le=1, description="Timestep at which the VAE decodes.")
    decode_noise_scale: float = Field(0.025, ge=0, le=1, description="Noise added to the latents before decoding.")
    image_cond_noise_scale: float = Field(
        0.025, ge=0, le=1, description="Noise added to the input images; it increases motion."
    )

    @property
    def num_inference_steps(self) -> int:
        return len(self.timesteps) or self.steps


class Ltx(VideoFamily[LtxOptions]):
    """Kinds `encode_prompt`, `animate`, and `transition` if the weights accept a last frame."""

    name: ClassVar[str] = "ltx"
    params: ClassVar[Mapping[Kind, type[Params]]] = {**VIDEO_PARAMS, Kind.TRANSITION: TransitionParams}
    pipeline_classes: ClassVar[tuple[str, ...]] = (CONDITION_PIPELINE, IMAGE_TO_VIDEO_PIPELINE, LEGACY_PIPELINE)

    @staticmethod
    def parse_options(spec: ModelSpec) -> LtxOptions:
        return LtxOptions.from_spec(spec)

    def default_window(self) -> Window:
        return Window(fps=24, frames=121, frame_stride=8, width=960, height=544, multiple=32)

    @property
    def accepts_last_frame(self) -> bool:
        return self.options.condition_any_frame or self.pipeline == CONDITION_PIPELINE

    def load_part(self, exclude: Sequence[str]) -> Any:
        import diffusers

        from pipelines.diffusion.loading import load_pipeline

        pipeline_class = getattr(diffusers, CONDITION_PIPELINE if self.accepts_last_frame else IMAGE_TO_VIDEO_PIPELINE)
        return load_pipeline(
            pipeline_class, self.spec, self.options, self.device, exclude=exclude, published_as=self.pipeline_classes
        )

    def encode(self, prompt: str) -> Mapping[str, torch.Tensor]:
        embeds, mask, negative, negative_mask = self.component_groups[TEXT_ENCODER].encode_prompt(
            prompt, self.options.negative_prompt, self.options.uses_guidance
        )
        encoded = {"prompt_embeds": embeds, "prompt_attention_mask": mask}
        if self.options.uses_guidance:
            encoded |= {"negative_prompt_embeds": negative, "negative_prompt_attention_mask": negative_mask}
        return encoded

    def generate_window(self, request: WindowRequest) -> GeneratedWindow:
        from pipelines.diffusion.callbacks import generator, step_callback
        from pipelines.diffusion.clip_writer import GeneratedWindow, as_frames

        options = self.options
        steps = options.num_inference_steps
        pipe = self.component_groups[DENOISER]
        with caches_active(pipe, request.report):
            video = pipe(
                **self._image_kwargs(request),
                **request.prompt_embeds,
                width=request.first_frame.width,
                height=request.first_frame.height,
                num_frames=request.num_frames,
                frame_rate=self.window.fps,
                num_inference_steps=steps,
                timesteps=list(options.timesteps) or None,
                guidance_scale=options.guidance,
                guidance_rescale=options.guidance_rescale,
                decode_timestep=options.decode_timestep,
                decode_noise_scale=options.decode_noise_scale,
                generator=generator(request.seed),
                output_type="np",
                callback_on_step_end=step_callback(
                    request.report, steps, "generating frames", request.progress_start, request.progress_end
                ),
            ).frames[0]
        return GeneratedWindow(as_frames(video))

    def _image_kwargs(self, request: WindowRequest) -> dict[str, Any]:
        if not self.accepts_last_frame:
            return {"image": request.first_frame}
        from diffusers.pipelines.ltx.pipeline_ltx_condition import LTXVideoCondition

        conditions = [LTXVideoCondition(image=request.first_frame)]
        if request.last_frame is not None:
            conditions.append(LTXVideoCondition(image=request.last_frame, frame_index=request.num_frames - 1))
        return {"conditions": conditions, "image_cond_noise_scale": self.options.image_cond_noise_scale}

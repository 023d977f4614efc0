"""Family: HunyuanVideo-1.5 (Tencent): clips from a keyframe.

The weights are trained for a pixel count and a list of sizes near it; the keyframe's aspect ratio selects the size.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from pipelines.base import MemoryMode, ModelSpec
from pipelines.diffusion.acceleration import caches_active
from pipelines.diffusion.components import DENOISER, TEXT_ENCODER
from pipelines.diffusion.options import MASK_CAPABLE_BACKENDS, AttentionBackend, StepCacheName
from pipelines.diffusion.video_family import VideoFamily, VideoOptions, WindowRequest
from pipelines.diffusion.windows import REDUCED_SCALE, Window

if TYPE_CHECKING:
    import torch

    from pipelines.diffusion.clip_writer import GeneratedWindow

EMBED_NAMES = ("prompt_embeds", "prompt_embeds_mask", "prompt_embeds_2", "prompt_embeds_mask_2")


class HunyuanOptions(VideoOptions):
    """Defaults of the undistilled weights: 50 steps, guidance 6."""

    supported_caches: ClassVar[tuple[StepCacheName, ...]] = ("TaylorSeerCache",)
    supported_backends: ClassVar[tuple[AttentionBackend, ...]] = MASK_CAPABLE_BACKENDS

    steps: int = Field(50, ge=1, le=200)
    guidance: float = Field(6.0, ge=0, le=30)
    quantizable: tuple[str, ...] = ("transformer", "text_encoder")


class Hunyuan(VideoFamily[HunyuanOptions]):
    """Kinds `encode_prompt`, `animate`."""

    name: ClassVar[str] = "hunyuan-video"
    pipeline_classes: ClassVar[tuple[str, ...]] = ("HunyuanVideo15ImageToVideoPipeline",)
    encoder_parts: ClassVar[tuple[str, ...]] = ("text_encoder", "tokenizer", "text_encoder_2", "tokenizer_2")
    # The constructor of the pipeline needs the VAE, so the VAE is loaded with both groups.
    denoiser_parts: ClassVar[tuple[str, ...]] = ("transformer", "image_encoder", "feature_extractor")

    @staticmethod
    def parse_options(spec: ModelSpec) -> HunyuanOptions:
        return HunyuanOptions.from_spec(spec)

    def default_window(self) -> Window:
        return Window(fps=24, frames=121, frame_stride=4)

    def load_part(self, exclude: Sequence[str]) -> Any:
        from diffusers import HunyuanVideo15ImageToVideoPipeline

        from pipelines.diffusion.loading import load_pipeline

        pipe = load_pipeline(HunyuanVideo15ImageToVideoPipeline, self.spec, self.options, self.device, exclude=exclude)
        pipe.guider = pipe.guider.new(guidance_scale=self.options.guidance)
        pipe.target_size = self._target_side()
        return pipe

    def size(self, width: int, height: int) -> tuple[int, int]:
        from diffusers.pipelines.hunyuan_video1_5.image_processor import HunyuanVideo15ImageProcessor

        multiple, side = self._multiple(), self._target_side()
        choose = HunyuanVideo15ImageProcessor(vae_scale_factor=multiple).calculate_default_height_width
        fit_height, fit_width = choose(height, width, side)
        # diffusers maps some of its own sizes to a neighbour, so repeat until the size is stable.
        while (chosen := choose(fit_height, fit_width, side)) != (fit_height, fit_width):
            fit_height, fit_width = chosen
        return fit_width, fit_height

    def _target_side(self) -> int:
        """Return the side, in pixels, of a square with the pixel count of the training data."""
        side: int = self._config("transformer").get("target_size", 640)
        if self.device.memory_mode < MemoryMode.REDUCED_SIZE:
            return side
        multiple = self._multiple()
        return int(side * REDUCED_SCALE) // multiple * multiple

    def _multiple(self) -> int:
        multiple: int = self._config("vae").get("spatial_compression_ratio", 16)
        return multiple

    def _config(self, part: str) -> dict[str, Any]:
        from pipelines.models.weights import verified_folder

        config: dict[str, Any] = json.loads((verified_folder(self.spec) / part / "config.json").read_text("utf-8"))
        return config

    def encode(self, prompt: str) -> Mapping[str, torch.Tensor]:
        pipe = self.component_groups[TEXT_ENCODER]
        embeds = dict(zip(EMBED_NAMES, pipe.encode_prompt(prompt), strict=True))
        if self.options.uses_guidance:
            negative = pipe.encode_prompt(self.options.negative_prompt)
            embeds |= {f"negative_{name}": tensor for name, tensor in zip(EMBED_NAMES, negative, strict=True)}
        return embeds

    def generate_window(self, request: WindowRequest) -> GeneratedWindow:
        from pipelines.diffusion.callbacks import generator
        from pipelines.diffusion.clip_writer import GeneratedWindow, as_frames

        pipe = self.component_groups[DENOISER]
        progress = _progress_hook(
            pipe.transformer, request, self.options.steps * (2 if self.options.uses_guidance else 1)
        )
        with caches_active(pipe, request.report), progress:
            video = pipe(
                image=request.first_frame,
                **request.prompt_embeds,
                num_frames=request.num_frames,
                num_inference_steps=self.options.steps,
                generator=generator(request.seed),
                output_type="np",
            ).frames[0]
        return GeneratedWindow(as_frames(video))


@contextmanager
def _progress_hook(network: Any, request: WindowRequest, calls: int) -> Iterator[None]:
    """Report progress by counting the denoiser's forward calls, because the pipeline has no step callback."""
    done = 0

    def after_call(*_: Any) -> None:
        nonlocal done
        done += 1
        request.report.progress(
            request.progress_start + (request.progress_end - request.progress_start) * min(1.0, done / calls),
            "generating frames",
        )

    hook = network.register_forward_hook(after_call)
    try:
        yield
    finally:
        hook.remove()

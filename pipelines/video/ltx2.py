"""Family: LTX-2 (Lightricks): clips from a keyframe with audio, and transitions between two frames.

One pass generates frames and audio together; audio cannot be turned off. It is kept if the story sets `native_audio`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from pipelines.base import Device, Kind, ModelSpec, Params
from pipelines.diffusion.acceleration import caches_active
from pipelines.diffusion.components import DENOISER, TEXT_ENCODER
from pipelines.diffusion.options import MASK_CAPABLE_BACKENDS, AttentionBackend, StepCacheName
from pipelines.diffusion.video_family import VIDEO_PARAMS, VideoFamily, VideoOptions, WindowRequest
from pipelines.diffusion.windows import Window
from pipelines.step_params import TransitionParams

if TYPE_CHECKING:
    import torch

    from pipelines.diffusion.clip_writer import GeneratedWindow
    from pipelines.media.audio.reader import AudioSamples

MAX_SEQUENCE_LENGTH = 1024
"""Tokens of a padded prompt; the connectors require this length."""
FADE_SAMPLES = 120
"""Length of the fade-out at the end of a window's audio, in samples."""


class Ltx2Options(VideoOptions):
    """Options that only LTX-2 has.

    STG (`stg_scale`) and modality guidance (`modality_scale`) add one denoiser call per step each. LTX-2.3 supports
    them, LTX-2 does not.
    """

    supported_caches: ClassVar[tuple[StepCacheName, ...]] = ("TaylorSeerCache",)
    supported_backends: ClassVar[tuple[AttentionBackend, ...]] = MASK_CAPABLE_BACKENDS

    guidance: float = Field(4.0, ge=0, le=30)
    quantizable: tuple[str, ...] = ("transformer", "text_encoder")
    negative_prompt: str = (
        "worst quality, inconsistent motion, blurry, jittery, distorted, silent or muted audio, background noise"
    )
    audio_guidance: float = Field(4.0, ge=0, le=30, description="Guidance scale of the audio.")
    guidance_rescale: float = Field(
        0.0, ge=0, le=1, description="Share of the contrast increase by guidance that is removed."
    )
    stg_scale: float = Field(
        0.0, ge=0, le=10, description="Spatio-temporal guidance: away from the prediction without `stg_blocks`; 0: off."
    )
    stg_blocks: tuple[int, ...] = (28,)
    modality_scale: float = Field(
        1.0, ge=1, le=10, description="Modality guidance: away from frames and audio predicted independently; 1: off."
    )
    sigmas: tuple[float, ...] = Field((), description="All sigmas of weights distilled to few steps; replaces `steps`.")
    scheduler: Mapping[str, float | int | str | bool | None] = Field(
        default_factory=dict, description="Scheduler settings that override those of the weights."
    )
    image_crf: int = Field(
        33, ge=0, le=51, description="CRF of the H.264 compression of input images, as in the model's training; 0: off."
    )

    @property
    def num_inference_steps(self) -> int:
        return len(self.sigmas) or self.steps


class Ltx2(VideoFamily[Ltx2Options]):
    """Kinds `encode_prompt`, `animate`, `transition`."""

    name: ClassVar[str] = "ltx-2"
    params: ClassVar[Mapping[Kind, type[Params]]] = {**VIDEO_PARAMS, Kind.TRANSITION: TransitionParams}
    pipeline_classes: ClassVar[tuple[str, ...]] = ("LTX2Pipeline", "LTX2ImageToVideoPipeline", "LTX2ConditionPipeline")
    # Both groups load the tokenizer: it is small, and its config has the padding side.
    encoder_parts: ClassVar[tuple[str, ...]] = ("text_encoder", "processor", "prompt_enhancer", "duration_head")
    denoiser_parts: ClassVar[tuple[str, ...]] = (
        "transformer", "connectors", "vae", "audio_vae", "vocoder", "processor", "prompt_enhancer", "duration_head",
    )  # fmt: skip

    def __init__(self, spec: ModelSpec, device: Device) -> None:
        super().__init__(spec, device)
        # Slowing frames down is acceptable, slowing speech down is not.
        self.window = self.window.model_copy(update={"max_slowdown": 1.0})

    @staticmethod
    def parse_options(spec: ModelSpec) -> Ltx2Options:
        return Ltx2Options.from_spec(spec)

    def default_window(self) -> Window:
        return Window(fps=24, frames=121, frame_stride=8, width=960, height=544, multiple=32)

    @property
    def accepts_last_frame(self) -> bool:
        return True

    def audio_sample_rate(self) -> int | None:
        rate: int = self.component_groups[DENOISER].vocoder.config.output_sampling_rate
        return rate

    def load_part(self, exclude: Sequence[str]) -> Any:
        from diffusers import LTX2ConditionPipeline

        from pipelines.diffusion.loading import load_pipeline

        pipe = load_pipeline(
            LTX2ConditionPipeline,
            self.spec,
            self.options,
            self.device,
            exclude=exclude,
            published_as=self.pipeline_classes,
        )
        if self.options.scheduler:
            pipe.scheduler = type(pipe.scheduler).from_config(pipe.scheduler.config, **self.options.scheduler)
        return pipe

    def encode(self, prompt: str) -> Mapping[str, torch.Tensor]:
        """Return the hidden states of all layers of the text encoder: 0.4 MB per token, so padding is stripped."""
        embeds, mask, negative, negative_mask = self.component_groups[TEXT_ENCODER].encode_prompt(
            prompt, self.options.negative_prompt, self.options.uses_guidance, max_sequence_length=MAX_SEQUENCE_LENGTH
        )
        encoded = {"prompt_embeds": _strip_padding(embeds, mask)}
        return encoded | (
            {"negative_prompt_embeds": _strip_padding(negative, negative_mask)} if self.options.uses_guidance else {}
        )

    def generate_window(self, request: WindowRequest) -> GeneratedWindow:
        from diffusers.pipelines.ltx2.pipeline_ltx2_condition import LTX2VideoCondition

        from pipelines.diffusion.callbacks import generator, step_callback
        from pipelines.diffusion.clip_writer import GeneratedWindow, as_frames

        options, pipe = self.options, self.component_groups[DENOISER]
        # A last image takes the start of one more latent frame. The frames of that latent frame are dropped.
        images = (
            {0: request.first_frame} if request.last_frame is None else {0: request.first_frame, -1: request.last_frame}
        )
        extra_frames = 0 if request.last_frame is None else self.window.frame_stride
        stg_scale = options.stg_scale if pipe.transformer.config.perturbed_attn else 0.0
        steps = options.num_inference_steps
        with caches_active(pipe, request.report):
            output = pipe(
                conditions=[
                    LTX2VideoCondition(frames=image, index=index, crf=options.image_crf)
                    for index, image in images.items()
                ],
                **_pad_prompt_embeds(request.prompt_embeds),
                width=request.first_frame.width,
                height=request.first_frame.height,
                num_frames=request.num_frames + extra_frames,
                frame_rate=float(self.window.fps),
                num_inference_steps=steps,
                sigmas=list(options.sigmas) or None,
                guidance_scale=options.guidance,
                audio_guidance_scale=options.audio_guidance,
                guidance_rescale=options.guidance_rescale,
                audio_guidance_rescale=options.guidance_rescale,
                stg_scale=stg_scale,
                audio_stg_scale=stg_scale,
                spatio_temporal_guidance_blocks=list(options.stg_blocks),
                modality_scale=options.modality_scale,
                audio_modality_scale=options.modality_scale,
                use_cross_timestep=pipe.transformer.config.cross_attn_mod,
                generator=generator(request.seed),
                output_type="np",
                callback_on_step_end=step_callback(
                    request.report, steps, "generating frames", request.progress_start, request.progress_end
                ),
            )
        frames = as_frames(output.frames[0])[: request.num_frames]
        if not request.with_audio:
            return GeneratedWindow(frames)
        audio = output.audio[0].float().cpu().numpy().T
        rate = pipe.vocoder.config.output_sampling_rate
        return GeneratedWindow(frames, _fade_out(audio[: round(request.num_frames * rate / self.window.fps)]))


def _fade_out(audio: AudioSamples) -> AudioSamples:
    """Return a copy of float32 audio (samples, channels) with a linear fade-out of `FADE_SAMPLES` at the end.

    The audio ends some milliseconds before the frames; without the fade the cut is audible as a click.
    """
    import numpy as np

    faded = np.array(audio, np.float32)
    edge = faded[-FADE_SAMPLES:]
    edge *= np.linspace(1, 0, len(edge), dtype=np.float32)[:, None]
    return faded


def _strip_padding(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return hidden states (1, tokens, …) without the left padding; `mask` (1, length) is 1 for prompt tokens."""
    return states[:, -int(mask.sum()) :]


def _pad_prompt_embeds(embeds: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return each embedding left-padded to `MAX_SEQUENCE_LENGTH` tokens, with its attention mask (1 = prompt token)."""
    from torch.nn.functional import pad

    padded: dict[str, torch.Tensor] = {}
    for name, states in embeds.items():
        missing = MAX_SEQUENCE_LENGTH - states.shape[1]
        padded[name] = pad(states, (0, 0, missing, 0))
        mask = states.new_ones(1, states.shape[1]).long()
        padded[name.replace("embeds", "attention_mask")] = pad(mask, (missing, 0))
    return padded

"""Family: LTX-2 (Lightricks): clips from a keyframe, their sound in the same pass, and bridges from one frame to another.

The sound that is made with a clip is kept where the story asks for `native_audio`; it cannot be left unmade.
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
"""Length to which words are filled up before the network sees them."""
FADE_SAMPLES = 120
"""Samples in which a window's sound fades at its end."""


class Ltx2Options(VideoOptions):
    """What LTX-2 alone can be told. The guidances beside that of words cost one more pass of the network each; LTX-2.3 is made for
    them, LTX-2 is not."""

    supported_caches: ClassVar[tuple[StepCacheName, ...]] = ("TaylorSeerCache",)
    supported_backends: ClassVar[tuple[AttentionBackend, ...]] = MASK_CAPABLE_BACKENDS

    guidance: float = Field(4.0, ge=0, le=30)
    quantizable: tuple[str, ...] = ("transformer", "text_encoder")
    negative_prompt: str = (
        "worst quality, inconsistent motion, blurry, jittery, distorted, silent or muted audio, background noise"
    )
    audio_guidance: float = Field(4.0, ge=0, le=30, description="As `guidance`, of the sound.")
    guidance_rescale: float = Field(
        0.0, ge=0, le=1, description="How much of the contrast that guidance adds is taken back."
    )
    stg_scale: float = Field(0.0, ge=0, le=10, description="Away from what is drawn without the blocks `skipped`.")
    stg_blocks: tuple[int, ...] = (28,)
    modality_scale: float = Field(
        1.0, ge=1, le=10, description="Away from picture and sound that know nothing of each other."
    )
    sigmas: tuple[float, ...] = Field(
        (), description="Of weights distilled to few steps: all of them, instead of `steps`."
    )
    scheduler: Mapping[str, float | int | str | bool | None] = Field(
        default_factory=dict, description="Settings of its scheduler that differ from those of the weights."
    )
    image_crf: int = Field(33, ge=0, le=51, description="Given pictures are compressed as the model's training was.")

    @property
    def num_inference_steps(self) -> int:
        return len(self.sigmas) or self.steps


class Ltx2(VideoFamily[Ltx2Options]):
    """Kinds `encode_prompt`, `animate`, `transition`."""

    name: ClassVar[str] = "ltx-2"
    params: ClassVar[Mapping[Kind, type[Params]]] = {**VIDEO_PARAMS, Kind.TRANSITION: TransitionParams}
    pipeline_classes: ClassVar[tuple[str, ...]] = ("LTX2Pipeline", "LTX2ImageToVideoPipeline", "LTX2ConditionPipeline")
    # The tokenizer is small, and says on which side words are filled up.
    encoder_parts: ClassVar[tuple[str, ...]] = ("text_encoder", "processor", "prompt_enhancer", "duration_head")
    denoiser_parts: ClassVar[tuple[str, ...]] = (
        "transformer", "connectors", "vae", "audio_vae", "vocoder", "processor", "prompt_enhancer", "duration_head",
    )  # fmt: skip

    def __init__(self, spec: ModelSpec, device: Device) -> None:
        super().__init__(spec, device)
        # Pictures may be shown slower than they were made; voices may not be heard slower.
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
        """The states of all layers of the text encoder: 0.4 MB a token, so what only fills up is left out."""
        words, mask, negative, negative_mask = self.component_groups[TEXT_ENCODER].encode_prompt(
            prompt, self.options.negative_prompt, self.options.uses_guidance, max_sequence_length=MAX_SEQUENCE_LENGTH
        )
        encoded = {"prompt_embeds": _strip_padding(words, mask)}
        return encoded | (
            {"negative_prompt_embeds": _strip_padding(negative, negative_mask)} if self.options.uses_guidance else {}
        )

    def generate_window(self, request: WindowRequest) -> GeneratedWindow:
        from diffusers.pipelines.ltx2.pipeline_ltx2_condition import LTX2VideoCondition

        from pipelines.diffusion.callbacks import generator, step_callback
        from pipelines.diffusion.clip_writer import GeneratedWindow, as_frames

        options, pipe = self.options, self.component_groups[DENOISER]
        # The last picture is placed where the last latent frame begins: what that makes of it and what comes after is left out.
        pictures = (
            {0: request.first_frame} if request.last_frame is None else {0: request.first_frame, -1: request.last_frame}
        )
        beyond = 0 if request.last_frame is None else self.window.frame_stride
        skipping = options.stg_scale if pipe.transformer.config.perturbed_attn else 0.0
        steps = options.num_inference_steps
        with caches_active(pipe, request.report):
            made = pipe(
                conditions=[
                    LTX2VideoCondition(frames=shown, index=at, crf=options.image_crf) for at, shown in pictures.items()
                ],
                **_pad_prompt_embeds(request.prompt_embeds),
                width=request.first_frame.width,
                height=request.first_frame.height,
                num_frames=request.num_frames + beyond,
                frame_rate=float(self.window.fps),
                num_inference_steps=steps,
                sigmas=list(options.sigmas) or None,
                guidance_scale=options.guidance,
                audio_guidance_scale=options.audio_guidance,
                guidance_rescale=options.guidance_rescale,
                audio_guidance_rescale=options.guidance_rescale,
                stg_scale=skipping,
                audio_stg_scale=skipping,
                spatio_temporal_guidance_blocks=list(options.stg_blocks),
                modality_scale=options.modality_scale,
                audio_modality_scale=options.modality_scale,
                use_cross_timestep=pipe.transformer.config.cross_attn_mod,
                generator=generator(request.seed),
                output_type="np",
                callback_on_step_end=step_callback(
                    request.report, steps, "moving", request.progress_start, request.progress_end
                ),
            )
        frames = as_frames(made.frames[0])[: request.num_frames]
        if not request.with_audio:
            return GeneratedWindow(frames)
        sound = made.audio[0].float().cpu().numpy().T
        rate = pipe.vocoder.config.output_sampling_rate
        return GeneratedWindow(frames, _fade_out(sound[: round(request.num_frames * rate / self.window.fps)]))


def _fade_out(audio: AudioSamples) -> AudioSamples:
    """Its decoder stops some milliseconds before the picture does: the end fades, so that nothing clicks."""
    import numpy as np

    ended = np.array(audio, np.float32)
    edge = ended[-FADE_SAMPLES:]
    edge *= np.linspace(1, 0, len(edge), dtype=np.float32)[:, None]
    return ended


def _strip_padding(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The states of the words alone: what fills up comes before them."""
    return states[:, -int(mask.sum()) :]


def _pad_prompt_embeds(words: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Filled up to `TOKENS` again, with the masks that say which of them are words."""
    from torch.nn.functional import pad

    filled: dict[str, torch.Tensor] = {}
    for name, states in words.items():
        lack = MAX_SEQUENCE_LENGTH - states.shape[1]
        filled[name] = pad(states, (0, 0, lack, 0))
        mask = states.new_ones(1, states.shape[1]).long()
        filled[name.replace("embeds", "attention_mask")] = pad(mask, (lack, 0))
    return filled

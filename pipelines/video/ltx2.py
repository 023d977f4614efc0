"""Family: LTX-2 (Lightricks): clips from a keyframe, their sound in the same pass, and bridges from one frame to another.

The sound that is made with a clip is kept where the story asks for `native_audio`; it cannot be left unmade.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from pipelines.base import Device, Kind, ModelSpec, Params
from pipelines.diffusion.acceleration import running
from pipelines.diffusion.components import DRAWS, READS
from pipelines.diffusion.options import MASKABLE, Attention, Cache
from pipelines.diffusion.video_family import FILMS, Filmer, FilmRecipe, Job
from pipelines.diffusion.windows import Window
from pipelines.step_params import BridgeParams

if TYPE_CHECKING:
    import torch

    from pipelines.diffusion.clip_writer import Made
    from pipelines.media.audio.reader import Sound

TOKENS = 1024
"""Length to which words are filled up before the network sees them."""
EDGE = 120
"""Samples in which a window's sound fades at its end."""


class Ltx2Recipe(FilmRecipe):
    """What LTX-2 alone can be told. The guidances beside that of words cost one more pass of the network each; LTX-2.3 is made for
    them, LTX-2 is not."""

    caches: ClassVar[tuple[Cache, ...]] = ("TaylorSeerCache",)
    attentions: ClassVar[tuple[Attention, ...]] = MASKABLE

    guidance: float = Field(4.0, ge=0, le=30)
    quantizable: tuple[str, ...] = ("transformer", "text_encoder")
    negative: str = (
        "worst quality, inconsistent motion, blurry, jittery, distorted, silent or muted audio, background noise"
    )
    sound_guidance: float = Field(4.0, ge=0, le=30, description="As `guidance`, of the sound.")
    rescale: float = Field(0.0, ge=0, le=1, description="How much of the contrast that guidance adds is taken back.")
    skipping: float = Field(0.0, ge=0, le=10, description="Away from what is drawn without the blocks `skipped`.")
    skipped: tuple[int, ...] = (28,)
    together: float = Field(
        1.0, ge=1, le=10, description="Away from picture and sound that know nothing of each other."
    )
    sigmas: tuple[float, ...] = Field(
        (), description="Of weights distilled to few steps: all of them, instead of `steps`."
    )
    scheduler: Mapping[str, float | int | str | bool | None] = Field(
        default_factory=dict, description="Settings of its scheduler that differ from those of the weights."
    )
    picture_crf: int = Field(33, ge=0, le=51, description="Given pictures are compressed as the model's training was.")

    @property
    def passes(self) -> int:
        return len(self.sigmas) or self.steps


class Ltx2(Filmer[Ltx2Recipe]):
    """Kinds `encode`, `animate`, `bridge`."""

    name: ClassVar[str] = "ltx-2"
    params: ClassVar[Mapping[Kind, type[Params]]] = {**FILMS, Kind.BRIDGE: BridgeParams}
    known: ClassVar[tuple[str, ...]] = ("LTX2Pipeline", "LTX2ImageToVideoPipeline", "LTX2ConditionPipeline")
    # The tokenizer is small, and says on which side words are filled up.
    reads: ClassVar[tuple[str, ...]] = ("text_encoder", "processor", "prompt_enhancer", "duration_head")
    draws: ClassVar[tuple[str, ...]] = (
        "transformer", "connectors", "vae", "audio_vae", "vocoder", "processor", "prompt_enhancer", "duration_head",
    )  # fmt: skip

    def __init__(self, spec: ModelSpec, device: Device) -> None:
        super().__init__(spec, device)
        # Pictures may be shown slower than they were made; voices may not be heard slower.
        self.window = self.window.model_copy(update={"stretch": 1.0})

    @staticmethod
    def options(spec: ModelSpec) -> Ltx2Recipe:
        return Ltx2Recipe.of(spec)

    def usual(self) -> Window:
        return Window(fps=24, frames=121, every=8, width=960, height=544, multiple=32)

    @property
    def ends(self) -> bool:
        return True

    def sound_rate(self) -> int | None:
        rate: int = self.halves[DRAWS].vocoder.config.output_sampling_rate
        return rate

    def half(self, without: Sequence[str]) -> Any:
        from diffusers import LTX2ConditionPipeline

        from pipelines.diffusion.loading import load_pipeline

        pipe = load_pipeline(
            LTX2ConditionPipeline, self.spec, self.recipe, self.device, without=without, published=self.known
        )
        if self.recipe.scheduler:
            pipe.scheduler = type(pipe.scheduler).from_config(pipe.scheduler.config, **self.recipe.scheduler)
        return pipe

    def encode(self, prompt: str) -> Mapping[str, torch.Tensor]:
        """The states of all layers of the text encoder: 0.4 MB a token, so what only fills up is left out."""
        words, mask, negative, negative_mask = self.halves[READS].encode_prompt(
            prompt, self.recipe.negative, self.recipe.guided, max_sequence_length=TOKENS
        )
        encoded = {"prompt_embeds": _bare(words, mask)}
        return encoded | ({"negative_prompt_embeds": _bare(negative, negative_mask)} if self.recipe.guided else {})

    def film(self, job: Job) -> Made:
        from diffusers.pipelines.ltx2.pipeline_ltx2_condition import LTX2VideoCondition

        from pipelines.diffusion.callbacks import dice, told
        from pipelines.diffusion.clip_writer import Made, as_frames

        recipe, pipe = self.recipe, self.halves[DRAWS]
        # The last picture is placed where the last latent frame begins: what that makes of it and what comes after is left out.
        pictures = {0: job.first} if job.last is None else {0: job.first, -1: job.last}
        beyond = 0 if job.last is None else self.window.every
        skipping = recipe.skipping if pipe.transformer.config.perturbed_attn else 0.0
        steps = recipe.passes
        with running(pipe, job.report):
            made = pipe(
                conditions=[
                    LTX2VideoCondition(frames=shown, index=at, crf=recipe.picture_crf) for at, shown in pictures.items()
                ],
                **_filled(job.words),
                width=job.first.width,
                height=job.first.height,
                num_frames=job.frames + beyond,
                frame_rate=float(self.window.fps),
                num_inference_steps=steps,
                sigmas=list(recipe.sigmas) or None,
                guidance_scale=recipe.guidance,
                audio_guidance_scale=recipe.sound_guidance,
                guidance_rescale=recipe.rescale,
                audio_guidance_rescale=recipe.rescale,
                stg_scale=skipping,
                audio_stg_scale=skipping,
                spatio_temporal_guidance_blocks=list(recipe.skipped),
                modality_scale=recipe.together,
                audio_modality_scale=recipe.together,
                use_cross_timestep=pipe.transformer.config.cross_attn_mod,
                generator=dice(job.seed),
                output_type="np",
                callback_on_step_end=told(job.report, steps, "moving", job.begin, job.end),
            )
        frames = as_frames(made.frames[0])[: job.frames]
        if not job.sound:
            return Made(frames)
        sound = made.audio[0].float().cpu().numpy().T
        rate = pipe.vocoder.config.output_sampling_rate
        return Made(frames, _ended(sound[: round(job.frames * rate / self.window.fps)]))


def _ended(sound: Sound) -> Sound:
    """Its decoder stops some milliseconds before the picture does: the end fades, so that nothing clicks."""
    import numpy as np

    ended = np.array(sound, np.float32)
    edge = ended[-EDGE:]
    edge *= np.linspace(1, 0, len(edge), dtype=np.float32)[:, None]
    return ended


def _bare(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The states of the words alone: what fills up comes before them."""
    return states[:, -int(mask.sum()) :]


def _filled(words: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Filled up to `TOKENS` again, with the masks that say which of them are words."""
    from torch.nn.functional import pad

    filled: dict[str, torch.Tensor] = {}
    for name, states in words.items():
        lack = TOKENS - states.shape[1]
        filled[name] = pad(states, (0, 0, lack, 0))
        mask = states.new_ones(1, states.shape[1]).long()
        filled[name.replace("embeds", "attention_mask")] = pad(mask, (lack, 0))
    return filled

"""Family: Wan (Alibaba): clips from a keyframe, and bridges from one frame to another.

Checkpoints of one name can do different things; their own configuration says which:

===============================  ==========================================  ===========================================
checkpoint                       told by                                     a last frame
===============================  ==========================================  ===========================================
2.1 I2V                          an image embedder                           cannot be given
2.1 FLF2V                        an image embedder for two pictures          must be given: bridges alone
2.2 I2V A14B                     the picture beside the noise, no embedder   is reached: clips and bridges
2.2 TI2V-5B                      `expand_timesteps`                          would be ignored without a word: clips alone
VACE                             its pipeline                                is reached; sees portraits as well
===============================  ==========================================  ===========================================
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import Field

from pipelines.base import BadInput, Device, Kind, ModelSpec, Params, Report
from pipelines.diffusion.acceleration import running
from pipelines.diffusion.components import DRAWS, READS
from pipelines.diffusion.options import UNMASKED, Attention, Cache, Precision, option
from pipelines.diffusion.video_family import FILMS, Filmer, FilmRecipe, Job
from pipelines.diffusion.windows import Window
from pipelines.step_params import BridgeParams

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

    from pipelines.diffusion.clip_writer import Made

TOKENS = 512
"""Length to which words are filled up; the network counts on it to tell them from pictures."""
UNKNOWN = (128, 128, 128)
"""What VACE is shown where it has to draw."""
FROM_PICTURES, ON_MASKS = "WanImageToVideoPipeline", "WanVACEPipeline"
FROM_WORDS = "WanPipeline"
"""What TI2V-5B is published as; the parts are the same."""


class WanRecipe(FilmRecipe):
    """What Wan alone can be told; the model card says which numbers a checkpoint likes."""

    caches: ClassVar[tuple[Cache, ...]] = ("MagCache", "TaylorSeerCache", "FirstBlockCache")
    attentions: ClassVar[tuple[Attention, ...]] = UNMASKED

    dtypes: Mapping[str, Precision] = Field({"vae": "float32", "image_encoder": "float32"})
    quantizable: tuple[str, ...] = ("transformer", "transformer_2", "text_encoder")
    guidance: float = Field(5.0, ge=0, le=30, description="How closely the words are followed; 1: no negative words.")
    guidance_2: float | None = Field(None, ge=0, le=30, description="The same of the second network of a pair.")
    scheduler: Mapping[str, float | int | str | bool | tuple[int, ...]] = Field(
        default_factory=dict,
        description="Settings of its scheduler that differ from those of the weights: flow_shift …",
    )
    negative: str = Field(
        "Bright tones, overexposed, static, blurred details, subtitles, style, works, paintings, images, static, overall gray, "
        "worst quality, low quality, JPEG compression residue, ugly, incomplete, extra fingers, poorly drawn hands, poorly drawn "
        "faces, deformed, disfigured, misshapen limbs, fused fingers, still picture, messy background, three legs, many people "
        "in the background, walking backwards",
        description="What the picture is kept away from, in the words that it was trained with.",
    )


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a checkpoint can do: `starts` from a first frame alone; `ends` at a last one that it is given; `sees` reference pictures. It may be
    a `pair` of networks, or one that `expands` the noise level to each part of the picture."""

    pipeline: str
    starts: bool
    ends: bool
    sees: bool = False
    pair: bool = False
    expands: bool = False

    @classmethod
    def of(cls, folder: Path) -> Self:
        """Read off its configuration. Raises BadInput for a checkpoint that takes no picture."""
        index = json.loads((folder / "model_index.json").read_text("utf-8"))
        network = json.loads((folder / "transformer" / "config.json").read_text("utf-8"))
        pair = index.get("boundary_ratio") is not None
        if index.get("_class_name") == ON_MASKS:
            return cls(ON_MASKS, starts=True, ends=True, sees=True, pair=pair)
        if index.get("expand_timesteps"):
            return cls(FROM_PICTURES, starts=True, ends=False, expands=True)
        if network.get("image_dim"):
            both = network.get("pos_embed_seq_len") is not None
            return cls(FROM_PICTURES, starts=not both, ends=both)
        if network["in_channels"] > network["out_channels"]:
            return cls(FROM_PICTURES, starts=True, ends=True, pair=pair)
        raise BadInput("weights", "this checkpoint makes videos from words alone.", "Choose one for image to video.")


class Wan(Filmer[WanRecipe]):
    """Kinds `encode`, `animate`, `bridge`, as far as the checkpoint can."""

    name: ClassVar[str] = "wan"
    params: ClassVar[Mapping[Kind, type[Params]]] = {**FILMS, Kind.BRIDGE: BridgeParams}
    known: ClassVar[tuple[str, ...]] = (FROM_PICTURES, ON_MASKS, FROM_WORDS)
    draws: ClassVar[tuple[str, ...]] = (
        "transformer",
        "transformer_2",
        "vae",
        "scheduler",
        "image_encoder",
        "image_processor",
    )

    def __init__(self, spec: ModelSpec, device: Device) -> None:
        from pipelines.models.weights import folder

        self._folder = folder(spec)
        self.can = Abilities.of(self._folder)
        super().__init__(spec, device)
        if self.can.pair and self.recipe.cache is not None and self.recipe.cache.name == "MagCache":
            raise BadInput(
                option(spec, "cache.name"),
                "MagCache counts the steps of one network, and these weights share them among two.",
                "Take TaylorSeerCache or FirstBlockCache.",
            )
        vae, network = self._config("vae"), self._config("transformer")
        multiple = vae.get("scale_factor_spatial", 8) * network["patch_size"][-1]
        every = vae.get("scale_factor_temporal", 4)
        self.window = self.window.model_copy(update={"multiple": multiple, "every": every})

    @staticmethod
    def options(spec: ModelSpec) -> WanRecipe:
        return WanRecipe.of(spec)

    def usual(self) -> Window:
        return Window(fps=24, frames=121, width=1280, height=704) if self.can.expands else Window()

    @property
    def starts(self) -> bool:
        return self.can.starts

    @property
    def ends(self) -> bool:
        return self.can.ends

    def references(self, inputs: Mapping[str, Sequence[Path]], report: Report) -> tuple[Image, ...]:
        from pipelines.media.images import on_white, open_picture

        paths = inputs.get("references", ()) if self.can.sees else ()
        limit = self.spec.max_references
        if limit is not None and len(paths) > limit:
            report.warn(f"{self.spec.name} sees {limit} of the {len(paths)} portraits of this scene")
        report.record(references=len(paths[:limit]))
        return tuple(on_white(open_picture(path, "references")) for path in paths[:limit])

    def half(self, without: Sequence[str]) -> Any:
        import diffusers

        from pipelines.diffusion.loading import load_pipeline

        kind = getattr(diffusers, self.can.pipeline)
        pipe = load_pipeline(kind, self.spec, self.recipe, self.device, without=without, published=(FROM_WORDS,))
        if pipe.scheduler is not None and self.recipe.scheduler:
            pipe.scheduler = type(pipe.scheduler).from_config(pipe.scheduler.config, **self.recipe.scheduler)
        return pipe

    def encode(self, prompt: str) -> Mapping[str, torch.Tensor]:
        positive, negative = self.halves[READS].encode_prompt(
            prompt, self.recipe.negative, self.recipe.guided, max_sequence_length=TOKENS
        )
        return {"prompt_embeds": positive} | ({"negative_prompt_embeds": negative} if self.recipe.guided else {})

    def film(self, job: Job) -> Made:
        from pipelines.diffusion.callbacks import dice, told
        from pipelines.diffusion.clip_writer import Made, as_frames

        second = {"guidance_scale_2": self.recipe.guidance_2} if self.can.pair else {}
        pipe = self.halves[DRAWS]
        with running(pipe, job.report):
            video = pipe(
                **(_on_masks(job) if self.can.sees else {"image": job.first, "last_image": job.last}),
                **job.words,
                **second,
                width=job.first.width,
                height=job.first.height,
                num_frames=job.frames,
                num_inference_steps=self.recipe.steps,
                guidance_scale=self.recipe.guidance,
                generator=dice(job.seed),
                callback_on_step_end=told(job.report, self.recipe.steps, "moving", job.begin, job.end),
            ).frames[0]
        return Made(as_frames(video))

    def _config(self, part: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self._folder / part / "config.json").read_text("utf-8"))
        return found


def _on_masks(job: Job) -> dict[str, Any]:
    """What VACE is given: a video of which it keeps the frames whose mask is black, and pictures of who is in it."""
    from PIL import Image as Pillow

    size = job.first.size
    video = [job.first, *(Pillow.new("RGB", size, UNKNOWN) for _ in range(job.frames - 1))]
    mask = [Pillow.new("L", size, 0), *(Pillow.new("L", size, 255) for _ in range(job.frames - 1))]
    if job.last is not None:
        video[-1], mask[-1] = job.last, Pillow.new("L", size, 0)
    return {"video": video, "mask": mask, "reference_images": list(job.seen) or None}

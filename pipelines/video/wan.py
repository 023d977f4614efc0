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

from pipelines.base import BadInput, Device, Economy, Kind, ModelSpec, Params, Report
from pipelines.gpu.clips import Part, Window, first_frame, read_timing
from pipelines.gpu.painting import Halves
from pipelines.gpu.recipe import Precision, Recipe
from pipelines.kinds import AnimateParams, BridgeParams, EncodeParams
from pipelines.media.coding import Coding

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

READS = ("text_encoder", "tokenizer")
MOVES = ("transformer", "transformer_2", "vae", "scheduler", "image_encoder", "image_processor")
TOKENS = 512
"""Length to which words are filled up; the network counts on it to tell them from pictures."""
LEAST = 17
"""Frames of the shortest bridge that is made: with fewer nothing moves, it melts."""
UNKNOWN = (128, 128, 128)
"""What VACE is shown where it has to draw."""


class WanRecipe(Recipe):
    """How a checkpoint of Wan is run; the model card says which numbers it likes."""

    dtypes: Mapping[str, Precision] = Field({"vae": "float32", "image_encoder": "float32"})
    quantizable: tuple[str, ...] = ("transformer", "transformer_2", "text_encoder")
    window: Window = Field(Window(), description="Its multiples come from the weights.")
    steps: int = Field(40, ge=1, le=200, description="Denoising steps of each window.")
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
    between: str = Field(
        "One continuous shot: the camera glides on and the scene flows smoothly and naturally into the next.",
        description="The words of a bridge, which has none of its own.",
    )


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a checkpoint can do: `starts` from a first frame alone; `ends` at a last one that it is given; `sees` reference pictures."""

    pipeline: str
    starts: bool
    ends: bool
    sees: bool = False
    pair: bool = False

    @classmethod
    def of(cls, folder: Path) -> Self:
        """Read off its configuration. Raises BadInput for a checkpoint that takes no picture."""
        index = json.loads((folder / "model_index.json").read_text("utf-8"))
        network = json.loads((folder / "transformer" / "config.json").read_text("utf-8"))
        pair = index.get("boundary_ratio") is not None
        if index.get("_class_name") == "WanVACEPipeline":
            return cls("WanVACEPipeline", starts=True, ends=True, sees=True, pair=pair)
        name = "WanImageToVideoPipeline"
        if index.get("expand_timesteps"):
            return cls(name, starts=True, ends=False)
        if network.get("image_dim"):
            both = network.get("pos_embed_seq_len") is not None
            return cls(name, starts=not both, ends=both)
        if network["in_channels"] > network["out_channels"]:
            return cls(name, starts=True, ends=True, pair=pair)
        raise BadInput("weights", "this checkpoint makes videos from words alone.", "Choose one for image to video.")


class Wan:
    """Kinds `encode`, `animate`, `bridge`, as far as the checkpoint can."""

    version: ClassVar[str] = "1"
    params: ClassVar[Mapping[Kind, type[Params]]] = {
        Kind.ENCODE: EncodeParams,
        Kind.ANIMATE: AnimateParams,
        Kind.BRIDGE: BridgeParams,
    }
    economies: ClassVar[tuple[Economy, ...]] = (
        Economy.APART,
        Economy.GROUPS,
        Economy.TILES,
        Economy.LEAVES,
        Economy.QUANTIZED,
        Economy.SMALLER,
    )

    def __init__(self, spec: ModelSpec, device: Device, folder: Path) -> None:
        self._spec, self._device = spec, device
        self._recipe = WanRecipe.of(spec)
        self._can = Abilities.of(folder)
        self._window = _window(self._recipe.window, folder)
        self._words: dict[str, Mapping[str, torch.Tensor]] = {}
        makers = {"reads": lambda: self._half(MOVES), "moves": lambda: self._half(READS)}
        self._halves = Halves(makers, together=device.economy < Economy.APART)

    @classmethod
    def load(cls, spec: ModelSpec, device: Device) -> Self:
        import torch

        from pipelines.weights import folder

        if device.kind == "cpu":
            torch.set_num_threads(device.threads)
        for role in spec.weights:
            folder(spec, role)
        return cls(spec, device, folder(spec))

    def run(
        self,
        kind: Kind,
        params: Params,
        inputs: Mapping[str, Sequence[Path]],
        out: Path,
        report: Report,
        *,
        seed: int,
    ) -> list[Path]:
        """As `pipelines.base.Family` says. Raises BadInput for what the checkpoint cannot do."""
        if isinstance(params, EncodeParams):
            from pipelines.gpu.words import write_words

            return [write_words(self._encoded(params.prompt), out)]
        if isinstance(params, AnimateParams):
            return [self._animate(params, inputs, out, report, seed)]
        if isinstance(params, BridgeParams):
            return [self._bridge(params, inputs, out, report, seed)]
        raise BadInput("kind", f"{self._spec.name} cannot {kind}.")

    def close(self) -> None:
        """Give back all memory."""
        self._words.clear()
        self._halves.close()

    def _animate(
        self, asked: AnimateParams, inputs: Mapping[str, Sequence[Path]], out: Path, report: Report, seed: int
    ) -> Path:
        from pipelines.gpu.clipfile import Made, write_clip
        from pipelines.gpu.loading import torch_device
        from pipelines.gpu.words import read_words

        if not self._can.starts:
            raise BadInput(
                "models.animate",
                f"the checkpoint of {self._spec.name} needs a last picture too, and a clip has none.",
                "It makes bridges; choose another model for clips.",
            )
        size = self._size(asked)
        shot = self._window.shot(read_timing(asked, inputs), seed, loop=asked.loop, closes=self._can.ends)
        first = first_frame(inputs, size)
        words = read_words(inputs, torch_device(self._device)) or self._encoded(asked.words())
        seen = self._references(inputs, report)
        report.record(
            size=list(size), windows=len(shot.parts), frames=shot.frames, rate=float(shot.rate), references=len(seen),
            **self._facts(),
        )  # fmt: skip

        def make(part: Part, picture: Image) -> Made:
            return Made(self._made(part, picture, first if part.closes else None, words, seen, report))

        return write_clip(shot, first, make, out)

    def _bridge(
        self, asked: BridgeParams, inputs: Mapping[str, Sequence[Path]], out: Path, report: Report, seed: int
    ) -> Path:
        from pipelines.gpu.bridges import Gap
        from pipelines.video.blends import BLENDS
        from pipelines.video.overlap import write_bridge

        coding = Coding()
        if asked.transition != "match":
            return write_bridge(BLENDS[asked.transition], asked, inputs, out, coding, report)
        if not self._can.ends:
            raise BadInput(
                "models.bridge",
                f"the checkpoint of {self._spec.name} does not heed a last picture.",
                "Bridges are made by Wan 2.1 FLF2V, Wan 2.2 I2V A14B and VACE.",
            )
        gap = Gap.read(asked, inputs, self._size(asked), coding, report)
        part = Part(0, self._window.count(max(gap.frames, LEAST)), seed, 0.0, 1.0, closes=False)
        report.record(size=list(gap.before.size), frames=part.frames, **self._facts())
        words = self._encoded(self._recipe.between)
        made = self._made(part, gap.before, gap.after, words, (), report)
        return gap.write(made, asked, inputs, out, coding)

    def _made(
        self,
        part: Part,
        first: Image,
        last: Image | None,
        words: Mapping[str, torch.Tensor],
        seen: Sequence[Image],
        report: Report,
    ) -> Any:
        """One window: (frames, height, width, 3), 8 bit."""
        from pipelines.gpu.clipfile import as_frames
        from pipelines.gpu.steps import dice, told

        pictures = _on_masks(part.frames, first, last, seen) if self._can.sees else {"image": first, "last_image": last}
        second = {"guidance_scale_2": self._recipe.guidance_2} if self._can.pair else {}
        video = self._halves["moves"](
            **pictures,
            **words,
            **second,
            width=first.width,
            height=first.height,
            num_frames=part.frames,
            num_inference_steps=self._recipe.steps,
            guidance_scale=self._recipe.guidance,
            generator=dice(part.seed),
            callback_on_step_end=told(report, self._recipe.steps, "moving", part.begin, part.end),
        ).frames[0]
        return as_frames(video)

    def _encoded(self, prompt: str) -> Mapping[str, torch.Tensor]:
        """What the text encoder makes of words. Those of bridges are kept: they are always the same, and come with the first others,
        so that the encoder need not come back for them."""
        always = (self._recipe.between,) if Kind.BRIDGE in self._spec.kinds and self._can.ends else ()
        for words in dict.fromkeys((prompt, *always)):
            if words not in self._words:
                self._words[words] = self._encode(words)
        return self._words[prompt] if prompt in always else self._words.pop(prompt)

    def _encode(self, prompt: str) -> Mapping[str, torch.Tensor]:
        import torch

        guided = self._recipe.guidance > 1
        with torch.no_grad():
            positive, negative = self._halves["reads"].encode_prompt(
                prompt, self._recipe.negative, guided, max_sequence_length=TOKENS
            )
        return {"prompt_embeds": positive} | ({"negative_prompt_embeds": negative} if guided else {})

    def _references(self, inputs: Mapping[str, Sequence[Path]], report: Report) -> tuple[Image, ...]:
        """The portraits of who is on stage, for a checkpoint that sees them."""
        from pipelines.image.pictures import on_white, open_picture

        paths = inputs.get("references", ()) if self._can.sees else ()
        limit = self._spec.max_references
        if limit is not None and len(paths) > limit:
            report.warn(f"{self._spec.name} sees {limit} of the {len(paths)} portraits of this scene")
        return tuple(on_white(open_picture(path, "references")) for path in paths[:limit])

    def _size(self, asked: AnimateParams | BridgeParams) -> tuple[int, int]:
        return self._window.size(asked.width, asked.height, self._device.economy)

    def _facts(self) -> dict[str, Any]:
        return {
            "steps": self._recipe.steps,
            "guidance": self._recipe.guidance,
            "economy": self._device.economy.name,
        }

    def _half(self, without: tuple[str, ...]) -> Any:
        """The pipeline without one of its halves. What is laid over the network is laid over it alone."""
        import diffusers

        from pipelines.gpu.loading import load_pipeline

        moves = without == READS
        recipe = self._recipe if moves else self._recipe.model_copy(update={"loras": ()})
        kind = getattr(diffusers, self._can.pipeline)
        pipe = load_pipeline(kind, self._spec, recipe, self._device, without=without, published=("WanPipeline",))
        if moves and recipe.scheduler:
            pipe.scheduler = type(pipe.scheduler).from_config(pipe.scheduler.config, **recipe.scheduler)
        return pipe


def _window(window: Window, folder: Path) -> Window:
    """The window, with the multiples that the weights ask for."""
    vae = json.loads((folder / "vae" / "config.json").read_text("utf-8"))
    network = json.loads((folder / "transformer" / "config.json").read_text("utf-8"))
    multiple = vae.get("scale_factor_spatial", 8) * network["patch_size"][-1]
    return window.model_copy(update={"multiple": multiple, "every": vae.get("scale_factor_temporal", 4)})


def _on_masks(count: int, first: Image, last: Image | None, seen: Sequence[Image]) -> dict[str, Any]:
    """What VACE is given: a video of which it keeps the frames whose mask is black, and pictures of who is in it."""
    from PIL import Image as Pillow

    size = first.size
    video = [first, *(Pillow.new("RGB", size, UNKNOWN) for _ in range(count - 1))]
    mask = [Pillow.new("L", size, 0), *(Pillow.new("L", size, 255) for _ in range(count - 1))]
    if last is not None:
        video[-1], mask[-1] = last, Pillow.new("L", size, 0)
    return {"video": video, "mask": mask, "reference_images": list(seen) or None}

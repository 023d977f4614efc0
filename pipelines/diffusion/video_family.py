"""What families of clips share: their options, words encoded apart, windows put together into the clip of a scene or a bridge."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar

from pydantic import Field

from pipelines.base import BadInput, Device, Economy, Kind, ModelSpec, Params, Report
from pipelines.diffusion.acceleration import facts, possible
from pipelines.diffusion.components import DRAWS, READS, Halves
from pipelines.diffusion.loading import pipeline_name
from pipelines.diffusion.options import Recipe
from pipelines.diffusion.windows import Part, Shot, Window, first_frame, read_timing
from pipelines.media.codec.encoding_options import Coding, Preset
from pipelines.step_params import AnimateParams, BridgeParams, EncodeParams

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

    from pipelines.diffusion.clip_writer import Made

FILMS: Mapping[Kind, type[Params]] = {Kind.ENCODE: EncodeParams, Kind.ANIMATE: AnimateParams}
"""The kinds of step of a model that moves a picture on; one that can be told its last frame makes bridges too."""

LEAST = 17
"""Frames of the shortest bridge that is made: with fewer nothing moves, it melts."""


class FilmRecipe(Recipe):
    """What every model of clips can be told in models.yaml."""

    window: Window | None = Field(
        None, description="What is made at one go; none: what weights like these are made for."
    )
    steps: int = Field(40, ge=1, le=200, description="Denoising steps of each window.")
    guidance: float = Field(3.0, ge=0, le=30, description="How closely the words are followed; 1: no negative words.")
    negative: str = Field("", description="What the picture is kept away from.")
    between: str = Field(
        "One continuous shot: the camera glides on and the scene flows smoothly and naturally into the next.",
        description="The words of a bridge, which has none of its own.",
    )
    preset: Preset = Field(Coding().preset, description="How bridges are coded: as every other part of the film.")
    crf: float = Field(Coding().crf, gt=0, le=40)

    @property
    def guided(self) -> bool:
        """Whether negative words are heeded."""
        return self.guidance > 1


@dataclass(frozen=True, slots=True)
class Job:
    """One window: `frames` frames of the size of `first`, which is the first of them; `last`, where there is one, is the last.
    `words`: what the text encoder made of the words; `sound`: whether sound is wanted too; `begin` and `end`: which share of the
    whole work it is; `seen`: who is on stage."""

    words: Mapping[str, torch.Tensor]
    first: Image
    last: Image | None
    frames: int
    sound: bool
    seed: int
    report: Report
    begin: float
    end: float
    seen: tuple[Image, ...] = ()


R = TypeVar("R", bound=FilmRecipe)


class Filmer(ABC, Generic[R]):
    """A family of clips but for the model itself: `film` makes one window, `run` does everything around it."""

    version: ClassVar[str] = "1"
    params: ClassVar[Mapping[Kind, type[Params]]] = FILMS
    economies: ClassVar[tuple[Economy, ...]] = tuple(Economy)[1:]
    known: ClassVar[tuple[str, ...]]
    """Pipelines of diffusers as which such weights are published."""
    reads: ClassVar[tuple[str, ...]] = ("text_encoder", "tokenizer")
    """Components that the half that draws does without."""
    draws: ClassVar[tuple[str, ...]] = ("transformer", "vae")
    """Components that the half that reads words does without."""

    def __init__(self, spec: ModelSpec, device: Device) -> None:
        self.spec, self.device = spec, device
        self.recipe = self.options(spec)
        possible(spec, self.recipe, device)
        self.pipeline = pipeline_name(spec, self.known)
        self.window = self.recipe.window or self.usual()
        self._kept: dict[str, Mapping[str, torch.Tensor]] = {}
        makers = {READS: lambda: self.half(self.draws), DRAWS: lambda: self.half(self.reads)}
        self.halves = Halves(makers, together=device.economy < Economy.APART)

    @classmethod
    def load(cls, spec: ModelSpec, device: Device) -> Self:
        from pipelines.diffusion.loading import before_loading

        before_loading(spec, device)
        return cls(spec, device)

    @staticmethod
    @abstractmethod
    def options(spec: ModelSpec) -> R:
        """The options of a model."""

    @abstractmethod
    def usual(self) -> Window:
        """What weights like these make at one go."""

    @abstractmethod
    def half(self, without: Sequence[str]) -> Any:
        """The pipeline without these components."""

    @abstractmethod
    def encode(self, prompt: str) -> Mapping[str, torch.Tensor]:
        """What the text encoder makes of words, by the argument of the pipeline that takes it."""

    @abstractmethod
    def film(self, job: Job) -> Made:
        """One window."""

    @property
    def starts(self) -> bool:
        """Whether the first frame is enough for the weights."""
        return True

    @property
    def ends(self) -> bool:
        """Whether the weights can be told the last frame too."""
        return False

    def references(self, inputs: Mapping[str, Sequence[Path]], report: Report) -> tuple[Image, ...]:
        """The portraits of who is on stage, for weights that see them beside the keyframe."""
        return ()

    def sound_rate(self) -> int | None:
        """Samples a second of the sound that is made with the picture; None: none is."""
        return None

    def size(self, width: int, height: int) -> tuple[int, int]:
        """The size at which a film of that shape is made."""
        return self.window.size(width, height, self.device.economy)

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
        """As `pipelines.base.Family` says. Raises BadInput for what the weights cannot do."""
        import torch

        # A GPU has several ways of adding up a convolution: always the same one.
        steady = torch.backends.cudnn.flags(enabled=True, deterministic=True, benchmark=False)
        with steady, torch.no_grad():
            if isinstance(params, EncodeParams):
                from pipelines.diffusion.prompt_embeds import write_words

                return [write_words(self._encoded(params.prompt), out)]
            if isinstance(params, AnimateParams):
                return [self._animated(params, inputs, out, report, seed)]
            if isinstance(params, BridgeParams):
                return [self._bridged(params, inputs, out, report, seed)]
        raise BadInput("kind", f"{self.spec.name} cannot {kind}.")

    def close(self) -> None:
        """Give back all memory."""
        self._kept.clear()
        self.halves.close()

    def _animated(
        self, asked: AnimateParams, inputs: Mapping[str, Sequence[Path]], out: Path, report: Report, seed: int
    ) -> Path:
        from pipelines.diffusion.clip_writer import paced, write_clip
        from pipelines.diffusion.loading import torch_device
        from pipelines.diffusion.prompt_embeds import read_words

        if not self.starts:
            raise BadInput(
                "models.animate",
                f"the weights of {self.spec.name} need a last picture too, and a clip has none.",
                "They make bridges; choose another model for clips.",
            )
        shot = self.window.shot(read_timing(asked, inputs), seed, loop=asked.loop, closes=self.ends)
        first = first_frame(inputs, self.size(asked.width, asked.height))
        words = read_words(inputs, torch_device(self.device)) or self._encoded(asked.words())
        seen = self.references(inputs, report)
        sound_rate = self.sound_rate() if asked.native_audio else None
        self._tell(first, shot, report)

        def make(part: Part, picture: Image) -> Made:
            last = first if part.closes else None
            made = self.film(self._job(part, words, picture, last, report, sound=sound_rate is not None, seen=seen))
            return paced(made, self.window.fps / shot.rate)

        return write_clip(shot, first, make, out, sound_rate=sound_rate)

    def _bridged(
        self, asked: BridgeParams, inputs: Mapping[str, Sequence[Path]], out: Path, report: Report, seed: int
    ) -> Path:
        """A `match` is made by the model, every other transition is its blend."""
        from pipelines.diffusion.transitions import Gap
        from pipelines.media.transitions.blends import BLENDS
        from pipelines.media.transitions.overlap import write_bridge

        coding = Coding(self.recipe.preset, self.recipe.crf)
        if asked.transition != "match":
            return write_bridge(BLENDS[asked.transition], asked, inputs, out, coding, report)
        if not self.ends:
            raise BadInput(
                "models.bridge",
                f"the weights of {self.spec.name} cannot be told a last picture.",
                "Choose a model that makes bridges.",
            )
        gap = Gap.read(asked, inputs, self.size(asked.width, asked.height), coding, report)
        part = Part(0, self.window.count(max(gap.frames, LEAST)), seed, 0.0, 1.0, closes=False)
        self._tell(gap.before, part, report)
        words = self._encoded(self.recipe.between)
        made = self.film(self._job(part, words, gap.before, gap.after, report))
        return gap.write(made.frames, asked, inputs, out, coding)

    def _job(
        self,
        part: Part,
        words: Mapping[str, torch.Tensor],
        first: Image,
        last: Image | None,
        report: Report,
        *,
        sound: bool = False,
        seen: tuple[Image, ...] = (),
    ) -> Job:
        return Job(words, first, last, part.frames, sound, part.seed, report, part.begin, part.end, seen)

    def _encoded(self, prompt: str) -> Mapping[str, torch.Tensor]:
        """What the text encoder makes of words. Those of bridges are kept: they are always the same, and come with the first others,
        so that the encoder need not come back for them."""
        always = {self.recipe.between} if Kind.BRIDGE in self.spec.kinds and self.ends else set()
        for words in (prompt, *always):
            if words not in self._kept:
                self._kept[words] = self.encode(words)
        return self._kept[prompt] if prompt in always else self._kept.pop(prompt)

    def _tell(self, first: Image, what: Shot | Part, report: Report) -> None:
        report.record(
            size=list(first.size),
            frames=what.frames,
            windows=len(what.parts) if isinstance(what, Shot) else 1,
            steps=self.recipe.passes,
            guidance=self.recipe.guidance,
            economy=self.device.economy.name,
            **facts(self.recipe, self.device),
        )

"""Base of the video families: options, prompt encoding, windows joined to the clip of a scene or a transition."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar

from pydantic import Field

from pipelines.base import BadInput, Device, Kind, MemoryMode, ModelSpec, Params, Report
from pipelines.diffusion.acceleration import acceleration_record, check_supported
from pipelines.diffusion.components import DENOISER, TEXT_ENCODER, ComponentGroups
from pipelines.diffusion.loading import pipeline_name
from pipelines.diffusion.options import PipelineOptions
from pipelines.diffusion.windows import Window, WindowPlan, WindowSpec, load_first_frame, read_timing
from pipelines.media.codec.encoding_options import EncodingOptions, Preset
from pipelines.step_params import AnimateParams, EncodePromptParams, TransitionParams

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

    from pipelines.diffusion.clip_writer import GeneratedWindow

VIDEO_PARAMS: Mapping[Kind, type[Params]] = {Kind.ENCODE_PROMPT: EncodePromptParams, Kind.ANIMATE: AnimateParams}
"""Step kinds of an image-to-video model. A model with last-frame conditioning also makes transitions."""

MIN_TRANSITION_FRAMES = 17
"""Fewest frames of a generated transition. Shorter ones show a dissolve instead of motion."""


class VideoOptions(PipelineOptions):
    """Options of every video model in models.yaml."""

    window: Window | None = Field(
        None, description="Size and length of one generation; default: what the weights were trained for."
    )
    steps: int = Field(40, ge=1, le=200, description="Denoising steps of each window.")
    guidance: float = Field(3.0, ge=0, le=30, description="Guidance scale; 1: no negative prompt.")
    negative_prompt: str = Field("", description="Negative prompt.")
    transition_prompt: str = Field(
        "One continuous shot: the camera glides on and the scene flows smoothly and naturally into the next.",
        description="Prompt of transitions, which have none of their own.",
    )
    preset: Preset = Field(EncodingOptions().preset, description="Encoding of transitions: that of the other segments.")
    crf: float = Field(EncodingOptions().crf, gt=0, le=40)

    @property
    def uses_guidance(self) -> bool:
        """Return whether the negative prompt is used."""
        return self.guidance > 1


@dataclass(frozen=True, slots=True)
class WindowRequest:
    """One window: `frames` frames of the size of `first`, which is the first of them; `last`, where there is one, is
    the last. `words`: what the text encoder made of the words; `sound`: whether sound is wanted too; `begin` and `end`:
    which share of the whole work it is; `seen`: who is on stage."""

    prompt_embeds: Mapping[str, torch.Tensor]
    first_frame: Image
    last_frame: Image | None
    num_frames: int
    with_audio: bool
    seed: int
    report: Report
    progress_start: float
    progress_end: float
    reference_images: tuple[Image, ...] = ()


R = TypeVar("R", bound=VideoOptions)


class VideoFamily(ABC, Generic[R]):
    """A video family except for the model: `generate_window` makes one window, `run` does the rest."""

    version: ClassVar[str] = "1"
    params: ClassVar[Mapping[Kind, type[Params]]] = VIDEO_PARAMS
    memory_modes: ClassVar[tuple[MemoryMode, ...]] = tuple(MemoryMode)[1:]
    pipeline_classes: ClassVar[tuple[str, ...]]
    """Names of the diffusers pipelines under which such weights are published."""
    encoder_parts: ClassVar[tuple[str, ...]] = ("text_encoder", "tokenizer")
    """Components that the denoiser group omits."""
    denoiser_parts: ClassVar[tuple[str, ...]] = ("transformer", "vae")
    """Components that the text encoder group omits."""

    def __init__(self, spec: ModelSpec, device: Device) -> None:
        self.spec, self.device = spec, device
        self.options = self.parse_options(spec)
        check_supported(spec, self.options, device)
        self.pipeline = pipeline_name(spec, self.pipeline_classes)
        self.window = self.options.window or self.default_window()
        self._embeds_cache: dict[str, Mapping[str, torch.Tensor]] = {}
        makers = {
            TEXT_ENCODER: lambda: self.load_part(self.denoiser_parts),
            DENOISER: lambda: self.load_part(self.encoder_parts),
        }
        self.component_groups = ComponentGroups(makers, keep_loaded=device.memory_mode < MemoryMode.MODEL_OFFLOAD)

    @classmethod
    def load(cls, spec: ModelSpec, device: Device) -> Self:
        from pipelines.diffusion.loading import prepare_loading

        prepare_loading(spec, device)
        return cls(spec, device)

    @staticmethod
    @abstractmethod
    def parse_options(spec: ModelSpec) -> R:
        """Parse the options of a model."""

    @abstractmethod
    def default_window(self) -> Window:
        """Return the default window of these weights."""

    @abstractmethod
    def load_part(self, exclude: Sequence[str]) -> Any:
        """Load the pipeline without these components."""

    @abstractmethod
    def encode(self, prompt: str) -> Mapping[str, torch.Tensor]:
        """Return the prompt embeddings by the name of the pipeline argument."""

    @abstractmethod
    def generate_window(self, request: WindowRequest) -> GeneratedWindow:
        """Generate one window."""

    @property
    def accepts_first_frame(self) -> bool:
        """Return whether the weights work with a first frame alone."""
        return True

    @property
    def accepts_last_frame(self) -> bool:
        """Return whether the weights support last-frame conditioning."""
        return False

    def reference_images(self, inputs: Mapping[str, Sequence[Path]], report: Report) -> tuple[Image, ...]:
        """Return the portraits of the cast, for weights that accept references besides the keyframe."""
        return ()

    def audio_sample_rate(self) -> int | None:
        """Return the sample rate of generated audio in Hz, or None without audio."""
        return None

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Return the generation size (width, height) for the aspect ratio of the film."""
        return self.window.size(width, height, self.device.memory_mode)

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
        """See `pipelines.base.Family.run`. Raises BadInput for a step that the weights cannot do."""
        import torch

        # cuDNN has several algorithms per convolution; fix one.
        steady = torch.backends.cudnn.flags(enabled=True, deterministic=True, benchmark=False)
        with steady, torch.no_grad():
            if isinstance(params, EncodePromptParams):
                from pipelines.diffusion.prompt_embeds import write_prompt_embeds

                return [write_prompt_embeds(self._encode_cached(params.prompt), out)]
            if isinstance(params, AnimateParams):
                return [self._animate(params, inputs, out, report, seed)]
            if isinstance(params, TransitionParams):
                return [self._generate_transition(params, inputs, out, report, seed)]
        raise BadInput("kind", f"{self.spec.name} cannot {kind}.")

    def close(self) -> None:
        """Unload all components."""
        self._embeds_cache.clear()
        self.component_groups.close()

    def _animate(
        self, params: AnimateParams, inputs: Mapping[str, Sequence[Path]], out: Path, report: Report, seed: int
    ) -> Path:
        from pipelines.diffusion.clip_writer import stretch_audio, write_clip
        from pipelines.diffusion.loading import torch_device
        from pipelines.diffusion.prompt_embeds import read_prompt_embeds

        if not self.accepts_first_frame:
            raise BadInput(
                "models.animate",
                f"{self.spec.name} requires a last frame, and a clip has none.",
                "Use it for transitions, and choose another model for clips.",
            )
        plan = self.window.plan(
            read_timing(params, inputs), seed, loop=params.loop, ends_on_first_frame=self.accepts_last_frame
        )
        first = load_first_frame(inputs, self.size(params.width, params.height))
        words = read_prompt_embeds(inputs, torch_device(self.device)) or self._encode_cached(params.full_prompt())
        seen = self.reference_images(inputs, report)
        sound_rate = self.audio_sample_rate() if params.native_audio else None
        self._record(first, plan, report)

        def make(part: WindowSpec, picture: Image) -> GeneratedWindow:
            last = first if part.ends_on_first_frame else None
            made = self.generate_window(
                self._make_request(
                    part, words, picture, last, report, with_audio=sound_rate is not None, reference_images=seen
                )
            )
            return stretch_audio(made, self.window.fps / plan.frame_rate)

        return write_clip(plan, first, make, out, audio_sample_rate=sound_rate)

    def _generate_transition(
        self, params: TransitionParams, inputs: Mapping[str, Sequence[Path]], out: Path, report: Report, seed: int
    ) -> Path:
        """Generate a `match` transition; blend any other."""
        from pipelines.diffusion.transitions import TransitionGap
        from pipelines.media.transitions.blends import BLENDS
        from pipelines.media.transitions.overlap import write_transition

        coding = EncodingOptions(self.options.preset, self.options.crf)
        if params.transition != "match":
            return write_transition(BLENDS[params.transition], params, inputs, out, coding, report)
        if not self.accepts_last_frame:
            raise BadInput(
                "models.transition",
                f"{self.spec.name} does not support last-frame conditioning;",
                "choose a model that supports transitions",
            )
        gap = TransitionGap.read(params, inputs, self.size(params.width, params.height), coding, report)
        part = WindowSpec(
            0,
            self.window.valid_frame_count(max(gap.frames, MIN_TRANSITION_FRAMES)),
            seed,
            0.0,
            1.0,
            ends_on_first_frame=False,
        )
        self._record(gap.before, part, report)
        words = self._encode_cached(self.options.transition_prompt)
        made = self.generate_window(self._make_request(part, words, gap.before, gap.after, report))
        return gap.write(made.frames, params, inputs, out, coding)

    def _make_request(
        self,
        window: WindowSpec,
        prompt_embeds: Mapping[str, torch.Tensor],
        first_frame: Image,
        last_frame: Image | None,
        report: Report,
        *,
        with_audio: bool = False,
        reference_images: tuple[Image, ...] = (),
    ) -> WindowRequest:
        return WindowRequest(
            prompt_embeds,
            first_frame,
            last_frame,
            window.frames,
            with_audio,
            window.seed,
            report,
            window.progress_start,
            window.progress_end,
            reference_images,
        )

    def _encode_cached(self, prompt: str) -> Mapping[str, torch.Tensor]:
        """What the text encoder makes of words. Those of bridges are kept: they are always the same, and come with the
        first others, so that the encoder need not come back for them."""
        always = (
            {self.options.transition_prompt}
            if Kind.TRANSITION in self.spec.kinds and self.accepts_last_frame
            else set()
        )
        for words in (prompt, *always):
            if words not in self._embeds_cache:
                self._embeds_cache[words] = self.encode(words)
        return self._embeds_cache[prompt] if prompt in always else self._embeds_cache.pop(prompt)

    def _record(self, first_frame: Image, plan: WindowPlan | WindowSpec, report: Report) -> None:
        report.record(
            size=list(first_frame.size),
            frames=plan.frames,
            windows=len(plan.windows) if isinstance(plan, WindowPlan) else 1,
            steps=self.options.num_inference_steps,
            guidance=self.options.guidance,
            memory_mode=self.device.memory_mode.name,
            **acceleration_record(self.options, self.device),
        )

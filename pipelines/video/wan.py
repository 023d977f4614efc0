"""Family: Wan (Alibaba): clips from a keyframe, and transitions between two frames.

Checkpoints have different capabilities, which are read from their configuration:

============  =====================================================  ============================================
checkpoint    recognised by                                          last frame
============  =====================================================  ============================================
2.1 I2V       image embedder                                         not supported: clips only
2.1 FLF2V     image embedder with positions for two images           required: transitions only
2.2 I2V A14B  more input than output channels, no image embedder     optional: clips and transitions
2.2 TI2V-5B   `expand_timesteps`                                     ignored by the model: clips only
VACE          pipeline class                                         optional; accepts reference images as well
============  =====================================================  ============================================
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import Field

from pipelines.base import BadInput, Device, Kind, ModelSpec, Params, Report
from pipelines.diffusion.acceleration import caches_active
from pipelines.diffusion.components import DENOISER, TEXT_ENCODER
from pipelines.diffusion.options import ALL_BACKENDS, AttentionBackend, Precision, StepCacheName, option_path
from pipelines.diffusion.video_family import VIDEO_PARAMS, VideoFamily, VideoOptions, WindowRequest
from pipelines.diffusion.windows import Window
from pipelines.step_params import TransitionParams

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

    from pipelines.diffusion.clip_writer import GeneratedWindow

MAX_SEQUENCE_LENGTH = 512
"""Tokens of a padded prompt; the transformer relies on it to separate prompt tokens from image tokens."""
MASK_FILL = (128, 128, 128)
"""RGB colour of the frames that VACE has to generate."""
IMAGE_TO_VIDEO_PIPELINE, VACE_PIPELINE = "WanImageToVideoPipeline", "WanVACEPipeline"
TEXT_TO_VIDEO_PIPELINE = "WanPipeline"
"""Class under which TI2V-5B is published; the components are the same."""


class WanOptions(VideoOptions):
    """Options that only Wan has; see the model card for the values of a checkpoint."""

    supported_caches: ClassVar[tuple[StepCacheName, ...]] = ("MagCache", "TaylorSeerCache", "FirstBlockCache")
    supported_backends: ClassVar[tuple[AttentionBackend, ...]] = ALL_BACKENDS

    dtypes: Mapping[str, Precision] = Field({"vae": "float32", "image_encoder": "float32"})
    quantizable: tuple[str, ...] = ("transformer", "transformer_2", "text_encoder")
    guidance: float = Field(5.0, ge=0, le=30, description="Guidance scale; 1: no negative prompt.")
    guidance_2: float | None = Field(None, ge=0, le=30, description="Guidance scale of the second network of a pair.")
    scheduler: Mapping[str, float | int | str | bool | tuple[int, ...]] = Field(
        default_factory=dict,
        description="Scheduler settings that override those of the weights, such as flow_shift.",
    )
    negative_prompt: str = Field(
        "Bright tones, overexposed, static, blurred details, subtitles, style, works, paintings, images, static, "
        "overall gray, worst quality, low quality, JPEG compression residue, ugly, incomplete, extra fingers, "
        "poorly drawn hands, poorly drawn faces, deformed, disfigured, misshapen limbs, fused fingers, still picture, "
        "messy background, three legs, many people in the background, walking backwards",
        description="Negative prompt; the default is the one of the training.",
    )


@dataclass(frozen=True, slots=True)
class Capabilities:
    """Capabilities of a checkpoint.

    accepts_first_frame: generates from a first frame alone. accepts_last_frame: ends on a given last frame.
    accepts_references: accepts reference images. has_transformer_2: a pair of networks, for high and low noise.
    expand_timesteps: one timestep per token, so that the first frame stays free of noise.
    """

    pipeline: str
    accepts_first_frame: bool
    accepts_last_frame: bool
    accepts_references: bool = False
    has_transformer_2: bool = False
    expand_timesteps: bool = False

    @classmethod
    def from_folder(cls, folder: Path) -> Self:
        """Read the capabilities from the configuration. Raises BadInput for a text-to-video checkpoint."""
        index = json.loads((folder / "model_index.json").read_text("utf-8"))
        network = json.loads((folder / "transformer" / "config.json").read_text("utf-8"))
        pair = index.get("boundary_ratio") is not None
        if index.get("_class_name") == VACE_PIPELINE:
            return cls(
                VACE_PIPELINE,
                accepts_first_frame=True,
                accepts_last_frame=True,
                accepts_references=True,
                has_transformer_2=pair,
            )
        if index.get("expand_timesteps"):
            return cls(
                IMAGE_TO_VIDEO_PIPELINE, accepts_first_frame=True, accepts_last_frame=False, expand_timesteps=True
            )
        if network.get("image_dim"):
            both = network.get("pos_embed_seq_len") is not None
            return cls(IMAGE_TO_VIDEO_PIPELINE, accepts_first_frame=not both, accepts_last_frame=both)
        if network["in_channels"] > network["out_channels"]:
            return cls(
                IMAGE_TO_VIDEO_PIPELINE, accepts_first_frame=True, accepts_last_frame=True, has_transformer_2=pair
            )
        raise BadInput("weights", "this is a text-to-video checkpoint.", "Choose an image-to-video checkpoint.")


class Wan(VideoFamily[WanOptions]):
    """Kinds `encode_prompt`, and `animate` and `transition` as the checkpoint supports them."""

    name: ClassVar[str] = "wan"
    params: ClassVar[Mapping[Kind, type[Params]]] = {**VIDEO_PARAMS, Kind.TRANSITION: TransitionParams}
    pipeline_classes: ClassVar[tuple[str, ...]] = (IMAGE_TO_VIDEO_PIPELINE, VACE_PIPELINE, TEXT_TO_VIDEO_PIPELINE)
    denoiser_parts: ClassVar[tuple[str, ...]] = (
        "transformer",
        "transformer_2",
        "vae",
        "scheduler",
        "image_encoder",
        "image_processor",
    )

    def __init__(self, spec: ModelSpec, device: Device) -> None:
        from pipelines.models.weights import verified_folder

        self._folder = verified_folder(spec)
        self.capabilities = Capabilities.from_folder(self._folder)
        super().__init__(spec, device)
        if (
            self.capabilities.has_transformer_2
            and self.options.cache is not None
            and self.options.cache.name == "MagCache"
        ):
            raise BadInput(
                option_path(spec, "cache.name"),
                "MagCache counts the steps of one network; these weights divide the steps between two.",
                "Choose TaylorSeerCache or FirstBlockCache.",
            )
        vae, network = self._config("vae"), self._config("transformer")
        multiple = vae.get("scale_factor_spatial", 8) * network["patch_size"][-1]
        every = vae.get("scale_factor_temporal", 4)
        self.window = self.window.model_copy(update={"multiple": multiple, "frame_stride": every})

    @staticmethod
    def parse_options(spec: ModelSpec) -> WanOptions:
        return WanOptions.from_spec(spec)

    def default_window(self) -> Window:
        return Window(fps=24, frames=121, width=1280, height=704) if self.capabilities.expand_timesteps else Window()

    @property
    def accepts_first_frame(self) -> bool:
        return self.capabilities.accepts_first_frame

    @property
    def accepts_last_frame(self) -> bool:
        return self.capabilities.accepts_last_frame

    def reference_images(self, inputs: Mapping[str, Sequence[Path]], report: Report) -> tuple[Image, ...]:
        from pipelines.media.images import flatten_alpha, open_image

        paths = inputs.get("references", ()) if self.capabilities.accepts_references else ()
        limit = self.spec.max_references
        if limit is not None and len(paths) > limit:
            report.warn(f"{self.spec.name} uses only {limit} of the {len(paths)} portraits of this scene")
        report.record(references=len(paths[:limit]))
        return tuple(flatten_alpha(open_image(path, "references")) for path in paths[:limit])

    def load_part(self, exclude: Sequence[str]) -> Any:
        import diffusers

        from pipelines.diffusion.loading import load_pipeline

        pipeline_class = getattr(diffusers, self.capabilities.pipeline)
        pipe = load_pipeline(
            pipeline_class,
            self.spec,
            self.options,
            self.device,
            exclude=exclude,
            published_as=(TEXT_TO_VIDEO_PIPELINE,),
        )
        if pipe.scheduler is not None and self.options.scheduler:
            pipe.scheduler = type(pipe.scheduler).from_config(pipe.scheduler.config, **self.options.scheduler)
        return pipe

    def encode(self, prompt: str) -> Mapping[str, torch.Tensor]:
        positive, negative = self.component_groups[TEXT_ENCODER].encode_prompt(
            prompt, self.options.negative_prompt, self.options.uses_guidance, max_sequence_length=MAX_SEQUENCE_LENGTH
        )
        return {"prompt_embeds": positive} | (
            {"negative_prompt_embeds": negative} if self.options.uses_guidance else {}
        )

    def generate_window(self, request: WindowRequest) -> GeneratedWindow:
        from pipelines.diffusion.callbacks import generator, step_callback
        from pipelines.diffusion.clip_writer import GeneratedWindow, as_frames

        second = {"guidance_scale_2": self.options.guidance_2} if self.capabilities.has_transformer_2 else {}
        pipe = self.component_groups[DENOISER]
        with caches_active(pipe, request.report):
            video = pipe(
                **(
                    _vace_kwargs(request)
                    if self.capabilities.accepts_references
                    else {"image": request.first_frame, "last_image": request.last_frame}
                ),
                **request.prompt_embeds,
                **second,
                width=request.first_frame.width,
                height=request.first_frame.height,
                num_frames=request.num_frames,
                num_inference_steps=self.options.steps,
                guidance_scale=self.options.guidance,
                generator=generator(request.seed),
                callback_on_step_end=step_callback(
                    request.report,
                    self.options.steps,
                    "generating frames",
                    request.progress_start,
                    request.progress_end,
                ),
            ).frames[0]
        return GeneratedWindow(as_frames(video))

    def _config(self, part: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self._folder / part / "config.json").read_text("utf-8"))
        return found


def _vace_kwargs(request: WindowRequest) -> dict[str, Any]:
    """Return the inputs of VACE: a video, a mask per frame (black: keep, white: generate), and the reference images."""
    from PIL import Image as Pillow

    size = request.first_frame.size
    video = [request.first_frame, *(Pillow.new("RGB", size, MASK_FILL) for _ in range(request.num_frames - 1))]
    mask = [Pillow.new("L", size, 0), *(Pillow.new("L", size, 255) for _ in range(request.num_frames - 1))]
    if request.last_frame is not None:
        video[-1], mask[-1] = request.last_frame, Pillow.new("L", size, 0)
    return {"video": video, "mask": mask, "reference_images": list(request.reference_images) or None}

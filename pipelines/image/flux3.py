"""Family: FLUX.3 klein (Black Forest Labs): images from a prompt and several references, by a modular pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pipelines.base import Device, Kind, MemoryMode, ModelSpec, Params, Report
from pipelines.diffusion.components import DENOISER, TEXT_ENCODER, ComponentGroups
from pipelines.diffusion.image_family import IMAGE_PARAMS, ImageFamily, ImageOptions, ImageRequest
from pipelines.diffusion.options import ALL_BACKENDS, AttentionBackend
from pipelines.step_params import EncodePromptParams

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

PIPELINE_CLASSES = ("Flux3DistilledModularPipeline", "Flux3ModularPipeline")


class Flux3Options(ImageOptions):
    """Defaults of the distilled weights: 16 steps, no guidance. The undistilled weights need 50 steps and guidance."""

    supported_backends: ClassVar[tuple[AttentionBackend, ...]] = ALL_BACKENDS

    steps: int = 16
    quantizable: tuple[str, ...] = ("transformer", "text_encoder")


class Flux3(ImageFamily):
    """Kinds `encode_prompt`, `portrait`, `element`, `keyframe`.

    The prompt upsampler of the pipeline is not used: prompts are complete.
    """

    name: ClassVar[str] = "flux3"
    params: ClassVar[Mapping[Kind, type[Params]]] = {Kind.ENCODE_PROMPT: EncodePromptParams, **IMAGE_PARAMS}
    options_type = Flux3Options

    def __init__(self, spec: ModelSpec, device: Device) -> None:
        super().__init__(spec, device)
        makers = {
            TEXT_ENCODER: lambda: self._load_blocks("text_encoder"),
            DENOISER: lambda: self._load_blocks("vae_encoder", "denoise", "decode"),
        }
        self.component_groups = ComponentGroups(makers, keep_loaded=device.memory_mode < MemoryMode.MODEL_OFFLOAD)

    def _load_blocks(self, *names: str) -> Any:
        from pipelines.diffusion.modular import load_blocks, load_modular

        blocks = load_blocks(self.spec, PIPELINE_CLASSES)
        for name in set(blocks.sub_blocks) - set(names):
            blocks.sub_blocks.pop(name)
        pipe = load_modular(blocks, self.spec, self.options, self.device)
        if getattr(pipe, "guider", None) is not None:
            pipe.update_components(guider=pipe.guider.new(guidance_scale=self.options.guidance))
        return pipe

    def encode(self, prompt: str, report: Report) -> Mapping[str, torch.Tensor]:
        embeds = {"prompt_embeds": self._encode_text(prompt)}
        if self.options.guidance > 1:
            embeds["negative_prompt_embeds"] = self._encode_text("")
        return embeds

    def _encode_text(self, prompt: str) -> torch.Tensor:
        embeds: torch.Tensor = self.component_groups[TEXT_ENCODER](prompt=prompt, output="prompt_embeds")
        return embeds

    def generate(self, request: ImageRequest) -> Image:
        from pipelines.diffusion.callbacks import generator, progress_hook

        embeds = request.prompt_embeds or self.encode(request.prompt, request.report)
        references = {"image": list(request.reference_images)} if request.reference_images else {}
        pipe = self.component_groups[DENOISER]
        passes = self.options.steps * (2 if self.options.guidance > 1 else 1)
        with progress_hook(pipe.transformer, request.report, passes, "generating the image"):
            image: Image = pipe(
                **embeds,
                **references,
                width=request.width,
                height=request.height,
                num_inference_steps=self.options.steps,
                generator=generator(request.seed),
                output="images",
            )[0]
        return image

    def close(self) -> None:
        self.component_groups.close()

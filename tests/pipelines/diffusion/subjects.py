"""Tiny models of every family that diffuses, and one picture or clip of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from pipelines.base import Device, Kind, ModelSpec
from pipelines.diffusion.components import DENOISER
from pipelines.diffusion.image_family import ImageFamily
from pipelines.diffusion.options import PipelineOptions
from pipelines.image.flux2 import Flux2
from pipelines.image.flux3 import Flux3
from pipelines.image.kontext import Kontext
from pipelines.image.qwenimage import QwenImage
from pipelines.image.sdxl import Sdxl
from pipelines.image.zimage import ZImage
from pipelines.media.timeline import SceneTiming, Timeline, TimelineScene
from pipelines.music.acestep import AceStep, AceStepOptions
from pipelines.step_params import AnimateParams, EncodePromptParams, KeyframeParams, Reference, ScoreParams
from pipelines.video.cogvideox import CogVideoX
from pipelines.video.hunyuan import Hunyuan
from pipelines.video.ltx import Ltx
from pipelines.video.ltx2 import Ltx2
from pipelines.video.wan import Wan
from tests.fixtures import weighted
from tests.fixtures.tiny import (
    acestep,
    cogvideox,
    flux2,
    flux3,
    hunyuan,
    kontext,
    ltx,
    ltx2,
    qwenimage,
    sdxl,
    wan,
    zimage,
)

ON_CPU = Device()
SIZE = (128, 96)
WORDS = "Mara lights the lamp"
PICTURES = {"steps": 6, "pixels": [4096, 16384], "reference_pixels": 4096}
EIGHTS = {"steps": 6, "window": {"fps": 24, "frames": 9, "frame_stride": 8, "width": 64, "height": 64, "multiple": 32}}


@dataclass(frozen=True)
class Subject:
    """A tiny model: what builds its weights, which family uses them, with which options. `looks`: it needs torchvision."""

    family: type[Any]
    build: Callable[[Path], None]
    options: Mapping[str, Any]
    references: int = 0
    kind: Kind = Kind.KEYFRAME
    looks: bool = False

    @property
    def recipe(self) -> type[PipelineOptions]:
        """The class of its options."""
        if self.family is AceStep:
            return AceStepOptions
        if issubclass(self.family, ImageFamily):
            return self.family.options_type
        return type(self.family.parse_options(ModelSpec(name="x", family="x:X", kinds=(self.kind,))))


def _wan(variant: wan.Variant) -> Subject:
    window = {"width": 64, "height": 32, "frames": 9}
    return Subject(Wan, lambda folder: wan.build(folder, variant), {"steps": 6, "window": window}, kind=Kind.ANIMATE)


SUBJECTS = {
    "flux2": Subject(Flux2, flux2.build, PICTURES, 2),
    "flux2-guided": Subject(Flux2, flux2.build_base, {**PICTURES, "guidance": 4.0}, 2),
    "flux2-dev": Subject(Flux2, flux2.build_dev, {**PICTURES, "guidance": 4.0}, 2, looks=True),
    "kontext": Subject(Kontext, kontext.build, PICTURES, 1),
    "zimage": Subject(ZImage, zimage.build, PICTURES),
    "sdxl": Subject(Sdxl, sdxl.build, PICTURES),
    "qwen-edit": Subject(QwenImage, qwenimage.build, PICTURES, 2, looks=True),
    "qwen-2.1": Subject(QwenImage, qwenimage.build_21, {**PICTURES, "guidance": 1.0}, 2, looks=True),
    "flux3": Subject(Flux3, flux3.build, PICTURES, 2, looks=True),
    "wan-a14b": _wan("a14b"),
    "wan-5b": _wan("5b"),
    "wan-vace": _wan("vace"),
    "ltx": Subject(Ltx, ltx.build, EIGHTS, kind=Kind.ANIMATE),
    "ltx2": Subject(Ltx2, ltx2.build, EIGHTS, kind=Kind.ANIMATE),
    "hunyuan": Subject(
        Hunyuan, hunyuan.build, {"steps": 6, "guidance": 1.0, "window": {"fps": 24, "frames": 5, "frame_stride": 4}}, kind=Kind.ANIMATE
    ),
    "cogvideox": Subject(
        CogVideoX, cogvideox.build, {"steps": 6, "window": {"fps": 16, "frames": 9, "frame_stride": 8, "width": 64, "height": 48}},
        kind=Kind.ANIMATE,
    ),
    "acestep": Subject(AceStep, acestep.build, {"steps": 2}, kind=Kind.SCORE),
}  # fmt: skip


class Heard:
    """A report that remembers. `stop_at`: the share of the work at which it raises what a cancelled job raises."""

    def __init__(self, stop_at: float = 2.0) -> None:
        self.facts: dict[str, Any] = {}
        self.warnings: list[str] = []
        self.stop_at = stop_at

    def progress(self, fraction: float, message: str = "") -> None:
        if fraction >= self.stop_at:
            raise KeyboardInterrupt

    def warn(self, message: str) -> None:
        self.warnings.append(message)

    def record(self, **facts: Any) -> None:
        self.facts |= facts


@dataclass
class Loaded:
    """A family that is resident, as a worker holds it."""

    subject: Subject
    family: Any
    folder: Path
    report: Heard = field(default_factory=Heard)
    words: Path | None = None

    @property
    def pipe(self) -> Any:
        if isinstance(self.family, AceStep):
            return self.family._pipe
        return self.family.component_groups[DENOISER] if hasattr(self.family, "component_groups") else self.family.pipe

    @property
    def networks(self) -> list[Any]:
        names = ("transformer", "transformer_2", "unet")
        return [network for name in names if (network := getattr(self.pipe, name, None)) is not None]

    def make(self, seed: int = 1, *, size: tuple[int, int] = SIZE, stop_at: float = 2.0) -> bytes:
        """The bytes of a picture or a clip."""
        out = self.folder / f"{len(list(self.folder.iterdir())):03d}"
        out.mkdir()
        self.report = Heard(stop_at)
        picture = self.folder.parent / "image.png"
        if not picture.exists():
            Image.effect_mandelbrot(SIZE, (-2, -1.5, 1, 1.5), 20).convert("RGB").save(picture)
        shape = {"width": size[0], "height": size[1], "prompt": WORDS}
        if self.subject.kind is Kind.ANIMATE:
            (out / "scene-001.json").write_text(SceneTiming(fps=24, frames=5).model_dump_json())
            inputs = {"keyframe": [picture], "timing": [out / "scene-001.json"]}
            params: Any = AnimateParams(**shape, fps=24)
        elif self.subject.kind is Kind.SCORE:
            place = TimelineScene(start=0, timing=SceneTiming(fps=24, frames=24))
            (out.parent.parent / "timeline.json").write_text(Timeline(fps=24, scenes=(place,)).model_dump_json())
            inputs = {"timeline": [out.parent.parent / "timeline.json"]}
            params = ScoreParams(mood="joyful", prompt=WORDS)
        else:
            inputs = {"references": [picture] * self.subject.references}
            shown = tuple(Reference(role="character", name="Mara") for _ in inputs["references"])
            params = KeyframeParams(**shape, scene_text=shape["prompt"], number=1, references=shown)
        if Kind.ENCODE_PROMPT in self.subject.family.params:
            inputs["prompt_embeds"] = [self._encoded(WORDS)]
        made = self.family.run(self.subject.kind, params, inputs, out, self.report, seed=seed)
        return Path(made[0]).read_bytes()

    def _encoded(self, prompt: str) -> Path:
        """Once, as the engine does, so that what draws can stay from then on."""
        if self.words is None:
            out = self.folder.parent / "words"
            out.mkdir(exist_ok=True)
            (self.words,) = self.family.run(
                Kind.ENCODE_PROMPT, EncodePromptParams(prompt=prompt), {}, out, self.report, seed=0
            )
        return self.words

    def work(self, seed: int = 1) -> tuple[int, bytes]:
        """How many layers within the blocks of the networks really computed something, and what was made."""
        count = 0
        if Kind.ENCODE_PROMPT in self.subject.family.params:
            self._encoded(WORDS)

        def counted(*_: Any) -> None:
            nonlocal count
            count += 1

        layers = [
            layer
            for network in self.networks
            for name, layer in network.named_modules()
            if isinstance(layer, torch.nn.Linear) and ("blocks" in name or name.startswith("layers"))
        ]
        hooks = [layer.register_forward_hook(counted) for layer in layers]
        try:
            made = self.make(seed)
        finally:
            for hook in hooks:
                hook.remove()
        return count, made


class Bench:
    """Loads subjects; their weights are built once."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._weights = folder, {}

    def weights(self, name: str) -> Path:
        if name not in self._weights:
            place = self.folder / name / "weights"
            place.mkdir(parents=True)
            SUBJECTS[name].build(place)
            self._weights[name] = place
        return self._weights[name]

    def spec(self, name: str, **options: Any) -> Any:
        subject = SUBJECTS[name]
        return weighted.spec(
            subject.family,
            self.weights(name),
            max_references=subject.references,
            options={**subject.options, **options},
        )

    def load(self, name: str, device: Device = ON_CPU, **options: Any) -> Loaded:
        spec = self.spec(name, **options)
        place = self.folder / name / f"run-{len(list((self.folder / name).iterdir()))}" / "steps"
        place.mkdir(parents=True)
        return Loaded(SUBJECTS[name], SUBJECTS[name].family.load(spec, device), place)

"""The seam between the engine and the model families.

A family is the code for one kind of open model; a model is a family with weights and options, one entry of
`models.yaml`. This module imports nothing heavier than pydantic, so that planning never imports torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field


class Kind(StrEnum):
    """The kind of a step. `pipelines.step_params` defines the parameters, inputs and outputs of each kind."""

    CHECK_TEXT = "check_text"
    SANITIZE_IMAGE = "sanitize_image"
    CHECK_IMAGE = "check_image"
    SAMPLE_FRAMES = "sample_frames"
    READ = "read"
    WRITE = "write"
    ENCODE_PROMPT = "encode_prompt"
    PORTRAIT = "portrait"
    ELEMENT = "element"
    KEYFRAME = "keyframe"
    ENHANCE = "enhance"
    NARRATE = "narrate"
    SCHEDULE = "schedule"
    ANIMATE = "animate"
    CONFORM = "conform"
    TRANSITION = "transition"
    SCORE = "score"
    SUBTITLE = "subtitle"
    MIX = "mix"
    COMPOSE = "compose"


class Params(BaseModel):
    """The parameters of one step: strict, frozen, complete. They are part of the key of the step.

    `defer_build` here and below: a process pays for the models that it uses, not for all that it imports."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True, strict=True, allow_inf_nan=False)


class Weights(BaseModel):
    """A set of weight files. `pipelines.models.weights` fills in the last three fields from the lock of the download;
    models.yaml never sets them."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    repo: str = Field(description="Hub repository `owner/name`, or `file:` and a local folder.")
    revision: str = Field("main", description="Branch, tag or commit; resolved to a commit when downloaded.")
    files: tuple[str, ...] = Field(
        (), description="Patterns of the files to download; empty: what diffusers or transformers load."
    )
    gb: float = Field(0.0, ge=0, description="Approximate size of the download in GB (10⁹ bytes); 0: unknown.")
    gated: bool = Field(False, description="Download requires an account that accepted the licence.")
    folder: str = Field("", description="Local folder of the files; empty: not downloaded.")
    lock: str = Field("", description="Lock file with the commit and the SHA-256 of each file.")
    digest: str = Field("", description="SHA-256 over names and digests of the locked files; part of the cache key.")


class Environment(BaseModel):
    """An isolated environment, for a family whose packages conflict with the engine's."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    python: str = Field(
        "3.11",
        pattern=r"^3\.(1[1-9]|[2-9]\d)(\.\d+)?$",
        description="Python version, 3.11 or later.",
    )
    requires: tuple[str, ...] = Field(min_length=1, description="Pinned pip requirements.")
    gb: float = Field(0.0, ge=0, description="Approximate size of the download in GB (10⁹ bytes); 0: unknown.")
    interpreter: str = Field(
        "", description="Interpreter created by `models pull`; empty: not created. models.yaml never sets it."
    )


class ModelSpec(BaseModel):
    """One entry of `models.yaml`: a family with weights, options and facts."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    name: str
    family: str = Field(description="`package.module:Class` of the family, in `pipelines`.")
    kinds: tuple[Kind, ...] = Field(min_length=1)
    weights: Mapping[str, Weights] = Field(
        default_factory=dict,
        description="Weights by the family's name for them: `model`, `lora`, `adapter` …; empty for families without weights.",
    )
    revision: str = Field("", description="Version of the package that contains the weights, if any.")
    requires: tuple[str, ...] = Field((), description="Modules that the family imports.")
    extra: str | None = Field(None, description="The extra of this project that installs `requires`.")
    install_command: str | None = Field(
        None,
        description="Install command for packages that no extra can name, such as one to install without dependencies.",
    )
    licence: str = Field("", description="SPDX identifier or text, shown with the result.")
    credits: tuple[str, ...] = Field((), description="Attributions required with the output of this model.")
    env: Environment | None = Field(
        None, description="Isolated environment, if the packages conflict with the engine's."
    )
    device: str = Field("cpu", description="`cpu`, or `gpu` for models that occupy a GPU slot.")
    memory_mb: int = Field(300, ge=0, description="Memory of one step in MB, until measured on this machine.")
    seconds: float = Field(1.0, ge=0, description="Duration of one step in seconds, until measured on this machine.")
    multiturn: bool = Field(False, description="Accepts several reference images, so earlier scenes serve as context.")
    encodes_prompt: bool = Field(
        False,
        description="A separate `encode_prompt` step encodes the prompt, so a re-roll reuses the embeddings.",
    )
    max_references: int | None = Field(None, ge=0, description="Maximum number of reference images; none: no limit.")
    clones_voice: bool = Field(False, description="Supports voice cloning from a recording.")
    generates_audio: bool = Field(False, description="Generates audio together with video.")
    languages: tuple[str, ...] = Field(
        (), description="Languages that it speaks or writes well; empty: all, or not applicable."
    )
    options: Mapping[str, Any] = Field(
        default_factory=dict, description="Options of the family; part of the cache key."
    )


class MemoryMode(IntEnum):
    """Memory modes, least harmful first; each includes those before it. A family lists the modes that it supports in
    `memory_modes`."""

    NONE = 0
    MODEL_OFFLOAD = 1
    """Component groups that are not needed at the same time, such as text encoder and denoiser, take turns on the GPU."""
    GROUP_OFFLOAD = 2
    """Blocks of the network stay in main memory until needed."""
    VAE_TILING = 3
    """The VAE decodes in tiles."""
    LEAF_OFFLOAD = 4
    """Single layers stay in main memory until needed: slow."""
    INT8 = 5
    """8-bit weights."""
    REDUCED_SIZE = 6
    """Generation at three quarters of width and height, scaled up afterwards."""


@dataclass(frozen=True, slots=True)
class Device:
    """The device of a family: `kind` is `cpu`, `cuda` or `mps`, `index` counts devices of that kind, `threads` limits
    the CPU threads, `memory_mode` is the required memory mode."""

    kind: str = "cpu"
    index: int = 0
    threads: int = 1
    memory_mode: MemoryMode = MemoryMode.NONE


class Report(Protocol):
    """Receives progress, warnings and facts from a running step. The facts are stored with its artifacts."""

    def progress(self, fraction: float, message: str = "") -> None:
        """Report progress; `fraction` is in 0…1."""

    def warn(self, message: str) -> None:
        """Warn the user about the result, such as a fall-back or text that was not understood."""

    def record(self, **facts: Any) -> None:
        """Record JSON facts, such as the voice, the memory mode or credits."""


class BadInput(ValueError):
    """Unusable input. `field` is the user's name for it; `hint` says what to do. Never retried."""

    def __init__(self, field: str, message: str, hint: str = "") -> None:
        super().__init__(f"{field}: {message}" + (f" {hint}" if hint else ""))
        self.field, self.message, self.hint = field, message, hint


class ContentRejected(BadInput):
    """Input refused by moderation. `category` is a stable code; the refused text is never repeated."""

    def __init__(self, field: str, category: str, message: str, hint: str = "") -> None:
        super().__init__(field, message, hint)
        self.category = category


class MissingDependency(RuntimeError):
    """A required package, program, font or set of weights is absent. The message names the command that installs it."""


@runtime_checkable
class Family(Protocol):
    """The code for one kind of open model.

    `name` identifies the family in the cache key of its steps. It never changes, even if the class or file is renamed.
    `version` is part of the key too; raise it when the output changes on purpose. `params` maps each kind that the
    family supports to its parameters (those of `pipelines.step_params`, or a stricter subclass).

    A family that can save memory declares `memory_modes: ClassVar[tuple[MemoryMode, ...]]`. After an out-of-memory
    error, `load` is called again with the next of these modes in `device.memory_mode`.

    A family that needs more than packages (a program, fonts, data) may have a static method `checkup() ->
    Iterable[str]`, which returns findings as lines of text or raises `MissingDependency`. `doctor` shows them.
    """

    name: ClassVar[str]
    version: ClassVar[str]
    params: ClassVar[Mapping[Kind, type[Params]]]

    @classmethod
    def load(cls, spec: ModelSpec, device: Device) -> Self:
        """Load the model onto `device`. Heavy imports happen here or later, never at module level."""

    def run(
        self,
        kind: Kind,
        params: Params,
        inputs: Mapping[str, Sequence[Path]],
        out: Path,
        report: Report,
        *,
        seed: int,
    ) -> Iterable[Path]:
        """Run one step: read `inputs` (role → files, see `pipelines.step_params`), write into the empty folder `out` and
        return the written files. Their names are the output names of the step. Equal arguments give equal bytes."""

    def close(self) -> None:
        """Release all memory."""

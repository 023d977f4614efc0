"""The seam between the engine and everything that makes something.

A family is the code for one kind of open model; a model is a family with weights and options, one entry of
`models.yaml`. This module imports nothing heavier than pydantic, so that planning never waits for torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field


class Kind(StrEnum):
    """What a step does. `pipelines.step_params` says for each what goes in and what comes out."""

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
    """Files that a model is made of, and where they were found. What is pulled is pinned: `pipelines.models.weights` fills in the
    last three fields from its lock, never models.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    repo: str = Field(description="Hub repository `owner/name`, or `file:` and a folder of this machine.")
    revision: str = Field("main", description="Branch, tag or commit; resolved to a commit when it is pulled.")
    files: tuple[str, ...] = Field(
        (), description="Patterns of the files to pull; empty: what diffusers or transformers load."
    )
    gb: float = Field(
        0.0, ge=0, description="Size of the download in GB (10⁹ bytes), as far as known before it is asked."
    )
    gated: bool = Field(False, description="The hub gives it only to an account that has accepted its licence.")
    folder: str = Field("", description="Where the files lie here; empty: not pulled.")
    lock: str = Field("", description="File that holds the commit and the SHA-256 of every file.")
    digest: str = Field("", description="SHA-256 over names and digests of the locked files; part of the key.")


class Environment(BaseModel):
    """An interpreter of its own, for a family whose packages cannot live beside the rest."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    python: str = Field(
        "3.11",
        pattern=r"^3\.(1[1-9]|[2-9]\d)(\.\d+)?$",
        description="Which Python; 3.11 or later, as the engine's code.",
    )
    requires: tuple[str, ...] = Field(min_length=1, description="Requirements as pip takes them, pinned.")
    gb: float = Field(
        0.0, ge=0, description="Size of the download in GB (10⁹ bytes), as far as known before it is asked."
    )
    interpreter: str = Field(
        "", description="The interpreter made by `models pull`; empty: not made. Never from models.yaml."
    )


class ModelSpec(BaseModel):
    """One entry of `models.yaml`: a family with weights, options and what is known of it."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    name: str
    family: str = Field(description="`package.module:Class` of the family; the module lies in `pipelines`.")
    kinds: tuple[Kind, ...] = Field(min_length=1)
    weights: Mapping[str, Weights] = Field(
        default_factory=dict,
        description="What the family loads, by what it calls it: `model`, `lora`, `adapter` …; none for families that draw.",
    )
    revision: str = Field("", description="Version of the package that carries the weights, where one does.")
    requires: tuple[str, ...] = Field((), description="Importable modules without which the family cannot run.")
    extra: str | None = Field(None, description="The extra of this project that installs what `requires` names.")
    install_command: str | None = Field(
        None,
        description="The command for what `extra` cannot name, such as a package that must come without its own needs.",
    )
    licence: str = Field("", description="SPDX name or plain words, shown to the user with the result.")
    credits: tuple[str, ...] = Field((), description="Attributions that must travel with what this model makes.")
    env: Environment | None = Field(
        None, description="Own interpreter, where the packages exclude those of the engine."
    )
    device: str = Field("cpu", description="`cpu`, or `gpu` for models that own a device slot.")
    memory_mb: int = Field(300, ge=0, description="Working memory of one step, before this machine has measured it.")
    seconds: float = Field(1.0, ge=0, description="Seconds of one step, before this machine has measured it.")
    multiturn: bool = Field(
        False, description="Takes several reference pictures, so earlier scenes can be shown to it."
    )
    encodes_prompt: bool = Field(
        False,
        description="Words are encoded by a step of their own (`encode_prompt`), so that making a picture anew encodes nothing.",
    )
    max_references: int | None = Field(None, ge=0, description="How many reference pictures at most; none: no limit.")
    clones_voice: bool = Field(False, description="Can speak with the voice of a given recording.")
    generates_audio: bool = Field(False, description="Makes sound together with the picture.")
    languages: tuple[str, ...] = Field(
        (), description="Languages that it speaks or writes well; empty: all, or none needed."
    )
    options: Mapping[str, Any] = Field(default_factory=dict, description="The family's own settings; part of the key.")


class MemoryMode(IntEnum):
    """What is given up for memory, least harmful first; each includes those before it. Families that have such means name
    them in `economies`."""

    NONE = 0
    MODEL_OFFLOAD = 1
    """Parts that are not needed at the same time, such as what reads words and what draws, take turns."""
    GROUP_OFFLOAD = 2
    """Blocks of the network wait in main memory until they are needed."""
    VAE_TILING = 3
    """Pictures are decoded in tiles."""
    LEAF_OFFLOAD = 4
    """Single layers wait in main memory: slow, and small."""
    INT8 = 5
    """Weights of eight bits."""
    REDUCED_SIZE = 6
    """Made at three quarters of the width and height, and scaled up to the size asked for."""


@dataclass(frozen=True, slots=True)
class Device:
    """Where a family runs: `kind` is `cpu`, `cuda` or `mps`; `index` counts devices of that kind; `threads` is
    how many CPU threads the family may use; `memory_mode` how it must save memory."""

    kind: str = "cpu"
    index: int = 0
    threads: int = 1
    memory_mode: MemoryMode = MemoryMode.NONE


class Report(Protocol):
    """How a running step speaks: to the user, and to the record that is kept beside its artifacts."""

    def progress(self, fraction: float, message: str = "") -> None:
        """`fraction` from 0 to 1."""

    def warn(self, message: str) -> None:
        """Something that the user should know about the result (a fall-back served, a word was not understood)."""

    def record(self, **facts: Any) -> None:
        """JSON facts for the record: which voice spoke, which rung of the ladder was taken, credits of the art."""


class BadInput(ValueError):
    """The input cannot be used. `field` names it as the user would; `hint` says what to do. Never retried."""

    def __init__(self, field: str, message: str, hint: str = "") -> None:
        super().__init__(f"{field}: {message}" + (f" {hint}" if hint else ""))
        self.field, self.message, self.hint = field, message, hint


class ContentRejected(BadInput):
    """The rules about content refuse the input. `category` is a stable word; what was refused is never repeated."""

    def __init__(self, field: str, category: str, message: str, hint: str = "") -> None:
        super().__init__(field, message, hint)
        self.category = category


class MissingDependency(RuntimeError):
    """A package, program or font that the family needs is not installed; the message names the command that mends it."""


@runtime_checkable
class Family(Protocol):
    """The code for one kind of open model.

    `name` identifies the family in the key of every step. It never changes, wherever the code lies and whatever its class is called.
    `version` is bumped when the output changes on purpose: it is part of the key too.
    `params` maps each kind that the family can do to the parameters it takes (`pipelines.step_params`, or a stricter subclass).

    A family that can do with less memory has `memory_modes: ClassVar[tuple[MemoryMode, ...]]`: the rungs of the out-of-memory ladder
    that help it, in order. `load` is called again with the next of them in `device.memory_mode` when memory ran out.

    A family that rests on more than packages (a program, fonts, data) may have a static method `checkup() -> Iterable[str]`: what
    it found, in lines for people, or `Missing`. `doctor` shows them.
    """

    name: ClassVar[str]
    version: ClassVar[str]
    params: ClassVar[Mapping[Kind, type[Params]]]

    @classmethod
    def load(cls, spec: ModelSpec, device: Device) -> Self:
        """Make the model ready on `device`. Heavy imports happen here or later, never at module level."""

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
        """Do one step: read `inputs` (role → files, named as in `pipelines.step_params`), write into the empty folder `out`,
        return the files made. Their names are the names of the step's outputs. Same arguments, same bytes."""

    def close(self) -> None:
        """Give back all memory."""

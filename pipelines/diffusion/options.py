"""How a diffusers pipeline is loaded and sped up: the part of a model's `options` that all such families share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from pipelines.base import BadInput, ModelSpec

Precision = Literal["bfloat16", "float16", "float32"]
AttentionBackend = Literal["native", "flash", "sage", "xformers", "_native_cudnn", "_native_flash"]
StepCacheName = Literal["MagCache", "TaylorSeerCache", "FirstBlockCache", "PyramidAttentionBroadcast"]

MASK_CAPABLE_BACKENDS: tuple[AttentionBackend, ...] = ("native", "xformers", "_native_cudnn")
"""Ways of attention that can be told to leave something out, as networks need that are given words with gaps."""
ALL_BACKENDS: tuple[AttentionBackend, ...] = (*MASK_CAPABLE_BACKENDS, "flash", "sage", "_native_flash")
"""All ways, for networks that always look at everything."""


class Lora(BaseModel):
    """Weights laid over those of a model, such as those that make it need few steps. `role` names an entry of the model's `weights`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: str
    file: str | None = Field(None, description="Name of the safetensors file in its folder; none: the only one.")
    strength: float = Field(1.0, ge=-4, le=4)
    for_transformer_2: bool = Field(
        False, description="For the second network of a pair, such as Wan 2.2's low-noise one."
    )


class StepCache(BaseModel):
    """Skips work of denoising steps whose outcome hardly differs from the step before. `settings` are those of the diffusers
    class `<name>Config`; how many steps there are is known. MagCache wants `mag_ratios`, which are the model's own: a run with
    `calibrate: true` skips nothing and leaves them in the record of the step."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: StepCacheName
    settings: Mapping[str, float | int | str | bool | tuple[float, ...]] = Field(default_factory=dict)

    @property
    def within_blocks(self) -> bool:
        """Whether it reaches into the blocks of a network, instead of leaving out whole ones."""
        if self.name == "TaylorSeerCache":
            return not self.settings.get("use_lite_mode")
        return self.name == "PyramidAttentionBroadcast"


class PipelineOptions(BaseModel):
    """Families add their own fields by a subclass, and say there which of the speed options their networks can take. These are off
    unless models.yaml turns them on. Where memory is so short that blocks wait in main memory, `cache` and `compile` are given up."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    supported_caches: ClassVar[tuple[StepCacheName, ...]] = ()
    """Step caches that skip something in networks of the family, and skip it rightly."""
    supported_backends: ClassVar[tuple[AttentionBackend, ...]] = ("native",)
    """Ways of attention that its networks can take."""

    dtype: Precision = Field("bfloat16", description="On a GPU; a processor computes in float32.")
    dtypes: Mapping[str, Precision] = Field(default_factory=dict, description="For single components, such as the VAE.")
    quantizable: tuple[str, ...] = Field(("transformer",), description="Components that may have weights of few bits.")
    bits: Literal[16, 8, 4] = Field(
        16,
        description="Of those weights: 8 by torchao, also when memory ran out; 4 (NF4) by bitsandbytes, on NVIDIA's GPUs.",
    )
    vae_tiling: bool = Field(False, description="Decode in tiles from the start.")
    steps: int = Field(30, ge=1, le=200, description="Denoising steps.")
    attention: AttentionBackend = Field(
        "native", description="By what attention is computed: native is PyTorch's choice."
    )
    cache: StepCache | None = None
    compile: bool = Field(False, description="Compile the repeated blocks: slower once, faster from then on.")
    loras: tuple[Lora, ...] = ()

    @property
    def num_inference_steps(self) -> int:
        """How many denoising steps one run has."""
        return self.steps

    @classmethod
    def from_spec(cls, spec: ModelSpec) -> Self:
        """The options of a model. Raises BadInput naming the one that is wrong."""
        try:
            return cls.model_validate(dict(spec.options))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            raise BadInput(option_path(spec, place), first["msg"]) from error

    @field_validator("attention")
    @classmethod
    def _check_attention(cls, attention: AttentionBackend) -> AttentionBackend:
        if attention not in cls.supported_backends:
            raise PydanticCustomError("option", _unsupported_message(f"attend by {attention}", cls.supported_backends))
        return attention

    @field_validator("cache")
    @classmethod
    def _check_cache(cls, cache: StepCache | None) -> StepCache | None:
        if cache is not None and cache.name not in cls.supported_caches:
            raise PydanticCustomError(
                "option", _unsupported_message(f"skip steps by {cache.name}", cls.supported_caches)
            )
        return cache

    @field_validator("compile")
    @classmethod
    def _check_compile(cls, wanted: bool, info: ValidationInfo) -> bool:
        cache: StepCache | None = info.data.get("cache")
        if wanted and cache is not None and cache.within_blocks:
            lite = ", or `use_lite_mode: true` in its settings" if cache.name == "TaylorSeerCache" else ""
            raise PydanticCustomError(
                "option",
                f"compiled blocks cannot be reached into, as {cache.name} does. Leave one of the two out{lite}.",
            )
        return wanted


def option_path(spec: ModelSpec, name: str) -> str:
    """How an option is called in models.yaml."""
    return f"models.{spec.name}.options.{name}"


def _unsupported_message(what: str, instead: tuple[str, ...]) -> Any:
    known = f"Take one of {', '.join(instead)}, or leave the option out." if instead else "Leave the option out."
    return f"this family's networks cannot {what}. {known}"

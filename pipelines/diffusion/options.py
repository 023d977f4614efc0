"""Loading and speed options of diffusers pipelines, shared by all such families."""

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
"""Attention backends that support masks, for networks with padded prompts."""
ALL_BACKENDS: tuple[AttentionBackend, ...] = (*MASK_CAPABLE_BACKENDS, "flash", "sage", "_native_flash")
"""All attention backends, for networks without masks."""


class Lora(BaseModel):
    """A LoRA, such as a distillation for few steps. `role` names an entry of the model's `weights`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: str
    file: str | None = Field(
        None, description="File name of the safetensors file; default: the only one in the folder."
    )
    strength: float = Field(1.0, ge=-4, le=4)
    for_transformer_2: bool = Field(
        False, description="Apply it to the second network of a pair, such as the low-noise network of Wan 2.2."
    )


class StepCache(BaseModel):
    """A step cache: skips denoising work whose result hardly differs from the previous step.

    `settings` are the fields of the diffusers class `<name>Config` without the step count. MagCache needs the model's
    `mag_ratios`: a run with `calibrate: true` skips nothing and stores them in the record of the step.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: StepCacheName
    settings: Mapping[str, float | int | str | bool | tuple[float, ...]] = Field(default_factory=dict)

    @property
    def within_blocks(self) -> bool:
        """Return whether it hooks into blocks instead of skipping complete blocks."""
        if self.name == "TaylorSeerCache":
            return not self.settings.get("use_lite_mode")
        return self.name == "PyramidAttentionBroadcast"


class PipelineOptions(BaseModel):
    """Base of the options of diffusers families; subclasses add fields and declare the speed options that their
    networks support.

    Speed options are off unless models.yaml enables them. Offloading memory modes disable `cache` and `compile`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    supported_caches: ClassVar[tuple[StepCacheName, ...]] = ()
    """Step caches that work with the networks of the family."""
    supported_backends: ClassVar[tuple[AttentionBackend, ...]] = ("native",)
    """Attention backends that its networks support."""

    dtype: Precision = Field("bfloat16", description="dtype on a GPU; a CPU computes in float32.")
    dtypes: Mapping[str, Precision] = Field(
        default_factory=dict, description="dtype of single components, such as the VAE."
    )
    quantizable: tuple[str, ...] = Field(("transformer",), description="Components that may be quantized.")
    bits: Literal[16, 8, 4] = Field(
        16,
        description="Bits of quantized weights: 8 by torchao (also a memory mode), 4 (NF4) by bitsandbytes on NVIDIA GPUs.",
    )
    vae_tiling: bool = Field(False, description="Enable VAE tiling from the start.")
    steps: int = Field(30, ge=1, le=200, description="Denoising steps.")
    attention: AttentionBackend = Field("native", description="Attention backend; native is PyTorch's choice.")
    cache: StepCache | None = None
    compile: bool = Field(
        False, description="Compile the repeated blocks: the first run is slower, later runs are faster."
    )
    loras: tuple[Lora, ...] = ()

    @property
    def num_inference_steps(self) -> int:
        """Return the number of denoising steps of one run."""
        return self.steps

    @classmethod
    def from_spec(cls, spec: ModelSpec) -> Self:
        """Parse the options of a model. Raises BadInput naming the wrong option."""
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
                f"compile and {cache.name} cannot be combined; disable one{lite}.",
            )
        return wanted


def option_path(spec: ModelSpec, name: str) -> str:
    """Return the path of an option in models.yaml."""
    return f"models.{spec.name}.options.{name}"


def _unsupported_message(what: str, instead: tuple[str, ...]) -> Any:
    known = f"Choose one of {', '.join(instead)}, or remove the option." if instead else "Remove the option."
    return f"the networks of this family cannot {what}. {known}"

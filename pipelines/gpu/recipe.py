"""How a diffusers pipeline is loaded and sped up: the part of a model's `options` that all such families share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipelines.base import BadInput, ModelSpec

Precision = Literal["bfloat16", "float16", "float32"]


class Lora(BaseModel):
    """Weights laid over those of a model, such as those that make it need few steps. `role` names an entry of the model's `weights`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: str
    file: str | None = Field(None, description="Name of the safetensors file in its folder; none: the only one.")
    strength: float = Field(1.0, ge=-4, le=4)
    second: bool = Field(False, description="For the second network of a pair, such as Wan 2.2's low-noise one.")


class StepCache(BaseModel):
    """Skips work of denoising steps whose outcome hardly differs from the step before. `settings` are those of the diffusers
    class `<name>Config`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Literal[
        "MagCache", "TaylorSeerCache", "SeaCache", "TextKVCache", "PyramidAttentionBroadcast", "FirstBlockCache"
    ]
    settings: Mapping[str, float | int | str | bool | tuple[float, ...]] = Field(default_factory=dict)


class Recipe(BaseModel):
    """Families add their own fields by a subclass. The speed options are off unless models.yaml turns them on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dtype: Precision = Field("bfloat16", description="On a GPU; a processor computes in float32.")
    dtypes: Mapping[str, Precision] = Field(default_factory=dict, description="For single components, such as the VAE.")
    quantizable: tuple[str, ...] = Field(
        ("transformer",), description="Components that may have weights of eight bits."
    )
    quantized: bool = Field(False, description="Eight bits from the start, not only when memory ran out.")
    tiles: bool = Field(False, description="Decode in tiles from the start.")
    attention: Literal["native", "flex", "flash", "sage", "xformers", "_native_cudnn", "_native_flash"] | None = None
    cache: StepCache | None = None
    compile: bool = Field(False, description="Compile the repeated blocks: slower once, faster from then on.")
    loras: tuple[Lora, ...] = ()

    @classmethod
    def of(cls, spec: ModelSpec) -> Self:
        """The options of a model. Raises BadInput naming the one that is wrong."""
        try:
            return cls.model_validate(dict(spec.options))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            raise BadInput(f"models.{spec.name}.options.{place}", first["msg"]) from error

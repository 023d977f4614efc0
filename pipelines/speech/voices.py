"""The recipes of the narrators: how one model sounds like many people. They stand in models.yaml, under the model's options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipelines.base import BadInput


class VoiceSettings(BaseModel):
    """What every engine knows: `speed` 1.0 is the model's own pace, `pitch` 1.0 its own height (a factor)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    speed: float = Field(1.0, ge=0.5, le=2.0)
    pitch: float = Field(1.0, ge=0.5, le=2.0)


SettingsT = TypeVar("SettingsT", bound=VoiceSettings)


def load_voice_settings(options: Mapping[str, Any], model: type[SettingsT]) -> dict[str, SettingsT]:
    """The narrators of a model's options. Raises ValueError that names the narrator whose recipe is wrong."""
    narrators: dict[str, SettingsT] = {}
    for name, settings in options.get("narrators", {}).items():
        try:
            narrators[name] = model.model_validate(settings)
        except ValidationError as error:
            raise ValueError(f"models.yaml: narrator {name}: {error.errors()[0]['msg']}") from error
    if not narrators:
        raise ValueError("models.yaml: a voice model needs the option `narrators`")
    return narrators


def get_voice_settings(narrators: Mapping[str, SettingsT], name: str) -> SettingsT:
    """The recipe of that name; BadInput for a name that the model does not know."""
    try:
        return narrators[name]
    except KeyError:
        raise BadInput("narrator", f'no narrator "{name}".', f"Known: {', '.join(narrators)}.") from None

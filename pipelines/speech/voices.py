"""Settings of the narrators: how one model sounds like many people.

They are in models.yaml, under the options of the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipelines.base import BadInput


class VoiceSettings(BaseModel):
    """Settings of every voice family: `speed` 1.0 is the model's own pace, `pitch` 1.0 its own pitch (factors)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    speed: float = Field(1.0, ge=0.5, le=2.0)
    pitch: float = Field(1.0, ge=0.5, le=2.0)


SettingsT = TypeVar("SettingsT", bound=VoiceSettings)


def load_voice_settings(options: Mapping[str, Any], model: type[SettingsT]) -> dict[str, SettingsT]:
    """Return the narrators of a model's options.

    Raises ValueError with the name of the narrator whose settings are invalid.
    """
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
    """Return the settings of that narrator. Raises BadInput for an unknown name."""
    try:
        return narrators[name]
    except KeyError:
        raise BadInput("narrator", f'no narrator "{name}".', f"Known: {', '.join(narrators)}.") from None

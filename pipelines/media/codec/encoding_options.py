"""How a film is coded: settings that all of its parts share. Nothing heavy is imported for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

from pipelines.base import BadInput

Preset = Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower"]


@dataclass(frozen=True, slots=True)
class EncodingOptions:
    """How the film is coded. All parts of one film must be made with the same."""

    preset: Preset = "veryfast"
    crf: float = 18.0

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> Self:
        """The settings in a model's options (`preset`, `crf`). Raises BadInput."""
        preset, crf = options.get("preset", cls().preset), options.get("crf", cls().crf)
        if preset not in get_args(Preset):
            raise BadInput("options.preset", f"{preset!r} is unknown.", f"Known: {', '.join(get_args(Preset))}.")
        if not isinstance(crf, int | float) or not 0 < crf <= 40:
            raise BadInput("options.crf", f"{crf!r} must be a number above 0, at most 40.", "18 is visually lossless.")
        return cls(preset, float(crf))

"""Encoding options of a film. This module imports neither PyAV nor OpenCV."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

from pipelines.base import BadInput

Preset = Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower"]


@dataclass(frozen=True, slots=True)
class EncodingOptions:
    """Preset and quality (CRF, 0 to 40, lower is better) of libx264. All segments of one film must have the same."""

    preset: Preset = "veryfast"
    crf: float = 18.0

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> Self:
        """Return the encoding options in a model's options (`preset`, `crf`). Raises BadInput for invalid values."""
        preset, crf = options.get("preset", cls().preset), options.get("crf", cls().crf)
        if preset not in get_args(Preset):
            raise BadInput("options.preset", f"unknown preset {preset!r}.", f"Known: {', '.join(get_args(Preset))}.")
        if not isinstance(crf, int | float) or not 0 < crf <= 40:
            raise BadInput(
                "options.crf", f"{crf!r} is not a number above 0 and at most 40.", "18 is visually lossless."
            )
        return cls(preset, float(crf))

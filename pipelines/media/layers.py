"""Layers of an image by depth, for parallax of a moving camera.

`layers.json` holds a `Layers`. The images `layer-00.png`, `layer-01.png`, … in the same folder are ordered from far to
near; they are 8-bit RGBA with straight alpha, and the first one is opaque. Layers may exceed the frame by `margin`, so
that a moving camera shows no empty border.
"""

from __future__ import annotations

from pydantic import Field

from pipelines.base import Params


class Layer(Params):
    """One layer. `depth` 0 is infinitely far and never moves, 1 is the plane of the characters, above 1 is in front."""

    file: str
    depth: float = Field(ge=0, le=4)


class Layers(Params):
    """All layers of an image. `width`, `height`: pixels of the frame. Layers exceed it by `margin` on each side."""

    width: int = Field(ge=16)
    height: int = Field(ge=16)
    margin: int = Field(0, ge=0)
    focus: tuple[float, float] = Field((0.5, 0.5), description="Centre of interest (x, y) as fractions of the frame.")
    layers: tuple[Layer, ...] = Field(min_length=1)

"""The layers of a picture whose maker knows its depth: what a camera needs to move them apart.

`layers.json` is a `Layers`; beside it lie `layer-00.png`, `layer-01.png`, …, far to near, RGBA, straight alpha. The first is opaque.
A layer may be larger than the frame (`margin`), so that a moving camera uncovers nothing.
"""

from __future__ import annotations

from pydantic import Field

from pipelines.base import Params


class Layer(Params):
    """`depth` 0 is infinitely far (never moves), 1 is the plane of the figures, above 1 is nearer than they are."""

    file: str
    depth: float = Field(ge=0, le=4)


class Layers(Params):
    """`width`, `height`: the frame in pixels; every layer picture is `margin` pixels larger on each side."""

    width: int = Field(ge=16)
    height: int = Field(ge=16)
    margin: int = Field(0, ge=0)
    focus: tuple[float, float] = Field((0.5, 0.5), description="What the picture is about, as fractions of the frame.")
    layers: tuple[Layer, ...] = Field(min_length=1)

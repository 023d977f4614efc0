"""A clip of any length and shape out of a model that makes short ones of a few sizes.

A model makes a window of frames at one go. A scene that is longer is made of several: the last frame of one is the first of the
next, and is shown once. Everything here counts; nothing is drawn or coded (`pipelines.diffusion.clip_writer`).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from pipelines.base import BadInput, Economy
from pipelines.media.images import cover, on_white, open_picture
from pipelines.media.timeline import SceneTiming
from pipelines.step_params import AnimateParams

if TYPE_CHECKING:
    from PIL.Image import Image

SMALLER = 0.75
"""Of the width and of the height is what is left under `Economy.SMALLER`."""
GRAIN = 1e-6
"""What rounding errors of floating point may amount to."""


class Window(BaseModel):
    """What a model makes at one go, as it likes it best."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fps: int = Field(16, ge=1, le=60, description="Frames a second at which it was trained.")
    frames: int = Field(81, ge=2, description="Most frames at once.")
    every: int = Field(4, ge=1, description="It makes 1 + a multiple of so many frames.")
    width: int = Field(832, ge=16, description="Size that it was trained on; other shapes get about as many pixels.")
    height: int = Field(480, ge=16)
    multiple: int = Field(16, ge=1, description="Sides are multiples of so many pixels.")
    stretch: float = Field(
        1.1,
        ge=1,
        le=1.25,
        description="A clip is shown so much slower at most before another window is made for the frames that lack. "
        "1 where sound is made with the picture.",
    )

    def size(self, width: int, height: int, economy: Economy = Economy.NONE) -> tuple[int, int]:
        """The size for a film of that shape: about as many pixels as the model was trained on, or fewer to save memory;
        of all such sizes the one whose shape is nearest. Composition scales to the size of the film."""
        area = self.width * self.height * (SMALLER**2 if economy >= Economy.SMALLER else 1)
        shape = width / height
        ideal = math.sqrt(area * shape), math.sqrt(area / shape)
        across, down = ({self._multiple(side), self._multiple(side) + self.multiple} for side in ideal)
        fitting = [(x, y) for x in across for y in down if x * y <= area + GRAIN]
        least = self._multiple(ideal[0]), self._multiple(ideal[1])
        return min(fitting or [least], key=lambda size: (abs(math.log(size[0] / size[1] / shape)), -size[0]))

    def _multiple(self, side: float) -> int:
        return max(1, int((side + GRAIN) // self.multiple)) * self.multiple

    def count(self, frames: int) -> int:
        """The least number of frames that the model makes and that is at least `frames`; its most, where none is."""
        most = (self.frames - 1) // self.every
        return 1 + self.every * min(most, max(1, math.ceil((frames - 1) / self.every)))

    def shot(self, timing: SceneTiming, seed: int, *, loop: int = 1, closes: bool = False) -> Shot:
        """The windows of a clip at least as long as `timing` says. With `loop` > 1 the motion is made once and shown so often:
        forward each time by a model that can end where it began (`closes`), else to and fro."""
        closes = closes and loop > 1
        wanted = max(2, math.ceil(timing.frames * self.fps / timing.fps - GRAIN))
        leg = math.ceil((wanted - 1) / loop)
        capacity = (self.frames - 1) // self.every
        if capacity < 1:
            raise BadInput("options.frames", f"{self.frames} frames are no window.", f"At least {1 + self.every}.")
        # What closes cannot be cut: the nearest length is shown a little faster or slower.
        units = max(1, round(leg / self.every)) if closes else math.ceil(leg / self.every)
        windows = math.ceil(units / capacity)
        stretched = math.ceil(leg / (capacity * self.every * self.stretch) - GRAIN)
        if stretched < windows:
            windows, units = stretched, stretched * capacity
        made = units * self.every
        parts = _parts(units, windows, self.every, seed, closes)
        if made >= leg and not closes:
            return Shot(parts, leg, wanted, Fraction(self.fps), loop)
        frames = made * loop + 1
        return Shot(parts, made, frames, Fraction(frames * timing.fps, timing.frames), loop)


@dataclass(frozen=True, slots=True)
class Part:
    """One window of a clip. Of its `frames` the first is the last of the part before. `begin` and `end` say which share of the whole
    work it is; `closes`, that its last frame has to be the picture with which the clip began."""

    number: int
    frames: int
    seed: int
    begin: float
    end: float
    closes: bool


@dataclass(frozen=True, slots=True)
class Shot:
    """A clip in windows: `frames` are shown, `rate` a second. Its motion, the first frame and `leg` more, is shown `loop` times."""

    parts: tuple[Part, ...]
    leg: int
    frames: int
    rate: Fraction
    loop: int

    @property
    def closed(self) -> bool:
        """Whether the motion ends where it began."""
        return self.parts[-1].closes


def _parts(units: int, windows: int, every: int, seed: int, closes: bool) -> tuple[Part, ...]:
    """Windows as equal as can be: a short last one would hardly move."""
    least, more = divmod(units, windows)
    parts: list[Part] = []
    done = 0
    for number in range(windows):
        size = least + (number < more)
        begin, done = done / units, done + size
        last = number == windows - 1
        parts.append(Part(number, size * every + 1, _seed(seed, number), begin, done / units, closes and last))
    return tuple(parts)


def _seed(seed: int, number: int) -> int:
    """The first window has the seed of the clip: a short clip does not change when it is made longer than a window."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{number}".encode()).digest()[:4], "big") if number else seed


def read_timing(params: AnimateParams, inputs: Mapping[str, Sequence[Path]]) -> SceneTiming:
    """How long the clip has to be. Raises BadInput when it counts another number of frames a second than the film."""
    timing = SceneTiming.model_validate_json(inputs["timing"][0].read_bytes())
    if timing.fps != params.fps:
        raise BadInput("fps", f"the timing counts {timing.fps} frames a second, the clip {params.fps}.")
    return timing


def first_frame(inputs: Mapping[str, Sequence[Path]], size: tuple[int, int]) -> Image:
    """The keyframe as RGB of exactly `size` (width, height): scaled to cover it and cut around the middle."""
    return cover(on_white(open_picture(inputs["keyframe"][0], "keyframe")), *size)

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

from pipelines.base import BadInput, MemoryMode
from pipelines.media.images import cover, flatten_alpha, open_image
from pipelines.media.timeline import SceneTiming
from pipelines.step_params import AnimateParams

if TYPE_CHECKING:
    from PIL.Image import Image

REDUCED_SCALE = 0.75
"""Of the width and of the height is what is left under `MemoryMode.REDUCED_SIZE`."""
EPSILON = 1e-6
"""What rounding errors of floating point may amount to."""


class Window(BaseModel):
    """What a model makes at one go, as it likes it best."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fps: int = Field(16, ge=1, le=60, description="Frames a second at which it was trained.")
    frames: int = Field(81, ge=2, description="Most frames at once.")
    frame_stride: int = Field(4, ge=1, description="It makes 1 + a multiple of so many frames.")
    width: int = Field(832, ge=16, description="Size that it was trained on; other shapes get about as many pixels.")
    height: int = Field(480, ge=16)
    multiple: int = Field(16, ge=1, description="Sides are multiples of so many pixels.")
    max_slowdown: float = Field(
        1.1,
        ge=1,
        le=1.25,
        description="A clip is shown so much slower at most before another window is made for the frames that lack. "
        "1 where sound is made with the picture.",
    )

    def size(self, width: int, height: int, memory_mode: MemoryMode = MemoryMode.NONE) -> tuple[int, int]:
        """The size for a film of that shape: about as many pixels as the model was trained on, or fewer to save memory;
        of all such sizes the one whose shape is nearest. Composition scales to the size of the film."""
        area = self.width * self.height * (REDUCED_SCALE**2 if memory_mode >= MemoryMode.REDUCED_SIZE else 1)
        shape = width / height
        ideal = math.sqrt(area * shape), math.sqrt(area / shape)
        across, down = (
            {self._round_to_multiple(side), self._round_to_multiple(side) + self.multiple} for side in ideal
        )
        fitting = [(x, y) for x in across for y in down if x * y <= area + EPSILON]
        least = self._round_to_multiple(ideal[0]), self._round_to_multiple(ideal[1])
        return min(fitting or [least], key=lambda size: (abs(math.log(size[0] / size[1] / shape)), -size[0]))

    def _round_to_multiple(self, side: float) -> int:
        return max(1, int((side + EPSILON) // self.multiple)) * self.multiple

    def valid_frame_count(self, frames: int) -> int:
        """The least number of frames that the model makes and that is at least `frames`; its most, where none is."""
        most = (self.frames - 1) // self.frame_stride
        return 1 + self.frame_stride * min(most, max(1, math.ceil((frames - 1) / self.frame_stride)))

    def plan(self, timing: SceneTiming, seed: int, *, loop: int = 1, ends_on_first_frame: bool = False) -> WindowPlan:
        """The windows of a clip at least as long as `timing` says. With `loop` > 1 the motion is made once and shown so often:
        forward each time by a model that can end where it began (`closes`), else to and fro."""
        ends_on_first_frame = ends_on_first_frame and loop > 1
        wanted = max(2, math.ceil(timing.frames * self.fps / timing.fps - EPSILON))
        motion_frames = math.ceil((wanted - 1) / loop)
        capacity = (self.frames - 1) // self.frame_stride
        if capacity < 1:
            raise BadInput(
                "options.frames", f"{self.frames} frames are no window.", f"At least {1 + self.frame_stride}."
            )
        # What closes cannot be cut: the nearest length is shown a little faster or slower.
        units = (
            max(1, round(motion_frames / self.frame_stride))
            if ends_on_first_frame
            else math.ceil(motion_frames / self.frame_stride)
        )
        windows = math.ceil(units / capacity)
        stretched = math.ceil(motion_frames / (capacity * self.frame_stride * self.max_slowdown) - EPSILON)
        if stretched < windows:
            windows, units = stretched, stretched * capacity
        made = units * self.frame_stride
        parts = _split_windows(units, windows, self.frame_stride, seed, ends_on_first_frame)
        if made >= motion_frames and not ends_on_first_frame:
            return WindowPlan(parts, motion_frames, wanted, Fraction(self.fps), loop)
        frames = made * loop + 1
        return WindowPlan(parts, made, frames, Fraction(frames * timing.fps, timing.frames), loop)


@dataclass(frozen=True, slots=True)
class WindowSpec:
    """One window of a clip. Of its `frames` the first is the last of the part before. `begin` and `end` say which share of the whole
    work it is; `closes`, that its last frame has to be the picture with which the clip began."""

    number: int
    frames: int
    seed: int
    progress_start: float
    progress_end: float
    ends_on_first_frame: bool


@dataclass(frozen=True, slots=True)
class WindowPlan:
    """A clip in windows: `frames` are shown, `rate` a second. Its motion, the first frame and `leg` more, is shown `loop` times."""

    windows: tuple[WindowSpec, ...]
    motion_frames: int
    frames: int
    frame_rate: Fraction
    loop: int

    @property
    def is_closed_loop(self) -> bool:
        """Whether the motion ends where it began."""
        return self.windows[-1].ends_on_first_frame


def _split_windows(
    units: int, windows: int, frame_stride: int, seed: int, ends_on_first_frame: bool
) -> tuple[WindowSpec, ...]:
    """Windows as equal as can be: a short last one would hardly move."""
    least, more = divmod(units, windows)
    parts: list[WindowSpec] = []
    done = 0
    for number in range(windows):
        size = least + (number < more)
        begin, done = done / units, done + size
        last = number == windows - 1
        parts.append(
            WindowSpec(
                number,
                size * frame_stride + 1,
                _window_seed(seed, number),
                begin,
                done / units,
                ends_on_first_frame and last,
            )
        )
    return tuple(parts)


def _window_seed(seed: int, number: int) -> int:
    """The first window has the seed of the clip: a short clip does not change when it is made longer than a window."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{number}".encode()).digest()[:4], "big") if number else seed


def read_timing(params: AnimateParams, inputs: Mapping[str, Sequence[Path]]) -> SceneTiming:
    """How long the clip has to be. Raises BadInput when it counts another number of frames a second than the film."""
    timing = SceneTiming.model_validate_json(inputs["timing"][0].read_bytes())
    if timing.fps != params.fps:
        raise BadInput("fps", f"the timing counts {timing.fps} frames a second, the clip {params.fps}.")
    return timing


def load_first_frame(inputs: Mapping[str, Sequence[Path]], size: tuple[int, int]) -> Image:
    """The keyframe as RGB of exactly `size` (width, height): scaled to cover it and cut around the middle."""
    return cover(flatten_alpha(open_image(inputs["keyframe"][0], "keyframe")), *size)

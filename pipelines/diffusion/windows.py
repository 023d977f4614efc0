"""Plan a clip of any length and shape from windows of a model with fixed lengths and sizes.

A model generates one window of frames per call. A longer scene has several windows; the last frame of one is the first
of the next and is shown once. This module only computes counts and sizes; `pipelines.diffusion.clip_writer` writes the
frames.
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
"""Factor of width and height in `MemoryMode.REDUCED_SIZE`."""
EPSILON = 1e-6
"""Tolerance for floating-point rounding."""


class Window(BaseModel):
    """Length, rate and size of one model call."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fps: int = Field(16, ge=1, le=60, description="Frame rate of the training data in frames/s.")
    frames: int = Field(81, ge=2, description="Most frames at once.")
    frame_stride: int = Field(4, ge=1, description="The model generates 1 + a multiple of this many frames.")
    width: int = Field(832, ge=16, description="Training size in pixels; other aspect ratios get about as many pixels.")
    height: int = Field(480, ge=16)
    multiple: int = Field(16, ge=1, description="Width and height are multiples of this many pixels.")
    max_slowdown: float = Field(
        1.1,
        ge=1,
        le=1.25,
        description="Largest slow-down of a clip before another window is added. 1 for models that generate audio.",
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
        """Return the smallest valid frame count of at least `frames`, or the model's maximum."""
        most = (self.frames - 1) // self.frame_stride
        return 1 + self.frame_stride * min(most, max(1, math.ceil((frames - 1) / self.frame_stride)))

    def plan(self, timing: SceneTiming, seed: int, *, loop: int = 1, ends_on_first_frame: bool = False) -> WindowPlan:
        """The windows of a clip at least as long as `timing` says. With `loop` > 1 the motion is made once and shown so
        often: forward each time by a model that can end where it began (`closes`), else to and fro."""
        ends_on_first_frame = ends_on_first_frame and loop > 1
        wanted = max(2, math.ceil(timing.frames * self.fps / timing.fps - EPSILON))
        motion_frames = math.ceil((wanted - 1) / loop)
        capacity = (self.frames - 1) // self.frame_stride
        if capacity < 1:
            raise BadInput(
                "options.frames", f"{self.frames} frames are not a valid window.", f"At least {1 + self.frame_stride}."
            )
        # A closed loop cannot be cut: use the nearest length and show it slightly faster or slower.
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
    """One window of a clip. Of its `frames` the first is the last of the part before. `begin` and `end` say which share
    of the whole work it is; `closes`, that its last frame has to be the picture with which the clip began."""

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
        """Return whether the motion ends on its first frame."""
        return self.windows[-1].ends_on_first_frame


def _split_windows(
    units: int, windows: int, frame_stride: int, seed: int, ends_on_first_frame: bool
) -> tuple[WindowSpec, ...]:
    """Split into windows of nearly equal length: a short last window would hardly move."""
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
    """Return the seed of a window. The first has the seed of the clip, so a clip keeps its start when it gets longer."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{number}".encode()).digest()[:4], "big") if number else seed


def read_timing(params: AnimateParams, inputs: Mapping[str, Sequence[Path]]) -> SceneTiming:
    """Return the required length of the clip. Raises BadInput if its frame rate differs from the film's."""
    timing = SceneTiming.model_validate_json(inputs["timing"][0].read_bytes())
    if timing.fps != params.fps:
        raise BadInput("fps", f"the timing has {timing.fps} frames/s, the clip {params.fps}.")
    return timing


def load_first_frame(inputs: Mapping[str, Sequence[Path]], size: tuple[int, int]) -> Image:
    """Return the keyframe as RGB image of exactly `size` (width, height): scaled to cover it, cropped around the centre."""
    return cover(flatten_alpha(open_image(inputs["keyframe"][0], "keyframe")), *size)

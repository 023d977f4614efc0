"""A bridge made by a model that moves from one picture to another: from the last frame that is the one scene's alone to the first
that is the other's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import av
import numpy as np
from PIL import Image

from pipelines.base import Report
from pipelines.diffusion.clip_writer import Frames, drift, recoloured
from pipelines.media.codec.encoder import BT709, LIMITED
from pipelines.media.codec.encoding_options import Coding
from pipelines.media.codec.frames import scene_frames
from pipelines.media.codec.probe import is_conformant
from pipelines.media.codec.yuv import Planes, from_rgb
from pipelines.media.transitions.overlap import Overlap, write_frames
from pipelines.step_params import BridgeParams

_FULL = 2  # AVCOL_RANGE_JPEG


@dataclass(frozen=True, slots=True)
class Gap:
    """What lies on both sides of a transition, and how many frames lack between: `overlap.count`."""

    overlap: Overlap
    before: Image.Image
    after: Image.Image

    @classmethod
    def read(
        cls,
        asked: BridgeParams,
        inputs: Mapping[str, Sequence[Path]],
        size: tuple[int, int],
        coding: Coding,
        report: Report,
    ) -> Self:
        """The pictures are RGB of `size` (width, height), scaled to it as a whole: `write` scales back, so that nothing jumps where the
        bridge begins and ends. Raises BadInput when the timings are not those of one transition."""
        overlap = Overlap.read(asked, inputs)
        last, first = overlap.starts[0] - 1, overlap.count
        sides = [
            _frame(clip, number, overlap, side, asked, coding, report)
            for side, (clip, number) in enumerate(zip(inputs["clips"], (last, first), strict=True))
        ]
        before, after = (picture.resize(size, Image.Resampling.LANCZOS) for picture in sides)
        return cls(overlap, before, after)

    @property
    def frames(self) -> int:
        """How many frames the film has from one side to the other, both included."""
        return self.overlap.count + 2

    def write(
        self, made: Frames, asked: BridgeParams, inputs: Mapping[str, Sequence[Path]], out: Path, coding: Coding
    ) -> Path:
        """Write `bridge.mp4`. `made`: frames at equal distances in time, the first of which shows `before` and the last `after`; they are
        on both sides of the bridge already."""
        return write_frames(self._between(made, asked), self.overlap, asked, inputs, out, coding)

    def _between(self, made: Frames, asked: BridgeParams) -> Iterator[Planes]:
        steps = self.frames - 1
        away, home = drift(np.asarray(self.before), made[0]), drift(np.asarray(self.after), made[-1])
        for number in range(1, steps):
            shown = made[(number * (len(made) - 1) + steps // 2) // steps]
            shown = recoloured(shown, away + (home - away) * number / steps)
            fitted = Image.fromarray(shown).resize((asked.width, asked.height), Image.Resampling.BICUBIC)
            yield from_rgb(np.asarray(fitted))


def _frame(
    clip: Path, number: int, overlap: Overlap, side: int, asked: BridgeParams, coding: Coding, report: Report
) -> Image.Image:
    """One frame of a scene, as the film shows it."""
    timing, size = overlap.timings[side], (asked.width, asked.height)
    exact = is_conformant(clip, timing, *size, coding)
    (planes,) = scene_frames(clip, number, number + 1, timing, *size, exact, report.warn)
    frame = av.VideoFrame.from_ndarray(planes, "yuv420p")
    shown = frame.reformat(
        format="rgb24",
        src_colorspace=BT709,
        dst_colorspace=BT709,
        src_color_range=LIMITED,
        dst_color_range=_FULL,
    )
    return Image.fromarray(shown.to_ndarray())

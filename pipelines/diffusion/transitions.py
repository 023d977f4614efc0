"""Generated transitions: a video model interpolates from the last exclusive frame of one scene to the first exclusive
frame of the next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import av
import numpy as np
from PIL import Image

from pipelines.base import Report
from pipelines.diffusion.clip_writer import Frames, colour_shift, shift_colours
from pipelines.media.codec.encoder import BT709, LIMITED_RANGE
from pipelines.media.codec.encoding_options import EncodingOptions
from pipelines.media.codec.frames import scene_frames
from pipelines.media.codec.probe import is_conformant
from pipelines.media.codec.yuv import Planes, rgb_to_planes
from pipelines.media.transitions.overlap import Overlap, write_transition_frames
from pipelines.step_params import TransitionParams

_FULL_RANGE = 2  # AVCOL_RANGE_JPEG


@dataclass(frozen=True, slots=True)
class TransitionGap:
    """The frames on both sides of a transition. `overlap.count` frames are missing between them."""

    overlap: Overlap
    before: Image.Image
    after: Image.Image

    @classmethod
    def read(
        cls,
        params: TransitionParams,
        inputs: Mapping[str, Sequence[Path]],
        size: tuple[int, int],
        encoding: EncodingOptions,
        report: Report,
    ) -> Self:
        """The pictures are RGB of `size` (width, height), scaled to it as a whole: `write` scales back, so that nothing
        jumps where the bridge begins and ends. Raises BadInput when the timings are not those of one transition."""
        overlap = Overlap.read(params, inputs)
        last, first = overlap.start_frames[0] - 1, overlap.count
        sides = [
            _scene_frame(clip, number, overlap, side, params, encoding, report)
            for side, (clip, number) in enumerate(zip(inputs["clips"], (last, first), strict=True))
        ]
        before, after = (picture.resize(size, Image.Resampling.LANCZOS) for picture in sides)
        return cls(overlap, before, after)

    @property
    def frames(self) -> int:
        """Return the number of film frames from one side to the other, both included."""
        return self.overlap.count + 2

    def write(
        self,
        generated: Frames,
        params: TransitionParams,
        inputs: Mapping[str, Sequence[Path]],
        out: Path,
        encoding: EncodingOptions,
    ) -> Path:
        """Write `transition.mp4`. `made`: frames at equal distances in time, the first of which shows `before` and the
        last `after`; they are on both sides of the bridge already."""
        return write_transition_frames(
            self._transition_frames(generated, params), self.overlap, params, inputs, out, encoding
        )

    def _transition_frames(self, generated: Frames, params: TransitionParams) -> Iterator[Planes]:
        steps = self.frames - 1
        away, home = (
            colour_shift(np.asarray(self.before), generated[0]),
            colour_shift(np.asarray(self.after), generated[-1]),
        )
        for number in range(1, steps):
            shown = generated[(number * (len(generated) - 1) + steps // 2) // steps]
            shown = shift_colours(shown, away + (home - away) * number / steps)
            fitted = Image.fromarray(shown).resize((params.width, params.height), Image.Resampling.BICUBIC)
            yield rgb_to_planes(np.asarray(fitted))


def _scene_frame(
    clip: Path,
    number: int,
    overlap: Overlap,
    side: int,
    params: TransitionParams,
    encoding: EncodingOptions,
    report: Report,
) -> Image.Image:
    """Return one frame of a scene as shown in the film."""
    timing, size = overlap.timings[side], (params.width, params.height)
    exact = is_conformant(clip, timing, *size, encoding)
    (planes,) = scene_frames(clip, number, number + 1, timing, *size, exact, report.warn)
    frame = av.VideoFrame.from_ndarray(planes, "yuv420p")
    shown = frame.reformat(
        format="rgb24",
        src_colorspace=BT709,
        dst_colorspace=BT709,
        src_color_range=LIMITED_RANGE,
        dst_color_range=_FULL_RANGE,
    )
    return Image.fromarray(shown.to_ndarray())

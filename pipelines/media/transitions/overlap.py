"""Writing of the segment of a transition: the overlapping frames of two clips, blended."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.base import BadInput, Report
from pipelines.media.codec.encoder import Encoder
from pipelines.media.codec.encoding_options import EncodingOptions
from pipelines.media.codec.frames import scene_frames
from pipelines.media.codec.integrity import mark_verified
from pipelines.media.codec.probe import is_conformant
from pipelines.media.codec.yuv import Planes
from pipelines.media.subtitles.burn_in import burn_subtitles
from pipelines.media.timeline import SceneTiming
from pipelines.step_params import TransitionParams

Blend = Callable[[Planes, Planes, float], Planes]


@dataclass(frozen=True, slots=True)
class Overlap:
    """The overlap of two clips: the last `count` frames of the first and the first `count` frames of the second."""

    timings: tuple[SceneTiming, SceneTiming]
    count: int

    @classmethod
    def read(cls, params: TransitionParams, inputs: Mapping[str, Sequence[Path]]) -> Overlap:
        """Read the overlap from the timings of two scenes. Raises BadInput when they do not share a transition."""
        before, after = (SceneTiming.model_validate_json(path.read_bytes()) for path in inputs["timings"])
        count = before.tail
        if count != after.head or count < 1 or before.fps != params.fps or after.fps != params.fps:
            raise BadInput(
                "timings",
                f"tail {before.tail} and head {after.head} are not one transition at {params.fps} fps.",
            )
        return cls((before, after), count)

    @property
    def start_frames(self) -> tuple[int, int]:
        """The index of the first overlapping frame in each clip."""
        return self.timings[0].frames - self.count, 0


def write_transition(
    blend: Blend,
    params: TransitionParams,
    inputs: Mapping[str, Sequence[Path]],
    out: Path,
    encoding: EncodingOptions,
    report: Report,
) -> Path:
    """Write `transition.mp4` into `out`: the blended frames of the overlap. Return its path.

    `blend` takes a frame of each clip and the progress of the transition, above 0 and below 1. Raises BadInput when the
    timings do not share a transition or a clip cannot be decoded.
    """
    overlap = Overlap.read(params, inputs)
    size, count = (params.width, params.height), overlap.count
    tail, head = (
        scene_frames(
            clip, start, start + count, timing, *size, is_conformant(clip, timing, *size, encoding), report.warn
        )
        for clip, start, timing in zip(inputs["clips"], overlap.start_frames, overlap.timings, strict=True)
    )
    frames = (
        blend(before, after, number / (count + 1))
        for number, (before, after) in enumerate(zip(tail, head, strict=True), 1)
    )
    return write_transition_frames(frames, overlap, params, inputs, out, encoding)


def write_transition_frames(
    frames: Iterable[Planes],
    overlap: Overlap,
    params: TransitionParams,
    inputs: Mapping[str, Sequence[Path]],
    out: Path,
    encoding: EncodingOptions,
) -> Path:
    """Write `transition.mp4` of `overlap.count` frames into `out`, verify and mark it. Return its path.

    Raises RuntimeError when the number of frames is wrong.
    """
    size = params.width, params.height
    subtitled: Iterator[Planes] = iter(frames)
    # Subtitles are burned in after the blend, so that they neither move nor fade with the frames.
    for subtitles, start in zip(inputs.get("subtitles", ()), overlap.start_frames, strict=False):
        subtitled = burn_subtitles(subtitled, subtitles, start, *size, params.fps)
    target = out / "transition.mp4"
    with Encoder(target, *size, params.fps, encoding) as encoder:
        for frame in subtitled:
            encoder.write(frame)
    mark_verified(target, overlap.count)
    return target

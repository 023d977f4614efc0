"""The frames that two clips share, blended into a part of the film: what is common to every family of bridges."""

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
    """Where two clips lie over each other: `count` frames, the last of the one and the first of the other."""

    timings: tuple[SceneTiming, SceneTiming]
    count: int

    @classmethod
    def read(cls, params: TransitionParams, inputs: Mapping[str, Sequence[Path]]) -> Overlap:
        """Raises BadInput when the timings are not those of one transition."""
        before, after = (SceneTiming.model_validate_json(path.read_bytes()) for path in inputs["timings"])
        count = before.tail
        if count != after.head or count < 1 or before.fps != params.fps or after.fps != params.fps:
            raise BadInput(
                "timings", f"tail {before.tail} and head {after.head} are not one transition at {params.fps}."
            )
        return cls((before, after), count)

    @property
    def start_frames(self) -> tuple[int, int]:
        """Number of the first shared frame, as each of the clips counts."""
        return self.timings[0].frames - self.count, 0


def write_transition(
    blend: Blend,
    params: TransitionParams,
    inputs: Mapping[str, Sequence[Path]],
    out: Path,
    encoding: EncodingOptions,
    report: Report,
) -> Path:
    """Write `transition.mp4`: the frames that both clips share, blended. `blend` takes a frame of each, and how far the bridge has come,
    above 0 and below 1."""
    overlap = Overlap.read(params, inputs)
    size, count = (params.width, params.height), overlap.count
    tail, head = (
        scene_frames(
            clip, start, start + count, timing, *size, is_conformant(clip, timing, *size, encoding), report.warn
        )
        for clip, start, timing in zip(inputs["clips"], overlap.start_frames, overlap.timings, strict=True)
    )
    frames = (
        blend(one, other, number / (count + 1)) for number, (one, other) in enumerate(zip(tail, head, strict=True), 1)
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
    """Write `transition.mp4` of `overlap.count` frames, a sealed part of the film."""
    size = params.width, params.height
    shown: Iterator[Planes] = iter(frames)
    # Text is drawn over the finished frames: it neither moves nor fades with the pictures beneath it.
    for subtitles, start in zip(inputs.get("subtitles", ()), overlap.start_frames, strict=False):
        shown = burn_subtitles(shown, subtitles, start, *size, params.fps)
    target = out / "transition.mp4"
    with Encoder(target, *size, params.fps, encoding) as encoder:
        for frame in shown:
            encoder.write(frame)
    mark_verified(target, overlap.count)
    return target

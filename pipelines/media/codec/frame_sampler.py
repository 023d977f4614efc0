"""A few frames of a clip, for whoever must see what is in it without watching it all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pipelines.base import BadInput, Device, Kind, ModelSpec, Params, Report
from pipelines.step_params import SampleFramesParams

if TYPE_CHECKING:
    from av.video.frame import VideoFrame
    from PIL.Image import Image

MAX_SIDE = 512
"""Pixels of the longer side of a frame: more says nothing more."""
MAX_DECODED_FRAMES = 600
"""Frames at most that are decoded to come from a place where decoding can begin to the one that is wanted."""


class FrameSampler:
    """Kind `sample_frames`."""

    name: ClassVar[str] = "frame-sampler"
    version: ClassVar[str] = "1"
    params: ClassVar[Mapping[Kind, type[Params]]] = {Kind.SAMPLE_FRAMES: SampleFramesParams}

    @classmethod
    def load(cls, spec: ModelSpec, device: Device) -> Self:
        return cls()

    def run(
        self,
        kind: Kind,
        params: Params,
        inputs: Mapping[str, Sequence[Path]],
        out: Path,
        report: Report,
        *,
        seed: int,
    ) -> Iterable[Path]:
        assert isinstance(params, SampleFramesParams)
        made = []
        for number, frame in enumerate(_sample_frames(inputs["clip"][0], params.frames), start=1):
            path = out / f"frame-{number}.png"
            _to_upright_image(frame).save(path, "PNG", compress_level=3)
            made.append(path)
        if not made:
            raise BadInput("clip", "holds no picture that can be decoded.")
        return made

    def close(self) -> None:
        pass


def _sample_frames(path: Path, count: int) -> Iterator[VideoFrame]:
    """The frames in the middle of `count` equal parts of the clip; of a clip that does not say how long it is, the first ones."""
    from av.error import FFmpegError

    from pipelines.media.codec.probe import open_clip

    with open_clip(path) as container:
        stream = container.streams.video[0]
        stream.thread_count = 1
        length = _duration_ticks(container, stream)
        begin = stream.start_time or 0
        for number in range(count):
            wanted = begin + length * (2 * number + 1) // (2 * count)
            try:
                if length:
                    container.seek(wanted, stream=stream)
                found = _decode_until(container, stream, wanted)
            except FFmpegError:  # a damaged place shows nothing, here as in the film
                continue
            if found is not None:
                yield found


def _duration_ticks(container: Any, stream: Any) -> int:
    """How long the clip is, in the time base of its pictures; 0: it does not say."""
    if stream.duration:
        return int(stream.duration)
    return int(container.duration / 1_000_000 / stream.time_base) if container.duration and stream.time_base else 0


def _decode_until(container: Any, stream: Any, wanted: int) -> VideoFrame | None:
    """The first frame from here on that is shown at `wanted` or later, or the last that can be had."""
    last: VideoFrame | None = None
    for number, frame in enumerate(container.decode(stream)):
        last = frame
        if number >= MAX_DECODED_FRAMES or frame.pts is None or frame.pts >= wanted:
            break
    return last


def _to_upright_image(frame: VideoFrame) -> Image:
    scale = min(1.0, MAX_SIDE / max(frame.width, frame.height))
    width, height = (max(2, round(side * scale)) for side in (frame.width, frame.height))
    turns = round(frame.rotation / 90) % 4
    picture: Image = frame.reformat(width, height, "rgb24").to_image()  # type: ignore[no-untyped-call]
    return picture.rotate(90 * turns, expand=True)

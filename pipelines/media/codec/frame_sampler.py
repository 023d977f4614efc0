"""Sample frames of a clip, for checks of its content."""

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
"""Largest length of the longer side of a sampled frame, in pixels. Checks need no more."""
MAX_DECODED_FRAMES = 600
"""Largest number of frames that are decoded between a keyframe and the sampled frame."""


class FrameSampler:
    """Family for `sample_frames`."""

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
        written = []
        for number, frame in enumerate(_sample_frames(inputs["clip"][0], params.frames), start=1):
            path = out / f"frame-{number}.png"
            _to_upright_image(frame).save(path, "PNG", compress_level=3)
            written.append(path)
        if not written:
            raise BadInput("clip", "no frame can be decoded.")
        return written

    def close(self) -> None:
        pass


def _sample_frames(path: Path, count: int) -> Iterator[VideoFrame]:
    """Yield the middle frames of `count` equal parts of the clip; the first frames when the duration is unknown."""
    from av.error import FFmpegError

    from pipelines.media.codec.probe import open_clip

    with open_clip(path) as container:
        stream = container.streams.video[0]
        stream.thread_count = 1
        duration = _duration_ticks(container, stream)
        start = stream.start_time or 0
        for number in range(count):
            timestamp = start + duration * (2 * number + 1) // (2 * count)
            try:
                if duration:
                    container.seek(timestamp, stream=stream)
                frame = _decode_until(container, stream, timestamp)
            except FFmpegError:  # the film shows no frame at a damaged position either
                continue
            if frame is not None:
                yield frame


def _duration_ticks(container: Any, stream: Any) -> int:
    """Return the duration of the clip in the time base of its video stream; 0 when it is unknown."""
    if stream.duration:
        return int(stream.duration)
    return int(container.duration / 1_000_000 / stream.time_base) if container.duration and stream.time_base else 0


def _decode_until(container: Any, stream: Any, timestamp: int) -> VideoFrame | None:
    """Return the next frame at or after `timestamp`, else the last decoded one; None when nothing can be decoded."""
    last: VideoFrame | None = None
    for number, frame in enumerate(container.decode(stream)):
        last = frame
        if number >= MAX_DECODED_FRAMES or frame.pts is None or frame.pts >= timestamp:
            break
    return last


def _to_upright_image(frame: VideoFrame) -> Image:
    """Return the frame as RGB, rotated upright and scaled down to `MAX_SIDE`."""
    scale = min(1.0, MAX_SIDE / max(frame.width, frame.height))
    width, height = (max(2, round(side * scale)) for side in (frame.width, frame.height))
    turns = round(frame.rotation / 90) % 4
    image: Image = frame.reformat(width, height, "rgb24").to_image()  # type: ignore[no-untyped-call]
    return image.rotate(90 * turns, expand=True)

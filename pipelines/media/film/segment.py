"""The frames of a clip that belong to its scene alone, as a part of the film."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2

from pipelines.base import BadInput, Report
from pipelines.media.codec.encoder import Encoder, container_options
from pipelines.media.codec.encoding_options import EncodingOptions
from pipelines.media.codec.frames import Warn, fit_inside, letterbox, scene_frames
from pipelines.media.codec.integrity import mark_verified
from pipelines.media.codec.probe import is_conformant, open_clip
from pipelines.media.codec.yuv import Planes
from pipelines.media.subtitles.burn_in import burn_subtitles
from pipelines.media.timeline import SceneTiming
from pipelines.step_params import ConformParams

FrameSource = Callable[[Path, int, int, SceneTiming, int, int, bool, Warn], Iterator[Planes]]
"""Where the frames of a scene come from, as `scene_frames`."""


def write_segment(
    params: ConformParams,
    inputs: Mapping[str, Sequence[Path]],
    out: Path,
    encoding: EncodingOptions,
    report: Report,
    source: FrameSource = scene_frames,
) -> Path:
    """Write `segment.mp4` into `out` and seal it. Raises BadInput when the clip cannot be used."""
    cv2.setNumThreads(1)  # steps run side by side, one on each core
    clip = inputs["clip"][0]
    timing = read_timing(inputs["timing"][0], params.fps)
    body = out / "segment.mp4"
    subtitles = next(iter(inputs.get("subtitles", ())), None)
    width, height, first, last = params.width, params.height, timing.head, timing.frames - timing.tail
    conformant = is_conformant(clip, timing, width, height, encoding)
    report.record(copied=conformant and subtitles is None)
    if conformant and subtitles is None:
        copy_frames(clip, body, first, last, timing.fps)
    else:
        size = fit_inside(clip, width, height) if params.letterbox and not conformant else (width, height)
        frames = source(clip, first, last, timing, *size, conformant, report.warn)
        if size != (width, height):
            frames = letterbox(frames, width, height)
        if subtitles is not None:
            frames = burn_subtitles(frames, subtitles, first, width, height, timing.fps)
        with Encoder(body, width, height, timing.fps, encoding) as encoder:
            for number, frame in enumerate(frames, 1):
                encoder.write(frame)
                if number % timing.fps == 0:
                    report.progress(number / timing.segment_frames)
    mark_verified(body, timing.segment_frames)
    return body


def read_timing(path: Path, fps: int) -> SceneTiming:
    """The timing of a scene. Raises BadInput when it counts another number of frames a second."""
    timing = SceneTiming.model_validate_json(path.read_bytes())
    if timing.fps != fps:
        raise BadInput("fps", f"the timing counts {timing.fps} frames a second, the step {fps}.")
    return timing


def copy_frames(clip: Path, target: Path, first: int, last: int, fps: int) -> None:
    """Copy frames `first` to before `last` out of a clip that has closed groups beginning at both."""
    with open_clip(clip) as source, av.open(str(target), "w", format="mp4", options=container_options(fps)) as part:
        stream = source.streams.video[0]
        track = part.add_stream_from_template(stream)
        track.time_base = stream.time_base
        tick = int(Fraction(1, fps) / stream.time_base)
        for packet in source.demux(stream):
            if packet.size and first * tick <= packet.pts < last * tick:
                packet.pts -= first * tick
                packet.dts -= first * tick
                packet.stream = track
                part.mux(packet)

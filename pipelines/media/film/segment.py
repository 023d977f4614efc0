"""Writing of a segment: the frames of a clip between the transitions of its scene."""

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
"""A function that yields the frames of a scene; it has the signature of `scene_frames`."""


def write_segment(
    params: ConformParams,
    inputs: Mapping[str, Sequence[Path]],
    out: Path,
    encoding: EncodingOptions,
    report: Report,
    source: FrameSource = scene_frames,
) -> Path:
    """Write `segment.mp4` into `out`, verify and mark it. Raises BadInput when the clip cannot be used."""
    cv2.setNumThreads(1)  # the engine runs one step per core
    clip = inputs["clip"][0]
    timing = read_timing(inputs["timing"][0], params.fps)
    segment = out / "segment.mp4"
    subtitles = next(iter(inputs.get("subtitles", ())), None)
    width, height, first, last = params.width, params.height, timing.head, timing.frames - timing.tail
    conformant = is_conformant(clip, timing, width, height, encoding)
    report.record(copied=conformant and subtitles is None)
    if conformant and subtitles is None:
        copy_frames(clip, segment, first, last, timing.fps)
    else:
        size = fit_inside(clip, width, height) if params.letterbox and not conformant else (width, height)
        frames = source(clip, first, last, timing, *size, conformant, report.warn)
        if size != (width, height):
            frames = letterbox(frames, width, height)
        if subtitles is not None:
            frames = burn_subtitles(frames, subtitles, first, width, height, timing.fps)
        with Encoder(segment, width, height, timing.fps, encoding) as encoder:
            for number, frame in enumerate(frames, 1):
                encoder.write(frame)
                if number % timing.fps == 0:
                    report.progress(number / timing.segment_frames)
    mark_verified(segment, timing.segment_frames)
    return segment


def read_timing(path: Path, fps: int) -> SceneTiming:
    """Return the timing of a scene. Raises BadInput when its frame rate is not `fps`."""
    timing = SceneTiming.model_validate_json(path.read_bytes())
    if timing.fps != fps:
        raise BadInput("fps", f"the timing has {timing.fps} fps, the step has {fps} fps.")
    return timing


def copy_frames(clip: Path, target: Path, first: int, last: int, fps: int) -> None:
    """Copy frames `first` to before `last` of a clip with closed GOPs that start at `first` and at `last`."""
    with open_clip(clip) as source, av.open(str(target), "w", format="mp4", options=container_options(fps)) as segment:
        stream = source.streams.video[0]
        track = segment.add_stream_from_template(stream)
        track.time_base = stream.time_base
        tick = int(Fraction(1, fps) / stream.time_base)
        for packet in source.demux(stream):
            if packet.size and first * tick <= packet.pts < last * tick:
                packet.pts -= first * tick
                packet.dts -= first * tick
                packet.stream = track
                segment.mux(packet)

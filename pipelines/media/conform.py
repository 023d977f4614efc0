"""Any clip → the part of the film that belongs to its scene alone.

A clip that the house's own encoder made for this very scene is cut by copying, bit for bit. Every other clip (a model's, a
user's, one that gets subtitles drawn in) is decoded, made to fit, and coded like every other part.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import ClassVar, Self, cast

import av
import cv2

from pipelines.base import BadInput, Device, Kind, ModelSpec, Params, Report
from pipelines.kinds import ConformParams
from pipelines.media.burn import burned
from pipelines.media.encoder import Coding, Encoder, container_options
from pipelines.media.frames import scene_frames
from pipelines.media.probe import is_conformant, open_clip
from pipelines.media.timeline import SceneTiming


class Conformer:
    """Family for `conform`. Options: `preset` and `crf`, the same as of everything that makes parts of the film."""

    version: ClassVar[str] = "1"
    params: ClassVar[Mapping[Kind, type[Params]]] = {Kind.CONFORM: ConformParams}

    def __init__(self, coding: Coding) -> None:
        self._coding = coding

    @classmethod
    def load(cls, spec: ModelSpec, device: Device) -> Self:
        return cls(Coding.from_options(spec.options))

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
        cv2.setNumThreads(1)  # steps run side by side, one on each core
        asked = cast(ConformParams, params)
        clip = inputs["clip"][0]
        timing = read_timing(inputs["timing"][0], asked.fps)
        body = out / "body.mp4"
        subtitles = next(iter(inputs.get("subtitles", ())), None)
        width, height, first, last = asked.width, asked.height, timing.head, timing.frames - timing.tail
        conformant = is_conformant(clip, timing, width, height, self._coding)
        report.record(copied=conformant and subtitles is None)
        if conformant and subtitles is None:
            cut(clip, body, first, last, timing.fps)
            return [body]
        frames = scene_frames(clip, first, last, timing, width, height, conformant, report.warn)
        if subtitles is not None:
            frames = burned(frames, subtitles, first, width, height, timing.fps)
        with Encoder(body, width, height, timing.fps, self._coding) as encoder:
            for number, frame in enumerate(frames, 1):
                encoder.write(frame)
                if number % timing.fps == 0:
                    report.progress(number / timing.body)
        return [body]

    def close(self) -> None:
        """Nothing is held."""


def read_timing(path: Path, fps: int) -> SceneTiming:
    """The timing of a scene. Raises BadInput when it counts another number of frames a second."""
    timing = SceneTiming.model_validate_json(path.read_bytes())
    if timing.fps != fps:
        raise BadInput("fps", f"the timing counts {timing.fps} frames a second, the step {fps}.")
    return timing


def cut(clip: Path, target: Path, first: int, last: int, fps: int) -> None:
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

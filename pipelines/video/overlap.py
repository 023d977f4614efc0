"""The frames that two clips share, blended into a part of the film: what is common to every family of bridges."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from pipelines.base import BadInput, Report
from pipelines.kinds import BridgeParams
from pipelines.media.burn import burned
from pipelines.media.coding import Coding
from pipelines.media.encoder import Encoder
from pipelines.media.frames import scene_frames
from pipelines.media.planes import Planes
from pipelines.media.probe import is_conformant
from pipelines.media.seal import seal
from pipelines.media.timeline import SceneTiming

Blend = Callable[[Planes, Planes, float], Planes]


def write_bridge(
    blend: Blend,
    asked: BridgeParams,
    inputs: Mapping[str, Sequence[Path]],
    out: Path,
    coding: Coding,
    report: Report,
) -> Path:
    """Write `bridge.mp4`: the frames that both clips share, blended. `blend` takes a frame of each, and how far the bridge has come,
    above 0 and below 1."""
    timings = [SceneTiming.model_validate_json(path.read_bytes()) for path in inputs["timings"]]
    before, after = timings
    count = before.tail
    if count != after.head or count < 1 or before.fps != asked.fps or after.fps != asked.fps:
        raise BadInput("timings", f"tail {before.tail} and head {after.head} are not one transition at {asked.fps}.")
    size = asked.width, asked.height
    spans = (before.frames - count, before.frames), (0, count)
    tail, head = (
        scene_frames(clip, *span, timing, *size, is_conformant(clip, timing, *size, coding), report.warn)
        for clip, span, timing in zip(inputs["clips"], spans, timings, strict=True)
    )
    frames: Iterator[Planes] = (
        blend(one, other, number / (count + 1)) for number, (one, other) in enumerate(zip(tail, head, strict=True), 1)
    )
    # Text is drawn over the finished blend: it neither moves nor fades with the pictures beneath it.
    for subtitles, (start, _) in zip(inputs.get("subtitles", ()), spans, strict=False):
        frames = burned(frames, subtitles, start, *size, asked.fps)
    target = out / "bridge.mp4"
    with Encoder(target, *size, asked.fps, coding) as encoder:
        for frame in frames:
            encoder.write(frame)
    seal(target, count)
    return target

"""Lengths known only while running → exact frames.

Every scene has frames of its own: `round` of the running sum of wished seconds (so no drift builds up), or for a narrated scene its
speech with half of `pause` before and after it, rounded up (so that no scene moves when another's speech changes). A transition takes
at least a frame and at most a third of either scene; it lies half before and half behind the cut between two scenes: both
clips reach over the cut by the other half, so the film is as long as its scenes together. Speech never lies in a transition: a
narrated scene grows where half a transition is longer than half of `pause`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self, cast

from pipelines.base import BadInput, Device, Kind, ModelSpec, Params, Report
from pipelines.media.timeline import SceneTiming, Timeline, TimelineScene
from pipelines.step_params import ScheduleParams

MAX_CLIP_SECONDS = 600  # seconds
EPSILON = 1e-6  # seconds below which a rounding error of floating point is not worth a frame


class FilmScheduler:
    """Family for `schedule`."""

    name: ClassVar[str] = "schedule"
    version: ClassVar[str] = "2"
    params: ClassVar[Mapping[Kind, type[Params]]] = {Kind.SCHEDULE: ScheduleParams}

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
        asked = cast(ScheduleParams, params)
        narrated = sum(scene.narrated for scene in asked.scenes)
        words = inputs.get("word_timings", ())
        if len(words) != narrated:
            raise BadInput("word_timings", f"{narrated} scenes are narrated but {len(words)} narrations came.")
        clips = inputs.get("clips", ())
        given = [number for number, scene in enumerate(asked.scenes) if scene.has_clip]
        if len(clips) != len(given):
            raise BadInput("clips", f"{len(given)} scenes are given but {len(clips)} clips came.")
        asked = with_clip_lengths(
            asked, {number: clip_seconds(path) for number, path in zip(given, clips, strict=True)}
        )
        timeline = compute_timeline(asked, [_speech_seconds(path) for path in words])
        written = [_write(out / "timeline.json", timeline)]
        for number, place in enumerate(timeline.scenes, 1):
            written.append(_write(out / f"scene-{number:03d}.json", place.timing))
        report.record(frames=timeline.frames, seconds=round(timeline.seconds, 3))
        return written

    def close(self) -> None:
        pass


def with_clip_lengths(params: ScheduleParams, seconds: Mapping[int, float]) -> ScheduleParams:
    """The same, with the scenes of these numbers (from 0) so long."""
    scenes = (
        scene.model_copy(update={"seconds": seconds[number]}) if number in seconds else scene
        for number, scene in enumerate(params.scenes)
    )
    return params.model_copy(update={"scenes": tuple(scenes)})


def clip_seconds(path: Path) -> float:
    """How long the pictures of a clip last, by their own time stamps. Raises BadInput for what is no clip of at most 600 s."""
    from pipelines.media.codec.probe import open_clip

    with open_clip(path) as container:
        stream = container.streams.video[0]
        ends = [
            (packet.pts + (packet.duration or 0)) * stream.time_base
            for packet in container.demux(stream)
            if packet.pts is not None
        ]
        seconds = float(max(ends, default=0) - (stream.start_time or 0) * stream.time_base)
    if not 0 < seconds <= MAX_CLIP_SECONDS:
        raise BadInput("clip", f"lasts {seconds:.0f} s; a clip may last up to {MAX_CLIP_SECONDS} s.")
    return seconds


def compute_timeline(params: ScheduleParams, speech: Sequence[float]) -> Timeline:
    """The film in frames. `speech`: seconds of speech of the narrated scenes, in order."""
    fps, scenes = params.fps, params.scenes
    spoken = iter(speech)
    speeches = [next(spoken) if scene.narrated else 0.0 for scene in scenes]
    wished = _own_frames(params, speeches)
    overlaps = [
        min(max(1, _round(scene.transition * fps)), before // 3, after // 3) if scene.transition else 0
        for scene, before, after in zip(scenes, wished, wished[1:], strict=False)
    ]
    heads, tails = [0, *overlaps], [*overlaps, 0]
    places: list[TimelineScene] = []
    cut = 0  # the film's frame at which the scene's own frames begin
    endings = [0.0] * (len(scenes) - 1) + [params.end_padding]
    for scene, own, said, head, tail, ending in zip(scenes, wished, speeches, heads, tails, endings, strict=True):
        before_cut, behind_cut = head // 2, tail - tail // 2
        lead = max(params.pause / 2, (head - head // 2) / fps)
        if scene.narrated:
            trail = max(params.pause / 2, (tail // 2) / fps) + ending
            own = max(own, _ceil((lead + said + trail) * fps))
        timing = SceneTiming(fps=fps, frames=before_cut + own + behind_cut, head=head, tail=tail)
        narration = round(cut / fps + lead, 6) if scene.narrated else None
        places.append(TimelineScene(start=cut - before_cut, timing=timing, narration=narration, speech=said))
        cut += own
    return Timeline(fps=fps, scenes=tuple(places))


def _own_frames(params: ScheduleParams, speeches: Sequence[float]) -> list[int]:
    """Frames of each scene before transitions are thought of; enough that a transition leaves it a frame of its own."""
    least = 3 if any(scene.transition for scene in params.scenes) else 1
    own: list[int] = []
    wished = 0.0  # running sum of the seconds of the scenes without narration
    for scene, said in zip(params.scenes, speeches, strict=True):
        if scene.narrated:
            frames = _ceil((said + params.pause) * params.fps)
        else:
            frames = _round((wished + scene.seconds) * params.fps) - _round(wished * params.fps)
            wished += scene.seconds
        own.append(max(least, frames))
    return own


def _ceil(frames: float) -> int:
    return math.ceil(frames - EPSILON)


def _round(frames: float) -> int:
    """Half goes up, so that the same length does not depend on whether its beginning is an even frame."""
    return math.floor(frames + 0.5 + EPSILON)


def _speech_seconds(path: Path) -> float:
    try:
        seconds = json.loads(path.read_text("utf-8"))["seconds"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput("word_timings", f"no word_timings.json with seconds ({error}).") from error
    if not isinstance(seconds, int | float) or not 0 <= seconds < 3600:
        raise BadInput("word_timings", f"{seconds!r} is no length of speech in seconds.")
    return float(seconds)


def _write(path: Path, content: Params) -> Path:
    path.write_text(json.dumps(content.model_dump(mode="json"), sort_keys=True, separators=(",", ":")) + "\n", "utf-8")
    return path

"""The schedule of the film: exact frames from durations that are known only at run time.

A scene without narration gets the rounded difference of the running sum of requested seconds, so that no drift builds
up. A narrated scene gets its speech with half of `pause` before and after it, rounded up, so that its length does not
depend on other scenes. A transition takes at least one frame and at most a third of either scene. Half of it lies
before the cut between the two scenes and half after it; both clips extend beyond the cut by the other half, so that the
film is as long as the sum of its scenes. Speech never overlaps a transition: a narrated scene gets longer when half a
transition exceeds half of `pause`.
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

MAX_CLIP_SECONDS = 600
EPSILON = 1e-6  # frames; smaller differences are rounding errors


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
        schedule = cast(ScheduleParams, params)
        narrated = sum(scene.narrated for scene in schedule.scenes)
        words = inputs.get("word_timings", ())
        if len(words) != narrated:
            raise BadInput("word_timings", f"{narrated} scenes are narrated, but {len(words)} files were given.")
        clips = inputs.get("clips", ())
        with_clip = [index for index, scene in enumerate(schedule.scenes) if scene.has_clip]
        if len(clips) != len(with_clip):
            raise BadInput("clips", f"{len(with_clip)} scenes have a clip, but {len(clips)} files were given.")
        durations = {index: clip_seconds(path) for index, path in zip(with_clip, clips, strict=True)}
        timeline = compute_timeline(with_clip_lengths(schedule, durations), [_speech_seconds(path) for path in words])
        written = [_write(out / "timeline.json", timeline)]
        for number, scene in enumerate(timeline.scenes, 1):
            written.append(_write(out / f"scene-{number:03d}.json", scene.timing))
        report.record(frames=timeline.frames, seconds=round(timeline.seconds, 3))
        return written

    def close(self) -> None:
        pass


def with_clip_lengths(params: ScheduleParams, seconds: Mapping[int, float]) -> ScheduleParams:
    """Return the parameters with other seconds for the scenes of these indices (from 0)."""
    scenes = (
        scene.model_copy(update={"seconds": seconds[index]}) if index in seconds else scene
        for index, scene in enumerate(params.scenes)
    )
    return params.model_copy(update={"scenes": tuple(scenes)})


def clip_seconds(path: Path) -> float:
    """Return the duration of a clip's video in seconds, by its timestamps.

    Raises BadInput when the file is not a readable video or lasts more than `MAX_CLIP_SECONDS`.
    """
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
        raise BadInput("clip", f"the clip lasts {seconds:.0f} s; the limit is {MAX_CLIP_SECONDS} s.")
    return seconds


def compute_timeline(params: ScheduleParams, speech: Sequence[float]) -> Timeline:
    """Return the timeline of the film. `speech`: seconds of speech of the narrated scenes, in order."""
    fps, scenes = params.fps, params.scenes
    remaining = iter(speech)
    speeches = [next(remaining) if scene.narrated else 0.0 for scene in scenes]
    own_frames = _own_frames(params, speeches)
    overlaps = [
        min(max(1, _round(scene.transition * fps)), before // 3, after // 3) if scene.transition else 0
        for scene, before, after in zip(scenes, own_frames, own_frames[1:], strict=False)
    ]
    heads, tails = [0, *overlaps], [*overlaps, 0]
    placed: list[TimelineScene] = []
    cut = 0  # frame of the film at which the scene's own frames start
    paddings = [0.0] * (len(scenes) - 1) + [params.end_padding]
    for scene, own, seconds, head, tail, padding in zip(
        scenes, own_frames, speeches, heads, tails, paddings, strict=True
    ):
        before_cut, after_cut = head // 2, tail - tail // 2
        lead = max(params.pause / 2, (head - head // 2) / fps)
        if scene.narrated:
            trail = max(params.pause / 2, (tail // 2) / fps) + padding
            own = max(own, _ceil((lead + seconds + trail) * fps))
        timing = SceneTiming(fps=fps, frames=before_cut + own + after_cut, head=head, tail=tail)
        narration = round(cut / fps + lead, 6) if scene.narrated else None
        placed.append(TimelineScene(start=cut - before_cut, timing=timing, narration=narration, speech=seconds))
        cut += own
    return Timeline(fps=fps, scenes=tuple(placed))


def _own_frames(params: ScheduleParams, speeches: Sequence[float]) -> list[int]:
    """Return the frames of each scene without its transitions.

    In a film with transitions each scene has at least 3, so that it keeps a frame outside its transitions.
    """
    minimum = 3 if any(scene.transition for scene in params.scenes) else 1
    own_frames: list[int] = []
    total = 0.0  # running sum of the requested seconds of scenes without narration
    for scene, speech in zip(params.scenes, speeches, strict=True):
        if scene.narrated:
            frames = _ceil((speech + params.pause) * params.fps)
        else:
            frames = _round((total + scene.seconds) * params.fps) - _round(total * params.fps)
            total += scene.seconds
        own_frames.append(max(minimum, frames))
    return own_frames


def _ceil(frames: float) -> int:
    return math.ceil(frames - EPSILON)


def _round(frames: float) -> int:
    """Round half up. Rounding half to even would make a length depend on its start frame."""
    return math.floor(frames + 0.5 + EPSILON)


def _speech_seconds(path: Path) -> float:
    try:
        seconds = json.loads(path.read_text("utf-8"))["seconds"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput("word_timings", f"the file is not a word_timings.json with `seconds` ({error}).") from error
    if not isinstance(seconds, int | float) or not 0 <= seconds < 3600:
        raise BadInput("word_timings", f"`seconds` is {seconds!r}, not a duration from 0 to 3600 s.")
    return float(seconds)


def _write(path: Path, content: Params) -> Path:
    path.write_text(json.dumps(content.model_dump(mode="json"), sort_keys=True, separators=(",", ":")) + "\n", "utf-8")
    return path

"""All sound of a film → one track: speech where the timeline wants it, music that makes room for it, one even loudness."""

from __future__ import annotations

import math
import tempfile
import wave
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines.base import BadInput, Report
from pipelines.media.audio.loudness import MARGIN, SILENCE, Limiter, Meter, gain, inter_peaks, loudness
from pipelines.media.audio.reader import RATE, Sound, Track, blocks, clip_container, has_sound
from pipelines.media.timeline import Timeline
from pipelines.step_params import MixParams

BLOCK = 48_672
"""Samples at a time, about a second: with the margins around it (`MARGIN`) 2¹⁴ × 3, which is fast to transform."""

SPEECH, MUSIC, NATIVE = -20.0, -22.0, -26.0
"""LUFS at which speech, music and the clips' own sound meet, before the whole is brought to the loudness wished for."""
CEILING = gain(-1.8)
"""Peaks are held below this: AAC moves them by some tenths of a decibel, and −1 dBTP must hold in the film too."""
LOUDEST_GAIN = 30.0
"""dB by which nothing is ever raised more: beyond it noise becomes the programme."""
ATTACK, RELEASE = 0.3, 0.7
"""Seconds in which the music sinks before speech begins, and rises after it has ended."""
BREATH = ATTACK + RELEASE + 0.2
"""Seconds of quiet between two speeches in which the music does not rise, so that it does not pump."""
FADE_IN, FADE_OUT = 0.5, 2.0
"""Seconds at the film's beginning and end in which everything but speech fades."""
SOFT_EDGE = round(0.005 * RATE)


def mixdown(params: MixParams, inputs: Mapping[str, Sequence[Path]], out: Path, report: Report) -> Path:
    """Mix the inputs (roles as in `pipelines.step_params.MixParams`) into `sound.wav` in the folder `out`, block by block."""
    timeline = Timeline.model_validate_json(inputs["timeline"][0].read_bytes())
    samples = round(timeline.seconds * RATE)
    speeches = _speeches(timeline, inputs.get("narrations", ()), report)
    duck = Duck([(speech.start / RATE, speech.stop / RATE) for speech in speeches], params.duck)
    beds = [
        *(_bed(path, "music", samples, report) for path in inputs.get("music", ())),
        *(_bed(path, "audio", samples, report) for path in inputs.get("audio", ())),
    ]
    natives = _natives(timeline, params.native, inputs.get("clips", ()), report)
    report.progress(0.3, "measured")
    with tempfile.TemporaryDirectory(dir=out, prefix=".mix-") as scratch:
        mixed = Raw(Path(scratch, "mixed.f32"))
        meter, stopped = Meter(), 0
        for start in range(0, samples, BLOCK):
            stopped = min(samples, start + BLOCK)
            block = np.zeros((stopped - start, 2), np.float32)
            for bed in beds:
                block += bed.read(len(block))
            for native in natives:
                native.add(block, start)
            block *= (duck.curve(start, stopped) * _fades(start, stopped, samples))[:, None]
            for speech in speeches:
                speech.add(block, start)
            mixed.append(block)
            meter.add(block)
            report.progress(0.3 + 0.3 * stopped / samples)
        mixed.close()
        sound = out / "sound.wav"
        facts = _master(mixed, samples, meter.integrated(), params.loudness, sound, report)
    report.record(**facts, speeches=len(speeches), beds=len(beds), natives=len(natives))
    return sound


@dataclass(slots=True)
class Placed:
    """A sound that is short enough to be held, at its place in the film. It is read when it is reached and then let go."""

    path: Path
    field: str
    container: str
    start: int
    stop: int
    gain: float
    fade_in: int = SOFT_EDGE
    fade_out: int = SOFT_EDGE
    _held: Sound | None = None

    def add(self, block: Sound, start: int) -> None:
        begin, end = max(self.start, start), min(self.stop, start + len(block))
        if begin >= end:
            self._held = None
            return
        if self._held is None:
            self._held = self._shaped()
        block[begin - start : end - start] += self._held[begin - self.start : end - self.start]

    def _shaped(self) -> Sound:
        sound = np.concatenate(list(blocks(self.path, self.field, self.container)))[: self.stop - self.start]
        shaped = np.zeros((self.stop - self.start, 2), np.float32)
        shaped[: len(sound)] = sound * np.float32(self.gain)
        for samples, edge in ((self.fade_in, shaped), (self.fade_out, shaped[: len(sound)][::-1])):
            ramp = min(samples, len(edge))
            edge[:ramp] *= np.sin(np.linspace(0, np.pi / 2, ramp, dtype=np.float32))[:, None]
        return shaped


@dataclass(slots=True)
class Bed:
    """A sound under the whole film, read from front to back."""

    track: Track
    gain: float

    def read(self, samples: int) -> Sound:
        sound: Sound = self.track.read(samples) * np.float32(self.gain)
        return sound


class Duck:
    """How the beds make room for speech: `depth` dB less while somebody speaks, in ramps that are over when speech begins."""

    def __init__(self, speeches: Sequence[tuple[float, float]], depth: float) -> None:
        self._depth = depth
        times, levels = [-1.0], [0.0]
        for start, stop in _merged(speeches):
            times += [max(start - ATTACK, times[-1]), start, stop, stop + RELEASE]
            levels += [0.0, 1.0, 1.0, 0.0]
        self._times, self._levels = np.array(times), np.array(levels)

    def curve(self, start: int, stop: int) -> NDArray[np.float32]:
        """The gain of the samples from `start` to `stop`."""
        level = np.interp(np.arange(start, stop) / RATE, self._times, self._levels)
        soft = 0.5 - 0.5 * np.cos(np.pi * level)
        curve: NDArray[np.float32] = np.power(10.0, -self._depth / 20 * soft).astype(np.float32)
        return curve


class Raw:
    """Samples laid by on the disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("wb")
        self._length = 0

    def append(self, block: Sound) -> None:
        self._file.write(np.ascontiguousarray(block, np.float32).tobytes())
        self._length += len(block)

    def close(self) -> None:
        self._file.close()

    def read(self, start: int, stop: int) -> Sound:
        """The samples from `start` to `stop`, silence before the first and after the last."""
        first, last = max(start, 0), min(stop, self._length)
        found = np.fromfile(self._path, np.float32, 2 * (last - first), offset=8 * first).reshape(-1, 2)
        return np.pad(found, ((first - start, stop - last), (0, 0)))


def _speeches(timeline: Timeline, files: Sequence[Path], report: Report) -> list[Placed]:
    """The narrations at their places, each brought to the same loudness. Raises BadInput."""
    places = [place for place in timeline.scenes if place.narration is not None]
    if len(places) != len(files):
        raise BadInput("narrations", f"{len(files)} files for {len(places)} narrated scenes")
    speeches = []
    for number, (place, file) in enumerate(zip(places, files, strict=True), 1):
        sound = np.concatenate(list(blocks(file, "narrations", "wav")))
        level = loudness(sound)
        if level == SILENCE:
            report.warn(f"narration {number} is silent")
        start = round((place.narration or 0.0) * RATE)
        speeches.append(Placed(file, "narrations", "wav", start, start + len(sound), _to(SPEECH, level)))
    return speeches


def _bed(path: Path, field: str, samples: int, report: Report) -> Bed:
    """Music or a sound that lies under the film, measured as far as the film goes."""
    container = "wav" if field == "music" else None
    meter, left = Meter(), samples
    for block in blocks(path, field, container):
        meter.add(block[:left])
        left -= min(left, len(block))
        if not left:
            break
    level = meter.integrated()
    if level == SILENCE:
        report.warn(f"a file of {field} is silent")
    return Bed(Track(blocks(path, field, container)), _to(MUSIC, level))


def _natives(timeline: Timeline, numbers: Sequence[int], clips: Sequence[Path], report: Report) -> list[Placed]:
    """The sound of clips that bring their own, cross-faded over the frames that neighbours share."""
    if len(numbers) != len(clips):
        raise BadInput("clips", f"{len(clips)} files for {len(numbers)} scenes with sound of their own")
    natives = []
    for number, clip in zip(numbers, clips, strict=True):
        if not 1 <= number <= len(timeline.scenes):
            raise BadInput("native", f"there is no scene {number}")
        if not has_sound(clip):
            report.warn(f"the clip of scene {number} has no sound")
            continue
        place = timeline.scenes[number - 1]
        start, stop = (_sample(frame, timeline.fps) for frame in (place.start, place.start + place.timing.frames))
        container = clip_container(clip) or "mov"
        level = loudness(np.concatenate(list(blocks(clip, "clips", container)))[: stop - start])
        head, tail = (max(SOFT_EDGE, _sample(n, timeline.fps)) for n in (place.timing.head, place.timing.tail))
        natives.append(Placed(clip, "clips", container, start, stop, _to(NATIVE, level), head, tail))
    return natives


def _master(mixed: Raw, samples: int, measured: float, wanted: float, target: Path, report: Report) -> dict[str, float]:
    """Bring the mix to its loudness under the ceiling and write it. Returns what was measured and done."""
    if measured == SILENCE:
        _write(target, (mixed.read(start, stop) for start, stop in _stretches(samples)))
        report.warn("the film's sound is silent")
        return {}
    peaks = _peaks(mixed, samples)
    raised, reached = 0.0, measured
    limiter = Limiter(peaks, 1.0, CEILING)
    for _ in range(5):
        raised = min(raised + wanted - reached, LOUDEST_GAIN)
        limiter = Limiter(peaks, gain(raised), CEILING)
        meter = Meter()
        for block in _limited(mixed, samples, limiter):
            meter.add(block)
        reached = meter.integrated()
        if abs(reached - wanted) < 0.1 or raised == LOUDEST_GAIN:
            break
    if abs(reached - wanted) > 0.5:
        report.warn(f"the sound reaches {reached:.1f} LUFS, not {wanted:.1f}: its peaks leave no more room")
    report.progress(0.9, "writing")
    _write(target, _limited(mixed, samples, limiter))
    return {
        "lufs": round(reached, 2),
        "raised_db": round(raised, 2),
        "limited_db": round(20 * math.log10(limiter.deepest), 2),
    }


def _limited(mixed: Raw, samples: int, limiter: Limiter) -> Iterator[Sound]:
    for start, stop in _stretches(samples):
        yield mixed.read(start, stop) * limiter.curve(start, stop)[:, None]


def _peaks(mixed: Raw, samples: int) -> NDArray[np.float32]:
    """The true peak of every step of the limiter."""
    found = []
    for start, stop in _stretches(samples):
        peaks = inter_peaks(mixed.read(start - MARGIN, stop + MARGIN))[MARGIN:-MARGIN]
        steps = np.pad(peaks, (0, -len(peaks) % Limiter.STEP)).reshape(-1, Limiter.STEP)
        found.append(np.maximum.reduce(np.ascontiguousarray(steps.T)))
    return np.concatenate(found)


def _write(target: Path, sound: Iterable[Sound]) -> None:
    try:
        with wave.open(str(target), "wb") as file:
            file.setnchannels(2)
            file.setsampwidth(2)
            file.setframerate(RATE)
            for block in sound:
                file.writeframesraw(np.clip(np.rint(block * 32767), -32768, 32767).astype("<i2").tobytes())
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def _stretches(samples: int) -> Iterator[tuple[int, int]]:
    return ((start, min(samples, start + BLOCK)) for start in range(0, samples, BLOCK))


def _fades(start: int, stop: int, samples: int) -> NDArray[np.float32]:
    """The gain of the beds at the film's edges; in a short film the fades take a quarter of it at most."""
    length_in, length_out = (min(seconds * RATE, samples / 4) for seconds in (FADE_IN, FADE_OUT))
    at = np.arange(start, stop)
    level = np.clip(np.minimum(at / length_in, (samples - 1 - at) / length_out), 0, 1)
    return np.sin(np.pi / 2 * level).astype(np.float32)


def _merged(speeches: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Speeches with hardly a breath between them, as one."""
    merged: list[tuple[float, float]] = []
    for start, stop in sorted(speeches):
        if merged and start - merged[-1][1] < BREATH:
            merged[-1] = merged[-1][0], max(merged[-1][1], stop)
        else:
            merged.append((start, stop))
    return merged


def _to(wanted: float, level: float) -> float:
    """The gain that brings a sound to a loudness; silence stays silence."""
    return gain(min(wanted - level, LOUDEST_GAIN)) if level != SILENCE else 0.0


def _sample(frame: int, fps: int) -> int:
    return round(frame * RATE / fps)

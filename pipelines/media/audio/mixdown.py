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
from pipelines.media.audio.loudness import (
    PEAK_MARGIN,
    SILENCE,
    Limiter,
    LoudnessMeter,
    db_to_gain,
    measure_loudness,
    true_peaks,
)
from pipelines.media.audio.reader import SAMPLE_RATE, AudioSamples, AudioStream, clip_container, has_audio, read_blocks
from pipelines.media.timeline import Timeline
from pipelines.step_params import MixParams

BLOCK = 48_672
"""Samples at a time, about a second: with the margins around it (`PEAK_MARGIN`) 2¹⁴ × 3, which is fast to transform."""

SPEECH_LUFS, MUSIC_LUFS, NATIVE_LUFS = -20.0, -22.0, -26.0
"""LUFS at which speech, music and the clips' own sound meet, before the whole is brought to the loudness wished for."""
PEAK_CEILING = db_to_gain(-1.8)
"""Peaks are held below this: AAC moves them by some tenths of a decibel, and −1 dBTP must hold in the film too."""
MAX_GAIN_DB = 30.0
"""dB by which nothing is ever raised more: beyond it noise becomes the programme."""
ATTACK, RELEASE = 0.3, 0.7
"""Seconds in which the music sinks before speech begins, and rises after it has ended."""
MIN_DUCK_GAP = ATTACK + RELEASE + 0.2
"""Seconds of quiet between two speeches in which the music does not rise, so that it does not pump."""
FADE_IN, FADE_OUT = 0.5, 2.0
"""Seconds at the film's beginning and end in which everything but speech fades."""
EDGE_FADE = round(0.005 * SAMPLE_RATE)


def mixdown(params: MixParams, inputs: Mapping[str, Sequence[Path]], out: Path, report: Report) -> Path:
    """Mix the inputs (roles as in `pipelines.step_params.MixParams`) into `sound.wav` in the folder `out`, block by block."""
    timeline = Timeline.model_validate_json(inputs["timeline"][0].read_bytes())
    samples = round(timeline.seconds * SAMPLE_RATE)
    speeches = _place_speech(timeline, inputs.get("narrations", ()), report)
    duck = Ducker([(speech.start / SAMPLE_RATE, speech.stop / SAMPLE_RATE) for speech in speeches], params.ducking_db)
    beds = [
        *(_make_bed(path, "music", samples, report) for path in inputs.get("music", ())),
        *(_make_bed(path, "audio", samples, report) for path in inputs.get("audio", ())),
    ]
    natives = _place_native_audio(timeline, params.native_audio_scenes, inputs.get("clips", ()), report)
    report.progress(0.3, "measured")
    with tempfile.TemporaryDirectory(dir=out, prefix=".mix-") as scratch:
        mixed = RawAudioFile(Path(scratch, "mixed.f32"))
        meter, stopped = LoudnessMeter(), 0
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
class PlacedAudio:
    """A sound that is short enough to be held, at its place in the film. It is read when it is reached and then let go."""

    path: Path
    field: str
    container: str
    start: int
    stop: int
    gain: float
    fade_in: int = EDGE_FADE
    fade_out: int = EDGE_FADE
    _audio: AudioSamples | None = None

    def add(self, block: AudioSamples, start: int) -> None:
        begin, end = max(self.start, start), min(self.stop, start + len(block))
        if begin >= end:
            self._audio = None
            return
        if self._audio is None:
            self._audio = self._load()
        block[begin - start : end - start] += self._audio[begin - self.start : end - self.start]

    def _load(self) -> AudioSamples:
        sound = np.concatenate(list(read_blocks(self.path, self.field, self.container)))[: self.stop - self.start]
        shaped = np.zeros((self.stop - self.start, 2), np.float32)
        shaped[: len(sound)] = sound * np.float32(self.gain)
        for samples, edge in ((self.fade_in, shaped), (self.fade_out, shaped[: len(sound)][::-1])):
            ramp = min(samples, len(edge))
            edge[:ramp] *= np.sin(np.linspace(0, np.pi / 2, ramp, dtype=np.float32))[:, None]
        return shaped


@dataclass(slots=True)
class Bed:
    """A sound under the whole film, read from front to back."""

    track: AudioStream
    gain: float

    def read(self, samples: int) -> AudioSamples:
        sound: AudioSamples = self.track.read(samples) * np.float32(self.gain)
        return sound


class Ducker:
    """How the beds make room for speech: `depth_db` dB less while somebody speaks, in ramps that are over when speech begins."""

    def __init__(self, speeches: Sequence[tuple[float, float]], depth_db: float) -> None:
        self._depth_db = depth_db
        times, levels = [-1.0], [0.0]
        for start, stop in _merge_speeches(speeches):
            times += [max(start - ATTACK, times[-1]), start, stop, stop + RELEASE]
            levels += [0.0, 1.0, 1.0, 0.0]
        self._times, self._levels = np.array(times), np.array(levels)

    def curve(self, start: int, stop: int) -> NDArray[np.float32]:
        """The gain of the samples from `start` to `stop`."""
        level = np.interp(np.arange(start, stop) / SAMPLE_RATE, self._times, self._levels)
        soft = 0.5 - 0.5 * np.cos(np.pi * level)
        curve: NDArray[np.float32] = np.power(10.0, -self._depth_db / 20 * soft).astype(np.float32)
        return curve


class RawAudioFile:
    """Samples laid by on the disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("wb")
        self._length = 0

    def append(self, block: AudioSamples) -> None:
        self._file.write(np.ascontiguousarray(block, np.float32).tobytes())
        self._length += len(block)

    def close(self) -> None:
        self._file.close()

    def read(self, start: int, stop: int) -> AudioSamples:
        """The samples from `start` to `stop`, silence before the first and after the last."""
        first, last = max(start, 0), min(stop, self._length)
        found = np.fromfile(self._path, np.float32, 2 * (last - first), offset=8 * first).reshape(-1, 2)
        return np.pad(found, ((first - start, stop - last), (0, 0)))


def _place_speech(timeline: Timeline, files: Sequence[Path], report: Report) -> list[PlacedAudio]:
    """The narrations at their places, each brought to the same loudness. Raises BadInput."""
    places = [place for place in timeline.scenes if place.narration is not None]
    if len(places) != len(files):
        raise BadInput("narrations", f"{len(files)} files for {len(places)} narrated scenes")
    speeches = []
    for number, (place, file) in enumerate(zip(places, files, strict=True), 1):
        sound = np.concatenate(list(read_blocks(file, "narrations", "wav")))
        level = measure_loudness(sound)
        if level == SILENCE:
            report.warn(f"narration {number} is silent")
        start = round((place.narration or 0.0) * SAMPLE_RATE)
        speeches.append(PlacedAudio(file, "narrations", "wav", start, start + len(sound), _gain_to(SPEECH_LUFS, level)))
    return speeches


def _make_bed(path: Path, field: str, samples: int, report: Report) -> Bed:
    """Music or a sound that lies under the film, measured as far as the film goes."""
    container = "wav" if field == "music" else None
    meter, left = LoudnessMeter(), samples
    for block in read_blocks(path, field, container):
        meter.add(block[:left])
        left -= min(left, len(block))
        if not left:
            break
    level = meter.integrated()
    if level == SILENCE:
        report.warn(f"a file of {field} is silent")
    return Bed(AudioStream(read_blocks(path, field, container)), _gain_to(MUSIC_LUFS, level))


def _place_native_audio(
    timeline: Timeline, numbers: Sequence[int], clips: Sequence[Path], report: Report
) -> list[PlacedAudio]:
    """The sound of clips that bring their own, cross-faded over the frames that neighbours share."""
    if len(numbers) != len(clips):
        raise BadInput("clips", f"{len(clips)} files for {len(numbers)} scenes with sound of their own")
    natives = []
    for number, clip in zip(numbers, clips, strict=True):
        if not 1 <= number <= len(timeline.scenes):
            raise BadInput("native", f"there is no scene {number}")
        if not has_audio(clip):
            report.warn(f"the clip of scene {number} has no sound")
            continue
        place = timeline.scenes[number - 1]
        start, stop = (
            _frame_to_sample(frame, timeline.fps) for frame in (place.start, place.start + place.timing.frames)
        )
        container = clip_container(clip) or "mov"
        level = measure_loudness(np.concatenate(list(read_blocks(clip, "clips", container)))[: stop - start])
        head, tail = (max(EDGE_FADE, _frame_to_sample(n, timeline.fps)) for n in (place.timing.head, place.timing.tail))
        natives.append(PlacedAudio(clip, "clips", container, start, stop, _gain_to(NATIVE_LUFS, level), head, tail))
    return natives


def _master(
    mixed: RawAudioFile, samples: int, measured: float, target_lufs: float, target: Path, report: Report
) -> dict[str, float]:
    """Bring the mix to its loudness under the ceiling and write it. Returns what was measured and done."""
    if measured == SILENCE:
        _write(target, (mixed.read(start, stop) for start, stop in _block_ranges(samples)))
        report.warn("the film's sound is silent")
        return {}
    peaks = _peaks(mixed, samples)
    raised, reached = 0.0, measured
    limiter = Limiter(peaks, 1.0, PEAK_CEILING)
    for _ in range(5):
        raised = min(raised + target_lufs - reached, MAX_GAIN_DB)
        limiter = Limiter(peaks, db_to_gain(raised), PEAK_CEILING)
        meter = LoudnessMeter()
        for block in _limited(mixed, samples, limiter):
            meter.add(block)
        reached = meter.integrated()
        if abs(reached - target_lufs) < 0.1 or raised == MAX_GAIN_DB:
            break
    if abs(reached - target_lufs) > 0.5:
        report.warn(f"the sound reaches {reached:.1f} LUFS, not {target_lufs:.1f}: its peaks leave no more room")
    report.progress(0.9, "writing")
    _write(target, _limited(mixed, samples, limiter))
    return {
        "lufs": round(reached, 2),
        "raised_db": round(raised, 2),
        "limited_db": round(20 * math.log10(limiter.min_gain), 2),
    }


def _limited(mixed: RawAudioFile, samples: int, limiter: Limiter) -> Iterator[AudioSamples]:
    for start, stop in _block_ranges(samples):
        yield mixed.read(start, stop) * limiter.curve(start, stop)[:, None]


def _peaks(mixed: RawAudioFile, samples: int) -> NDArray[np.float32]:
    """The true peak of every step of the limiter."""
    found = []
    for start, stop in _block_ranges(samples):
        peaks = true_peaks(mixed.read(start - PEAK_MARGIN, stop + PEAK_MARGIN))[PEAK_MARGIN:-PEAK_MARGIN]
        steps = np.pad(peaks, (0, -len(peaks) % Limiter.STEP)).reshape(-1, Limiter.STEP)
        found.append(np.maximum.reduce(np.ascontiguousarray(steps.T)))
    return np.concatenate(found)


def _write(target: Path, audio: Iterable[AudioSamples]) -> None:
    try:
        with wave.open(str(target), "wb") as file:
            file.setnchannels(2)
            file.setsampwidth(2)
            file.setframerate(SAMPLE_RATE)
            for block in audio:
                file.writeframesraw(np.clip(np.rint(block * 32767), -32768, 32767).astype("<i2").tobytes())
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def _block_ranges(samples: int) -> Iterator[tuple[int, int]]:
    return ((start, min(samples, start + BLOCK)) for start in range(0, samples, BLOCK))


def _fades(start: int, stop: int, samples: int) -> NDArray[np.float32]:
    """The gain of the beds at the film's edges; in a short film the fades take a quarter of it at most."""
    length_in, length_out = (min(seconds * SAMPLE_RATE, samples / 4) for seconds in (FADE_IN, FADE_OUT))
    at = np.arange(start, stop)
    level = np.clip(np.minimum(at / length_in, (samples - 1 - at) / length_out), 0, 1)
    return np.sin(np.pi / 2 * level).astype(np.float32)


def _merge_speeches(speeches: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Speeches with hardly a breath between them, as one."""
    merged: list[tuple[float, float]] = []
    for start, stop in sorted(speeches):
        if merged and start - merged[-1][1] < MIN_DUCK_GAP:
            merged[-1] = merged[-1][0], max(merged[-1][1], stop)
        else:
            merged.append((start, stop))
    return merged


def _gain_to(target_lufs: float, level: float) -> float:
    """The gain that brings a sound to a loudness; silence stays silence."""
    return db_to_gain(min(target_lufs - level, MAX_GAIN_DB)) if level != SILENCE else 0.0


def _frame_to_sample(frame: int, fps: int) -> int:
    return round(frame * SAMPLE_RATE / fps)

"""Mixdown: speech at its times, music ducked under speech, native audio of clips, and mastering to a target loudness.

Audio is float32 of shape (samples, 2) at 48 kHz with full scale at ±1. Loudness follows EBU R 128.
"""

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
"""Samples per block, about a second. With `PEAK_MARGIN` on both sides they are 2¹⁴ × 3, a fast size for FFTs."""

SPEECH_LUFS, MUSIC_LUFS, NATIVE_LUFS = -20.0, -22.0, -26.0
"""Loudness of speech, music and native audio of clips in the mix, in LUFS, before mastering."""
PEAK_CEILING = db_to_gain(-1.8)
"""True peak limit of the mix. AAC raises peaks by some tenths of a decibel, and the film must stay below −1 dBTP."""
MAX_GAIN_DB = 30.0
"""Largest gain in dB; more would raise noise to the level of the programme."""
ATTACK, RELEASE = 0.3, 0.7
"""Seconds in which music fades down before speech and fades up after it."""
MIN_DUCK_GAP = ATTACK + RELEASE + 0.2
"""Shortest gap between speeches, in seconds, in which music fades up. Shorter ones would make it pump."""
FADE_IN, FADE_OUT = 0.5, 2.0
"""Seconds at the start and the end of the film in which all audio but speech fades."""
EDGE_FADE = round(0.005 * SAMPLE_RATE)
"""Samples in which placed audio fades in and out, against clicks."""


def mixdown(params: MixParams, inputs: Mapping[str, Sequence[Path]], out: Path, report: Report) -> Path:
    """Mix the inputs into `out/sound.wav`, block by block, and return its path.

    The roles of the inputs are those of `pipelines.step_params.MixParams`. Raises BadInput, with the role of the input,
    when a file cannot be used.
    """
    timeline = Timeline.model_validate_json(inputs["timeline"][0].read_bytes())
    samples = round(timeline.seconds * SAMPLE_RATE)
    speeches = _place_speech(timeline, inputs.get("narrations", ()), report)
    ducker = Ducker([(speech.start / SAMPLE_RATE, speech.stop / SAMPLE_RATE) for speech in speeches], params.ducking_db)
    beds = [
        *(_make_bed(path, "music", samples, report) for path in inputs.get("music", ())),
        *(_make_bed(path, "audio", samples, report) for path in inputs.get("audio", ())),
    ]
    natives = _place_native_audio(timeline, params.native_audio_scenes, inputs.get("clips", ()), report)
    report.progress(0.3, "loudness of the inputs measured")
    with tempfile.TemporaryDirectory(dir=out, prefix=".mix-") as scratch:
        mixed = RawAudioFile(Path(scratch, "mixed.f32"))
        meter = LoudnessMeter()
        for start, stop in _block_ranges(samples):
            block = np.zeros((stop - start, 2), np.float32)
            for bed in beds:
                block += bed.read(len(block))
            for native in natives:
                native.add(block, start)
            block *= (ducker.curve(start, stop) * _fades(start, stop, samples))[:, None]
            for speech in speeches:
                speech.add(block, start)
            mixed.append(block)
            meter.add(block)
            report.progress(0.3 + 0.3 * stop / samples)
        mixed.close()
        target = out / "sound.wav"
        measurements = _master(mixed, samples, meter.integrated(), params.loudness, target, report)
    report.record(**measurements, speeches=len(speeches), beds=len(beds), natives=len(natives))
    return target


@dataclass(slots=True)
class PlacedAudio:
    """A short audio file at samples `start` to before `stop` of the film, with fades in samples.

    The file is in memory only while blocks overlap it.
    """

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
        """Add the audio to a block that starts at sample `start` of the film."""
        begin, end = max(self.start, start), min(self.stop, start + len(block))
        if begin >= end:
            self._audio = None
            return
        if self._audio is None:
            self._audio = self._load()
        block[begin - start : end - start] += self._audio[begin - self.start : end - self.start]

    def _load(self) -> AudioSamples:
        audio = np.concatenate(list(read_blocks(self.path, self.field, self.container)))[: self.stop - self.start]
        faded = np.zeros((self.stop - self.start, 2), np.float32)
        faded[: len(audio)] = audio * np.float32(self.gain)
        for samples, edge in ((self.fade_in, faded), (self.fade_out, faded[: len(audio)][::-1])):
            ramp = min(samples, len(edge))
            edge[:ramp] *= np.sin(np.linspace(0, np.pi / 2, ramp, dtype=np.float32))[:, None]
        return faded


@dataclass(slots=True)
class Bed:
    """Audio under the whole film, read sequentially."""

    track: AudioStream
    gain: float

    def read(self, samples: int) -> AudioSamples:
        """Return the next `samples` samples; silence after the end of the file."""
        audio: AudioSamples = self.track.read(samples) * np.float32(self.gain)
        return audio


class Ducker:
    """Lower gain of music and native audio during speech, with smooth ramps around it.

    `speeches`: (start, end) of each speech in seconds. `depth_db`: attenuation in dB.
    """

    def __init__(self, speeches: Sequence[tuple[float, float]], depth_db: float) -> None:
        self._depth_db = depth_db
        times, levels = [-1.0], [0.0]
        for start, stop in _merge_speeches(speeches):
            times += [max(start - ATTACK, times[-1]), start, stop, stop + RELEASE]
            levels += [0.0, 1.0, 1.0, 0.0]
        self._times, self._levels = np.array(times), np.array(levels)

    def curve(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return the gain of samples `start` to before `stop`, float32 of shape (stop - start,)."""
        level = np.interp(np.arange(start, stop) / SAMPLE_RATE, self._times, self._levels)
        smooth = 0.5 - 0.5 * np.cos(np.pi * level)
        curve: NDArray[np.float32] = np.power(10.0, -self._depth_db / 20 * smooth).astype(np.float32)
        return curve


class RawAudioFile:
    """A temporary file of raw float32 stereo samples."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("wb")
        self._length = 0

    def append(self, block: AudioSamples) -> None:
        """Write a block at the end of the file."""
        self._file.write(np.ascontiguousarray(block, np.float32).tobytes())
        self._length += len(block)

    def close(self) -> None:
        """Finish writing. The file can be read afterwards."""
        self._file.close()

    def read(self, start: int, stop: int) -> AudioSamples:
        """Return samples `start` to before `stop`; silence before the first sample and after the last one."""
        first, last = max(start, 0), min(stop, self._length)
        stored = np.fromfile(self._path, np.float32, 2 * (last - first), offset=8 * first).reshape(-1, 2)
        return np.pad(stored, ((first - start, stop - last), (0, 0)))


def _place_speech(timeline: Timeline, files: Sequence[Path], report: Report) -> list[PlacedAudio]:
    """Return the narrations at their times, all with the same loudness. Raises BadInput."""
    narrated = [scene for scene in timeline.scenes if scene.narration is not None]
    if len(narrated) != len(files):
        raise BadInput("narrations", f"{len(narrated)} scenes are narrated, but {len(files)} files were given.")
    speeches = []
    for number, (scene, file) in enumerate(zip(narrated, files, strict=True), 1):
        audio = np.concatenate(list(read_blocks(file, "narrations", "wav")))
        level = measure_loudness(audio)
        if level == SILENCE:
            report.warn(f"narration {number} is silent")
        start = round((scene.narration or 0.0) * SAMPLE_RATE)
        speeches.append(PlacedAudio(file, "narrations", "wav", start, start + len(audio), _gain_to(SPEECH_LUFS, level)))
    return speeches


def _make_bed(path: Path, field: str, samples: int, report: Report) -> Bed:
    """Return music or other audio under the whole film. The gain depends on its first `samples` samples."""
    container = "wav" if field == "music" else None
    meter, remaining = LoudnessMeter(), samples
    for block in read_blocks(path, field, container):
        meter.add(block[:remaining])
        remaining -= min(remaining, len(block))
        if not remaining:
            break
    level = meter.integrated()
    if level == SILENCE:
        report.warn(f"a file of `{field}` is silent")
    return Bed(AudioStream(read_blocks(path, field, container)), _gain_to(MUSIC_LUFS, level))


def _place_native_audio(
    timeline: Timeline, numbers: Sequence[int], clips: Sequence[Path], report: Report
) -> list[PlacedAudio]:
    """Return the native audio of clips, with cross-fades over the frames of transitions. Raises BadInput."""
    if len(numbers) != len(clips):
        raise BadInput("clips", f"{len(numbers)} scenes have native audio, but {len(clips)} files were given.")
    natives = []
    for number, clip in zip(numbers, clips, strict=True):
        if not 1 <= number <= len(timeline.scenes):
            raise BadInput("native_audio_scenes", f"the film has no scene {number}.")
        if not has_audio(clip):
            report.warn(f"the clip of scene {number} has no audio")
            continue
        scene, timing = timeline.scenes[number - 1], timeline.scenes[number - 1].timing
        start, stop = (_frame_to_sample(frame, timeline.fps) for frame in (scene.start, scene.start + timing.frames))
        container = clip_container(clip)
        level = measure_loudness(np.concatenate(list(read_blocks(clip, "clips", container)))[: stop - start])
        head, tail = (max(EDGE_FADE, _frame_to_sample(frames, timeline.fps)) for frames in (timing.head, timing.tail))
        natives.append(PlacedAudio(clip, "clips", container, start, stop, _gain_to(NATIVE_LUFS, level), head, tail))
    return natives


def _master(
    mixed: RawAudioFile, samples: int, measured: float, target_lufs: float, target: Path, report: Report
) -> dict[str, float]:
    """Write the mix with the target loudness, limited to `PEAK_CEILING`. Return the measurements for the record.

    The gain is found by iteration, since the limiter lowers the loudness.
    """
    if measured == SILENCE:
        _write(target, (mixed.read(start, stop) for start, stop in _block_ranges(samples)))
        report.warn("the audio of the film is silent")
        return {}
    peaks = _peaks(mixed, samples)
    gain_db, loudness = 0.0, measured
    limiter = Limiter(peaks, 1.0, PEAK_CEILING)
    for _ in range(5):
        gain_db = min(gain_db + target_lufs - loudness, MAX_GAIN_DB)
        limiter = Limiter(peaks, db_to_gain(gain_db), PEAK_CEILING)
        meter = LoudnessMeter()
        for block in _limited_blocks(mixed, samples, limiter):
            meter.add(block)
        loudness = meter.integrated()
        if abs(loudness - target_lufs) < 0.1 or gain_db == MAX_GAIN_DB:
            break
    if abs(loudness - target_lufs) > 0.5:
        report.warn(f"the audio has {loudness:.1f} LUFS, not {target_lufs:.1f}: the peak limit prevents more gain")
    report.progress(0.9, "writing the mix")
    _write(target, _limited_blocks(mixed, samples, limiter))
    return {
        "lufs": round(loudness, 2),
        "raised_db": round(gain_db, 2),
        "limited_db": round(20 * math.log10(limiter.min_gain), 2),
    }


def _limited_blocks(mixed: RawAudioFile, samples: int, limiter: Limiter) -> Iterator[AudioSamples]:
    for start, stop in _block_ranges(samples):
        yield mixed.read(start, stop) * limiter.curve(start, stop)[:, None]


def _peaks(mixed: RawAudioFile, samples: int) -> NDArray[np.float32]:
    """Return the true peak of every step of the limiter, float32 of shape (steps,)."""
    block_peaks = []
    for start, stop in _block_ranges(samples):
        peaks = true_peaks(mixed.read(start - PEAK_MARGIN, stop + PEAK_MARGIN))[PEAK_MARGIN:-PEAK_MARGIN]
        steps = np.pad(peaks, (0, -len(peaks) % Limiter.STEP)).reshape(-1, Limiter.STEP)
        block_peaks.append(np.maximum.reduce(np.ascontiguousarray(steps.T)))
    return np.concatenate(block_peaks)


def _write(target: Path, audio: Iterable[AudioSamples]) -> None:
    """Write blocks as a 16-bit WAV file. A failure leaves no file."""
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
    """Return (start, stop) of each block."""
    return ((start, min(samples, start + BLOCK)) for start in range(0, samples, BLOCK))


def _fades(start: int, stop: int, samples: int) -> NDArray[np.float32]:
    """Return the gain of the fades at both ends of the film; each takes at most a quarter of a short film."""
    length_in, length_out = (min(seconds * SAMPLE_RATE, samples / 4) for seconds in (FADE_IN, FADE_OUT))
    index = np.arange(start, stop)
    level = np.clip(np.minimum(index / length_in, (samples - 1 - index) / length_out), 0, 1)
    return np.sin(np.pi / 2 * level).astype(np.float32)


def _merge_speeches(speeches: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the speeches in order, merged where the gap between two is shorter than `MIN_DUCK_GAP`."""
    merged: list[tuple[float, float]] = []
    for start, stop in sorted(speeches):
        if merged and start - merged[-1][1] < MIN_DUCK_GAP:
            merged[-1] = merged[-1][0], max(merged[-1][1], stop)
        else:
            merged.append((start, stop))
    return merged


def _gain_to(target_lufs: float, level: float) -> float:
    """Return the factor from loudness `level` to `target_lufs`, limited to `MAX_GAIN_DB`; 0 for silence."""
    return db_to_gain(min(target_lufs - level, MAX_GAIN_DB)) if level != SILENCE else 0.0


def _frame_to_sample(frame: int, fps: int) -> int:
    """Return the index of the sample at the start of a frame."""
    return round(frame * SAMPLE_RATE / fps)

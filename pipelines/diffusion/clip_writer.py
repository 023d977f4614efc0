"""Windows of frames, one after the other, into the file of a clip."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipelines.base import BadInput
from pipelines.diffusion.windows import WindowPlan, WindowSpec
from pipelines.media.audio.reader import SAMPLE_RATE, AudioSamples
from pipelines.media.codec.encoder import BT709, LIMITED_RANGE, x264_options
from pipelines.media.codec.encoding_options import EncodingOptions
from pipelines.media.codec.yuv import rgb_to_planes

Frames = NDArray[np.uint8]
"""(count, height, width, 3), RGB."""

INTERMEDIATE_ENCODING = EncodingOptions("veryfast", 10.0)
"""Nearly without loss: the clip is decoded and coded again when it becomes a part of the film."""
MAX_COLOUR_SHIFT = 8.0
"""Steps of 255 by which a picture may change its colours between going into a model and coming out; more is no mistake."""
BITRATE = 256_000
"""Bits a second of the sound, for the same reason."""


class GeneratedWindow(NamedTuple):
    """What a model made at one go. `sound` is as long as the frames are shown, at the rate that `write_clip` was told."""

    frames: Frames
    audio: AudioSamples | None = None


WindowGenerator = Callable[[WindowSpec, Image.Image], GeneratedWindow]
"""Makes the frames of a part from its first picture, which is the first of them; BadInput when it cannot."""


def write_clip(
    plan: WindowPlan,
    first_frame: Image.Image,
    generate: WindowGenerator,
    out: Path,
    *,
    audio_sample_rate: int | None = None,
) -> Path:
    """Write `clip.mp4` into `out`: `shot.frames` frames of the size of `first`. `sound_rate`: samples a second of the sound
    that `make` gives; None: it gives none."""
    path = out / "clip.mp4"
    with ClipWriter(path, first_frame.size, plan.frame_rate, audio_sample_rate) as file:
        left = plan.frames
        for made in _display_order(plan, first_frame, generate, audio_sample_rate):
            frames = made.frames[:left]
            file.write(frames, made.audio)
            left -= len(frames)
    if left:
        raise RuntimeError(f"{left} frames of a clip were not made")
    return path


def as_frames(video: Any) -> Frames:
    """What pipelines of diffusers give for one clip under `output_type="np"` (count, height, width, 3; 0…1) or "pt" (count, 3, height,
    width; 0…1) → frames."""
    if hasattr(video, "detach"):
        video = video.detach().float().permute(0, 2, 3, 1).cpu().numpy()
    frames: NDArray[Any] = np.asarray(video)
    if frames.dtype == np.uint8:
        return np.asarray(frames, np.uint8)
    # What is not a number comes from weights or precision that cannot be trusted: a black clip would hide it.
    if not np.isfinite(frames).all():
        raise BadInput("options.dtype", "the model's numbers overflow.", "Use bfloat16 or float32.")
    return np.asarray(np.rint(np.clip(frames, 0, 1) * 255), np.uint8)


def colour_shift(given: Frames, generated: Frames) -> NDArray[np.float64]:
    """How much redder, greener and bluer a given picture (height, width, 3) is as a whole than what a model made of it, in steps of 255,
    at most `DRIFT`. Seen where the two meet as a flash, and at the end of many windows as another light."""
    return np.asarray(
        np.clip(given.mean((0, 1)) - generated.mean((0, 1)), -MAX_COLOUR_SHIFT, MAX_COLOUR_SHIFT), np.float64
    )


def shift_colours(frames: Frames, shift: NDArray[np.float64]) -> Frames:
    """The frames with so much more red, green and blue."""
    levels = np.clip(np.arange(256)[:, None] + np.rint(shift), 0, 255).astype(np.uint8)
    return np.stack([levels[frames[..., colour], colour] for colour in range(3)], -1)


def stretch_audio(window: GeneratedWindow, factor: Fraction) -> GeneratedWindow:
    """The same with sound that takes `times` as long, for frames that are shown a little slower or faster than they were made for."""
    if window.audio is None or factor == 1:
        return window
    count = len(window.audio)
    at = np.linspace(0, count - 1, round(count * factor))
    channels = [np.interp(at, np.arange(count), channel) for channel in window.audio.T]
    return GeneratedWindow(window.frames, np.asarray(np.stack(channels, axis=1), np.float32))


def _display_order(
    plan: WindowPlan, first_frame: Image.Image, generate: WindowGenerator, audio_sample_rate: int | None
) -> Iterator[GeneratedWindow]:
    """The frames in the order in which they are shown, none twice in a row."""
    motion = _join_windows(_generate_windows(plan, first_frame, generate), plan, audio_sample_rate)
    if plan.loop == 1:
        yield from motion
        return
    windows = list(motion)
    frames = np.concatenate([made.frames for made in windows])[: plan.motion_frames + 1]
    sounds = [made.audio for made in windows if made.audio is not None]
    sound = np.concatenate(sounds) if sounds else None
    legs = (frames if plan.is_closed_loop or leg % 2 == 0 else frames[::-1] for leg in range(plan.loop))
    yield from _join_windows((GeneratedWindow(leg, sound) for leg in legs), plan, audio_sample_rate)


def _generate_windows(
    plan: WindowPlan, first_frame: Image.Image, generate: WindowGenerator
) -> Iterator[GeneratedWindow]:
    """What is made of each part; the first frame of each but the first is the last of the one before."""
    picture = first_frame
    for part in plan.windows:
        frames, sound = generate(part, picture)
        if frames.shape != (part.frames, first_frame.height, first_frame.width, 3):
            raise RuntimeError(
                f"frames of {frames.shape} were made, not {part.frames} of {first_frame.width}×{first_frame.height}"
            )
        if part.number:
            frames = shift_colours(frames, colour_shift(np.asarray(picture), frames[0]))
        picture = Image.fromarray(frames[-1])
        yield GeneratedWindow(frames, sound)


def _join_windows(
    windows: Iterable[GeneratedWindow], plan: WindowPlan, audio_sample_rate: int | None
) -> Iterator[GeneratedWindow]:
    """Pieces whose neighbours share a frame, each but the first without it. There the sounds of both are heard, one fading into the
    other."""
    waiting: GeneratedWindow | None = None
    for frames, sound in windows:
        if waiting is None:
            waiting = GeneratedWindow(frames, sound)
            continue
        heard = waiting.audio
        if heard is not None and sound is not None and audio_sample_rate is not None:
            until = round(len(waiting.frames) * audio_sample_rate / plan.frame_rate)
            heard, sound = _crossfade_audio(heard, sound, until, round(audio_sample_rate / plan.frame_rate))
        yield GeneratedWindow(waiting.frames, heard)
        waiting = GeneratedWindow(frames[1:], sound)
    if waiting is not None:
        yield waiting


def _crossfade_audio(
    before: AudioSamples, after: AudioSamples, until: int, shared: int
) -> tuple[AudioSamples, AudioSamples]:
    """`before` with exactly `until` samples, the last `shared` of which fade into the first of `after`, and the rest of that. A sound that
    ends early has faded by then."""
    joined = np.zeros((until, 2), np.float32)
    joined[: len(before)] = before[:until]
    start, begin = until - shared, after[:shared]
    gone = np.ones((len(begin), 1), np.float32)
    fading = max(0, min(len(before) - start, len(begin)))
    gone[:fading, 0] = np.linspace(0, 1, fading, dtype=np.float32)
    join = joined[start : start + len(begin)]
    join[:] = np.sqrt(1 - gone) * join + np.sqrt(gone) * begin
    return joined, after[shared:]


class ClipWriter:
    """An H.264 clip in mp4: bt709, limited range, 4:2:0, square pixels; with sound as AAC, 48 kHz, stereo. The same frames give the
    same bytes."""

    def __init__(self, path: Path, size: tuple[int, int], rate: Fraction, audio_sample_rate: int | None = None) -> None:
        self._container = av.open(str(path), "w", format="mp4", options={"fflags": "+bitexact"})
        self._video_stream = self._container.add_stream(
            "libx264", rate=rate, options=x264_options(INTERMEDIATE_ENCODING)
        )
        context = self._video_stream.codec_context
        context.width, context.height = size
        context.pix_fmt = "yuv420p"
        context.color_primaries = context.color_trc = context.colorspace = BT709
        context.color_range = LIMITED_RANGE
        context.sample_aspect_ratio = 1
        context.thread_count = 1
        self._rate, self._frames = rate, 0
        self._track: _AudioTrack | None = (
            None if audio_sample_rate is None else _AudioTrack(self._container, audio_sample_rate)
        )

    def write(self, frames: Frames, audio: AudioSamples | None = None) -> None:
        """Append frames, and the sound that is heard with them: cut or filled with silence to their length."""
        for rgb in frames:
            frame = av.VideoFrame.from_ndarray(rgb_to_planes(np.ascontiguousarray(rgb)), "yuv420p")
            frame.color_range, frame.colorspace = LIMITED_RANGE, BT709
            frame.pts, frame.time_base = self._frames, 1 / self._rate
            self._container.mux(self._video_stream.encode(frame))
            self._frames += 1
        if self._track is not None:
            self._track.write(audio, self._frames / self._rate)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._container.mux(self._video_stream.encode(None))
            if self._track is not None:
                self._track.close()
        self._container.close()


class _AudioTrack:
    """The sound of a clip."""

    def __init__(self, container: Any, rate: int) -> None:
        self._container, self._rate, self._written = container, rate, 0
        self._stream = container.add_stream("aac", rate=SAMPLE_RATE, options={"flags": "+bitexact"})
        self._stream.layout, self._stream.bit_rate = "stereo", BITRATE
        self._resampler = av.AudioResampler(format="fltp", layout="stereo", rate=SAMPLE_RATE, frame_size=1024)

    def write(self, audio: AudioSamples | None, until: Fraction) -> None:
        """Append the sound up to the second `until` of the clip."""
        samples = round(until * self._rate) - self._written
        heard = np.zeros((samples, 2), np.float32)
        if audio is not None:
            heard[: len(audio)] = audio[:samples]
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(heard.reshape(1, -1)), "flt", "stereo")
        frame.sample_rate, frame.pts, frame.time_base = self._rate, self._written, Fraction(1, self._rate)
        self._written += samples
        self._encode(frame)

    def close(self) -> None:
        """Append what still waits."""
        self._encode(None)
        self._container.mux(self._stream.encode(None))

    def _encode(self, frame: Any) -> None:
        for even in self._resampler.resample(frame):
            self._container.mux(self._stream.encode(even))

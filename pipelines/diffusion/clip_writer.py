"""Write generated windows of frames as one clip file."""

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
"""uint8 array of shape (count, height, width, 3), RGB."""

INTERMEDIATE_ENCODING = EncodingOptions("veryfast", 10.0)
"""CRF of clips. Visually lossless: a clip is encoded again as a segment of the film."""
MAX_COLOUR_SHIFT = 8.0
"""Largest correction of a colour shift between a model's input and output, in 8-bit steps. A larger shift is content."""
BITRATE = 256_000
"""AAC bit rate of clips in bit/s."""


class GeneratedWindow(NamedTuple):
    """The output of one model call. `audio` is as long as the frames, at the sample rate given to `write_clip`."""

    frames: Frames
    audio: AudioSamples | None = None


WindowGenerator = Callable[[WindowSpec, Image.Image], GeneratedWindow]
"""Generates the frames of a window from its first frame, which is repeated as output 0. Raises BadInput."""


def write_clip(
    plan: WindowPlan,
    first_frame: Image.Image,
    generate: WindowGenerator,
    out: Path,
    *,
    audio_sample_rate: int | None = None,
) -> Path:
    """Write `clip.mp4` into `out`: `shot.frames` frames of the size of `first`. `sound_rate`: samples a second of the
    sound that `make` gives; None: it gives none."""
    path = out / "clip.mp4"
    with ClipWriter(path, first_frame.size, plan.frame_rate, audio_sample_rate) as file:
        left = plan.frames
        for made in _display_order(plan, first_frame, generate, audio_sample_rate):
            frames = made.frames[:left]
            file.write(frames, made.audio)
            left -= len(frames)
    if left:
        raise RuntimeError(f"{left} frames of a clip are missing")
    return path


def as_frames(video: Any) -> Frames:
    """Convert the output of a diffusers video pipeline to uint8 frames of shape (count, height, width, 3).

    Accepts float arrays in 0…1: (count, height, width, 3) of `output_type="np"` or (count, 3, height, width) of "pt".
    Raises BadInput for NaN.
    """
    if hasattr(video, "detach"):
        video = video.detach().float().permute(0, 2, 3, 1).cpu().numpy()
    frames: NDArray[Any] = np.asarray(video)
    if frames.dtype == np.uint8:
        return np.asarray(frames, np.uint8)
    # NaN means corrupt weights or overflow; a black clip would hide it.
    if not np.isfinite(frames).all():
        raise BadInput("options.dtype", "the output of the model contains NaN.", "Set `dtype` to bfloat16 or float32.")
    return np.asarray(np.rint(np.clip(frames, 0, 1) * 255), np.uint8)


def colour_shift(given: Frames, generated: Frames) -> NDArray[np.float64]:
    """Return the mean colour difference, shape (3,), of an input image (height, width, 3) and the model's version of
    it.

    In 8-bit steps, clipped to the limit above. Uncorrected it shows as a flash at window borders and as drift over many
    windows.
    """
    return np.asarray(
        np.clip(given.mean((0, 1)) - generated.mean((0, 1)), -MAX_COLOUR_SHIFT, MAX_COLOUR_SHIFT), np.float64
    )


def shift_colours(frames: Frames, shift: NDArray[np.float64]) -> Frames:
    """Return the frames with the colour offset added."""
    levels = np.clip(np.arange(256)[:, None] + np.rint(shift), 0, 255).astype(np.uint8)
    return np.stack([levels[frames[..., colour], colour] for colour in range(3)], -1)


def stretch_audio(window: GeneratedWindow, factor: Fraction) -> GeneratedWindow:
    """Return the window with its audio resampled to `times` its length, for frames shown at another rate."""
    if window.audio is None or factor == 1:
        return window
    count = len(window.audio)
    at = np.linspace(0, count - 1, round(count * factor))
    channels = [np.interp(at, np.arange(count), channel) for channel in window.audio.T]
    return GeneratedWindow(window.frames, np.asarray(np.stack(channels, axis=1), np.float32))


def _display_order(
    plan: WindowPlan, first_frame: Image.Image, generate: WindowGenerator, audio_sample_rate: int | None
) -> Iterator[GeneratedWindow]:
    """Yield the frames in display order without repeating border frames."""
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
    """Yield the generated windows. Each window starts with the last frame of the previous one."""
    picture = first_frame
    for part in plan.windows:
        frames, sound = generate(part, picture)
        if frames.shape != (part.frames, first_frame.height, first_frame.width, 3):
            raise RuntimeError(
                f"the model returned frames of shape {frames.shape}, expected {part.frames} of {first_frame.width}×{first_frame.height}"
            )
        if part.number:
            frames = shift_colours(frames, colour_shift(np.asarray(picture), frames[0]))
        picture = Image.fromarray(frames[-1])
        yield GeneratedWindow(frames, sound)


def _join_windows(
    windows: Iterable[GeneratedWindow], plan: WindowPlan, audio_sample_rate: int | None
) -> Iterator[GeneratedWindow]:
    """Join windows at their shared frame and cross-fade their audio there."""
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
    """Return `before` with exactly `until` samples, the last `shared` of which fade into `after`, and the rest of
    `after`.

    Arrays have the shape (channels, samples). Audio that ends early is padded with silence.
    """
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
    """Encoder of an H.264 mp4: BT.709, limited range, 4:2:0, square pixels; AAC at 48 kHz stereo. Deterministic."""

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
        """Append frames and their audio, cut or padded with silence to the length of the frames."""
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
    """Encoder of the audio track."""

    def __init__(self, container: Any, rate: int) -> None:
        self._container, self._rate, self._written = container, rate, 0
        self._stream = container.add_stream("aac", rate=SAMPLE_RATE, options={"flags": "+bitexact"})
        self._stream.layout, self._stream.bit_rate = "stereo", BITRATE
        self._resampler = av.AudioResampler(format="fltp", layout="stereo", rate=SAMPLE_RATE, frame_size=1024)

    def write(self, audio: AudioSamples | None, until: Fraction) -> None:
        """Append audio up to `until` seconds of the clip."""
        samples = round(until * self._rate) - self._written
        heard = np.zeros((samples, 2), np.float32)
        if audio is not None:
            heard[: len(audio)] = audio[:samples]
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(heard.reshape(1, -1)), "flt", "stereo")
        frame.sample_rate, frame.pts, frame.time_base = self._rate, self._written, Fraction(1, self._rate)
        self._written += samples
        self._encode(frame)

    def close(self) -> None:
        """Flush the encoder."""
        self._encode(None)
        self._container.mux(self._stream.encode(None))

    def _encode(self, frame: Any) -> None:
        for even in self._resampler.resample(frame):
            self._container.mux(self._stream.encode(even))

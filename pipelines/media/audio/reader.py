"""Reading of audio files of any rate as 48 kHz stereo, in blocks, so that memory does not grow with the file."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from pipelines.base import BadInput

AudioSamples = NDArray[np.float32]
"""Float32 of shape (samples, 2), full scale at ±1."""

SAMPLE_RATE = 48_000


def read_blocks(path: Path, field: str, container: str | None = None) -> Iterator[AudioSamples]:
    """Yield the audio of a file in blocks at 48 kHz in stereo.

    `container`: ffmpeg's name of the format; without it the magic bytes decide, never the file name. Raises BadInput
    for `field` when the file has no readable audio, no samples, or samples that are not finite.
    """
    container = container or _detect_container(path, field)
    samples = 0
    try:
        with av.open(str(path), format=container, options=_open_options(container)) as file:
            if not file.streams.audio:
                raise BadInput(field, "a file has no audio stream.")
            resampler = av.AudioResampler(format="flt", layout="stereo", rate=SAMPLE_RATE)
            for frame in chain(file.decode(file.streams.audio[0]), (None,)):
                for resampled in resampler.resample(frame):
                    block: AudioSamples = resampled.to_ndarray().reshape(-1, 2)
                    if not np.isfinite(block).all():
                        raise BadInput(field, "a file has samples that are not finite numbers.")
                    samples += len(block)
                    yield block
    except FFmpegError:
        raise BadInput(field, "a file is not readable audio.", _HINT) from None
    if not samples:
        raise BadInput(field, "a file has no samples.", _HINT)


def _open_options(container: str) -> dict[str, str]:
    """Return the options for opening a file. The header of a WAV file is complete, so that 4 KB of probing suffice."""
    return {"protocol_whitelist": "file"} | ({"probesize": "4096"} if container == "wav" else {})


def has_audio(path: Path) -> bool:
    """Return whether a clip has an audio stream. Raises BadInput when the file is not a readable video."""
    try:
        with av.open(str(path), format=clip_container(path), options={"protocol_whitelist": "file"}) as file:
            return bool(file.streams.audio)
    except FFmpegError:
        raise BadInput("clips", "a clip is not a readable video.") from None


def clip_container(path: Path) -> str:
    """Return ffmpeg's name of a video format by the magic bytes. Raises BadInput for an unknown format."""
    with path.open("rb") as file:
        head = file.read(12)
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
        return "mov"
    if head.startswith(b"RIFF") and head[8:] == b"AVI ":
        return "avi"
    for signature, container in ((b"\x1aE\xdf\xa3", "matroska"), (b"GIF8", "gif")):
        if head.startswith(signature):
            return container
    raise BadInput("clips", "a clip is not a readable video.")


class AudioStream:
    """Sequential reader of blocks in other lengths, with silence after the end."""

    def __init__(self, source: Iterator[AudioSamples]) -> None:
        self._source = source
        self._buffer: list[AudioSamples] = []

    def read(self, samples: int) -> AudioSamples:
        """Return the next `samples` samples."""
        buffered = sum(map(len, self._buffer))
        while buffered < samples:
            block = next(self._source, None)
            if block is None:
                self._buffer.append(np.zeros((samples - buffered, 2), np.float32))
                break
            self._buffer.append(block)
            buffered += len(block)
        audio = np.concatenate(self._buffer) if self._buffer else np.zeros((samples, 2), np.float32)
        self._buffer = [audio[samples:]]
        return audio[:samples]


_HINT = "Supported formats: WAV, FLAC, MP3, OGG, MP4 and WebM."
_SIGNATURES = {
    b"RIFF": "wav",
    b"RF64": "wav",
    b"fLaC": "flac",
    b"OggS": "ogg",
    b"ID3": "mp3",
    b"\x1aE\xdf\xa3": "matroska",
}


def _detect_container(path: Path, field: str) -> str:
    """Return ffmpeg's name of an audio format by the magic bytes. Raises BadInput for `field` when it is unknown."""
    with path.open("rb") as file:
        head = file.read(12)
    if head[4:8] == b"ftyp":
        return "mov"
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
        return "aac" if head[1] & 0xF6 == 0xF0 else "mp3"
    for signature, container in _SIGNATURES.items():
        if head.startswith(signature):
            return container
    raise BadInput(field, "a file has an unknown audio format.", _HINT)

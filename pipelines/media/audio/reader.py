"""Sound files of any rate → 48 kHz stereo, in blocks, so that memory does not grow with their length."""

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
"""Samples × 2 channels, full scale at ±1."""

SAMPLE_RATE = 48_000


def read_blocks(path: Path, field: str, container: str | None = None) -> Iterator[AudioSamples]:
    """The sound of a file from its first sample on, at 48 kHz in stereo.

    `container` is the format as ffmpeg calls it; without one it is told from the first bytes, never from the name.
    Raises BadInput, naming `field`, when the file is no sound, is empty, or holds what is not a number.
    """
    container = container or _detect_container(path, field)
    found = 0
    try:
        with av.open(str(path), format=container, options=_open_options(container)) as file:
            if not file.streams.audio:
                raise BadInput(field, "a file has no sound in it")
            resampler = av.AudioResampler(format="flt", layout="stereo", rate=SAMPLE_RATE)
            for frame in chain(file.decode(file.streams.audio[0]), (None,)):
                for even in resampler.resample(frame):
                    block: AudioSamples = even.to_ndarray().reshape(-1, 2)
                    if not np.isfinite(block).all():
                        raise BadInput(field, "a file holds samples that are not numbers")
                    found += len(block)
                    yield block
    except FFmpegError:
        raise BadInput(field, "a file cannot be read as sound", _HINT) from None
    if not found:
        raise BadInput(field, "a file has no samples", _HINT)


def _open_options(container: str) -> dict[str, str]:
    """What a WAV file is stands in its header: ffmpeg need not read megabytes of it to find out."""
    return {"protocol_whitelist": "file"} | ({"probesize": "4096"} if container == "wav" else {})


def has_audio(path: Path) -> bool:
    """Whether a clip brings sound of its own. Raises BadInput when it is no clip."""
    try:
        with av.open(str(path), format=clip_container(path), options={"protocol_whitelist": "file"}) as file:
            return bool(file.streams.audio)
    except FFmpegError:
        raise BadInput("clips", "a clip cannot be read as video") from None


def clip_container(path: Path) -> str:
    """The format of a video by its first bytes, as ffmpeg calls it. Raises BadInput for all else."""
    with path.open("rb") as file:
        head = file.read(12)
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
        return "mov"
    if head.startswith(b"RIFF") and head[8:] == b"AVI ":
        return "avi"
    for signature, container in ((b"\x1aE\xdf\xa3", "matroska"), (b"GIF8", "gif")):
        if head.startswith(signature):
            return container
    raise BadInput("clips", "a clip cannot be read as video")


class AudioStream:
    """A file's sound read from front to back in stretches of any length; after its end there is silence."""

    def __init__(self, source: Iterator[AudioSamples]) -> None:
        self._source = source
        self._waiting: list[AudioSamples] = []

    def read(self, samples: int) -> AudioSamples:
        """The next `samples` samples."""
        have = sum(map(len, self._waiting))
        while have < samples:
            block = next(self._source, None)
            if block is None:
                self._waiting.append(np.zeros((samples - have, 2), np.float32))
                break
            self._waiting.append(block)
            have += len(block)
        whole = np.concatenate(self._waiting) if self._waiting else np.zeros((samples, 2), np.float32)
        self._waiting = [whole[samples:]]
        return whole[:samples]


_HINT = "WAV, FLAC, MP3, OGG, MP4 and WebM are understood."
_SIGNATURES = {
    b"RIFF": "wav",
    b"RF64": "wav",
    b"fLaC": "flac",
    b"OggS": "ogg",
    b"ID3": "mp3",
    b"\x1aE\xdf\xa3": "matroska",
}


def _detect_container(path: Path, field: str) -> str:
    with path.open("rb") as file:
        head = file.read(12)
    if head[4:8] == b"ftyp":
        return "mov"
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
        return "aac" if head[1] & 0xF6 == 0xF0 else "mp3"
    for signature, container in _SIGNATURES.items():
        if head.startswith(signature):
            return container
    raise BadInput(field, "a file is of no known kind of sound", _HINT)

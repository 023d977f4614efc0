"""A part of a film is decoded whole when it is made, and sealed: whoever joins parts later need not decode them again.

The seal is a box of a kind that players skip, at the very end of the file: the digest of every byte before it. It says "this
file, as it is, was decoded from its first frame to its last"; a byte that changed afterwards breaks it.
"""

from __future__ import annotations

import hashlib
import os
import struct
from pathlib import Path
from typing import BinaryIO

from av.error import FFmpegError

from pipelines.media.codec.segment_reader import open_segment

_MARKER = b"decoded "
_HEADER = struct.pack(">L4s", 8 + len(_MARKER) + 32, b"free") + _MARKER


def mark_verified(segment: Path, frames: int) -> None:
    """Put a part on the disk, decode it, and say so in it. Raises RuntimeError unless it has `frames` pictures, each whole."""
    with segment.open("r+b") as file:
        os.fsync(file.fileno())  # a disk that is full may say so only now
        found = decode_all(segment)
        if found != frames:
            raise RuntimeError(f"a part of the film has {found} frames, not {frames}")
        digest = _digest(file, segment.stat().st_size)
        file.seek(0, os.SEEK_END)
        file.write(_HEADER + digest)
        file.flush()
        os.fsync(file.fileno())


def is_verified(segment: Path) -> bool:
    """Whether a part is, byte for byte, what was once decoded."""
    length = segment.stat().st_size - len(_HEADER) - 32
    if length < 0:
        return False
    with segment.open("rb") as file:
        digest = _digest(file, length)
        return file.read() == _HEADER + digest


def decode_all(film: Path) -> int:
    """Decode all pictures of an mp4 file; how many they are. Raises RuntimeError unless each is whole and none is missing.

    The loop filter is skipped: it changes pixels, not what can be decoded, and costs a third of the time.
    """
    found = 0
    try:
        with open_segment(film) as container:
            stream = container.streams.video[0]
            stream.thread_count = 1
            stream.codec_context.options = {"err_detect": "explode", "skip_loop_filter": "all"}
            for frame in container.decode(stream):
                if frame.is_corrupt:
                    raise RuntimeError(f"frame {found} of a part of the film is damaged")
                found += 1
            said = stream.frames
    except (FFmpegError, IndexError) as error:
        raise RuntimeError(f"a part of the film cannot be decoded beyond frame {found}") from error
    if found != said:
        raise RuntimeError(f"a part of the film has {found} frames that can be decoded, not {said}")
    return found


def _digest(file: BinaryIO, length: int) -> bytes:
    """Of the first `length` bytes; the file then stands behind them."""
    file.seek(0)
    digest = hashlib.sha256()
    while length and (block := file.read(min(length, 1 << 20))):
        digest.update(block)
        length -= len(block)
    return digest.digest()

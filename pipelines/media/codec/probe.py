"""What a clip is, by its own streams; never by where it came from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import av
from av.error import FFmpegError

from pipelines.base import BadInput
from pipelines.media.codec.encoder import Encoder
from pipelines.media.codec.encoding_options import EncodingOptions
from pipelines.media.codec.segment_reader import FILES_ONLY, HEADER_ONLY
from pipelines.media.codec.yuv import black_frame
from pipelines.media.timeline import SceneTiming

# The first bytes of a container → the demuxer that reads it. Nothing else is opened: a playlist would read other files.
_MAGIC: tuple[tuple[re.Pattern[bytes], str], ...] = (
    (re.compile(rb"....(ftyp|moov|mdat|wide|free|skip)", re.DOTALL), "mov"),
    (re.compile(rb"\x1a\x45\xdf\xa3"), "matroska"),
    (re.compile(rb"RIFF....AVI ", re.DOTALL), "avi"),
    (re.compile(rb"GIF8[79]a"), "gif"),
)
_SETTINGS = re.compile(rb"x264 - core [ -~]+")
_ZONES = re.compile(rb" zones=\S+")  # which frames are coded in haste is not a matter of kind
_IDR = 5  # nal_unit_type of a slice that starts a closed group of pictures


def open_clip(path: Path, *, header_only: bool = False) -> Any:
    """The clip as a PyAV container, read as what its first bytes say. Raises BadInput.

    `header_only` says that its headers tell enough: no frame is decoded to find out more.
    """
    with path.open("rb") as file:
        head = file.read(16)
    reader = next((name for magic, name in _MAGIC if magic.match(head)), None)
    if reader is None:
        raise BadInput("clip", "is not a video that can be read.", "Use mp4, mov, webm, mkv, avi or gif.")
    try:
        container = av.open(str(path), format=reader, options=FILES_ONLY | (HEADER_ONLY if header_only else {}))
    except (FFmpegError, ValueError) as error:
        raise BadInput("clip", "is damaged or not a video.") from error
    if not container.streams.video:
        container.close()
        raise BadInput("clip", "has no picture.")
    return container


@dataclass(frozen=True, slots=True)
class StreamFingerprint:
    """What tells one way of coding from another: parameter sets (size, colour, shape of pixels) and the settings that x264 writes
    into its first frame."""

    parameters: bytes
    settings: bytes


def is_conformant(path: Path, timing: SceneTiming, width: int, height: int, encoding: EncodingOptions) -> bool:
    """Whether the clip is exactly what `Encoder` makes for this scene, so that its body can be cut by copying:
    the same coding, colour, size and time base, every frame in its place, closed groups where head and tail are."""
    with open_clip(path, header_only=True) as container:
        stream = container.streams.video[0]
        if stream.frames != timing.frames or stream.codec_context.name != "h264":
            return False
        context = stream.codec_context
        if (context.width, context.height) != (width, height) or stream.time_base is None:
            return False
        if len(container.streams.video) != 1:
            return False
        packets = [packet for packet in container.demux(stream) if packet.size]
        tick = Fraction(1, timing.fps) / stream.time_base
        if not packets or sorted(packet.pts for packet in packets) != [i * tick for i in range(timing.frames)]:
            return False
        groups = {
            int(packet.pts / tick) for packet in packets if packet.is_keyframe and _starts_closed_gop(bytes(packet))
        }
        if not {0, timing.head, timing.frames - timing.tail} - {timing.frames} <= groups:
            return False
        return _fingerprint(context.extradata, packets) == reference_fingerprint(width, height, timing.fps, encoding)


@cache
def reference_fingerprint(width: int, height: int, fps: int, encoding: EncodingOptions) -> StreamFingerprint:
    """How a part coded with these settings looks: found by coding one."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "reference.mp4")
        with Encoder(path, width, height, fps, encoding) as encoder:
            encoder.write(black_frame(width, height))
        with open_clip(path, header_only=True) as container:
            packets = [packet for packet in container.demux(container.streams.video[0]) if packet.size]
            return _fingerprint(container.streams.video[0].codec_context.extradata, packets)


def _fingerprint(extradata: bytes | None, packets: Sequence[Any]) -> StreamFingerprint:
    found = _SETTINGS.search(bytes(packets[0]))
    return StreamFingerprint(extradata or b"", _ZONES.sub(b"", found.group()) if found else b"")


def _starts_closed_gop(packet: bytes) -> bool:
    """Whether a packet of length-prefixed units holds an IDR slice."""
    at = 0
    while at + 5 <= len(packet):
        if packet[at + 4] & 0x1F == _IDR:
            return True
        at += 4 + int.from_bytes(packet[at : at + 4], "big")
    return False

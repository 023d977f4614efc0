"""Opening of clips, and the check whether `Encoder` wrote a clip for a scene. Both use the content of the file only."""

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

# Magic bytes → demuxer. Other formats are refused: a playlist would make ffmpeg read other files.
_MAGIC: tuple[tuple[re.Pattern[bytes], str], ...] = (
    (re.compile(rb"....(ftyp|moov|mdat|wide|free|skip)", re.DOTALL), "mov"),
    (re.compile(rb"\x1a\x45\xdf\xa3"), "matroska"),
    (re.compile(rb"RIFF....AVI ", re.DOTALL), "avi"),
    (re.compile(rb"GIF8[79]a"), "gif"),
)
_SETTINGS = re.compile(rb"x264 - core [ -~]+")
_ZONES = re.compile(rb" zones=\S+")  # zones with faster settings do not affect whether segments can be joined
_IDR = 5  # nal_unit_type of a slice that starts a closed GOP


def open_clip(path: Path, *, header_only: bool = False) -> Any:
    """Open a clip as a PyAV container with the demuxer of its magic bytes.

    With `header_only` no frame is decoded to probe the streams. Raises BadInput when the file is not a readable video.
    """
    with path.open("rb") as file:
        head = file.read(16)
    demuxer = next((name for magic, name in _MAGIC if magic.match(head)), None)
    if demuxer is None:
        raise BadInput("clip", "the file is not a supported video.", "Use mp4, mov, webm, mkv, avi or gif.")
    try:
        container = av.open(str(path), format=demuxer, options=FILES_ONLY | (HEADER_ONLY if header_only else {}))
    except (FFmpegError, ValueError) as error:
        raise BadInput("clip", "the file is damaged or not a video.") from error
    if not container.streams.video:
        container.close()
        raise BadInput("clip", "the file has no video stream.")
    return container


@dataclass(frozen=True, slots=True)
class StreamFingerprint:
    """The encoding of a stream: its parameter sets and its encoder settings.

    The parameter sets hold size, colour and pixel aspect; x264 writes its settings into the first frame (an SEI
    message).
    """

    parameters: bytes
    settings: bytes


def is_conformant(path: Path, timing: SceneTiming, width: int, height: int, encoding: EncodingOptions) -> bool:
    """Return whether the clip is what `Encoder` writes for this scene, so that its segment can be cut without decoding.

    It has the same encoding, colour, size and time base, all frames at their times, and closed GOPs that start at the
    end of the head and at the start of the tail. Raises BadInput when the file is not a readable video.
    """
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
        gop_starts = {
            int(packet.pts / tick) for packet in packets if packet.is_keyframe and _starts_closed_gop(bytes(packet))
        }
        if not {0, timing.head, timing.frames - timing.tail} - {timing.frames} <= gop_starts:
            return False
        return _fingerprint(context.extradata, packets) == reference_fingerprint(width, height, timing.fps, encoding)


@cache
def reference_fingerprint(width: int, height: int, fps: int, encoding: EncodingOptions) -> StreamFingerprint:
    """Return the fingerprint of a segment with these settings, by encoding one black frame."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "reference.mp4")
        with Encoder(path, width, height, fps, encoding) as encoder:
            encoder.write(black_frame(width, height))
        with open_clip(path, header_only=True) as container:
            packets = [packet for packet in container.demux(container.streams.video[0]) if packet.size]
            return _fingerprint(container.streams.video[0].codec_context.extradata, packets)


def _fingerprint(extradata: bytes | None, packets: Sequence[Any]) -> StreamFingerprint:
    settings = _SETTINGS.search(bytes(packets[0]))
    return StreamFingerprint(extradata or b"", _ZONES.sub(b"", settings.group()) if settings else b"")


def _starts_closed_gop(packet: bytes) -> bool:
    """Return whether a packet of length-prefixed NAL units contains an IDR slice."""
    offset = 0
    while offset + 5 <= len(packet):
        if packet[offset + 4] & 0x1F == _IDR:
            return True
        offset += 4 + int.from_bytes(packet[offset : offset + 4], "big")
    return False

"""Parts of a film, one after the other, without coding anything again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
from av.error import FFmpegError

from pipelines.base import BadInput
from pipelines.media.codec.encoder import container_options
from pipelines.media.codec.integrity import decode_all, is_verified
from pipelines.media.codec.segment_reader import FILES_ONLY, open_segment
from pipelines.step_params import VideoParams

if TYPE_CHECKING:
    from av.container import InputContainer


def concatenate(segments: Sequence[Path], target: Path, frame: VideoParams, frames: int) -> str:
    """Write the pictures of all parts into one mp4, time stamps exact to the tick of the track. Returns the digest of their packets.

    Raises BadInput, before anything is written, when a part cannot be read, differs from the first in size, rate or coding,
    or when the parts do not have `frames` frames in all; and when one that carries no seal cannot be decoded.
    """
    facts = [_segment_info(part, number, frame) for number, part in enumerate(segments, 1)]
    total = sum(fact.frames for fact in facts)
    if total != frames:
        raise BadInput("segments", f"they have {total} frames, the film has {frames}")
    for number, fact in enumerate(facts, 1):
        if fact.codec_config != facts[0].codec_config:
            raise BadInput("segments", f"part {number} is coded differently from the first")
    for number, part in enumerate(segments, 1):
        if not is_verified(part):
            _verify_decodable(part, number)
    # A part of one or two frames starts later in decoding order than longer ones: the film has the longest lead of all.
    lead, tick = max(fact.lead for fact in facts), round(1 / (frame.fps * facts[0].tick))
    digest = hashlib.sha256()
    with av.open(str(target), "w", format="mp4", options=container_options(frame.fps)) as film:
        # opened thoroughly: players read the shape of pixels from the film's own headers
        with av.open(str(segments[0]), format="mov", options=FILES_ONLY) as source:
            track = film.add_stream_from_template(source.streams.video[0])
            track.time_base = facts[0].tick
        before = done = 0
        for number, part in enumerate(segments, 1):
            for packet in _packets(part, number):
                packet.pts += before * tick
                packet.dts = (done - lead) * tick
                packet.stream = track
                digest.update(packet)
                film.mux(packet)
                done += 1
            before = done
    return digest.hexdigest()


def digest_packets(film: Path, fps: int) -> tuple[int, str]:
    """How many pictures a film has, and the digest of their packets. Raises RuntimeError unless each has its place in time."""
    digest, shown, decoded = hashlib.sha256(), [], []
    try:
        with open_segment(film) as container:
            stream = container.streams.video[0]
            tick = round(1 / (fps * stream.time_base)) if stream.time_base else 1
            for packet in container.demux(stream):
                if packet.size and packet.pts is not None and packet.dts is not None and not packet.is_corrupt:
                    digest.update(packet)
                    shown.append(packet.pts)
                    decoded.append(packet.dts)
    except (FFmpegError, IndexError, ValueError) as error:
        raise RuntimeError("the film cannot be read back") from error
    count, first = len(shown), decoded[0] if decoded else 0
    even = range(0, count * tick, tick)
    if sorted(shown) != list(even) or decoded != [first + at for at in even]:
        raise RuntimeError("pictures of the film are not where they belong in time")
    return count, digest.hexdigest()


def track_lengths(film: Path) -> list[float]:
    """Seconds of each track of picture or sound, as the container says."""
    with open_segment(film) as container:
        return [
            float(stream.duration * stream.time_base)
            for stream in container.streams
            if stream.type in ("video", "audio") and stream.duration and stream.time_base
        ]


@dataclass(frozen=True, slots=True)
class _SegmentInfo:
    """What joining must know of a part. `lead`: frames by which decoding begins before showing; `tick` in seconds."""

    frames: int
    lead: int
    tick: Fraction
    codec_config: tuple[Any, ...]


def _segment_info(segment: Path, number: int, frame: VideoParams) -> _SegmentInfo:
    with _open_segment(segment, number) as source:
        if not source.streams.video:
            raise BadInput("segments", f"part {number} has no picture")
        stream = source.streams.video[0]
        found = (stream.codec_context.name, stream.width, stream.height, stream.average_rate)
        if found != ("h264", frame.width, frame.height, Fraction(frame.fps)) or stream.time_base is None:
            raise BadInput(
                "segments",
                f"part {number} is {found[0]} {found[1]}×{found[2]} at {found[3]} frames a second, "
                f"not h264 {frame.width}×{frame.height} at {frame.fps}",
            )
        first = next((packet.dts for packet in source.demux(stream) if packet.dts is not None), 0)
        coding = stream.time_base, stream.codec_context.extradata
        return _SegmentInfo(stream.frames, round(-first * stream.time_base * frame.fps), stream.time_base, coding)


def _packets(segment: Path, number: int) -> Iterator[Any]:
    """The packets of a part in decoding order. Raises BadInput unless there are as many as the part itself says."""
    with _open_segment(segment, number) as source:
        stream = source.streams.video[0]
        packets = source.demux(stream)
        for _ in range(stream.frames):
            try:
                packet = next(packets)
            except (FFmpegError, StopIteration):
                raise _damaged_error(number) from None
            if packet.pts is None or packet.is_corrupt:
                raise _damaged_error(number)
            yield packet


def _verify_decodable(segment: Path, number: int) -> None:
    try:
        decode_all(segment)
    except RuntimeError:
        raise _damaged_error(number) from None


def _open_segment(segment: Path, number: int) -> InputContainer:
    try:
        return open_segment(segment)
    except (FFmpegError, ValueError):
        raise _damaged_error(number) from None


def _damaged_error(number: int) -> BadInput:
    return BadInput("segments", f"part {number} is not a whole video")

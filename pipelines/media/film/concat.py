"""Concatenation of segments without encoding them again."""

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
    """Write the video of all segments into one mp4 with exact timestamps. Return the SHA-256 of its packets.

    Raises BadInput when a segment cannot be read, when its size, rate or encoding differs from the first one, when the
    segments do not have `frames` frames in total, or when a segment without a valid mark cannot be decoded. All these
    checks come before the first write.
    """
    infos = [_segment_info(segment, number, frame) for number, segment in enumerate(segments, 1)]
    total = sum(info.frames for info in infos)
    if total != frames:
        raise BadInput("segments", f"the segments have {total} frames, the film has {frames}")
    for number, info in enumerate(infos, 1):
        if info.codec_config != infos[0].codec_config:
            raise BadInput("segments", f"segment {number} has another encoding than the first")
    for number, segment in enumerate(segments, 1):
        if not is_verified(segment):
            _verify_decodable(segment, number)
    # Segments of one or two frames have a shorter decoding lead than longer ones; the film takes the longest.
    lead, tick = max(info.lead for info in infos), round(1 / (frame.fps * infos[0].tick))
    digest = hashlib.sha256()
    with av.open(str(target), "w", format="mp4", options=container_options(frame.fps)) as film:
        # opened with full probing, since the header of the film needs the pixel aspect ratio
        with av.open(str(segments[0]), format="mov", options=FILES_ONLY) as source:
            track = film.add_stream_from_template(source.streams.video[0])
            track.time_base = infos[0].tick
        segment_start = written = 0
        for number, segment in enumerate(segments, 1):
            for packet in _packets(segment, number):
                packet.pts += segment_start * tick
                packet.dts = (written - lead) * tick
                packet.stream = track
                digest.update(packet)
                film.mux(packet)
                written += 1
            segment_start = written
    return digest.hexdigest()


def digest_packets(film: Path, fps: int) -> tuple[int, str]:
    """Return the number of frames of a film and the SHA-256 of its video packets.

    Raises RuntimeError when the film cannot be read or a timestamp is not exact.
    """
    digest, presentation_times, decoding_times = hashlib.sha256(), [], []
    try:
        with open_segment(film) as container:
            stream = container.streams.video[0]
            tick = round(1 / (fps * stream.time_base)) if stream.time_base else 1
            for packet in container.demux(stream):
                if packet.size and packet.pts is not None and packet.dts is not None and not packet.is_corrupt:
                    digest.update(packet)
                    presentation_times.append(packet.pts)
                    decoding_times.append(packet.dts)
    except (FFmpegError, IndexError, ValueError) as error:
        raise RuntimeError("the film cannot be read back") from error
    count, first = len(presentation_times), decoding_times[0] if decoding_times else 0
    expected = range(0, count * tick, tick)
    if sorted(presentation_times) != list(expected) or decoding_times != [first + time for time in expected]:
        raise RuntimeError("the film has frames with wrong timestamps")
    return count, digest.hexdigest()


def track_lengths(film: Path) -> list[float]:
    """Return the duration of each video and audio track in seconds, from the headers of the container."""
    with open_segment(film) as container:
        return [
            float(stream.duration * stream.time_base)
            for stream in container.streams
            if stream.type in ("video", "audio") and stream.duration and stream.time_base
        ]


@dataclass(frozen=True, slots=True)
class _SegmentInfo:
    """Properties of a segment.

    `lead`: frames between the first decoding and the first presentation time. `tick`: the time base in seconds.
    `codec_config`: time base and parameter sets.
    """

    frames: int
    lead: int
    tick: Fraction
    codec_config: tuple[Any, ...]


def _segment_info(segment: Path, number: int, frame: VideoParams) -> _SegmentInfo:
    with _open_segment(segment, number) as source:
        if not source.streams.video:
            raise BadInput("segments", f"segment {number} has no video stream")
        stream = source.streams.video[0]
        codec, width, height, fps = properties = (
            stream.codec_context.name,
            stream.width,
            stream.height,
            stream.average_rate,
        )
        if properties != ("h264", frame.width, frame.height, Fraction(frame.fps)) or stream.time_base is None:
            raise BadInput(
                "segments",
                f"segment {number} is {codec} {width}×{height} at {fps} fps, "
                f"not h264 {frame.width}×{frame.height} at {frame.fps} fps",
            )
        first = next((packet.dts for packet in source.demux(stream) if packet.dts is not None), 0)
        codec_config = stream.time_base, stream.codec_context.extradata
        return _SegmentInfo(stream.frames, round(-first * stream.time_base * frame.fps), stream.time_base, codec_config)


def _packets(segment: Path, number: int) -> Iterator[Any]:
    """Yield the packets of a segment in decoding order. Raises BadInput when fewer exist than its header declares."""
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
    return BadInput("segments", f"segment {number} is damaged or incomplete")

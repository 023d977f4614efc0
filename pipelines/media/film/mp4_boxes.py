"""Reading of the boxes of an mp4 file (ISO/IEC 14496-12), and disabling of its subtitle tracks."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_TRACK_ENABLED = 1  # flag of the box tkhd


def iter_boxes(file: BinaryIO, start: int, stop: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield the boxes between two file positions as (type, start of the content, end of the content).

    Raises ValueError when a box exceeds `stop`.
    """
    while start < stop:
        file.seek(start)
        header = file.read(16)
        size, kind = struct.unpack(">L4s", header[:8])
        content = start + 8
        if size == 1:
            size, content = struct.unpack(">Q", header[8:])[0], start + 16
        end = start + size if size else stop
        if not content <= end <= stop:
            raise ValueError(f"a box of type {kind!r} exceeds the file")
        yield kind, content, end
        start = end


def disable_subtitles(path: Path) -> None:
    """Clear the enabled flag of all subtitle tracks, so that players show them only on request."""
    with path.open("r+b") as file:
        for header in _track_headers(file, path.stat().st_size, b"sbtl"):
            file.seek(header)
            flags = struct.unpack(">L", file.read(4))[0]
            file.seek(header)
            file.write(struct.pack(">L", flags & ~_TRACK_ENABLED))


def _track_headers(file: BinaryIO, size: int, handler: bytes) -> list[int]:
    """Return the file positions of the content of the `tkhd` boxes of tracks with this handler type."""
    positions = []
    for kind, start, stop in iter_boxes(file, 0, size):
        if kind != b"moov":
            continue
        for track, first, last in iter_boxes(file, start, stop):
            if track != b"trak":
                continue
            children = {name: (begin, end) for name, begin, end in iter_boxes(file, first, last)}
            media = {name: begin for name, begin, _ in iter_boxes(file, *children[b"mdia"])}
            file.seek(media[b"hdlr"] + 8)
            if file.read(4) == handler:
                positions.append(children[b"tkhd"][0])
    return positions

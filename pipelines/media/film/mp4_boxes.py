"""The boxes of an mp4 file: just enough to say which tracks a player shows unasked."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_ENABLED = 1


def iter_boxes(file: BinaryIO, start: int, stop: int) -> Iterator[tuple[bytes, int, int]]:
    """The boxes between two positions: type, and where the contents begin and end. Raises ValueError if they do not fit."""
    while start < stop:
        file.seek(start)
        header = file.read(16)
        size, kind = struct.unpack(">L4s", header[:8])
        body = start + 8
        if size == 1:
            size, body = struct.unpack(">Q", header[8:])[0], start + 16
        end = start + size if size else stop
        if not body <= end <= stop:
            raise ValueError(f"a box of type {kind!r} does not fit into the file")
        yield kind, body, end
        start = end


def disable_subtitles(path: Path) -> None:
    """Mark the subtitle tracks as not shown unless the viewer chooses them."""
    with path.open("r+b") as file:
        for header in _track_headers(file, path.stat().st_size, b"sbtl"):
            file.seek(header)
            flags = struct.unpack(">L", file.read(4))[0]
            file.seek(header)
            file.write(struct.pack(">L", flags & ~_ENABLED))


def _track_headers(file: BinaryIO, size: int, handler: bytes) -> list[int]:
    """Where the headers (tkhd) of the tracks with a handler of that type begin."""
    found = []
    for kind, start, stop in iter_boxes(file, 0, size):
        if kind != b"moov":
            continue
        for track, first, last in iter_boxes(file, start, stop):
            if track != b"trak":
                continue
            inside = {name: (begin, end) for name, begin, end in iter_boxes(file, first, last)}
            media = {name: begin for name, begin, _ in iter_boxes(file, *inside[b"mdia"])}
            file.seek(media[b"hdlr"] + 8)
            if file.read(4) == handler:
                found.append(inside[b"tkhd"][0])
    return found

"""Opening of the engine's own mp4 files. Their headers are complete, so that nothing has to be probed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import av

if TYPE_CHECKING:
    from av.container import InputContainer

FILES_ONLY = {"protocol_whitelist": "file"}
HEADER_ONLY = {"skip_frame": "all", "threads": "1", "probesize": "32"}
"""Options that stop ffmpeg from decoding frames to probe the streams; one frame takes ten times as long as opening the
file. The pixel format stays unknown until a frame is decoded."""


def open_segment(path: Path) -> InputContainer:
    """Open an mp4 file as a PyAV container. Raises FFmpegError or ValueError when the file is no mp4."""
    container: InputContainer = av.open(str(path), format="mov", options=FILES_ONLY | HEADER_ONLY)
    return container

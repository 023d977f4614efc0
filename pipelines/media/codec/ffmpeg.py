"""The ffmpeg program: its path, and calls of it without a shell and without prompts."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from pipelines.base import MissingDependency

logger = logging.getLogger(__name__)

FILES_ONLY = ("-protocol_whitelist", "file")
"""Arguments before every `-i`: ffmpeg opens only local files, whatever the input refers to."""


class FfmpegCommandError(RuntimeError):
    """A failure of ffmpeg. The message is short and safe to show to users; `log` holds the output of ffmpeg."""

    def __init__(self, purpose: str, returncode: int, log: str) -> None:
        super().__init__(f"{purpose} failed (ffmpeg exited with {returncode})")
        self.returncode, self.log = returncode, log


@cache
def ffmpeg_path() -> str:
    """Return the ffmpeg to use: `ENGINE_FFMPEG`, else the binary of imageio-ffmpeg, else `ffmpeg` on the PATH.

    Raises MissingDependency when none exists.
    """
    chosen = os.environ.get("ENGINE_FFMPEG")
    if chosen:
        if shutil.which(chosen) is None:
            raise MissingDependency(f"ENGINE_FFMPEG is not an executable: {chosen}")
        return chosen
    try:
        import imageio_ffmpeg

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError):
        found = shutil.which("ffmpeg")
        if found is None:
            raise MissingDependency('ffmpeg not found; `pip install "story-engine[draft]"` installs it') from None
        return found


def run(arguments: Sequence[str], purpose: str, cwd: Path | None = None) -> str:
    """Run ffmpeg and return its standard output.

    `purpose` starts the error message ("Joining the film"). Raises OSError(ENOSPC) when the disk is full, and
    FfmpegCommandError for every other failure, a killed process included.
    """
    command = [ffmpeg_path(), "-nostdin", "-hide_banner", *arguments]
    process = subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if process.returncode == 0:
        return process.stdout.decode("utf-8", "replace")
    log = process.stderr.decode("utf-8", "replace").strip()
    logger.error("%s: ffmpeg exited with %d\n%s", purpose, process.returncode, log)
    if os.strerror(errno.ENOSPC) in log:
        raise OSError(errno.ENOSPC, f"{purpose} failed: the disk is full")
    raise FfmpegCommandError(purpose, process.returncode, log)


def checkup() -> list[str]:
    """Return the version of ffmpeg and its missing features. Raises MissingDependency when ffmpeg is not found."""
    version = run(["-version"], "Reading the version of ffmpeg").split("\n", 1)[0].split(" Copyright")[0]
    required = {"-encoders": ("libx264", "aac"), "-filters": ("ass", "ebur128"), "-muxers": ("mp4",)}
    missing: list[str] = []
    for option, names in required.items():
        available = run([option], "Reading the features of ffmpeg").split()
        missing += [name for name in names if name not in available]
    state = f"lacks {', '.join(missing)}: set ENGINE_FFMPEG to a complete build" if missing else "complete"
    return [f"{version}, {state} ({ffmpeg_path()})"]

"""The ffmpeg program: which one, and how it is run: by argument list, never by a shell, never asking, files only."""

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
"""Put before every `-i`: whatever a file's contents ask for, nothing but local files is opened."""


class FfmpegCommandError(RuntimeError):
    """ffmpeg ended with an error. The message is short and safe to show; `log` is what ffmpeg said."""

    def __init__(self, purpose: str, returncode: int, log: str) -> None:
        super().__init__(f"{purpose} failed (ffmpeg ended with {returncode})")
        self.returncode, self.log = returncode, log


@cache
def ffmpeg_path() -> str:
    """The ffmpeg to use: `ENGINE_FFMPEG`, else the one that imageio-ffmpeg carries, else `ffmpeg` on the PATH."""
    chosen = os.environ.get("ENGINE_FFMPEG")
    if chosen:
        if shutil.which(chosen) is None:
            raise MissingDependency(f"ENGINE_FFMPEG names no program: {chosen}")
        return chosen
    try:
        import imageio_ffmpeg

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError):
        found = shutil.which("ffmpeg")
        if found is None:
            raise MissingDependency('no ffmpeg found; `pip install "story-engine[draft]"` brings one') from None
        return found


def run(arguments: Sequence[str], purpose: str, cwd: Path | None = None) -> str:
    """Run ffmpeg; what it wrote on standard output is returned.

    `purpose` says in the user's words what is being done ("Joining the film"). Raises OSError(ENOSPC) when the disk is full,
    FfmpegFailed for every other failure, and for an ffmpeg that was killed.
    """
    command = [ffmpeg_path(), "-nostdin", "-hide_banner", *arguments]
    done = subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode == 0:
        return done.stdout.decode("utf-8", "replace")
    log = done.stderr.decode("utf-8", "replace").strip()
    logger.error("%s: ffmpeg ended with %d\n%s", purpose, done.returncode, log)
    if os.strerror(errno.ENOSPC) in log:
        raise OSError(errno.ENOSPC, f"{purpose} failed: the disk is full")
    raise FfmpegCommandError(purpose, done.returncode, log)


def checkup() -> list[str]:
    """Which program it is, and what of our needs it lacks. Raises MissingDependency when there is none."""
    version = run(["-version"], "Asking ffmpeg for its version").split("\n", 1)[0].split(" Copyright")[0]
    needs = {"-encoders": ("libx264", "aac"), "-filters": ("ass", "ebur128"), "-muxers": ("mp4",)}
    absent = [
        name
        for question, names in needs.items()
        for known in [run([question], "Asking ffmpeg what it can do").split()]
        for name in names
        if name not in known
    ]
    lacks = f"lacks {', '.join(absent)}: set ENGINE_FFMPEG to a fuller one" if absent else "has all that is needed"
    return [f"{version}, {lacks} ({ffmpeg_path()})"]

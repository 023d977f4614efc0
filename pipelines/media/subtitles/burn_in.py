"""Burning of subtitles into frames, by libass in ffmpeg."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import IO

import numpy as np

from pipelines.media.codec.ffmpeg import FfmpegCommandError, ffmpeg_path
from pipelines.media.codec.yuv import Planes


def burn_subtitles(
    frames: Iterable[Planes], subtitles: Path, start: int, width: int, height: int, fps: int
) -> Iterator[Planes]:
    """Yield the frames with the text of an ASS file drawn in.

    The first frame has the time of frame `start` on the clock of the file. Raises FfmpegCommandError when ffmpeg fails,
    and every exception of `frames`.
    """
    with TemporaryDirectory(prefix="burn-") as folder:
        # A fixed file name in the working folder keeps the caller's path out of the filter expression.
        shutil.copyfile(subtitles, Path(folder, "text.ass"))
        raw = ("-f", "rawvideo", "-pix_fmt", "yuv420p")
        source = (*raw, "-s", f"{width}x{height}", "-r", str(fps), "-i", "pipe:0")
        filters = f"setparams=colorspace=bt709:range=limited,setpts=PTS+{start},ass=text.ass"
        command = [ffmpeg_path(), "-v", "error", "-nostdin", "-filter_threads", "1", *source, "-vf", filters]
        command += ["-fps_mode", "passthrough", *raw, "pipe:1"]
        with Path(folder, "log.txt").open("w+b") as log:
            process = subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
            assert process.stdin
            assert process.stdout
            feeder = _Feeder(frames, process.stdin)
            feeder.start()
            try:
                size = width * height * 3 // 2
                while len(content := process.stdout.read(size)) == size:
                    yield np.frombuffer(content, np.uint8).reshape(height * 3 // 2, width)
            finally:
                process.stdout.close()
                feeder.join()
                code = process.wait()
            if feeder.error:
                raise feeder.error
            if code:
                log.seek(0)
                raise FfmpegCommandError(
                    "Burning in the subtitles", code, log.read().decode("utf-8", "replace").strip()
                )


class _Feeder(Thread):
    """A thread that writes frames to ffmpeg while the caller reads its output, so that no pipe blocks both sides.

    `error` holds the exception of the frames, if any.
    """

    def __init__(self, frames: Iterable[Planes], pipe: IO[bytes]) -> None:
        super().__init__(name="burn", daemon=True)
        self._frames, self._pipe = frames, pipe
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            with self._pipe as pipe:
                for frame in self._frames:
                    pipe.write(frame.data)
        except BrokenPipeError:
            return  # ffmpeg exited early; the caller reports its exit code
        except Exception as error:  # the caller raises it again in its own thread
            self.error = error

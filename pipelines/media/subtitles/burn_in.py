"""Subtitles drawn into frames, by libass inside ffmpeg."""

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
    """The frames with the text of an ASS file drawn in; the first is frame `start` of what the file's times count from."""
    with TemporaryDirectory(prefix="burn-") as folder:
        # The filter reads a name of our own making from its working folder: nothing of the caller's gets into the filter.
        shutil.copyfile(subtitles, Path(folder, "text.ass"))
        raw = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{width}x{height}", "-r", str(fps)]
        filters = f"setparams=colorspace=bt709:range=limited,setpts=PTS+{start},ass=text.ass"
        command = [
            ffmpeg_path(),
            "-v",
            "error",
            "-nostdin",
            "-filter_threads",
            "1",
            *raw,
            "-i",
            "pipe:0",
            "-vf",
            filters,
        ]
        command += ["-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "yuv420p", "pipe:1"]
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
                raise FfmpegCommandError("Drawing the subtitles", code, log.read().decode("utf-8", "replace").strip())


class _Feeder(Thread):
    """Writes the frames into ffmpeg while its output is read, so that neither waits for the other for ever."""

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
            return  # ffmpeg ended first: its exit code says why
        except Exception as error:  # raised again by the reader, in the thread that asked
            self.error = error

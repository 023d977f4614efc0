"""Composition of the film from segments, audio and subtitles, with a check of the written file.

Video is copied without encoding it again: all segments are closed GOPs with the same options
(`pipelines.media.codec.encoder`), so that joining them only changes timestamps. Audio arrives encoded as AAC from the
mix.
"""

from __future__ import annotations

import os
import tempfile
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self

from pipelines.base import Device, Kind, ModelSpec, Params, Report
from pipelines.languages import LANGUAGE_FACTS
from pipelines.media.codec.ffmpeg import FILES_ONLY, run
from pipelines.media.film.mp4_boxes import disable_subtitles
from pipelines.media.timeline import Timeline
from pipelines.step_params import ComposeParams


class Composer:
    """Family for `compose`: joins, muxes and verifies. The same inputs give the same bytes."""

    name: ClassVar[str] = "compose"
    version: ClassVar[str] = "3"
    params: ClassVar[Mapping[Kind, type[Params]]] = {Kind.COMPOSE: ComposeParams}

    @classmethod
    def load(cls, spec: ModelSpec, device: Device) -> Self:
        return cls()

    @staticmethod
    def checkup() -> Iterable[str]:
        from pipelines.media.codec import ffmpeg

        return ffmpeg.checkup()

    def run(
        self,
        kind: Kind,
        params: Params,
        inputs: Mapping[str, Sequence[Path]],
        out: Path,
        report: Report,
        *,
        seed: int,
    ) -> Iterable[Path]:
        from pipelines.media.film.concat import concatenate

        assert isinstance(params, ComposeParams)
        timeline = Timeline.model_validate_json(inputs["timeline"][0].read_bytes())
        audio = next(iter(inputs.get("sound", ())), None)
        subtitles = next(iter(inputs.get("subtitles", ())), None)
        film = out / "film.mp4"
        try:
            with tempfile.TemporaryDirectory(dir=out, prefix=".compose-") as scratch:
                video = Path(scratch, "video.mp4")
                packet_digest = concatenate(inputs["segments"], video, params, timeline.frames)
                report.progress(0.2, "segments joined")
                _mux(video, audio, subtitles, film, params)
            report.progress(0.6, "verifying the film")
            verify_film(film, timeline.frames, timeline.fps, packet_digest, audio=audio is not None)
        except BaseException:
            film.unlink(missing_ok=True)
            raise
        report.record(
            frames=timeline.frames,
            seconds=round(timeline.seconds, 3),
            segments=len(inputs["segments"]),
            bytes=film.stat().st_size,
        )
        report.progress(1.0)
        return [film]

    def close(self) -> None:
        """Do nothing: the family holds no resources."""


def verify_film(film: Path, frames: int, fps: int, packet_digest: str, *, audio: bool) -> None:
    """Read the film back from disk and check it. Raises RuntimeError when a check fails.

    The checks: the film has `frames` frames, their packets have the digest `packet_digest` and exact timestamps; the
    audio decodes to its end; all tracks have the length of the film within one frame. Frames are not decoded again,
    since each segment was decoded when it was written (`pipelines.media.codec.integrity`). The exit code of ffmpeg does
    not replace these checks: when the disk fills up while a file is closed, ffmpeg exits with 0 and the file is broken.
    """
    from pipelines.media.audio.aac import verify_audio
    from pipelines.media.film.concat import digest_packets, track_lengths

    with film.open("r+b") as file:
        os.fsync(file.fileno())
    count, digest = digest_packets(film, fps)
    if count != frames:
        raise RuntimeError(f"the film has {count} frames, its segments have {frames}")
    if digest != packet_digest:
        raise RuntimeError("the video of the film differs from its segments")
    if audio:
        verify_audio(film)
    lengths = track_lengths(film)
    expected = frames / fps
    if not all(abs(length - expected) <= 1 / fps for length in lengths):
        raise RuntimeError(
            f"the tracks of the film last {', '.join(f'{n:.3f}' for n in lengths)} s, not {expected:.3f} s"
        )


def _mux(video: Path, audio: Path | None, subtitles: Path | None, film: Path, params: ComposeParams) -> None:
    """Write `film` with all tracks and metadata, its index at the start, subtitles off by default."""
    language = LANGUAGE_FACTS[params.language].iso639_3
    sources = [*FILES_ONLY, "-f", "mov", "-i", str(video)]
    tracks = ["-map", "0:v:0", "-c:v", "copy"]
    if audio is not None:
        sources += [*FILES_ONLY, "-f", "mov", "-i", str(audio)]
        tracks += ["-map", "1:a:0", "-c:a", "copy", "-metadata:s:a:0", f"language={language}"]
    if subtitles is not None and subtitles.read_text("utf-8").strip():
        sources += [*FILES_ONLY, "-f", "srt", "-i", str(subtitles)]
        tracks += ["-map", f"{1 if audio is None else 2}:s:0", "-c:s", "mov_text"]
        tracks += ["-metadata:s:s:0", f"language={language}"]
    tags = {"title": params.title, "comment": params.comment}
    metadata = [
        argument for key, text in tags.items() if text for argument in ("-metadata", f"{key}={_one_line(text)}")
    ]
    container = ["-map_metadata", "-1", *metadata, "-fflags", "+bitexact", "-movflags", "+faststart", "-f", "mp4"]
    run(["-v", "error", *sources, *tracks, *container, str(film)], "Composing the film")
    disable_subtitles(film)  # the video may show them already


def _one_line(text: str) -> str:
    """Return the text with single spaces in place of control characters and runs of whitespace."""
    return " ".join("".join(c if unicodedata.category(c)[0] != "C" else " " for c in text).split())

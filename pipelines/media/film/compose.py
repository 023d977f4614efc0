"""Parts, sound and subtitles → the finished film, read back and compared with what went in.

The picture is copied, never coded again: every part is a closed group of pictures made with one set of options
(`pipelines.media.codec.encoder`), so joining is a matter of time stamps. The sound comes coded from the mix.
"""

from __future__ import annotations

import os
import tempfile
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self

from pipelines.base import Device, Kind, ModelSpec, Params, Report
from pipelines.media.codec.ffmpeg import FILES_ONLY, run
from pipelines.media.film.mp4_boxes import disable_subtitles
from pipelines.media.timeline import Timeline
from pipelines.step_params import ComposeParams

_ISO_639 = {
    "Arabic": "ara", "Chinese": "zho", "English": "eng", "French": "fra", "German": "deu",
    "Hindi": "hin", "Japanese": "jpn", "Korean": "kor", "Spanish": "spa", "Turkish": "tur",
}  # fmt: skip


class Composer:
    """Joins, muxes, verifies. The same inputs give the same bytes."""

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
        sound = next(iter(inputs.get("sound", ())), None)
        subtitles = next(iter(inputs.get("subtitles", ())), None)
        film = out / "film.mp4"
        try:
            with tempfile.TemporaryDirectory(dir=out, prefix=".compose-") as scratch:
                picture = Path(scratch, "picture.mp4")
                pictures = concatenate(inputs["segments"], picture, params, timeline.frames)
                report.progress(0.2, "joined")
                _mux(picture, sound, subtitles, film, params)
            report.progress(0.6, "checking")
            verify_film(film, timeline.frames, timeline.fps, pictures, audio=sound is not None)
        except BaseException:
            film.unlink(missing_ok=True)
            raise
        report.record(
            frames=timeline.frames,
            seconds=round(timeline.seconds, 3),
            parts=len(inputs["segments"]),
            bytes=film.stat().st_size,
        )
        report.progress(1.0)
        return [film]

    def close(self) -> None:
        """Nothing is held."""


def verify_film(film: Path, frames: int, fps: int, packet_digest: str, *, audio: bool) -> None:
    """Read the film back from the disk and raise RuntimeError unless all is there: `frames` pictures whose packets have the digest
    `packet_digest`, each in its place in time; sound that can be decoded to its end; tracks equally long within one frame.

    The pictures are not decoded again: every packet lies in a closed group that was decoded with its part (`pipelines.media.codec.integrity`).
    An encoder's exit code is not enough: a disk that fills up while a file is closed leaves code 0 and a broken file.
    """
    from pipelines.media.audio.aac import verify_audio
    from pipelines.media.film.concat import digest_packets, track_lengths

    with film.open("r+b") as file:
        os.fsync(file.fileno())
    found, digest = digest_packets(film, fps)
    if found != frames or digest != packet_digest:
        raise RuntimeError(f"the film has {found} pictures where {frames} were joined, or they are not the same")
    if audio:
        verify_audio(film)
    lengths = track_lengths(film)
    expected = frames / fps
    if not all(abs(length - expected) <= 1 / fps for length in lengths):
        raise RuntimeError(
            f"the tracks of the film are {', '.join(f'{n:.3f}' for n in lengths)} s long, not {expected:.3f} s"
        )


def _mux(picture: Path, audio: Path | None, subtitles: Path | None, film: Path, params: ComposeParams) -> None:
    language = _ISO_639[params.language]
    sources = [*FILES_ONLY, "-f", "mov", "-i", str(picture)]
    tracks = ["-map", "0:v:0", "-c:v", "copy"]
    if audio is not None:
        sources += [*FILES_ONLY, "-f", "mov", "-i", str(audio)]
        tracks += ["-map", "1:a:0", "-c:a", "copy", "-metadata:s:a:0", f"language={language}"]
    if subtitles is not None and subtitles.read_text("utf-8").strip():
        sources += [*FILES_ONLY, "-f", "srt", "-i", str(subtitles)]
        tracks += ["-map", f"{1 if audio is None else 2}:s:0", "-c:s", "mov_text"]
        tracks += ["-metadata:s:s:0", f"language={language}"]
    labels = {"title": params.title, "comment": params.comment}
    metadata = [word for key, text in labels.items() if text for word in ("-metadata", f"{key}={_one_line(text)}")]
    container = ["-map_metadata", "-1", *metadata, "-fflags", "+bitexact", "-movflags", "+faststart", "-f", "mp4"]
    run(["-v", "error", *sources, *tracks, *container, str(film)], "Putting the film together")
    disable_subtitles(film)  # they may be burned in already, and no player should show them twice


def _one_line(text: str) -> str:
    return " ".join("".join(c if unicodedata.category(c)[0] != "C" else " " for c in text).split())

"""Helpers for the media tests: synthetic audio, segments and timelines, and measurements by ffmpeg."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from pipelines.media.codec.encoder import Encoder
from pipelines.media.codec.encoding_options import EncodingOptions
from pipelines.media.codec.ffmpeg import ffmpeg_path
from pipelines.media.timeline import SceneTiming, Timeline, TimelineScene

FPS = 24
RATE = 48_000


@dataclass
class Heard:
    """A `Report` that records all calls."""

    warnings: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    fractions: list[float] = field(default_factory=list)

    def progress(self, fraction: float, message: str = "") -> None:
        self.fractions.append(fraction)

    def warn(self, message: str) -> None:
        self.warnings.append(message)

    def record(self, **facts: Any) -> None:
        self.facts |= facts


def timeline(*seconds: float, speech: float | None = None, begin: float = 0.5, overlap: int = 0) -> Timeline:
    """Return a timeline. With `speech`, each scene has a narration `begin` seconds after its start."""
    places, start = [], 0
    for number, length in enumerate(seconds):
        frames = round(length * FPS)
        head, tail = overlap * (number > 0), overlap * (number < len(seconds) - 1)
        places.append(
            TimelineScene(
                start=start,
                timing=SceneTiming(fps=FPS, frames=frames, head=head, tail=tail),
                narration=start / FPS + begin if speech is not None else None,
                speech=speech or 0.0,
            )
        )
        start += frames - tail
    return Timeline(fps=FPS, scenes=tuple(places))


def write_timeline(folder: Path, line: Timeline) -> Path:
    path = folder / "timeline.json"
    path.write_text(line.model_dump_json(), "utf-8")
    return path


def tone(seconds: float, hertz: float, rate: int = RATE, level: float = 0.2) -> np.ndarray:
    return (np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate) * level).astype(np.float32)


def babble(seconds: float, rate: int = RATE, level: float = 0.3, seed: int = 0) -> np.ndarray:
    """Return noise with about the rhythm and the spectrum of speech."""
    samples = round(seconds * rate)
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(samples))
    hertz = np.fft.rfftfreq(samples, 1 / rate)
    spectrum *= ((hertz > 100) & (hertz < 4000)) * 300 / np.maximum(hertz, 300)
    rhythm = np.clip(np.sin(2 * np.pi * 3 * np.arange(samples) / rate), 0.02, 1)
    sound = np.fft.irfft(spectrum, samples) * rhythm
    return (sound / np.abs(sound).max() * level).astype(np.float32)


def wav(path: Path, sound: np.ndarray, rate: int = RATE, subtype: str = "PCM_16") -> Path:
    soundfile.write(path, sound, rate, subtype=subtype, format="WAV")
    return path


def write_segment(
    path: Path, frames: int, *, seed: int = 0, width: int = 160, height: int = 90, fps: int = FPS
) -> Path:
    """Write a segment of moving noise; each seed gives another image."""
    picture = np.random.default_rng(seed).integers(40, 200, (height * 3 // 2, width), dtype=np.uint8)
    with Encoder(path, width, height, fps, EncodingOptions("ultrafast", 30.0)) as encoder:
        for number in range(frames):
            encoder.write(np.roll(picture, 2 * number, axis=1))
    return path


def ebur128(path: Path) -> tuple[float, float]:
    """Return the integrated loudness (LUFS) and the true peak (dBTP) by ffmpeg."""
    log = ffmpeg("-i", str(path), "-map", "0:a", "-af", "ebur128=peak=true", "-f", "null", "-")
    loudness = float(re.findall(r"I:\s+(\S+) LUFS", log)[-1])
    return loudness, float(re.findall(r"Peak:\s+(\S+) dBFS", log)[-1])


def decode_audio(path: Path) -> np.ndarray:
    """Decode the audio of a file with ffmpeg, edit lists applied: shape (samples, 2) at 48 kHz."""
    command = [
        ffmpeg_path(),
        "-v",
        "error",
        "-i",
        str(path),
        "-map",
        "0:a",
        "-ac",
        "2",
        "-ar",
        str(RATE),
        "-f",
        "f32le",
        "-",
    ]
    return np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, np.float32).reshape(-1, 2)


def ffmpeg(*arguments: str, cwd: Path | None = None) -> str:
    """Run ffmpeg and return its standard error."""
    command = [ffmpeg_path(), "-hide_banner", "-nostdin", "-nostats", "-y", *arguments]
    done = subprocess.run(command, capture_output=True, cwd=cwd, check=True)
    return done.stderr.decode()

"""Helpers for the video tests: synthetic images with and without layers, and readers of the written clips."""

import json
from pathlib import Path

import av
import cv2
import numpy as np

from pipelines.base import Device, Kind, ModelSpec
from pipelines.media.timeline import SceneTiming

WIDTH, HEIGHT = 320, 180


class Quiet:
    """A `Report` that records warnings and facts."""

    def __init__(self):
        self.warnings, self.facts = [], {}

    def progress(self, fraction, message=""):
        assert 0 <= fraction <= 1

    def warn(self, message):
        self.warnings.append(message)

    def record(self, **facts):
        self.facts |= facts


def load(family, kind, **options):
    return family.load(ModelSpec(name="x", family="x:X", kinds=(kind,), options=options), Device())


def timing(folder: Path, frames=24, head=0, tail=0, fps=24) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "timing.json"
    path.write_text(SceneTiming(fps=fps, frames=frames, head=head, tail=tail).model_dump_json())
    return path


def picture(path: Path, width=WIDTH, height=HEIGHT, seed=0) -> Path:
    """Write smooth blobs of colour, without dark areas that look like an empty border."""
    noise = np.random.default_rng(seed).integers(60, 220, (9, 16, 3), dtype=np.uint8)
    cv2.imwrite(str(path), cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC))
    return path


def layers(folder: Path, margin=16) -> list[Path]:
    """Write three layers: a magenta background, a green strip in front of it up to the edges, and a bright disc."""
    folder.mkdir(parents=True, exist_ok=True)
    shape = (HEIGHT + 2 * margin, WIDTH + 2 * margin, 4)
    back, strip, disc = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    back[:] = (200, 60, 200, 255)
    strip[shape[0] // 2 :] = (60, 180, 60, 255)
    cv2.circle(disc, (shape[1] // 2, shape[0] // 2), 20, (240, 240, 240, 255), -1, cv2.LINE_AA)
    depths = (0.2, 1.0, 1.5)
    files = []
    for number, pixels in enumerate((back, strip, disc)):
        files.append(folder / f"layer-{number:02d}.png")
        cv2.imwrite(str(files[-1]), pixels)
    entries = [{"file": file.name, "depth": depth} for file, depth in zip(files, depths, strict=True)]
    (folder / "layers.json").write_text(
        json.dumps({"width": WIDTH, "height": HEIGHT, "margin": margin, "layers": entries})
    )
    return [folder / "layers.json", *files]


def frames(path: Path, form="yuv420p") -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format=form) for frame in container.decode(video=0)]


def groups(path: Path) -> list[int]:
    """Return the indices of the frames that start a GOP."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        found = [
            packet.pts * stream.time_base * stream.average_rate
            for packet in container.demux(stream)
            if packet.is_keyframe
        ]
    return [int(number) for number in found]


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    error = float(np.mean((one.astype(float) - other.astype(float)) ** 2))
    return 99.0 if error == 0 else 10 * np.log10(255**2 / error)


ANIMATE, CONFORM, BRIDGE = Kind.ANIMATE, Kind.CONFORM, Kind.TRANSITION

"""In-between frames: how near they come to the frame that the camera saw, beside plain blending, and what they cost.

A camera pans over a scenery of shapes; of every three frames the middle one is hidden, made again from its neighbours
and compared (PSNR of all planes, frame by frame, without what only one neighbour shows). Then the same pan at 16 frames
a second, as models make clips, is shown at 24: each frame against the one that a camera at 24 sees, beside repeating
the nearest. CPU is user + system of one thread, for whole frames as a bridge makes them. Decibels hold anywhere;
seconds belong to the machine.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from pipelines.base import Device, MissingDependency
from pipelines.media.codec.yuv import Planes, rgb_to_planes, split_planes
from pipelines.media.timeline import SceneTiming
from pipelines.media.transitions.blends import match
from pipelines.models import catalog
from pipelines.video.interpolation import rife
from pipelines.video.interpolation.frame_rate import FlowFunction, FrameRate, interpolate

SIZES = ((640, 360), (1280, 720))
MIN_PSNR = {"in between": 30.0}
MAX_PSNR = {"blended": 25.0}


class NullReport:
    """A report that is not read."""

    def progress(self, fraction: float, message: str = "") -> None: ...

    def warn(self, message: str) -> None: ...

    def record(self, **facts: Any) -> None: ...


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench inbetween", description=__doc__)
    parser.add_argument("--frames", type=int, default=6, help="hidden frames for each size")
    parser.add_argument("--picture", type=Path, help="pan over this picture instead (at least twice as wide as high)")
    args = parser.parse_args(argv)
    cv2.setNumThreads(1)
    spec = catalog.load().spec("rife")
    try:
        from pipelines.video.interpolation.flow import FlowNetwork

        model = rife.Rife.load(spec, Device())
    except (MissingDependency, ModuleNotFoundError) as error:
        parser.exit(1, f"{error}\n")
    for size in SIZES:
        compare(model, *size, args.frames, args.picture)
    for size in SIZES:
        measure_frame_rate(FlowNetwork.load(spec.revision, Device()), *size, args.frames, args.picture)


def compare(model: rife.Rife, width: int, height: int, count: int, picture: Path | None) -> None:
    step = width // 24  # pixels of the pan from frame to frame
    panorama = make_panorama(width, height) if picture is None else load_panorama(picture, width, height)
    quality: dict[str, list[float]] = {"in between": [], "blended": []}
    cost: dict[str, list[float]] = {"in between": [], "zoom and dissolve": []}
    for number in range(count):
        start = number * step // 2
        before, hidden, after = (crop_frame(panorama, start + shift, width) for shift in (0, step, 2 * step))
        blend = model.blend(NullReport())
        blend(before, after, 0.5)  # the first frame also chooses
        started = time.process_time()
        middle = blend(before, after, 0.5)
        cost["in between"].append(time.process_time() - started)
        started = time.process_time()
        match(before, after, 0.5)
        cost["zoom and dissolve"].append(time.process_time() - started)
        margin = 2 * step
        quality["in between"].append(psnr(middle, hidden, margin))
        quality["blended"].append(psnr(cv2.addWeighted(before, 0.5, after, 0.5, 0), hidden, margin))
    print(f"\n{width}×{height}, {2 * step} pixels between the neighbours")
    for name, figures in quality.items():
        mean = float(np.mean(figures))
        good = mean >= MIN_PSNR[name] if name in MIN_PSNR else mean <= MAX_PSNR[name]
        bar = f"bar ≥ {MIN_PSNR[name]:g}" if name in MIN_PSNR else f"expected ≤ {MAX_PSNR[name]:g}"
        print(f"  {name:18} {mean:5.1f} dB PSNR   {bar}: {'met' if good else 'MISSED'}")
    for name, seconds in cost.items():
        print(f"  {name:18} {np.median(seconds):5.2f} s CPU for a frame")


def measure_frame_rate(flow: FlowFunction, width: int, height: int, count: int, picture: Path | None) -> None:
    panorama = make_panorama(width, height) if picture is None else load_panorama(picture, width, height)
    speed = width / 3  # pixels a second: three seconds for the width of the frame
    source_frames = [crop_frame(panorama, round((k + 0.5) / 16 * speed), width) for k in range(count + 2)]
    quality: dict[str, list[float]] = {"in between": [], "nearest repeated": []}
    started = time.process_time()
    for n, moment in enumerate(FrameRate(16, len(source_frames)).frame_positions(SceneTiming(fps=24, frames=count))):
        k = int(moment)
        truth = crop_frame(panorama, round((n + 0.5) / 24 * speed), width)
        frame = (
            interpolate(source_frames[k], source_frames[k + 1], moment - k, flow) if moment > k else source_frames[k]
        )
        quality["in between"].append(psnr(frame, truth, int(speed / 16) + 1))
        quality["nearest repeated"].append(psnr(source_frames[int((n + 0.5) / 24 * 16)], truth, int(speed / 16) + 1))
    seconds = (time.process_time() - started) / count
    print(f"\n{width}×{height}, 16 frames a second shown at 24, {speed / 16:.0f} pixels between neighbours")
    for name, figures in quality.items():
        bar = f"   bar ≥ 30: {'met' if np.mean(figures) >= 30 else 'MISSED'}" if name == "in between" else ""
        print(f"  {name:18} {np.mean(figures):5.1f} dB PSNR, worst frame {min(figures):.1f}{bar}")
    print(f"  {'in between':18} {seconds:5.2f} s CPU for a frame")


def make_panorama(width: int, height: int) -> Planes:
    """(height, 2 × width, 3) RGB: shapes of many sizes on a soft ground."""
    rng = np.random.default_rng(1)
    soft = rng.integers(60, 220, (9, 32, 3), dtype=np.uint8)
    ground = cv2.resize(soft, (2 * width, height), interpolation=cv2.INTER_CUBIC)
    for _ in range(160):
        centre = int(rng.integers(2 * width)), int(rng.integers(height))
        radius = int(rng.integers(height // 60, height // 9))
        cv2.circle(ground, centre, radius, rng.integers(0, 255, 3).tolist(), -1, cv2.LINE_AA)
    return np.asarray(ground, np.uint8)


def load_panorama(path: Path, width: int, height: int) -> Planes:
    """(height, at least 1.5 × width, 3) RGB of a file."""
    pixels = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    scale = max(height / pixels.shape[0], 1.5 * width / pixels.shape[1])
    larger = cv2.resize(
        pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    )
    return np.asarray(larger[:height], np.uint8)


def crop_frame(panorama: Planes, x: int, width: int) -> Planes:
    return rgb_to_planes(np.ascontiguousarray(panorama[:, x : x + width]))


def psnr(one: Planes, other: Planes, margin: int) -> float:
    """Of all planes, without `margin` pixels on the left and on the right."""
    parts = [
        (a[:, cut:-cut].astype(float) - b[:, cut:-cut].astype(float)).ravel()
        for a, b, cut in zip(split_planes(one), split_planes(other), (margin, margin // 2, margin // 2), strict=True)
    ]
    return float(10 * np.log10(255**2 / np.mean(np.square(np.concatenate(parts)))))

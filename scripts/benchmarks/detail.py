"""Detail at the same size: how near a softened picture comes to what it was, by the network and by the mend without
one.

The middle of each picture is softened (Gaussian, 1.3 pixels), made a little noisy (3 of 255) and given to both; PSNR
against the picture as it was. CPU is user + system of one thread. Decibels hold anywhere; seconds belong to the
machine.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from pipelines.base import Device, Kind, MissingDependency
from pipelines.models import catalog
from pipelines.step_params import EnhanceParams

ROOT = Path(__file__).resolve().parents[2]
SIDE = 224
MIN_GAIN_DB = 1.5
"""Decibels that the network must give more than the mend without one, on average."""


class NullReport:
    """A report that is not read."""

    def progress(self, fraction: float, message: str = "") -> None: ...

    def warn(self, message: str) -> None: ...

    def record(self, **facts: Any) -> None: ...


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench detail", description=__doc__)
    parser.add_argument("--model", default="realesrgan-drawn")
    parser.add_argument("--pictures", type=Path, default=ROOT / "examples" / "pictures", help="folder of JPEG files")
    args = parser.parse_args(argv)
    models = catalog.load()
    rows: dict[str, list[float]] = {"softened": [], "sharpen": [], args.model: []}
    try:
        families = {
            name: catalog.family_class(models.spec(name)).load(models.spec(name), Device())
            for name in ("sharpen", args.model)
        }
    except (MissingDependency, ModuleNotFoundError) as error:
        parser.exit(1, f"{error}\n")
    seconds = 0.0
    for path in sorted(args.pictures.glob("*.jpg")):
        with Image.open(path) as image:
            left, top = (image.width - SIDE) // 2, (image.height - SIDE) // 2
            truth = image.convert("RGB").crop((left, top, left + SIDE, top + SIDE))
        softened = np.asarray(truth.filter(ImageFilter.GaussianBlur(1.3)), float)
        degraded = np.clip(softened + np.random.default_rng(0).normal(0, 3, softened.shape), 0, 255).astype(np.uint8)
        rows["softened"].append(psnr(degraded, truth))
        with TemporaryDirectory() as folder:
            picture = Path(folder, "given.png")
            Image.fromarray(degraded).save(picture)
            for name, family in families.items():
                out = Path(folder, name)
                out.mkdir()
                started = time.process_time()
                (output,) = family.run(Kind.ENHANCE, EnhanceParams(), {"image": [picture]}, out, NullReport(), seed=0)
                seconds = time.process_time() - started
                with Image.open(output) as enhanced:
                    rows[name].append(psnr(np.asarray(enhanced), truth))
    means = {name: float(np.mean(row)) for name, row in rows.items()}
    for name, row in rows.items():
        print(f"{name:18} {means[name]:5.1f} dB PSNR on average of {len(row)}, worst {min(row):.1f}")
    gain = means[args.model] - means["sharpen"]
    print(f"gain over sharpen  {gain:5.1f} dB   bar ≥ {MIN_GAIN_DB:g}: {'met' if gain >= MIN_GAIN_DB else 'MISSED'}")
    print(f"{seconds:.1f} s CPU for {SIDE}×{SIDE}: {seconds / SIDE**2 * 1280 * 720:.0f} for 1280×720")


def psnr(one: Any, other: Any) -> float:
    return float(10 * np.log10(255**2 / np.mean(np.square(np.asarray(one, float) - np.asarray(other, float)))))

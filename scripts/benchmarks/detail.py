"""Detail at the same size: how near a softened picture comes to what it was, by the network and by the mend without one.

The middle of each picture is softened (Gaussian, 1.3 pixels), made a little noisy (3 of 255) and given to both; PSNR against the picture
as it was. CPU is user + system of one thread. Decibels hold anywhere; seconds belong to the machine.
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

from pipelines.base import Device, Kind, Missing
from pipelines.models import catalog
from pipelines.step_params import EnhanceParams

ROOT = Path(__file__).resolve().parents[2]
SIDE = 224
GAIN = 1.5
"""Decibels that the network must give more than the mend without one, on average."""


class Notes:
    """A report that is not read."""

    def progress(self, fraction: float, message: str = "") -> None: ...

    def warn(self, message: str) -> None: ...

    def record(self, **facts: Any) -> None: ...


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench detail", description=__doc__)
    parser.add_argument("--model", default="realesrgan-drawn")
    parser.add_argument("--pictures", type=Path, default=ROOT / "examples" / "pictures", help="folder of JPEG files")
    asked = parser.parse_args(argv)
    models = catalog.load()
    rows: dict[str, list[float]] = {"softened": [], "sharpen": [], asked.model: []}
    try:
        families = {
            name: catalog.family_class(models.spec(name)).load(models.spec(name), Device())
            for name in ("sharpen", asked.model)
        }
    except (Missing, ModuleNotFoundError) as error:
        parser.exit(1, f"{error}\n")
    seconds = 0.0
    for path in sorted(asked.pictures.glob("*.jpg")):
        with Image.open(path) as whole:
            left, top = (whole.width - SIDE) // 2, (whole.height - SIDE) // 2
            truth = whole.convert("RGB").crop((left, top, left + SIDE, top + SIDE))
        soft = np.asarray(truth.filter(ImageFilter.GaussianBlur(1.3)), float)
        given = np.clip(soft + np.random.default_rng(0).normal(0, 3, soft.shape), 0, 255).astype(np.uint8)
        rows["softened"].append(decibels(given, truth))
        with TemporaryDirectory() as folder:
            picture = Path(folder, "given.png")
            Image.fromarray(given).save(picture)
            for name, family in families.items():
                out = Path(folder, name)
                out.mkdir()
                begun = time.process_time()
                (made,) = family.run(Kind.ENHANCE, EnhanceParams(), {"picture": [picture]}, out, Notes(), seed=0)
                seconds = time.process_time() - begun
                with Image.open(made) as better:
                    rows[name].append(decibels(np.asarray(better), truth))
    means = {name: float(np.mean(row)) for name, row in rows.items()}
    for name, row in rows.items():
        print(f"{name:18} {means[name]:5.1f} dB PSNR on average of {len(row)}, worst {min(row):.1f}")
    gained = means[asked.model] - means["sharpen"]
    print(f"gain over sharpen  {gained:5.1f} dB   bar ≥ {GAIN:g}: {'met' if gained >= GAIN else 'MISSED'}")
    print(f"{seconds:.1f} s CPU for {SIDE}×{SIDE}: {seconds / SIDE**2 * 1280 * 720:.0f} for 1280×720")


def decibels(one: Any, other: Any) -> float:
    return float(10 * np.log10(255**2 / np.mean(np.square(np.asarray(one, float) - np.asarray(other, float)))))

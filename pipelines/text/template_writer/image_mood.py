"""Image statistics: light, colours and format of an input image. The content of the image is not recognised."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from pathlib import Path

_FORMATS = ("PNG", "JPEG", "WEBP")


@dataclass(frozen=True, slots=True)
class ImageMood:
    """Look of an image. `tone`: warm, cool, bright, dark, colourful, soft or green. `description`: in English."""

    tone: str
    description: str


def analyze_image(path: Path) -> ImageMood:
    """Return the look of the image at `path` (PNG, JPEG or WebP), from a 32 × 32 RGB thumbnail.

    Raises OSError if it is invalid.
    """
    from PIL import Image

    with Image.open(path, formats=_FORMATS) as image:
        wide = image.width / max(1, image.height)
        small = image.convert("RGB").resize((32, 32), Image.Resampling.BOX)
    raw = small.tobytes()
    pixels = [(raw[i] / 255, raw[i + 1] / 255, raw[i + 2] / 255) for i in range(0, len(raw), 3)]
    red, green, blue = (sum(p[c] for p in pixels) / len(pixels) for c in range(3))
    light = 0.3 * red + 0.59 * green + 0.11 * blue
    spread = sum(max(p) - min(p) for p in pixels) / len(pixels)
    hues = {int(colorsys.rgb_to_hsv(*p)[0] * 12) for p in pixels if max(p) - min(p) > 0.35}
    tone = _classify_tone(red, green, blue, light, spread, len(hues))
    above = sum(0.3 * r + 0.59 * g + 0.11 * b for r, g, b in pixels[:512]) / 512
    shape = "portrait format" if wide < 0.9 else "landscape format" if wide > 1.1 else "square format"
    parts = ["given picture", _TONE_DESCRIPTIONS[tone], shape]
    if above > light * 1.2:
        parts.append("light from above")
    if light < 0.32 and blue > red * 1.3:
        parts.append("like a night")
    return ImageMood(tone, ", ".join(parts))


_TONE_DESCRIPTIONS = {
    "warm": "warm golden tones",
    "cool": "cool blue tones",
    "bright": "bright and full of light",
    "dark": "dark, little light",
    "colourful": "strong bright colours",
    "soft": "soft muted colours",
    "green": "fresh green tones",
}


def _classify_tone(red: float, green: float, blue: float, light: float, spread: float, hues: int) -> str:
    if light < 0.2:
        return "dark"
    if hues >= 5:
        return "colourful"
    if light > 0.8:
        return "bright"
    if green > red * 1.08 and green > blue * 1.08:
        return "green"
    if red > blue * 1.15:
        return "warm"
    if blue > red * 1.1:
        return "cool"
    return "colourful" if spread > 0.4 else "soft"

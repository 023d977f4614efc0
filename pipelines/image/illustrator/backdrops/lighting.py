"""The light of a scene: sky colours, and the colour transform of every drawn colour, by hour and weather."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.image.illustrator.canvas import ColourTransform, mix, rgb, to_hex
from pipelines.image.illustrator.language.setting import TIMELESS_KINDS, Setting

_SKY_COLOURS = {
    "day": ("#7fc0e6", "#bfe0ea", "#f6ecd2"),
    "dawn": ("#7f9fd0", "#f0b9a4", "#ffe3b0"),
    "dusk": ("#5a5596", "#e58a6a", "#fccb7c"),
    "night": ("#131a3a", "#25305e", "#4a5685"),
}
_TINTS = {
    "day": (1.0, 1.0, 0.98),
    "dawn": (1.0, 0.93, 0.9),
    "dusk": (1.0, 0.86, 0.78),
    "night": (0.52, 0.58, 0.82),
}
_FIGURE_TINTS = {
    "day": (1.0, 1.0, 1.0),
    "dawn": (1.0, 0.96, 0.93),
    "dusk": (1.0, 0.92, 0.86),
    "night": (0.91, 0.87, 0.95),
}


# Lamps, lit windows and flames give light: the night does not darken them.
_LIGHT_SOURCE_COLOURS = frozenset(
    {
        "#ffd885",
        "#ffe9a6",
        "#ffe6a8",
        "#fff0b8",
        "#ffe6b0",
        "#ffdf9a",
        "#fff9e0",
        "#ffd67a",
        "#fff3c8",
        "#ffd98a",
        "#ffcf80",
    }
)


@dataclass(frozen=True, slots=True)
class Lighting:
    """Colour transforms of an hour and a weather."""

    sky: tuple[str, str, str]
    tint: tuple[float, float, float]
    figure_tint: tuple[float, float, float]
    haze: str
    haze_density: float
    dark: bool
    desaturation: float

    def colour_transform(self, distance: float) -> ColourTransform:
        """Return the colour transform at a distance (0 near, 1 horizon): aerial perspective."""
        veil = min(0.85, distance * self.haze_density)

        def transform(colour: str) -> str:
            if colour in _LIGHT_SOURCE_COLOURS:
                return mix(colour, self.haze, veil * 0.4)
            return mix(self._apply_tint(colour, self.tint), self.haze, veil)

        return transform

    def figure_transform(self) -> ColourTransform:
        """Return the weaker transform of figures, so that faces stay readable at night."""
        return lambda colour: (
            colour if colour in _LIGHT_SOURCE_COLOURS else self._apply_tint(colour, self.figure_tint, 0.4)
        )

    def emissive_transform(self) -> ColourTransform:
        """Return the transform of light sources, which the night does not darken."""
        return lambda colour: colour

    def _apply_tint(self, colour: str, tint: tuple[float, float, float], strength: float = 1.0) -> str:
        red, green, blue = rgb(colour)
        mean = 0.3 * red + 0.59 * green + 0.11 * blue
        grey = self.desaturation * strength
        return to_hex(*((v + (mean - v) * grey) * t for v, t in zip((red, green, blue), tint, strict=True)))


def compute_lighting(setting: Setting) -> Lighting:
    """Return the light of a setting."""
    time = "night" if setting.kind == "space" else setting.time
    if setting.kind in ("cave", "underwater"):
        time = "day"
    sky, tint, figures = _SKY_COLOURS[time], _TINTS[time], _FIGURE_TINTS[time]
    grey, thickness = 0.0, 0.42
    if setting.indoors:
        # Lamps burn inside: the room stays warm when the window is dark.
        tint = {"night": (0.86, 0.76, 0.68), "dusk": (0.98, 0.88, 0.78), "dawn": (1.0, 0.95, 0.9)}.get(time, tint)
        figures = {"night": (0.97, 0.91, 0.85)}.get(time, figures)
    overcast = {"cloud": 0.3, "rain": 0.5, "storm": 0.72, "fog": 0.45, "snow": 0.35}.get(setting.weather, 0.0)
    if overcast:
        cloud = {"night": "#262c42", "dusk": "#8b7885", "dawn": "#b9aab4"}.get(time, "#a9b4bd")
        if setting.weather == "storm":
            cloud = mix(cloud, "#39404f", 0.6)
        if setting.weather == "snow":
            cloud = mix(cloud, "#e2e8ef" if time != "night" else "#4a5578", 0.5)
        sky = (mix(sky[0], cloud, overcast), mix(sky[1], cloud, overcast), mix(sky[2], cloud, overcast * 0.75))
        grey = overcast * 0.42 if not setting.indoors else 0.08
        if not setting.indoors:
            dim = 1 - (0.16 if setting.weather in ("rain",) else 0.26 if setting.weather == "storm" else 0.04)
            tint = (tint[0] * dim, tint[1] * dim, tint[2] * min(1.0, dim + 0.06))
            figures = (figures[0] * (dim + 0.18), figures[1] * (dim + 0.18), figures[2] * (dim + 0.2))
            figures = tuple(min(1.0, v) for v in figures)  # type: ignore[assignment]
        thickness = {"fog": 0.95, "snow": 0.6, "rain": 0.6, "storm": 0.5}.get(setting.weather, 0.45)
    haze = mix(sky[1], sky[2], 0.5)
    if setting.kind == "underwater":
        sky, haze, tint, figures = ("#1d6f9a", "#2b8fb0", "#58b8c4"), "#3b9fb8", (0.72, 0.94, 1.0), (0.92, 0.99, 1.0)
        thickness = 0.7
    if setting.kind == "space":
        haze, figures = "#141333", (0.95, 0.95, 1.0)
    if setting.kind == "cave":
        sky, haze, tint, figures = ("#2a2230", "#33283a", "#4a3a48"), "#33283a", (0.8, 0.72, 0.74), (0.95, 0.9, 0.86)
    return Lighting(
        sky=sky, tint=tint, figure_tint=figures, haze=haze, haze_density=thickness, desaturation=grey,
        dark=time == "night" or setting.kind in TIMELESS_KINDS - {"underwater"},
    )  # fmt: skip

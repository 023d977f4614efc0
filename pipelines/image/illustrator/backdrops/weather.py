"""Weather in front of the scene: rain, snow, fog, leaves; and a vignette."""

from __future__ import annotations

import random

from pipelines.image.illustrator.backdrops.elements import Backdrop
from pipelines.image.illustrator.canvas import Canvas


def draw_weather(backdrop: Backdrop, rng: random.Random) -> Canvas:
    """Draw the nearest layer: weather and a vignette."""
    canvas = Canvas(name="air")
    u, h = backdrop.unit, backdrop.height
    place = backdrop.setting
    if not place.indoors:
        match place.weather:
            case "rain" | "storm":
                slant = 3.2 if place.weather == "storm" else 1.4
                for _ in range(150 if place.weather == "storm" else 110):
                    x, y = backdrop.x_at(rng.uniform(0, 1.05)), rng.uniform(-backdrop.margin, backdrop.bottom)
                    long = rng.uniform(3, 7) * u
                    canvas.line([(x, y), (x - slant * long / 7, y + long)], "#dbe9f2", 0.22 * u, rng.uniform(0.25, 0.6))
            case "snow":
                for _ in range(130):
                    canvas.circle(
                        backdrop.x_at(rng.random()),
                        rng.uniform(-backdrop.margin, backdrop.bottom),
                        rng.uniform(0.25, 1.0) * u,
                        "#ffffff",
                        rng.uniform(0.5, 0.95),
                    )
            case "fog":
                for y in (0.5, 0.66, 0.86):
                    fill = canvas.linear_gradient(
                        [
                            (0, backdrop.lighting.haze, 0),
                            (0.5, backdrop.lighting.haze, 0.42),
                            (1, backdrop.lighting.haze, 0),
                        ]
                    )
                    canvas.rect(backdrop.left, h * y - 18 * u, backdrop.right - backdrop.left, 36 * u, fill)
            case _:
                if place.season == "autumn" and place.kind in (
                    "forest",
                    "garden",
                    "meadow",
                    "road",
                    "river",
                    "village",
                ):
                    for _ in range(22):
                        with canvas.transformed(
                            backdrop.x_at(rng.random()),
                            rng.uniform(0, backdrop.bottom),
                            u * rng.uniform(0.3, 0.6),
                            rotation=rng.uniform(0, 360),
                        ):
                            canvas.path(
                                "M-4 0C-2 -4 2 -4 5 0C2 4 -2 4 -4 0Z", rng.choice(("#d98a35", "#c9622c", "#e0ae3f"))
                            )
                elif place.season == "spring" and place.kind in ("forest", "garden", "river", "village"):
                    for _ in range(20):
                        canvas.ellipse(
                            backdrop.x_at(rng.random()),
                            rng.uniform(0, backdrop.bottom),
                            0.6 * u,
                            0.4 * u,
                            "#f6c9d6",
                            0.9,
                        )
                elif (
                    place.time == "night"
                    and place.kind in ("meadow", "forest", "garden", "river", "lake", "road")
                    and place.season == "summer"
                ):
                    for _ in range(14):
                        x, y = backdrop.x_at(rng.random()), h * rng.uniform(0.5, 0.98)
                        canvas.circle(x, y, 1.6 * u, canvas.radial_gradient([(0, "#fff2a0", 0.8), (1, "#fff2a0", 0)]))
                        canvas.circle(x, y, 0.3 * u, "#fffbd8")
    if place.weather == "storm" and not place.indoors and backdrop.setting.seed % 2 == 0:
        _draw_lightning(backdrop, rng)
    strength = 0.34 if backdrop.lighting.dark else 0.16
    for x, y in (
        (backdrop.left, -backdrop.margin),
        (backdrop.right, -backdrop.margin),
        (backdrop.left, backdrop.bottom),
        (backdrop.right, backdrop.bottom),
    ):
        canvas.ellipse(
            x,
            y,
            backdrop.width * 0.52,
            backdrop.height * 0.5,
            canvas.radial_gradient([(0, "#1a1026", strength), (1, "#1a1026", 0)]),
        )
    return canvas


def _draw_lightning(backdrop: Backdrop, rng: random.Random) -> None:
    u, x = backdrop.unit, backdrop.width * rng.uniform(0.15, 0.85)
    points = [(x, -backdrop.margin)]
    while points[-1][1] < backdrop.horizon - 8 * u:
        px, py = points[-1]
        points.append((px + rng.uniform(-6, 6) * u, py + rng.uniform(5, 9) * u))
    backdrop.sky.line(points, "#fff6cf", 2.4 * u, 0.35)
    backdrop.sky.line(points, "#fffbe8", 0.9 * u)

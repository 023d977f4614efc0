"""What falls and drifts before the eye: rain, snow, fog, leaves, and the dark corners that hold a picture together."""

from __future__ import annotations

import random

from pipelines.image.illustrator.backdrops.elements import Scenery
from pipelines.image.illustrator.canvas import Sheet


def draw_air(scene: Scenery, dice: random.Random) -> Sheet:
    """The nearest paper: weather in the air, and a soft vignette."""
    sheet = Sheet(name="air")
    u, h = scene.unit, scene.height
    place = scene.place
    if not place.indoors:
        match place.weather:
            case "rain" | "storm":
                slant = 3.2 if place.weather == "storm" else 1.4
                for _ in range(150 if place.weather == "storm" else 110):
                    x, y = scene.across(dice.uniform(0, 1.05)), dice.uniform(-scene.margin, scene.bottom)
                    long = dice.uniform(3, 7) * u
                    sheet.line([(x, y), (x - slant * long / 7, y + long)], "#dbe9f2", 0.22 * u, dice.uniform(0.25, 0.6))
            case "snow":
                for _ in range(130):
                    sheet.circle(
                        scene.across(dice.random()),
                        dice.uniform(-scene.margin, scene.bottom),
                        dice.uniform(0.25, 1.0) * u,
                        "#ffffff",
                        dice.uniform(0.5, 0.95),
                    )
            case "fog":
                for y in (0.5, 0.66, 0.86):
                    fill = sheet.fade(
                        [(0, scene.light.haze, 0), (0.5, scene.light.haze, 0.42), (1, scene.light.haze, 0)]
                    )
                    sheet.rect(scene.left, h * y - 18 * u, scene.right - scene.left, 36 * u, fill)
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
                        with sheet.moved(
                            scene.across(dice.random()),
                            dice.uniform(0, scene.bottom),
                            u * dice.uniform(0.3, 0.6),
                            turn=dice.uniform(0, 360),
                        ):
                            sheet.path(
                                "M-4 0C-2 -4 2 -4 5 0C2 4 -2 4 -4 0Z", dice.choice(("#d98a35", "#c9622c", "#e0ae3f"))
                            )
                elif place.season == "spring" and place.kind in ("forest", "garden", "river", "village"):
                    for _ in range(20):
                        sheet.ellipse(
                            scene.across(dice.random()), dice.uniform(0, scene.bottom), 0.6 * u, 0.4 * u, "#f6c9d6", 0.9
                        )
                elif (
                    place.time == "night"
                    and place.kind in ("meadow", "forest", "garden", "river", "lake", "road")
                    and place.season == "summer"
                ):
                    for _ in range(14):
                        x, y = scene.across(dice.random()), h * dice.uniform(0.5, 0.98)
                        sheet.circle(x, y, 1.6 * u, sheet.glow([(0, "#fff2a0", 0.8), (1, "#fff2a0", 0)]))
                        sheet.circle(x, y, 0.3 * u, "#fffbd8")
    if place.weather == "storm" and not place.indoors and scene.place.seed % 2 == 0:
        _lightning(scene, dice)
    strength = 0.34 if scene.light.dark else 0.16
    for x, y in (
        (scene.left, -scene.margin),
        (scene.right, -scene.margin),
        (scene.left, scene.bottom),
        (scene.right, scene.bottom),
    ):
        sheet.ellipse(
            x, y, scene.width * 0.52, scene.height * 0.5, sheet.glow([(0, "#1a1026", strength), (1, "#1a1026", 0)])
        )
    return sheet


def _lightning(scene: Scenery, dice: random.Random) -> None:
    u, x = scene.unit, scene.width * dice.uniform(0.15, 0.85)
    points = [(x, -scene.margin)]
    while points[-1][1] < scene.horizon - 8 * u:
        px, py = points[-1]
        points.append((px + dice.uniform(-6, 6) * u, py + dice.uniform(5, 9) * u))
    scene.sky.line(points, "#fff6cf", 2.4 * u, 0.35)
    scene.sky.line(points, "#fffbe8", 0.9 * u)

"""Backdrops under the open sky: each fills the far, middle and near papers of a scenery."""

from __future__ import annotations

import random
from collections.abc import Callable

from pipelines.image.illustrator.backdrops import elements as s
from pipelines.image.illustrator.backdrops.elements import Scenery
from pipelines.image.illustrator.backdrops.market import draw_market
from pipelines.image.illustrator.canvas import Sheet, darker, lighter, mix, smooth

SEA = "#3f86a6"
_ARCH = ((-1, 0), (-0.92, 0.7), (-0.6, 1.35), (-0.1, 1.6), (0.36, 1.4), (0.84, 0.84), (1.02, 0))


def _sea_colour(scene: Scenery) -> str:
    return mix(SEA, scene.light.sky[0], 0.3)


def _meadow(scene: Scenery) -> None:
    h, u, green = scene.height, scene.unit, s.grass(scene.place)
    s.hills(scene, scene.far, h * 0.52, h * 0.05, mix(green, "#7fa6a0", 0.45))
    s.hills(scene, scene.far, h * 0.58, h * 0.035, mix(green, "#7fa680", 0.2))
    ridge = s.hills(scene, scene.mid, h * 0.65, h * 0.025, lighter(green, 0.06))
    for x, y in ridge[1:-1:2]:
        s.tree(scene, scene.mid, x + scene.dice.uniform(-6, 6) * u, y + 2 * u, scene.dice.uniform(15, 23) * u)
    if "village" in scene.place.features:
        for x, y in ridge[2:5]:
            s.house(scene.mid, x, y + 2 * u, 11 * u, scene.dice, scene.light.dark, scene.snowy)
    s.ground(scene, scene.mid, h * 0.73, green, h * 0.012)
    _path(scene, scene.mid, h * 0.73)
    s.tufts(scene, scene.mid, 46, h * 0.76, darker(green, 0.16), scene.place.season in ("spring", "summer"))
    _near_grass(scene, darker(green, 0.3))


def _path(scene: Scenery, sheet: Sheet, top: float) -> None:
    x = scene.width * scene.dice.uniform(0.35, 0.65)
    u, b = scene.unit, scene.bottom
    earth = "#d9bd8d" if not scene.snowy else "#d3dce6"
    sheet.path(
        f"M{x:.0f} {top:.0f}C{x + 10 * u:.0f} {top + 6 * u:.0f} {x - 14 * u:.0f} {top + 10 * u:.0f} {x - 22 * u:.0f} {b:.0f}"
        f"L{x + 26 * u:.0f} {b:.0f}C{x + 8 * u:.0f} {top + 12 * u:.0f} {x + 16 * u:.0f} {top + 6 * u:.0f} {x + 2.4 * u:.0f} {top:.0f}Z",
        earth, opacity=0.85,
    )  # fmt: skip


def _near_grass(scene: Scenery, colour: str) -> None:
    """Dark blades in the lower corners: the near paper frames the picture."""
    u, h = scene.unit, scene.bottom
    for corner, side in ((scene.left, 1), (scene.right, -1)):
        for _ in range(9):
            x = corner + side * scene.dice.uniform(0, 22) * u
            high = scene.dice.uniform(6, 14) * u * (1 - abs(x - corner) / (34 * u))
            lean = scene.dice.uniform(-2, 3) * u * side
            y = h - scene.margin * 0.15
            scene.near.path(
                f"M{x - u:.0f} {h:.0f}Q{x:.0f} {y - high * 0.6:.0f} {x + lean:.0f} {y - scene.margin * 0.5 - high:.0f}Q{x + u:.0f} {y - high * 0.5:.0f} {x + 1.4 * u:.0f} {h:.0f}Z",
                colour,
            )


def _forest(scene: Scenery) -> None:
    h, u, green = scene.height, scene.unit, s.grass(scene.place)
    dim = mix(s.leaves(scene.place, scene.dice), "#4f7d6d", 0.5)
    s.hills(scene, scene.far, h * 0.46, h * 0.05, mix(dim, "#9cc0b0", 0.4), 6)
    for share in s.ring(15, scene.dice):
        x, top = scene.across(share), h * scene.dice.uniform(0.12, 0.3)
        wide = scene.dice.uniform(1.2, 2.4) * u
        scene.far.polygon(
            [
                (x - wide, h * 0.72),
                (x - wide * 0.6, -scene.margin),
                (x + wide * 0.6, -scene.margin),
                (x + wide, h * 0.72),
            ],
            mix("#6b5a4a" if "birch" not in scene.place.features else "#e9e4da", dim, 0.45),
        )
        scene.far.circle(x, top - h * 0.2, 13 * u, dim, 0.7)
    for share in s.ring(9, scene.dice):
        s.tree(
            scene, scene.mid, scene.across(share), h * scene.dice.uniform(0.69, 0.735), scene.dice.uniform(38, 58) * u
        )
    s.ground(scene, scene.mid, h * 0.72, mix(green, "#5f7a45", 0.35) if not scene.snowy else green, h * 0.012)
    _path(scene, scene.mid, h * 0.72)
    for share in s.ring(7, scene.dice):
        s.bush(
            scene.mid,
            scene.across(share),
            h * scene.dice.uniform(0.73, 0.76),
            scene.dice.uniform(5, 8) * u,
            s.leaves(scene.place, scene.dice),
        )
    s.tufts(scene, scene.mid, 34, h * 0.77, darker(green, 0.25), scene.place.season == "spring")
    bark = "#4b3a30"
    for x, side in ((scene.left + 2 * u, 1), (scene.right - 2 * u, -1)):
        w = 9 * u
        scene.near.path(
            f"M{x - side * w:.0f} {scene.bottom:.0f}L{x - side * w:.0f} {-scene.margin:.0f}L{x + side * w * 0.5:.0f} {-scene.margin:.0f}C{x + side * w * 0.2:.0f} {h * 0.4:.0f} {x + side * w * 0.3:.0f} {h * 0.8:.0f} {x + side * w * 1.3:.0f} {scene.bottom:.0f}Z",
            bark,
        )
    leaf = darker(s.leaves(scene.place, scene.dice), 0.35)
    for corner, side in ((scene.left, 1), (scene.right, -1)):
        for _ in range(9):
            scene.near.circle(
                corner + side * scene.dice.uniform(0, 26) * u,
                -scene.margin + scene.dice.uniform(-2, 10) * u,
                scene.dice.uniform(6, 10) * u,
                leaf,
            )


def _volcano(scene: Scenery) -> None:
    """One great cone; in eruption it has a plume of smoke and lava on its sides."""
    h, u, dice = scene.height, scene.unit, random.Random(scene.place.seed)
    x, top, foot = scene.width * (0.5 + (0.16 if scene.place.seed % 2 else -0.16)), h * 0.31, h * 0.7
    wide, rim = max(46 * u, scene.width * 0.24), 7 * u
    hot = "eruption" in scene.place.features
    if hot:
        for index in range(11):
            rise = index / 10
            y, r = top - 2 * u - rise * 30 * u, (6 + 12 * rise) * u
            shade = mix("#5a4a4c", "#b5aaa8", rise * 0.7)
            scene.far.circle(x + dice.uniform(-1, 1) * 9 * u * rise + 8 * u * rise, y, r, shade, 0.9)
        s.lamp_glow(scene.far, x, top, 30 * u, "#ff9a4a", 0.8)
        for turn in (-62, -40, -16, 14, 38, 60):
            end = s.arc(x, top, dice.uniform(13, 22) * u, turn - 90)
            bend = s.arc(x, top - 8 * u, 9 * u, turn * 0.6 - 90)
            scene.far.curve([(x, top), bend, end], "#ff8a3a", 1.5 * u)
            scene.far.circle(*end, 1.7 * u, "#ffd05a")
    rock = "#6a5f66"
    scene.far.path(
        f"M{x - wide:.0f} {foot:.0f}C{x - wide * 0.5:.0f} {foot - 8 * u:.0f} {x - rim * 1.8:.0f} {top + 16 * u:.0f} {x - rim:.0f} {top:.0f}"
        f"Q{x:.0f} {top + 3 * u:.0f} {x + rim:.0f} {top:.0f}C{x + rim * 1.8:.0f} {top + 16 * u:.0f} {x + wide * 0.5:.0f} {foot - 8 * u:.0f} {x + wide:.0f} {foot:.0f}Z",
        rock,
    )
    scene.far.path(
        f"M{x + rim * 0.2:.0f} {top + 2 * u:.0f}L{x + rim:.0f} {top:.0f}C{x + rim * 1.8:.0f} {top + 16 * u:.0f} {x + wide * 0.5:.0f} {foot - 8 * u:.0f} {x + wide:.0f} {foot:.0f}L{x + wide * 0.25:.0f} {foot:.0f}C{x + wide * 0.12:.0f} {top + 34 * u:.0f} {x + rim * 0.6:.0f} {top + 18 * u:.0f} {x + rim * 0.2:.0f} {top + 2 * u:.0f}Z",
        darker(rock, 0.2),
    )
    tone, scene.far.tone = scene.far.tone, scene.light.glow()
    if hot:
        scene.far.ellipse(x, top + 0.6 * u, rim * 0.94, 1.5 * u, "#ffb04a")
        for shift, down, thick in ((-3.4, 24, 2.6), (0.6, 38, 3.4), (4.4, 20, 2.2)):
            scene.far.curve(
                [
                    (x + shift * 0.6 * u, top + u),
                    (x + shift * 1.5 * u, top + down * 0.45 * u),
                    (x + shift * 2.6 * u, top + down * u),
                ],
                "#f2602a",
                thick * u,
            )
            scene.far.curve(
                [
                    (x + shift * 0.6 * u, top + u),
                    (x + shift * 1.5 * u, top + down * 0.4 * u),
                    (x + shift * 2.2 * u, top + down * 0.8 * u),
                ],
                "#ffc04a",
                thick * 0.4 * u,
            )
    else:
        scene.far.ellipse(x, top + 0.8 * u, rim * 0.9, 1.3 * u, darker(rock, 0.45))
    scene.far.tone = tone


def _mountains(scene: Scenery) -> None:
    h, u, green = scene.height, scene.unit, s.grass(scene.place)
    if {"volcano", "eruption"} & set(scene.place.features):
        _volcano(scene)
    for share in s.ring(4, scene.dice) if not {"volcano", "eruption"} & set(scene.place.features) else ():
        s.mountain(scene.far, scene.across(share), h * 0.66, h * scene.dice.uniform(0.36, 0.52), "#6f86a0", scene.dice)
    s.hills(scene, scene.far, h * 0.62, h * 0.03, mix("#6c8f78", green, 0.4))
    ridge = s.hills(scene, scene.mid, h * 0.68, h * 0.03, mix(green, "#6c8f68", 0.4))
    for x, y in ridge[1:-1]:
        for shift in (-4, 1, 6):
            s.pine(scene.mid, x + shift * u, y + 1.5 * u, scene.dice.uniform(10, 17) * u, "#4a7560", scene.snowy)
    s.ground(scene, scene.mid, h * 0.745, mix(green, "#9a8f78", 0.25), h * 0.012)
    for share in s.ring(5, scene.dice):
        s.rock(
            scene.mid,
            scene.across(share),
            h * scene.dice.uniform(0.75, 0.8),
            scene.dice.uniform(3, 6) * u,
            "#9b948c",
            scene.dice,
        )
    s.tufts(scene, scene.mid, 24, h * 0.79, darker(green, 0.2), scene.place.season != "winter")
    for x, size in ((scene.left + 4 * u, 20), (scene.right - 6 * u, 15)):
        s.rock(scene.near, x, scene.bottom, size * u, "#6f6a68", scene.dice)


def _shore_land(scene: Scenery) -> None:
    """A headland on the horizon, with what the place is known for."""
    u, dice = scene.unit, scene.dice
    side = 1 if scene.place.seed % 2 else -1
    edge = scene.right if side > 0 else scene.left
    x = edge - side * 34 * u
    y = scene.horizon
    scene.far.path(
        f"M{edge:.0f} {y + 2:.0f}L{edge:.0f} {y - 11 * u:.0f}C{edge - side * 14 * u:.0f} {y - 14 * u:.0f} {x + side * 6 * u:.0f} {y - 9 * u:.0f} {x:.0f} {y - 4 * u:.0f}C{x - side * 4 * u:.0f} {y - 3 * u:.0f} {x - side * 8 * u:.0f} {y:.0f} {x - side * 12 * u:.0f} {y + 2:.0f}Z",
        "#7d8a72",
    )
    if "lighthouse" in scene.place.features:
        s.lighthouse(
            scene.far,
            x + side * 7 * u,
            y - 7 * u,
            19 * u,
            scene.light.dark or scene.place.weather in ("storm", "fog"),
            scene.sky,
        )
    elif dice.random() < 0.5:
        s.house(scene.far, x + side * 9 * u, y - 8.5 * u, 7 * u, dice, scene.light.dark, scene.snowy)


def _sea(scene: Scenery) -> None:
    h, u = scene.height, scene.unit
    s.birds(scene, scene.far)
    s.water(scene, scene.far, scene.horizon, _sea_colour(scene))
    _shore_land(scene)
    s.sailing_boat(scene.far, scene.width * scene.dice.uniform(0.3, 0.7), scene.horizon + 1.5 * u, 9 * u)
    sand = "#e7d2a2" if not scene.snowy else "#eef1f4"
    s.wave_line(scene, scene.mid, h * 0.745, 2.6 * u, lighter(SEA, 0.62))
    s.ground(scene, scene.mid, h * 0.765, sand, h * 0.008)
    for share in s.ring(6, scene.dice):
        s.rock(
            scene.mid,
            scene.across(share),
            h * scene.dice.uniform(0.775, 0.83),
            scene.dice.uniform(1.2, 3.4) * u,
            "#9a9188",
            scene.dice,
        )
    _near_grass(scene, "#8d8a52" if not scene.snowy else "#a9b3b8")


def _beach(scene: Scenery) -> None:
    h, u = scene.height, scene.unit
    s.birds(scene, scene.far)
    s.water(scene, scene.far, scene.horizon, mix("#3fa5b0", scene.light.sky[0], 0.25))
    island = scene.width * scene.dice.uniform(0.2, 0.8)
    scene.far.path(
        f"M{island - 18 * u:.0f} {scene.horizon + 2:.0f}C{island - 10 * u:.0f} {scene.horizon - 8 * u:.0f} {island + 8 * u:.0f} {scene.horizon - 9 * u:.0f} {island + 20 * u:.0f} {scene.horizon + 2:.0f}Z",
        "#7fa07a",
    )
    s.wave_line(scene, scene.mid, h * 0.72, 2.2 * u, "#d8eef0")
    s.ground(scene, scene.mid, h * 0.74, "#f0d9a4", h * 0.01)
    for share, size in ((0.12, 46), (0.9, 52)):
        s.palm(scene.mid, scene.across(share), h * 0.78, size * u)
    for share in s.ring(7, scene.dice):
        x, y = scene.across(share), h * scene.dice.uniform(0.8, 1.0)
        scene.mid.circle(x, y, 0.7 * u, scene.dice.choice(("#e99a8c", "#fff5e6", "#d9a87a")))
    _near_grass(scene, "#4d8552")


def _cove(scene: Scenery) -> None:
    h, u, dice = scene.height, scene.unit, scene.dice
    s.birds(scene, scene.far)
    s.water(scene, scene.far, scene.horizon, _sea_colour(scene))
    if "lighthouse" in scene.place.features:
        _shore_land(scene)
    stone = "#8f8379"
    for side, edge in ((1, scene.left), (-1, scene.right)):
        reach, high = dice.uniform(20, 34) * u, h * dice.uniform(0.28, 0.4)
        top = scene.horizon - high * (1 if side > 0 else 0.7)
        scene.mid.polygon(
            [
                (edge, top),
                (edge + side * reach * 0.5, top + 3 * u),
                (edge + side * reach * 0.7, top + 12 * u),
                (edge + side * reach, scene.horizon + 2 * u),
                (edge + side * reach * 1.3, h * 0.72),
                (edge, h * 0.76),
            ],
            stone,
        )
        scene.mid.polygon(
            [
                (edge + side * reach * 0.5, top + 3 * u),
                (edge + side * reach * 0.7, top + 12 * u),
                (edge + side * reach, scene.horizon + 2 * u),
                (edge + side * reach * 1.3, h * 0.72),
                (edge + side * reach * 0.75, h * 0.7),
            ],
            darker(stone, 0.16),
        )
        scene.mid.path(
            f"M{edge:.0f} {top - u:.0f}L{edge + side * reach * 0.52:.0f} {top + 2 * u:.0f}L{edge + side * reach * 0.44:.0f} {top + 6 * u:.0f}L{edge + side * reach * 0.2:.0f} {top + 4 * u:.0f}L{edge:.0f} {top + 7 * u:.0f}Z",
            s.grass(scene.place),
        )
    for share in s.ring(5, dice):
        x = scene.across(share)
        s.rock(scene.mid, x, h * dice.uniform(0.7, 0.745), dice.uniform(3, 9) * u, darker(stone, 0.08), dice)
    s.wave_line(scene, scene.mid, h * 0.755, 2.4 * u, lighter(SEA, 0.66))
    s.ground(scene, scene.mid, h * 0.775, "#d3bd97" if not scene.snowy else "#e8edf0", h * 0.01)
    for share in s.ring(16, dice):
        s.rock(
            scene.mid, scene.across(share), h * dice.uniform(0.79, 1.02), dice.uniform(0.8, 2.2) * u, "#a2968b", dice
        )
    for x, size in ((scene.left + 5 * u, 24), (scene.right - 4 * u, 17)):
        s.rock(scene.near, x, scene.bottom + u, size * u, "#5f5854", dice)


def _lighthouse(scene: Scenery) -> None:
    h, u = scene.height, scene.unit
    s.birds(scene, scene.far)
    s.water(scene, scene.far, scene.horizon, _sea_colour(scene))
    side = 1 if scene.place.seed % 2 else -1
    x = scene.width * (0.5 + side * 0.3)
    green = s.grass(scene.place)
    edge = scene.right if side > 0 else scene.left
    top = h * 0.6
    scene.mid.path(
        f"M{edge:.0f} {scene.bottom:.0f}L{edge:.0f} {top - 3 * u:.0f}C{x + side * 12 * u:.0f} {top - 4 * u:.0f} {x - side * 14 * u:.0f} {top - 3 * u:.0f} {x - side * 26 * u:.0f} {top + 6 * u:.0f}C{x - side * 34 * u:.0f} {top + 12 * u:.0f} {x - side * 40 * u:.0f} {h * 0.74:.0f} {x - side * 60 * u:.0f} {h * 0.78:.0f}L{x - side * 60 * u:.0f} {scene.bottom:.0f}Z",
        mix(green, "#8f8a70", 0.3),
    )
    lit = scene.light.dark or scene.place.weather in ("storm", "fog") or scene.place.time == "dusk"
    # The lamp room stays in the picture while the camera comes nearer.
    s.lighthouse(scene.mid, x, top - 1.5 * u, h * 0.48, lit, scene.far)
    s.house(scene.mid, x - side * 13 * u, top + 1.5 * u, 13 * u, scene.dice, lit, scene.snowy)
    s.ground(scene, scene.mid, h * 0.745, green, h * 0.012)
    _path(scene, scene.mid, h * 0.745)
    s.tufts(scene, scene.mid, 34, h * 0.78, darker(green, 0.18), scene.place.season in ("spring", "summer"))
    for share in s.ring(4, scene.dice):
        s.rock(
            scene.mid,
            scene.across(share),
            h * scene.dice.uniform(0.76, 0.8),
            scene.dice.uniform(2, 5) * u,
            "#9a9188",
            scene.dice,
        )
    _near_grass(scene, darker(green, 0.35))


def _gallery(scene: Scenery) -> None:
    """A balcony high up: floor and railing before a wide view."""
    h, u = scene.height, scene.unit
    if {"city"} & set(scene.place.features):
        for share in s.ring(14, scene.dice):
            wide = scene.dice.uniform(8, 15) * u
            s.tower_block(
                scene.far,
                scene.across(share),
                h * 0.8,
                wide,
                h * scene.dice.uniform(0.16, 0.42),
                scene.dice,
                scene.light.dark,
            )
    elif {"mountains", "meadow", "forest", "village", "castle"} & set(scene.place.features):
        for share in s.ring(4, scene.dice):
            s.mountain(
                scene.far, scene.across(share), h * 0.68, h * scene.dice.uniform(0.2, 0.34), "#7f93a8", scene.dice
            )
        s.hills(scene, scene.far, h * 0.64, h * 0.03, s.grass(scene.place))
    else:
        s.birds(scene, scene.far)
        s.water(scene, scene.far, scene.horizon + 2 * u, _sea_colour(scene))
        s.sailing_boat(scene.far, scene.width * scene.dice.uniform(0.25, 0.75), scene.horizon + 4 * u, 6 * u)
    rail = "#46505c"
    floor = h * 0.77
    scene.mid.rect(
        scene.left,
        floor,
        scene.right - scene.left,
        scene.bottom - floor,
        scene.mid.fade([(0, "#a89a8c", 1), (1, "#7f7268", 1)]),
    )
    for index in range(8):
        x = scene.across(index / 7)
        scene.mid.line([(x, floor), ((x - scene.width / 2) * 1.7 + scene.width / 2, scene.bottom)], "#6d6158", 0.4 * u)
    scene.mid.rect(scene.left, floor, scene.right - scene.left, 1.2 * u, "#6d6158")
    top = floor - 16 * u
    for index in range(17):
        scene.mid.rect(scene.across(index / 16) - 0.35 * u, top, 0.7 * u, floor - top, rail)
    scene.mid.rect(scene.left, top - u, scene.right - scene.left, 1.9 * u, rail, u)
    scene.mid.rect(scene.left, top + 8 * u, scene.right - scene.left, 0.7 * u, rail)
    if "lighthouse" in scene.place.features or "lighthouse" in scene.place.kind:
        side = 1 if scene.place.seed % 2 else -1
        x = scene.width - 15 * u if side > 0 else 15 * u
        lit = scene.light.dark or scene.place.time == "dusk" or scene.place.weather in ("storm", "fog")
        wide = 15 * u
        scene.mid.rect(x - wide, floor - 12 * u, 2 * wide, 12 * u, "#f0e7d8")
        scene.mid.rect(x - wide, floor - 12 * u, 2 * wide, 2.4 * u, "#c8443a")
        scene.mid.rect(
            x - wide * 0.86,
            -scene.margin,
            wide * 1.72,
            floor - 12 * u + scene.margin,
            "#ffe9a6" if lit else "#b9d3da",
            opacity=0.93,
        )
        if lit:
            s.lamp_glow(scene.mid, x, h * 0.36, 40 * u, "#fff0b8", 0.8)
            scene.mid.ellipse(x, h * 0.36, 5 * u, 8 * u, "#fff9e0")
        for bar in (-0.86, -0.3, 0.26, 0.82):
            scene.mid.rect(x + bar * wide, -scene.margin, 0.9 * u, floor - 12 * u + scene.margin, "#46505c")
        scene.mid.rect(x - wide, h * 0.3, 2 * wide, 0.9 * u, "#46505c", opacity=0.8)


def _harbour(scene: Scenery) -> None:
    h, u, dice = scene.height, scene.unit, scene.dice
    s.hills(scene, scene.far, h * 0.5, h * 0.04, "#8aa38c")
    s.birds(scene, scene.far, 3)
    for row, (y, size) in enumerate(((h * 0.57, 11), (h * 0.615, 14))):
        for share in s.ring(9, dice):
            s.house(
                scene.far if row == 0 else scene.mid,
                scene.across(share),
                y,
                dice.uniform(0.9, 1.2) * size * u,
                dice,
                scene.light.dark,
                scene.snowy,
            )
    scene.mid.rect(scene.left, h * 0.612, scene.right - scene.left, 2.2 * u, "#8d8378")
    s.water(scene, scene.mid, h * 0.632, _sea_colour(scene), h * 0.8)
    for share in s.ring(3, dice):
        s.sailing_boat(
            scene.mid,
            scene.across(0.1 + share * 0.8),
            h * dice.uniform(0.68, 0.735),
            dice.uniform(17, 24) * u,
            dice.choice(("#fbf3e2", "#e9b07f", "#d8e2e4")),
            dice.choice(("#9c5a3a", "#3f6a86", "#a8413c", "#4f7d63")),
        )
    _planks(scene, h * 0.775, "#b08a62")
    for x in (scene.left + 8 * u, scene.right - 9 * u):
        scene.near.rect(x - 3 * u, scene.bottom - scene.margin - 13 * u, 6 * u, 40 * u + scene.margin, "#5d4634", u)
        scene.near.ellipse(x, scene.bottom - scene.margin - 13 * u, 3 * u, 1.1 * u, "#7d6048")
        scene.near.ellipse(x, scene.bottom - scene.margin - 8.5 * u, 3.6 * u, 1.1 * u, None, stroke="#d8bf94", width=u)
    if "lighthouse" in scene.place.features:
        s.lighthouse(scene.far, scene.across(0.86), h * 0.56, 24 * u, scene.light.dark, scene.sky)


def _planks(scene: Scenery, top: float, wood: str) -> None:
    scene.mid.rect(
        scene.left,
        top,
        scene.right - scene.left,
        scene.bottom - top,
        scene.mid.fade([(0, lighter(wood, 0.1), 1), (1, darker(wood, 0.2), 1)]),
    )
    scene.mid.rect(scene.left, top, scene.right - scene.left, scene.unit, darker(wood, 0.3))
    middle = scene.width / 2
    for index in range(13):
        x = scene.across(index / 12)
        scene.mid.line([(x, top), (middle + (x - middle) * 1.9, scene.bottom)], darker(wood, 0.3), scene.unit * 0.32)


def _ship(scene: Scenery) -> None:
    h, u = scene.height, scene.unit
    s.birds(scene, scene.far, 3)
    s.water(scene, scene.far, scene.horizon + 4 * u, _sea_colour(scene))
    s.wave_line(scene, scene.far, h * 0.66, 4 * u, mix(SEA, "#2a5a78", 0.4))
    _planks(scene, h * 0.76, "#b5835a")
    x = scene.width * (0.26 if scene.place.seed % 2 else 0.74)
    scene.mid.rect(x - 2 * u, -scene.margin, 4 * u, h * 0.8 + scene.margin, "#7d5a3e", u)
    scene.mid.rect(x - 34 * u, h * 0.1, 68 * u, 2 * u, "#6b4a34", u)
    scene.mid.path(
        f"M{x - 32 * u:.0f} {h * 0.12:.0f}C{x - 24 * u:.0f} {h * 0.3:.0f} {x - 26 * u:.0f} {h * 0.4:.0f} {x - 30 * u:.0f} {h * 0.5:.0f}C{x - 10 * u:.0f} {h * 0.54:.0f} {x + 10 * u:.0f} {h * 0.54:.0f} {x + 30 * u:.0f} {h * 0.5:.0f}C{x + 26 * u:.0f} {h * 0.4:.0f} {x + 24 * u:.0f} {h * 0.3:.0f} {x + 32 * u:.0f} {h * 0.12:.0f}Z",
        "#f4e8d2",
    )
    for index in range(15):
        scene.mid.rect(scene.across(index / 14) - 0.6 * u, h * 0.66, 1.2 * u, h * 0.1, "#8a5f40", 0.5 * u)
    scene.mid.rect(scene.left, h * 0.645, scene.right - scene.left, 2 * u, "#6b4a34", u)
    scene.near.line([(scene.left, h * 0.02), (scene.left + 22 * u, -scene.margin)], "#d0b68a", 0.8 * u)
    scene.near.line([(scene.right, h * 0.3), (scene.right - 30 * u, -scene.margin)], "#d0b68a", 0.8 * u)


def _underwater(scene: Scenery) -> None:
    h, u, dice = scene.height, scene.unit, scene.dice
    sheet = scene.sky
    fill = sheet.fade([(0, "#7fd3d8", 1), (0.3, "#3aa0bd", 1), (1, "#17567f", 1)])
    sheet.rect(scene.left, -scene.margin - 4, scene.right - scene.left, scene.bottom + scene.margin + 8, fill)
    for _ in range(6):
        x = scene.across(dice.random())
        sheet.polygon(
            [(x, -scene.margin), (x + 9 * u, -scene.margin), (x - 12 * u, h), (x - 32 * u, h)], "#d8f5f0", 0.12
        )
    s.hills(scene, scene.far, h * 0.66, h * 0.06, "#2f7f9c")
    for _ in range(5):
        _fish(
            scene.far,
            scene.across(dice.random()),
            h * dice.uniform(0.15, 0.55),
            dice.uniform(2, 4) * u,
            dice.choice(("#f2a24b", "#f0d264", "#ee7f8c", "#8fd3c8")),
            dice.random() < 0.5,
        )
    s.ground(scene, scene.mid, h * 0.75, "#d9c796", h * 0.02)
    for share in s.ring(12, dice):
        x, y = scene.across(share), h * dice.uniform(0.75, 0.8)
        if dice.random() < 0.5:
            colour = dice.choice(("#e8737a", "#f09a5c", "#b57ac4", "#f2c14e"))
            for turn in (-34, -12, 10, 32):
                tip = s.arc(x, y, dice.uniform(7, 13) * u, turn - 90)
                scene.mid.line([(x, y), tip], colour, 1.7 * u)
                scene.mid.circle(*tip, 1.5 * u, lighter(colour, 0.2))
        else:
            _weed(scene.mid, x, y, dice.uniform(12, 24) * u, dice.choice(("#3f8f62", "#5fa85c", "#2f7a68")), u)
    for x in (scene.left + 3 * u, scene.left + 12 * u, scene.right - 5 * u, scene.right - 14 * u):
        _weed(scene.near, x, scene.bottom, dice.uniform(34, 58) * u, "#1d5a58", 2 * u)
    for _ in range(16):
        scene.near.ellipse(
            scene.across(dice.random()),
            dice.uniform(0, h),
            dice.uniform(0.4, 1.1) * u,
            dice.uniform(0.4, 1.1) * u,
            "#ffffff",
            0.35,
        )


def _fish(sheet: Sheet, x: float, y: float, size: float, colour: str, flip: bool) -> None:
    with sheet.moved(x, y, size / 20, flip=flip):
        sheet.path("M-20 0C-10 -14 12 -14 24 0C12 14 -10 14 -20 0Z", colour)
        sheet.path("M-16 0L-34 -12L-30 0L-34 12Z", darker(colour, 0.12))
        sheet.circle(14, -2, 2.4, "#22303a")


def _weed(sheet: Sheet, x: float, y: float, size: float, colour: str, wide: float) -> None:
    sheet.curve(
        [(x, y), (x - size * 0.12, y - size * 0.3), (x + size * 0.12, y - size * 0.6), (x - size * 0.04, y - size)],
        colour,
        wide * 1.3,
    )


def _river(scene: Scenery) -> None:
    h, u, green = scene.height, scene.unit, s.grass(scene.place)
    s.hills(scene, scene.far, h * 0.5, h * 0.05, mix(green, "#7fa6a0", 0.5))
    s.hills(scene, scene.far, h * 0.58, h * 0.03, mix(green, "#6f9a6a", 0.4))
    s.ground(scene, scene.mid, h * 0.63, lighter(green, 0.08), h * 0.01)
    for share in s.ring(8, scene.dice):
        s.tree(
            scene, scene.mid, scene.across(share), h * scene.dice.uniform(0.63, 0.655), scene.dice.uniform(18, 30) * u
        )
    colour = "#d4e2ec" if scene.snowy else mix("#4f9ab0", scene.light.sky[0], 0.3)
    s.water(scene, scene.mid, h * 0.675, colour, h * 0.79)
    if scene.place.kind == "river":
        x = scene.width * (0.2 if scene.place.seed % 2 else 0.8)
        scene.mid.path(
            f"M{x - 24 * u:.0f} {h * 0.7:.0f}C{x - 12 * u:.0f} {h * 0.6:.0f} {x + 12 * u:.0f} {h * 0.6:.0f} {x + 24 * u:.0f} {h * 0.7:.0f}L{x + 19 * u:.0f} {h * 0.715:.0f}C{x + 8 * u:.0f} {h * 0.64:.0f} {x - 8 * u:.0f} {h * 0.64:.0f} {x - 19 * u:.0f} {h * 0.715:.0f}Z",
            "#a89686",
        )
    if "lantern" in scene.place.features:
        for share in s.ring(13, scene.dice):
            x, y = scene.across(share), h * scene.dice.uniform(0.69, 0.76)
            s.lamp_glow(scene.mid, x, y, 7 * u)
            scene.mid.rect(x - 1.3 * u, y - 2.6 * u, 2.6 * u, 2.8 * u, "#ffd67a", 0.4 * u)
            scene.mid.ellipse(x, y + 1.6 * u, 2.4 * u, 0.5 * u, "#ffd67a", 0.5)
    s.ground(scene, scene.mid, h * 0.775, green, h * 0.012)
    for share in s.ring(9, scene.dice):
        x, y = scene.across(share), h * 0.79
        for lean in (-1.2, 0, 1.4):
            scene.mid.line(
                [(x + lean * u, y), (x + lean * 1.8 * u, y - scene.dice.uniform(6, 10) * u)],
                darker(green, 0.25),
                0.5 * u,
            )
    s.tufts(scene, scene.mid, 30, h * 0.81, darker(green, 0.18), scene.place.season in ("spring", "summer"))
    _near_grass(scene, darker(green, 0.35))


def _garden(scene: Scenery) -> None:
    h, u, green, dice = scene.height, scene.unit, s.grass(scene.place), scene.dice
    for share in s.ring(9, dice):
        s.tree(scene, scene.far, scene.across(share), h * 0.66, dice.uniform(30, 44) * u)
    hedge = darker(s.leaves(scene.place, dice), 0.08)
    scene.mid.rect(scene.left, h * 0.61, scene.right - scene.left, h * 0.14, hedge, 2 * u)
    for index in range(26):
        scene.mid.circle(scene.across(index / 25), h * 0.615, 2.6 * u, lighter(hedge, 0.05))
    s.ground(scene, scene.mid, h * 0.735, lighter(green, 0.05), h * 0.006)
    _path(scene, scene.mid, h * 0.735)
    for share in s.ring(18, dice):
        x, y = scene.across(share), h * dice.uniform(0.735, 0.765)
        bloom = dice.choice(("#e8737a", "#f2c14e", "#fff3e6", "#b58ad0", "#ee9a5c"))
        scene.mid.line([(x, y), (x, y - 4 * u)], "#4f7d3f", 0.5 * u)
        if not scene.snowy:
            for turn in range(0, 360, 72):
                scene.mid.circle(*s.arc(x, y - 4.6 * u, u, turn), 0.85 * u, bloom)
            scene.mid.circle(x, y - 4.6 * u, 0.7 * u, "#f7e28b")
    for share in (0.2, 0.8):
        s.round_tree(scene.mid, scene.across(share), h * 0.77, 46 * u, s.leaves(scene.place, dice), dice)
    s.tufts(scene, scene.mid, 26, h * 0.8, darker(green, 0.16), True)
    _near_grass(scene, darker(green, 0.35))


def _desert(scene: Scenery) -> None:
    h, u, dice = scene.height, scene.unit, scene.dice
    s.hills(scene, scene.far, h * 0.56, h * 0.05, "#e2b06a", 3)
    if dice.random() < 0.6:
        for share in s.ring(3, dice):
            x, high = scene.across(share), h * dice.uniform(0.12, 0.22)
            scene.far.polygon(
                [
                    (x - 16 * u, h * 0.62),
                    (x - 12 * u, h * 0.6 - high),
                    (x + 9 * u, h * 0.6 - high),
                    (x + 15 * u, h * 0.62),
                ],
                "#c97f4c",
            )
    s.hills(scene, scene.mid, h * 0.64, h * 0.04, "#eac07c", 3)
    s.hills(scene, scene.mid, h * 0.7, h * 0.03, "#e3b46c", 2)
    s.ground(scene, scene.mid, h * 0.76, "#efca88", h * 0.015)
    for share in s.ring(4, dice):
        _cactus(scene.mid, scene.across(share), h * dice.uniform(0.72, 0.78), dice.uniform(12, 22) * u)
    for _ in range(12):
        x, y = scene.across(dice.random()), dice.uniform(h * 0.8, h * 1.04)
        scene.mid.curve([(x - 5 * u, y), (x, y - 0.7 * u), (x + 5 * u, y)], "#d5a662", 0.4 * u)
    s.rock(scene.near, scene.right - 7 * u, scene.bottom, 16 * u, "#a9754a", dice)
    s.rock(scene.near, scene.left + 3 * u, scene.bottom, 13 * u, "#a9754a", dice)


def _cactus(sheet: Sheet, x: float, y: float, size: float) -> None:
    with sheet.moved(x, y, size / 100):
        green = "#5f8f5a"
        sheet.line([(0, 0), (0, -92)], green, 20)
        sheet.line([(0, -40), (30, -46), (30, -70)], green, 14)
        sheet.line([(0, -54), (-28, -58), (-28, -82)], green, 13)
        sheet.line([(-3, -4), (-3, -90)], lighter(green, 0.2), 3)


def _city(scene: Scenery) -> None:
    h, u, dice = scene.height, scene.unit, scene.dice
    for share in s.ring(13, dice):
        wide = dice.uniform(9, 16) * u
        s.tower_block(
            scene.far,
            scene.across(share) - wide / 2,
            h * 0.72,
            wide,
            h * dice.uniform(0.32, 0.6),
            dice,
            scene.light.dark,
        )
    x = scene.left - 4 * u
    while x < scene.right:
        wide = dice.uniform(20, 30) * u
        high = h * dice.uniform(0.34, 0.52)
        s.tower_block(scene.mid, x, h * 0.745, wide, high, dice, scene.light.dark)
        _shopfront(scene, x, h * 0.745, wide)
        x += wide + dice.choice((0.0, 0.6)) * u
    pave = "#c9bfb2" if not scene.snowy else "#e6ebef"
    scene.mid.rect(scene.left, h * 0.74, scene.right - scene.left, scene.bottom, pave)
    scene.mid.rect(
        scene.left,
        h * 0.79,
        scene.right - scene.left,
        scene.bottom,
        scene.mid.fade([(0, "#7d7f88", 1), (1, "#65666f", 1)]) if not scene.snowy else "#d5dce3",
    )
    scene.mid.rect(scene.left, h * 0.785, scene.right - scene.left, u, darker(pave, 0.2))
    for index in range(7):
        scene.mid.rect(scene.across(index / 6) - 5 * u, h * 0.96, 10 * u, 1.1 * u, "#f0e6c8", 0.4 * u, 0.8)
    for share in (0.16, 0.84):
        _street_lamp(scene, scene.across(share), h * 0.785, h * 0.36)


def _shopfront(scene: Scenery, x: float, y: float, wide: float) -> None:
    u, dice = scene.unit, scene.dice
    high = 13 * u
    colour = dice.choice(("#a8413c", "#3f6a66", "#4a5d8a", "#c98a3c", "#7a5f86"))
    scene.mid.rect(x, y - high, wide, high, darker(colour, 0.3))
    scene.mid.rect(
        x + 2 * u, y - high * 0.7, wide * 0.52, high * 0.6, "#ffdf9a" if scene.light.dark else "#bcd8de", 0.4 * u
    )
    scene.mid.rect(x + wide * 0.7, y - high * 0.72, wide * 0.2, high * 0.72, darker(colour, 0.5), 0.3 * u)
    count = 6
    for index in range(count):
        tone = colour if index % 2 else "#f6ecd9"
        left = x + wide * index / count
        scene.mid.path(
            f"M{left:.0f} {y - high:.0f}L{left + wide / count:.0f} {y - high:.0f}L{left + wide / count:.0f} {y - high * 0.76:.0f}Q{left + wide / count / 2:.0f} {y - high * 0.66:.0f} {left:.0f} {y - high * 0.76:.0f}Z",
            tone,
        )


def _street_lamp(scene: Scenery, x: float, y: float, high: float) -> None:
    u = scene.unit
    scene.mid.rect(x - 0.6 * u, y - high, 1.2 * u, high, "#3b4149", 0.5 * u)
    scene.mid.rect(x - 1.6 * u, y - 2 * u, 3.2 * u, 2.4 * u, "#3b4149", 0.6 * u)
    if scene.light.dark or scene.place.time == "dusk":
        s.lamp_glow(scene.mid, x, y - high - 2 * u, 17 * u)
    scene.mid.polygon(
        [
            (x - 2.4 * u, y - high - 4 * u),
            (x + 2.4 * u, y - high - 4 * u),
            (x + 1.6 * u, y - high),
            (x - 1.6 * u, y - high),
        ],
        "#ffe6a8" if scene.light.dark else "#e8ecec",
    )
    scene.mid.polygon(
        [(x - 3 * u, y - high - 4 * u), (x + 3 * u, y - high - 4 * u), (x, y - high - 6.4 * u)], "#3b4149"
    )


def _village(scene: Scenery) -> None:
    h, u, dice = scene.height, scene.unit, scene.dice
    green = s.grass(scene.place)
    if "mountains" in scene.place.features:
        for share in s.ring(4, dice):
            s.mountain(scene.far, scene.across(share), h * 0.62, h * 0.36, "#7389a2", dice)
    s.hills(scene, scene.far, h * 0.53, h * 0.05, mix(green, "#84a394", 0.4))
    for share in s.ring(8, dice):
        s.house(
            scene.far, scene.across(share), h * 0.645, dice.uniform(13, 18) * u, dice, scene.light.dark, scene.snowy
        )
    spire = scene.across(dice.uniform(0.3, 0.7))
    scene.far.rect(spire - 3.6 * u, h * 0.4, 7.2 * u, h * 0.24, "#e3d7c2")
    scene.far.polygon([(spire - 5 * u, h * 0.4), (spire + 5 * u, h * 0.4), (spire, h * 0.25)], "#8d4a42")
    for share in s.ring(5, dice):
        if abs(share - 0.5) > 0.14:
            s.house(
                scene.mid, scene.across(share), h * 0.745, dice.uniform(32, 40) * u, dice, scene.light.dark, scene.snowy
            )
    for share in s.ring(4, dice):
        s.tree(scene, scene.mid, scene.across(share), h * 0.755, dice.uniform(20, 28) * u)
    stone = "#d6c3a2" if not scene.snowy else "#e9eef2"
    s.ground(scene, scene.mid, h * 0.745, stone, 0)
    for _ in range(60):
        y = dice.uniform(h * 0.77, scene.bottom)
        size = u * (0.8 + 2.6 * (y / h - 0.75))
        scene.mid.ellipse(scene.across(dice.random()), y, size * 1.5, size * 0.6, darker(stone, 0.1), 0.6)
    if scene.light.dark or scene.place.time == "dusk":
        for share in (0.14, 0.86):
            _street_lamp(scene, scene.across(share), h * 0.79, h * 0.28)
    _near_grass(scene, darker(green, 0.4))


def _fortress(scene: Scenery) -> None:
    h, u, dice = scene.height, scene.unit, scene.dice
    green = s.grass(scene.place)
    s.hills(scene, scene.far, h * 0.55, h * 0.04, mix(green, "#84a394", 0.4))
    x = scene.width * (0.34 if scene.place.seed % 2 else 0.66)
    scene.mid.path(
        f"M{x - 60 * u:.0f} {h * 0.75:.0f}C{x - 34 * u:.0f} {h * 0.6:.0f} {x + 34 * u:.0f} {h * 0.6:.0f} {x + 60 * u:.0f} {h * 0.75:.0f}Z",
        mix(green, "#8b8a68", 0.3),
    )
    _keep(scene, x, h * 0.655, h * 0.46)
    s.ground(scene, scene.mid, h * 0.735, green, h * 0.012)
    _path(scene, scene.mid, h * 0.735)
    for share in s.ring(7, dice):
        s.tree(scene, scene.mid, scene.across(share), h * dice.uniform(0.735, 0.76), dice.uniform(14, 22) * u)
    s.tufts(scene, scene.mid, 34, h * 0.78, darker(green, 0.18), scene.place.season in ("spring", "summer"))
    _near_grass(scene, darker(green, 0.38))


def _keep(scene: Scenery, x: float, y: float, high: float) -> None:
    sheet, lit = scene.mid, scene.light.dark
    stone, pane = "#c3b6a8", "#ffd885" if lit else "#5f6b7a"
    with sheet.moved(x, y, high / 100):
        for left, wide, top, roof in (
            (-52, 18, -58, "#7d5a8a"),
            (34, 18, -66, "#7d5a8a"),
            (-26, 14, -84, "#a8524a"),
            (10, 16, -92, "#7d5a8a"),
        ):
            sheet.rect(left, top, wide, -top + 6, lighter(stone, 0.1))
            sheet.rect(left + wide * 0.62, top, wide * 0.38, -top + 6, darker(stone, 0.06))
            sheet.polygon([(left - 3, top), (left + wide + 3, top), (left + wide / 2, top - 24)], roof)
            sheet.rect(left + wide / 2 - 2, top + 9, 4.4, 9, pane, 2.2)
            sheet.path(
                f"M{left + wide / 2} {top - 24}L{left + wide / 2} {top - 33}L{left + wide / 2 + 10} {top - 30}L{left + wide / 2} {top - 27}Z",
                "#e0b64a",
            )
        sheet.rect(-40, -46, 80, 52, stone)
        for index in range(9):
            sheet.rect(-40 + index * 9.2, -51, 5.6, 7, stone)
        sheet.path("M-9 6L-9 -16C-9 -28 9 -28 9 -16L9 6Z", "#5a4334")
        for wx in (-28, -18, 18, 28):
            sheet.rect(wx - 2, -34, 4.4, 9, pane, 2.2)


def _road(scene: Scenery) -> None:
    _meadow(scene)


def _cave(scene: Scenery) -> None:
    h, u, dice = scene.height, scene.unit, scene.dice
    scene.sky.rect(scene.left, -scene.margin - 4, scene.right - scene.left, scene.bottom + scene.margin + 8, "#2b2330")
    x = scene.width * dice.uniform(0.4, 0.6)
    s.lamp_glow(scene.sky, x, h * 0.5, 60 * u, "#e9a65c", 0.5)
    for shade, wide in (("#3a2f42", 1.0), ("#453849", 1.5)):
        arch = [(x + wide * 30 * u * dx, h * (0.78 - wide * 0.3 * dy)) for dx, dy in _ARCH]
        hole = smooth(arch)
        scene.far.path(
            f"{hole}L{scene.right:.0f} {scene.bottom:.0f}L{scene.right:.0f} {-scene.margin - 4:.0f}"
            f"L{scene.left:.0f} {-scene.margin - 4:.0f}L{scene.left:.0f} {scene.bottom:.0f}Z",
            shade,
            opacity=0.85,
        )
    for share in s.ring(11, dice):
        cx, long = scene.across(share), h * dice.uniform(0.08, 0.26)
        scene.mid.polygon(
            [(cx - 4 * u, -scene.margin - 2), (cx + 4 * u, -scene.margin - 2), (cx + dice.uniform(-1, 1) * u, long)],
            "#584758",
        )
    s.ground(scene, scene.mid, h * 0.745, "#6d5a62", h * 0.015)
    for share in s.ring(8, dice):
        s.rock(scene.mid, scene.across(share), h * dice.uniform(0.74, 0.8), dice.uniform(3, 8) * u, "#5f4d58", dice)
    for share in s.ring(5, dice):
        cx, cy = scene.across(share), h * dice.uniform(0.7, 0.78)
        gem = dice.choice(("#7fe3d8", "#b59af0", "#f0b3d0"))
        s.lamp_glow(scene.mid, cx, cy - 3 * u, 9 * u, gem, 0.5)
        for turn in (-24, 0, 22):
            with scene.mid.moved(cx, cy, u, turn=turn):
                scene.mid.polygon([(-1.1, 0), (-1.2, -5), (0, -7.5), (1.2, -5), (1.1, 0)], gem)
    for cx, size in ((scene.left + 4 * u, 30), (scene.right - 4 * u, 26)):
        s.rock(scene.near, cx, scene.bottom, size * u, "#2f2530", dice)


def _space(scene: Scenery) -> None:
    h, u, dice = scene.height, scene.unit, scene.dice
    sheet = scene.sky
    fill = sheet.fade([(0, "#0d0f2b", 1), (0.55, "#231d4d", 1), (1, "#44305f", 1)])
    sheet.rect(scene.left, -scene.margin - 4, scene.right - scene.left, scene.bottom + scene.margin + 8, fill)
    for colour in ("#6d4aa0", "#2f6f9a"):
        s.lamp_glow(sheet, scene.across(dice.random()), h * dice.uniform(0.1, 0.6), 60 * u, colour, 0.4)
    for _ in range(150):
        sheet.circle(
            scene.across(dice.random()),
            dice.uniform(-scene.margin, h * 0.8),
            dice.uniform(0.08, 0.34) * u,
            "#fdf6df",
            dice.uniform(0.3, 1),
        )
    x, y, r = scene.across(dice.uniform(0.18, 0.34)), h * dice.uniform(0.22, 0.32), dice.uniform(11, 16) * u
    colour = dice.choice(("#e08a5c", "#5fa8b8", "#c98ac0"))
    scene.far.tone = scene.light.glow()
    scene.far.circle(x, y, r, colour)
    for shift in (-0.4, 0.05, 0.45):
        scene.far.ellipse(x, y + r * shift, r * (1 - abs(shift)) * 0.9, r * 0.09, lighter(colour, 0.25), 0.7)
    scene.far.ellipse(x, y, r * 1.75, r * 0.34, None, stroke="#f0dcae", width=0.9 * u)
    scene.far.circle(scene.across(dice.uniform(0.66, 0.86)), h * dice.uniform(0.12, 0.3), 4.5 * u, "#d8dce4")
    land = "#c0623f" if "mars" in scene.place.features else "#b3a8bd"
    s.hills(scene, scene.mid, h * 0.7, h * 0.035, darker(land, 0.24), 3)
    s.ground(scene, scene.mid, h * 0.75, land, h * 0.012)
    for _ in range(11):
        cx, cy, size = scene.across(dice.random()), dice.uniform(h * 0.78, h * 1.02), dice.uniform(2, 6) * u
        scene.mid.ellipse(cx, cy, size, size * 0.34, darker(land, 0.26))
        scene.mid.ellipse(cx, cy + size * 0.06, size * 0.86, size * 0.24, darker(land, 0.12))
    s.rock(scene.near, scene.left + 3 * u, scene.bottom, 18 * u, "#5d5470", dice)


def _sky(scene: Scenery) -> None:
    h, u, dice = scene.height, scene.unit, scene.dice
    white = mix(scene.light.sky[2], "#ffffff", 0.6)
    s.birds(scene, scene.far, 5)
    for row, (y, size) in enumerate(((0.6, 16), (0.7, 20))):
        for index in range(11):
            (scene.far if row == 0 else scene.mid).circle(
                scene.across(index / 10),
                h * (y + dice.uniform(0, 0.03)),
                size * u * dice.uniform(0.7, 1.1),
                darker(white, 0.1 - row * 0.05),
            )
    for index in range(14):
        scene.mid.circle(scene.across(index / 13), h * 0.9 + dice.uniform(-1, 1) * u, dice.uniform(13, 18) * u, white)
    scene.mid.rect(scene.left, h * 0.86, scene.right - scene.left, scene.bottom, white)
    for share in s.ring(5, dice):
        scene.near.circle(scene.across(share), scene.bottom + 2 * u, 12 * u, white, 0.8)


OUTDOORS: dict[str, Callable[[Scenery], None]] = {
    "meadow": _meadow, "forest": _forest, "mountains": _mountains, "sea": _sea, "beach": _beach, "cove": _cove,
    "lighthouse": _lighthouse, "gallery": _gallery, "harbour": _harbour, "ship": _ship, "underwater": _underwater,
    "river": _river, "lake": _river, "garden": _garden, "desert": _desert, "city": _city, "village": _village,
    "fortress": _fortress, "market": draw_market, "road": _road, "cave": _cave, "space": _space, "sky": _sky,
}  # fmt: skip

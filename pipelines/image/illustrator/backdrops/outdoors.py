"""Outdoor backdrops. Each draws the far, middle and near layers."""

from __future__ import annotations

import random
from collections.abc import Callable

from pipelines.image.illustrator.backdrops import elements as s
from pipelines.image.illustrator.backdrops.elements import Backdrop
from pipelines.image.illustrator.backdrops.market import draw_market
from pipelines.image.illustrator.canvas import Canvas, darken, lighten, mix, smooth_path

SEA = "#3f86a6"
_ARCH = ((-1, 0), (-0.92, 0.7), (-0.6, 1.35), (-0.1, 1.6), (0.36, 1.4), (0.84, 0.84), (1.02, 0))


def _sea_colour(backdrop: Backdrop) -> str:
    return mix(SEA, backdrop.lighting.sky[0], 0.3)


def _meadow(backdrop: Backdrop) -> None:
    h, u, green = backdrop.height, backdrop.unit, s.grass_colour(backdrop.setting)
    s.draw_hills(backdrop, backdrop.far, h * 0.52, h * 0.05, mix(green, "#7fa6a0", 0.45))
    s.draw_hills(backdrop, backdrop.far, h * 0.58, h * 0.035, mix(green, "#7fa680", 0.2))
    ridge = s.draw_hills(backdrop, backdrop.mid, h * 0.65, h * 0.025, lighten(green, 0.06))
    for x, y in ridge[1:-1:2]:
        s.draw_tree(
            backdrop, backdrop.mid, x + backdrop.rng.uniform(-6, 6) * u, y + 2 * u, backdrop.rng.uniform(15, 23) * u
        )
    if "village" in backdrop.setting.features:
        for x, y in ridge[2:5]:
            s.draw_house(backdrop.mid, x, y + 2 * u, 11 * u, backdrop.rng, backdrop.lighting.dark, backdrop.snowy)
    s.draw_ground(backdrop, backdrop.mid, h * 0.73, green, h * 0.012)
    _path(backdrop, backdrop.mid, h * 0.73)
    s.draw_grass_tufts(
        backdrop, backdrop.mid, 46, h * 0.76, darken(green, 0.16), backdrop.setting.season in ("spring", "summer")
    )
    _near_grass(backdrop, darken(green, 0.3))


def _path(backdrop: Backdrop, canvas: Canvas, top: float) -> None:
    x = backdrop.width * backdrop.rng.uniform(0.35, 0.65)
    u, b = backdrop.unit, backdrop.bottom
    earth = "#d9bd8d" if not backdrop.snowy else "#d3dce6"
    canvas.path(
        f"M{x:.0f} {top:.0f}C{x + 10 * u:.0f} {top + 6 * u:.0f} {x - 14 * u:.0f} {top + 10 * u:.0f} {x - 22 * u:.0f} {b:.0f}"
        f"L{x + 26 * u:.0f} {b:.0f}C{x + 8 * u:.0f} {top + 12 * u:.0f} {x + 16 * u:.0f} {top + 6 * u:.0f} {x + 2.4 * u:.0f} {top:.0f}Z",
        earth, opacity=0.85,
    )  # fmt: skip


def _near_grass(backdrop: Backdrop, colour: str) -> None:
    """Draw dark blades in the lower corners of the near layer as a frame."""
    u, h = backdrop.unit, backdrop.bottom
    for corner, side in ((backdrop.left, 1), (backdrop.right, -1)):
        for _ in range(9):
            x = corner + side * backdrop.rng.uniform(0, 22) * u
            high = backdrop.rng.uniform(6, 14) * u * (1 - abs(x - corner) / (34 * u))
            lean = backdrop.rng.uniform(-2, 3) * u * side
            y = h - backdrop.margin * 0.15
            backdrop.near.path(
                f"M{x - u:.0f} {h:.0f}Q{x:.0f} {y - high * 0.6:.0f} {x + lean:.0f} {y - backdrop.margin * 0.5 - high:.0f}Q{x + u:.0f} {y - high * 0.5:.0f} {x + 1.4 * u:.0f} {h:.0f}Z",
                colour,
            )


def _forest(backdrop: Backdrop) -> None:
    h, u, green = backdrop.height, backdrop.unit, s.grass_colour(backdrop.setting)
    dim = mix(s.leaf_colour(backdrop.setting, backdrop.rng), "#4f7d6d", 0.5)
    s.draw_hills(backdrop, backdrop.far, h * 0.46, h * 0.05, mix(dim, "#9cc0b0", 0.4), 6)
    for share in s.jittered_fractions(15, backdrop.rng):
        x, top = backdrop.x_at(share), h * backdrop.rng.uniform(0.12, 0.3)
        wide = backdrop.rng.uniform(1.2, 2.4) * u
        backdrop.far.polygon(
            [
                (x - wide, h * 0.72),
                (x - wide * 0.6, -backdrop.margin),
                (x + wide * 0.6, -backdrop.margin),
                (x + wide, h * 0.72),
            ],
            mix("#6b5a4a" if "birch" not in backdrop.setting.features else "#e9e4da", dim, 0.45),
        )
        backdrop.far.circle(x, top - h * 0.2, 13 * u, dim, 0.7)
    for share in s.jittered_fractions(9, backdrop.rng):
        s.draw_tree(
            backdrop,
            backdrop.mid,
            backdrop.x_at(share),
            h * backdrop.rng.uniform(0.69, 0.735),
            backdrop.rng.uniform(38, 58) * u,
        )
    s.draw_ground(
        backdrop, backdrop.mid, h * 0.72, mix(green, "#5f7a45", 0.35) if not backdrop.snowy else green, h * 0.012
    )
    _path(backdrop, backdrop.mid, h * 0.72)
    for share in s.jittered_fractions(7, backdrop.rng):
        s.draw_bush(
            backdrop.mid,
            backdrop.x_at(share),
            h * backdrop.rng.uniform(0.73, 0.76),
            backdrop.rng.uniform(5, 8) * u,
            s.leaf_colour(backdrop.setting, backdrop.rng),
        )
    s.draw_grass_tufts(backdrop, backdrop.mid, 34, h * 0.77, darken(green, 0.25), backdrop.setting.season == "spring")
    bark = "#4b3a30"
    for x, side in ((backdrop.left + 2 * u, 1), (backdrop.right - 2 * u, -1)):
        w = 9 * u
        backdrop.near.path(
            f"M{x - side * w:.0f} {backdrop.bottom:.0f}L{x - side * w:.0f} {-backdrop.margin:.0f}L{x + side * w * 0.5:.0f} {-backdrop.margin:.0f}C{x + side * w * 0.2:.0f} {h * 0.4:.0f} {x + side * w * 0.3:.0f} {h * 0.8:.0f} {x + side * w * 1.3:.0f} {backdrop.bottom:.0f}Z",
            bark,
        )
    leaf = darken(s.leaf_colour(backdrop.setting, backdrop.rng), 0.35)
    for corner, side in ((backdrop.left, 1), (backdrop.right, -1)):
        for _ in range(9):
            backdrop.near.circle(
                corner + side * backdrop.rng.uniform(0, 26) * u,
                -backdrop.margin + backdrop.rng.uniform(-2, 10) * u,
                backdrop.rng.uniform(6, 10) * u,
                leaf,
            )


def _volcano(backdrop: Backdrop) -> None:
    """One great cone; in eruption it has a plume of smoke and lava on its sides."""
    h, u, rng = backdrop.height, backdrop.unit, random.Random(backdrop.setting.seed)
    x, top, foot = backdrop.width * (0.5 + (0.16 if backdrop.setting.seed % 2 else -0.16)), h * 0.31, h * 0.7
    wide, rim = max(46 * u, backdrop.width * 0.24), 7 * u
    hot = "eruption" in backdrop.setting.features
    if hot:
        for index in range(11):
            rise = index / 10
            y, r = top - 2 * u - rise * 30 * u, (6 + 12 * rise) * u
            shade = mix("#5a4a4c", "#b5aaa8", rise * 0.7)
            backdrop.far.circle(x + rng.uniform(-1, 1) * 9 * u * rise + 8 * u * rise, y, r, shade, 0.9)
        s.draw_lamp_glow(backdrop.far, x, top, 30 * u, "#ff9a4a", 0.8)
        for turn in (-62, -40, -16, 14, 38, 60):
            end = s.point_on_circle(x, top, rng.uniform(13, 22) * u, turn - 90)
            bend = s.point_on_circle(x, top - 8 * u, 9 * u, turn * 0.6 - 90)
            backdrop.far.curve([(x, top), bend, end], "#ff8a3a", 1.5 * u)
            backdrop.far.circle(*end, 1.7 * u, "#ffd05a")
    rock = "#6a5f66"
    backdrop.far.path(
        f"M{x - wide:.0f} {foot:.0f}C{x - wide * 0.5:.0f} {foot - 8 * u:.0f} {x - rim * 1.8:.0f} {top + 16 * u:.0f} {x - rim:.0f} {top:.0f}"
        f"Q{x:.0f} {top + 3 * u:.0f} {x + rim:.0f} {top:.0f}C{x + rim * 1.8:.0f} {top + 16 * u:.0f} {x + wide * 0.5:.0f} {foot - 8 * u:.0f} {x + wide:.0f} {foot:.0f}Z",
        rock,
    )
    backdrop.far.path(
        f"M{x + rim * 0.2:.0f} {top + 2 * u:.0f}L{x + rim:.0f} {top:.0f}C{x + rim * 1.8:.0f} {top + 16 * u:.0f} {x + wide * 0.5:.0f} {foot - 8 * u:.0f} {x + wide:.0f} {foot:.0f}L{x + wide * 0.25:.0f} {foot:.0f}C{x + wide * 0.12:.0f} {top + 34 * u:.0f} {x + rim * 0.6:.0f} {top + 18 * u:.0f} {x + rim * 0.2:.0f} {top + 2 * u:.0f}Z",
        darken(rock, 0.2),
    )
    tone, backdrop.far.colour_transform = backdrop.far.colour_transform, backdrop.lighting.emissive_transform()
    if hot:
        backdrop.far.ellipse(x, top + 0.6 * u, rim * 0.94, 1.5 * u, "#ffb04a")
        for shift, down, thick in ((-3.4, 24, 2.6), (0.6, 38, 3.4), (4.4, 20, 2.2)):
            backdrop.far.curve(
                [
                    (x + shift * 0.6 * u, top + u),
                    (x + shift * 1.5 * u, top + down * 0.45 * u),
                    (x + shift * 2.6 * u, top + down * u),
                ],
                "#f2602a",
                thick * u,
            )
            backdrop.far.curve(
                [
                    (x + shift * 0.6 * u, top + u),
                    (x + shift * 1.5 * u, top + down * 0.4 * u),
                    (x + shift * 2.2 * u, top + down * 0.8 * u),
                ],
                "#ffc04a",
                thick * 0.4 * u,
            )
    else:
        backdrop.far.ellipse(x, top + 0.8 * u, rim * 0.9, 1.3 * u, darken(rock, 0.45))
    backdrop.far.colour_transform = tone


def _mountains(backdrop: Backdrop) -> None:
    h, u, green = backdrop.height, backdrop.unit, s.grass_colour(backdrop.setting)
    if {"volcano", "eruption"} & set(backdrop.setting.features):
        _volcano(backdrop)
    for share in (
        s.jittered_fractions(4, backdrop.rng) if not {"volcano", "eruption"} & set(backdrop.setting.features) else ()
    ):
        s.draw_mountain(
            backdrop.far, backdrop.x_at(share), h * 0.66, h * backdrop.rng.uniform(0.36, 0.52), "#6f86a0", backdrop.rng
        )
    s.draw_hills(backdrop, backdrop.far, h * 0.62, h * 0.03, mix("#6c8f78", green, 0.4))
    ridge = s.draw_hills(backdrop, backdrop.mid, h * 0.68, h * 0.03, mix(green, "#6c8f68", 0.4))
    for x, y in ridge[1:-1]:
        for shift in (-4, 1, 6):
            s.draw_pine(
                backdrop.mid, x + shift * u, y + 1.5 * u, backdrop.rng.uniform(10, 17) * u, "#4a7560", backdrop.snowy
            )
    s.draw_ground(backdrop, backdrop.mid, h * 0.745, mix(green, "#9a8f78", 0.25), h * 0.012)
    for share in s.jittered_fractions(5, backdrop.rng):
        s.draw_rock(
            backdrop.mid,
            backdrop.x_at(share),
            h * backdrop.rng.uniform(0.75, 0.8),
            backdrop.rng.uniform(3, 6) * u,
            "#9b948c",
            backdrop.rng,
        )
    s.draw_grass_tufts(backdrop, backdrop.mid, 24, h * 0.79, darken(green, 0.2), backdrop.setting.season != "winter")
    for x, size in ((backdrop.left + 4 * u, 20), (backdrop.right - 6 * u, 15)):
        s.draw_rock(backdrop.near, x, backdrop.bottom, size * u, "#6f6a68", backdrop.rng)


def _shore_land(backdrop: Backdrop) -> None:
    """Draw a headland on the horizon with the landmark of the place."""
    u, rng = backdrop.unit, backdrop.rng
    side = 1 if backdrop.setting.seed % 2 else -1
    edge = backdrop.right if side > 0 else backdrop.left
    x = edge - side * 34 * u
    y = backdrop.horizon
    backdrop.far.path(
        f"M{edge:.0f} {y + 2:.0f}L{edge:.0f} {y - 11 * u:.0f}C{edge - side * 14 * u:.0f} {y - 14 * u:.0f} {x + side * 6 * u:.0f} {y - 9 * u:.0f} {x:.0f} {y - 4 * u:.0f}C{x - side * 4 * u:.0f} {y - 3 * u:.0f} {x - side * 8 * u:.0f} {y:.0f} {x - side * 12 * u:.0f} {y + 2:.0f}Z",
        "#7d8a72",
    )
    if "lighthouse" in backdrop.setting.features:
        s.draw_lighthouse(
            backdrop.far,
            x + side * 7 * u,
            y - 7 * u,
            19 * u,
            backdrop.lighting.dark or backdrop.setting.weather in ("storm", "fog"),
            backdrop.sky,
        )
    elif rng.random() < 0.5:
        s.draw_house(backdrop.far, x + side * 9 * u, y - 8.5 * u, 7 * u, rng, backdrop.lighting.dark, backdrop.snowy)


def _sea(backdrop: Backdrop) -> None:
    h, u = backdrop.height, backdrop.unit
    s.draw_birds(backdrop, backdrop.far)
    s.draw_water(backdrop, backdrop.far, backdrop.horizon, _sea_colour(backdrop))
    _shore_land(backdrop)
    s.draw_sailing_boat(
        backdrop.far, backdrop.width * backdrop.rng.uniform(0.3, 0.7), backdrop.horizon + 1.5 * u, 9 * u
    )
    sand = "#e7d2a2" if not backdrop.snowy else "#eef1f4"
    s.draw_wave_line(backdrop, backdrop.mid, h * 0.745, 2.6 * u, lighten(SEA, 0.62))
    s.draw_ground(backdrop, backdrop.mid, h * 0.765, sand, h * 0.008)
    for share in s.jittered_fractions(6, backdrop.rng):
        s.draw_rock(
            backdrop.mid,
            backdrop.x_at(share),
            h * backdrop.rng.uniform(0.775, 0.83),
            backdrop.rng.uniform(1.2, 3.4) * u,
            "#9a9188",
            backdrop.rng,
        )
    _near_grass(backdrop, "#8d8a52" if not backdrop.snowy else "#a9b3b8")


def _beach(backdrop: Backdrop) -> None:
    h, u = backdrop.height, backdrop.unit
    s.draw_birds(backdrop, backdrop.far)
    s.draw_water(backdrop, backdrop.far, backdrop.horizon, mix("#3fa5b0", backdrop.lighting.sky[0], 0.25))
    island = backdrop.width * backdrop.rng.uniform(0.2, 0.8)
    backdrop.far.path(
        f"M{island - 18 * u:.0f} {backdrop.horizon + 2:.0f}C{island - 10 * u:.0f} {backdrop.horizon - 8 * u:.0f} {island + 8 * u:.0f} {backdrop.horizon - 9 * u:.0f} {island + 20 * u:.0f} {backdrop.horizon + 2:.0f}Z",
        "#7fa07a",
    )
    s.draw_wave_line(backdrop, backdrop.mid, h * 0.72, 2.2 * u, "#d8eef0")
    s.draw_ground(backdrop, backdrop.mid, h * 0.74, "#f0d9a4", h * 0.01)
    for share, size in ((0.12, 46), (0.9, 52)):
        s.draw_palm(backdrop.mid, backdrop.x_at(share), h * 0.78, size * u)
    for share in s.jittered_fractions(7, backdrop.rng):
        x, y = backdrop.x_at(share), h * backdrop.rng.uniform(0.8, 1.0)
        backdrop.mid.circle(x, y, 0.7 * u, backdrop.rng.choice(("#e99a8c", "#fff5e6", "#d9a87a")))
    _near_grass(backdrop, "#4d8552")


def _cove(backdrop: Backdrop) -> None:
    h, u, rng = backdrop.height, backdrop.unit, backdrop.rng
    s.draw_birds(backdrop, backdrop.far)
    s.draw_water(backdrop, backdrop.far, backdrop.horizon, _sea_colour(backdrop))
    if "lighthouse" in backdrop.setting.features:
        _shore_land(backdrop)
    stone = "#8f8379"
    for side, edge in ((1, backdrop.left), (-1, backdrop.right)):
        reach, high = rng.uniform(20, 34) * u, h * rng.uniform(0.28, 0.4)
        top = backdrop.horizon - high * (1 if side > 0 else 0.7)
        backdrop.mid.polygon(
            [
                (edge, top),
                (edge + side * reach * 0.5, top + 3 * u),
                (edge + side * reach * 0.7, top + 12 * u),
                (edge + side * reach, backdrop.horizon + 2 * u),
                (edge + side * reach * 1.3, h * 0.72),
                (edge, h * 0.76),
            ],
            stone,
        )
        backdrop.mid.polygon(
            [
                (edge + side * reach * 0.5, top + 3 * u),
                (edge + side * reach * 0.7, top + 12 * u),
                (edge + side * reach, backdrop.horizon + 2 * u),
                (edge + side * reach * 1.3, h * 0.72),
                (edge + side * reach * 0.75, h * 0.7),
            ],
            darken(stone, 0.16),
        )
        backdrop.mid.path(
            f"M{edge:.0f} {top - u:.0f}L{edge + side * reach * 0.52:.0f} {top + 2 * u:.0f}L{edge + side * reach * 0.44:.0f} {top + 6 * u:.0f}L{edge + side * reach * 0.2:.0f} {top + 4 * u:.0f}L{edge:.0f} {top + 7 * u:.0f}Z",
            s.grass_colour(backdrop.setting),
        )
    for share in s.jittered_fractions(5, rng):
        x = backdrop.x_at(share)
        s.draw_rock(backdrop.mid, x, h * rng.uniform(0.7, 0.745), rng.uniform(3, 9) * u, darken(stone, 0.08), rng)
    s.draw_wave_line(backdrop, backdrop.mid, h * 0.755, 2.4 * u, lighten(SEA, 0.66))
    s.draw_ground(backdrop, backdrop.mid, h * 0.775, "#d3bd97" if not backdrop.snowy else "#e8edf0", h * 0.01)
    for share in s.jittered_fractions(16, rng):
        s.draw_rock(
            backdrop.mid, backdrop.x_at(share), h * rng.uniform(0.79, 1.02), rng.uniform(0.8, 2.2) * u, "#a2968b", rng
        )
    for x, size in ((backdrop.left + 5 * u, 24), (backdrop.right - 4 * u, 17)):
        s.draw_rock(backdrop.near, x, backdrop.bottom + u, size * u, "#5f5854", rng)


def _lighthouse(backdrop: Backdrop) -> None:
    h, u = backdrop.height, backdrop.unit
    s.draw_birds(backdrop, backdrop.far)
    s.draw_water(backdrop, backdrop.far, backdrop.horizon, _sea_colour(backdrop))
    side = 1 if backdrop.setting.seed % 2 else -1
    x = backdrop.width * (0.5 + side * 0.3)
    green = s.grass_colour(backdrop.setting)
    edge = backdrop.right if side > 0 else backdrop.left
    top = h * 0.6
    backdrop.mid.path(
        f"M{edge:.0f} {backdrop.bottom:.0f}L{edge:.0f} {top - 3 * u:.0f}C{x + side * 12 * u:.0f} {top - 4 * u:.0f} {x - side * 14 * u:.0f} {top - 3 * u:.0f} {x - side * 26 * u:.0f} {top + 6 * u:.0f}C{x - side * 34 * u:.0f} {top + 12 * u:.0f} {x - side * 40 * u:.0f} {h * 0.74:.0f} {x - side * 60 * u:.0f} {h * 0.78:.0f}L{x - side * 60 * u:.0f} {backdrop.bottom:.0f}Z",
        mix(green, "#8f8a70", 0.3),
    )
    lit = backdrop.lighting.dark or backdrop.setting.weather in ("storm", "fog") or backdrop.setting.time == "dusk"
    # The lamp room stays in the picture while the camera comes nearer.
    s.draw_lighthouse(backdrop.mid, x, top - 1.5 * u, h * 0.48, lit, backdrop.far)
    s.draw_house(backdrop.mid, x - side * 13 * u, top + 1.5 * u, 13 * u, backdrop.rng, lit, backdrop.snowy)
    s.draw_ground(backdrop, backdrop.mid, h * 0.745, green, h * 0.012)
    _path(backdrop, backdrop.mid, h * 0.745)
    s.draw_grass_tufts(
        backdrop, backdrop.mid, 34, h * 0.78, darken(green, 0.18), backdrop.setting.season in ("spring", "summer")
    )
    for share in s.jittered_fractions(4, backdrop.rng):
        s.draw_rock(
            backdrop.mid,
            backdrop.x_at(share),
            h * backdrop.rng.uniform(0.76, 0.8),
            backdrop.rng.uniform(2, 5) * u,
            "#9a9188",
            backdrop.rng,
        )
    _near_grass(backdrop, darken(green, 0.35))


def _gallery(backdrop: Backdrop) -> None:
    """A balcony high up: floor and railing before a wide view."""
    h, u = backdrop.height, backdrop.unit
    if {"city"} & set(backdrop.setting.features):
        for share in s.jittered_fractions(14, backdrop.rng):
            wide = backdrop.rng.uniform(8, 15) * u
            s.draw_tower_block(
                backdrop.far,
                backdrop.x_at(share),
                h * 0.8,
                wide,
                h * backdrop.rng.uniform(0.16, 0.42),
                backdrop.rng,
                backdrop.lighting.dark,
            )
    elif {"mountains", "meadow", "forest", "village", "castle"} & set(backdrop.setting.features):
        for share in s.jittered_fractions(4, backdrop.rng):
            s.draw_mountain(
                backdrop.far,
                backdrop.x_at(share),
                h * 0.68,
                h * backdrop.rng.uniform(0.2, 0.34),
                "#7f93a8",
                backdrop.rng,
            )
        s.draw_hills(backdrop, backdrop.far, h * 0.64, h * 0.03, s.grass_colour(backdrop.setting))
    else:
        s.draw_birds(backdrop, backdrop.far)
        s.draw_water(backdrop, backdrop.far, backdrop.horizon + 2 * u, _sea_colour(backdrop))
        s.draw_sailing_boat(
            backdrop.far, backdrop.width * backdrop.rng.uniform(0.25, 0.75), backdrop.horizon + 4 * u, 6 * u
        )
    rail = "#46505c"
    floor = h * 0.77
    backdrop.mid.rect(
        backdrop.left,
        floor,
        backdrop.right - backdrop.left,
        backdrop.bottom - floor,
        backdrop.mid.linear_gradient([(0, "#a89a8c", 1), (1, "#7f7268", 1)]),
    )
    for index in range(8):
        x = backdrop.x_at(index / 7)
        backdrop.mid.line(
            [(x, floor), ((x - backdrop.width / 2) * 1.7 + backdrop.width / 2, backdrop.bottom)], "#6d6158", 0.4 * u
        )
    backdrop.mid.rect(backdrop.left, floor, backdrop.right - backdrop.left, 1.2 * u, "#6d6158")
    top = floor - 16 * u
    for index in range(17):
        backdrop.mid.rect(backdrop.x_at(index / 16) - 0.35 * u, top, 0.7 * u, floor - top, rail)
    backdrop.mid.rect(backdrop.left, top - u, backdrop.right - backdrop.left, 1.9 * u, rail, u)
    backdrop.mid.rect(backdrop.left, top + 8 * u, backdrop.right - backdrop.left, 0.7 * u, rail)
    if "lighthouse" in backdrop.setting.features or "lighthouse" in backdrop.setting.kind:
        side = 1 if backdrop.setting.seed % 2 else -1
        x = backdrop.width - 15 * u if side > 0 else 15 * u
        lit = backdrop.lighting.dark or backdrop.setting.time == "dusk" or backdrop.setting.weather in ("storm", "fog")
        wide = 15 * u
        backdrop.mid.rect(x - wide, floor - 12 * u, 2 * wide, 12 * u, "#f0e7d8")
        backdrop.mid.rect(x - wide, floor - 12 * u, 2 * wide, 2.4 * u, "#c8443a")
        backdrop.mid.rect(
            x - wide * 0.86,
            -backdrop.margin,
            wide * 1.72,
            floor - 12 * u + backdrop.margin,
            "#ffe9a6" if lit else "#b9d3da",
            opacity=0.93,
        )
        if lit:
            s.draw_lamp_glow(backdrop.mid, x, h * 0.36, 40 * u, "#fff0b8", 0.8)
            backdrop.mid.ellipse(x, h * 0.36, 5 * u, 8 * u, "#fff9e0")
        for bar in (-0.86, -0.3, 0.26, 0.82):
            backdrop.mid.rect(x + bar * wide, -backdrop.margin, 0.9 * u, floor - 12 * u + backdrop.margin, "#46505c")
        backdrop.mid.rect(x - wide, h * 0.3, 2 * wide, 0.9 * u, "#46505c", opacity=0.8)


def _harbour(backdrop: Backdrop) -> None:
    h, u, rng = backdrop.height, backdrop.unit, backdrop.rng
    s.draw_hills(backdrop, backdrop.far, h * 0.5, h * 0.04, "#8aa38c")
    s.draw_birds(backdrop, backdrop.far, 3)
    for row, (y, size) in enumerate(((h * 0.57, 11), (h * 0.615, 14))):
        for share in s.jittered_fractions(9, rng):
            s.draw_house(
                backdrop.far if row == 0 else backdrop.mid,
                backdrop.x_at(share),
                y,
                rng.uniform(0.9, 1.2) * size * u,
                rng,
                backdrop.lighting.dark,
                backdrop.snowy,
            )
    backdrop.mid.rect(backdrop.left, h * 0.612, backdrop.right - backdrop.left, 2.2 * u, "#8d8378")
    s.draw_water(backdrop, backdrop.mid, h * 0.632, _sea_colour(backdrop), h * 0.8)
    for share in s.jittered_fractions(3, rng):
        s.draw_sailing_boat(
            backdrop.mid,
            backdrop.x_at(0.1 + share * 0.8),
            h * rng.uniform(0.68, 0.735),
            rng.uniform(17, 24) * u,
            rng.choice(("#fbf3e2", "#e9b07f", "#d8e2e4")),
            rng.choice(("#9c5a3a", "#3f6a86", "#a8413c", "#4f7d63")),
        )
    _planks(backdrop, h * 0.775, "#b08a62")
    for x in (backdrop.left + 8 * u, backdrop.right - 9 * u):
        backdrop.near.rect(
            x - 3 * u, backdrop.bottom - backdrop.margin - 13 * u, 6 * u, 40 * u + backdrop.margin, "#5d4634", u
        )
        backdrop.near.ellipse(x, backdrop.bottom - backdrop.margin - 13 * u, 3 * u, 1.1 * u, "#7d6048")
        backdrop.near.ellipse(
            x, backdrop.bottom - backdrop.margin - 8.5 * u, 3.6 * u, 1.1 * u, None, stroke="#d8bf94", width=u
        )
    if "lighthouse" in backdrop.setting.features:
        s.draw_lighthouse(backdrop.far, backdrop.x_at(0.86), h * 0.56, 24 * u, backdrop.lighting.dark, backdrop.sky)


def _planks(backdrop: Backdrop, top: float, wood: str) -> None:
    backdrop.mid.rect(
        backdrop.left,
        top,
        backdrop.right - backdrop.left,
        backdrop.bottom - top,
        backdrop.mid.linear_gradient([(0, lighten(wood, 0.1), 1), (1, darken(wood, 0.2), 1)]),
    )
    backdrop.mid.rect(backdrop.left, top, backdrop.right - backdrop.left, backdrop.unit, darken(wood, 0.3))
    middle = backdrop.width / 2
    for index in range(13):
        x = backdrop.x_at(index / 12)
        backdrop.mid.line(
            [(x, top), (middle + (x - middle) * 1.9, backdrop.bottom)], darken(wood, 0.3), backdrop.unit * 0.32
        )


def _ship(backdrop: Backdrop) -> None:
    h, u = backdrop.height, backdrop.unit
    s.draw_birds(backdrop, backdrop.far, 3)
    s.draw_water(backdrop, backdrop.far, backdrop.horizon + 4 * u, _sea_colour(backdrop))
    s.draw_wave_line(backdrop, backdrop.far, h * 0.66, 4 * u, mix(SEA, "#2a5a78", 0.4))
    _planks(backdrop, h * 0.76, "#b5835a")
    x = backdrop.width * (0.26 if backdrop.setting.seed % 2 else 0.74)
    backdrop.mid.rect(x - 2 * u, -backdrop.margin, 4 * u, h * 0.8 + backdrop.margin, "#7d5a3e", u)
    backdrop.mid.rect(x - 34 * u, h * 0.1, 68 * u, 2 * u, "#6b4a34", u)
    backdrop.mid.path(
        f"M{x - 32 * u:.0f} {h * 0.12:.0f}C{x - 24 * u:.0f} {h * 0.3:.0f} {x - 26 * u:.0f} {h * 0.4:.0f} {x - 30 * u:.0f} {h * 0.5:.0f}C{x - 10 * u:.0f} {h * 0.54:.0f} {x + 10 * u:.0f} {h * 0.54:.0f} {x + 30 * u:.0f} {h * 0.5:.0f}C{x + 26 * u:.0f} {h * 0.4:.0f} {x + 24 * u:.0f} {h * 0.3:.0f} {x + 32 * u:.0f} {h * 0.12:.0f}Z",
        "#f4e8d2",
    )
    for index in range(15):
        backdrop.mid.rect(backdrop.x_at(index / 14) - 0.6 * u, h * 0.66, 1.2 * u, h * 0.1, "#8a5f40", 0.5 * u)
    backdrop.mid.rect(backdrop.left, h * 0.645, backdrop.right - backdrop.left, 2 * u, "#6b4a34", u)
    backdrop.near.line([(backdrop.left, h * 0.02), (backdrop.left + 22 * u, -backdrop.margin)], "#d0b68a", 0.8 * u)
    backdrop.near.line([(backdrop.right, h * 0.3), (backdrop.right - 30 * u, -backdrop.margin)], "#d0b68a", 0.8 * u)


def _underwater(backdrop: Backdrop) -> None:
    h, u, rng = backdrop.height, backdrop.unit, backdrop.rng
    canvas = backdrop.sky
    fill = canvas.linear_gradient([(0, "#7fd3d8", 1), (0.3, "#3aa0bd", 1), (1, "#17567f", 1)])
    canvas.rect(
        backdrop.left, -backdrop.margin - 4, backdrop.right - backdrop.left, backdrop.bottom + backdrop.margin + 8, fill
    )
    for _ in range(6):
        x = backdrop.x_at(rng.random())
        canvas.polygon(
            [(x, -backdrop.margin), (x + 9 * u, -backdrop.margin), (x - 12 * u, h), (x - 32 * u, h)], "#d8f5f0", 0.12
        )
    s.draw_hills(backdrop, backdrop.far, h * 0.66, h * 0.06, "#2f7f9c")
    for _ in range(5):
        _fish(
            backdrop.far,
            backdrop.x_at(rng.random()),
            h * rng.uniform(0.15, 0.55),
            rng.uniform(2, 4) * u,
            rng.choice(("#f2a24b", "#f0d264", "#ee7f8c", "#8fd3c8")),
            rng.random() < 0.5,
        )
    s.draw_ground(backdrop, backdrop.mid, h * 0.75, "#d9c796", h * 0.02)
    for share in s.jittered_fractions(12, rng):
        x, y = backdrop.x_at(share), h * rng.uniform(0.75, 0.8)
        if rng.random() < 0.5:
            colour = rng.choice(("#e8737a", "#f09a5c", "#b57ac4", "#f2c14e"))
            for turn in (-34, -12, 10, 32):
                tip = s.point_on_circle(x, y, rng.uniform(7, 13) * u, turn - 90)
                backdrop.mid.line([(x, y), tip], colour, 1.7 * u)
                backdrop.mid.circle(*tip, 1.5 * u, lighten(colour, 0.2))
        else:
            _weed(backdrop.mid, x, y, rng.uniform(12, 24) * u, rng.choice(("#3f8f62", "#5fa85c", "#2f7a68")), u)
    for x in (backdrop.left + 3 * u, backdrop.left + 12 * u, backdrop.right - 5 * u, backdrop.right - 14 * u):
        _weed(backdrop.near, x, backdrop.bottom, rng.uniform(34, 58) * u, "#1d5a58", 2 * u)
    for _ in range(16):
        backdrop.near.ellipse(
            backdrop.x_at(rng.random()),
            rng.uniform(0, h),
            rng.uniform(0.4, 1.1) * u,
            rng.uniform(0.4, 1.1) * u,
            "#ffffff",
            0.35,
        )


def _fish(canvas: Canvas, x: float, y: float, size: float, colour: str, flip: bool) -> None:
    with canvas.transformed(x, y, size / 20, flip=flip):
        canvas.path("M-20 0C-10 -14 12 -14 24 0C12 14 -10 14 -20 0Z", colour)
        canvas.path("M-16 0L-34 -12L-30 0L-34 12Z", darken(colour, 0.12))
        canvas.circle(14, -2, 2.4, "#22303a")


def _weed(canvas: Canvas, x: float, y: float, size: float, colour: str, wide: float) -> None:
    canvas.curve(
        [(x, y), (x - size * 0.12, y - size * 0.3), (x + size * 0.12, y - size * 0.6), (x - size * 0.04, y - size)],
        colour,
        wide * 1.3,
    )


def _river(backdrop: Backdrop) -> None:
    h, u, green = backdrop.height, backdrop.unit, s.grass_colour(backdrop.setting)
    s.draw_hills(backdrop, backdrop.far, h * 0.5, h * 0.05, mix(green, "#7fa6a0", 0.5))
    s.draw_hills(backdrop, backdrop.far, h * 0.58, h * 0.03, mix(green, "#6f9a6a", 0.4))
    s.draw_ground(backdrop, backdrop.mid, h * 0.63, lighten(green, 0.08), h * 0.01)
    for share in s.jittered_fractions(8, backdrop.rng):
        s.draw_tree(
            backdrop,
            backdrop.mid,
            backdrop.x_at(share),
            h * backdrop.rng.uniform(0.63, 0.655),
            backdrop.rng.uniform(18, 30) * u,
        )
    colour = "#d4e2ec" if backdrop.snowy else mix("#4f9ab0", backdrop.lighting.sky[0], 0.3)
    s.draw_water(backdrop, backdrop.mid, h * 0.675, colour, h * 0.79)
    if backdrop.setting.kind == "river":
        x = backdrop.width * (0.2 if backdrop.setting.seed % 2 else 0.8)
        backdrop.mid.path(
            f"M{x - 24 * u:.0f} {h * 0.7:.0f}C{x - 12 * u:.0f} {h * 0.6:.0f} {x + 12 * u:.0f} {h * 0.6:.0f} {x + 24 * u:.0f} {h * 0.7:.0f}L{x + 19 * u:.0f} {h * 0.715:.0f}C{x + 8 * u:.0f} {h * 0.64:.0f} {x - 8 * u:.0f} {h * 0.64:.0f} {x - 19 * u:.0f} {h * 0.715:.0f}Z",
            "#a89686",
        )
    if "lantern" in backdrop.setting.features:
        for share in s.jittered_fractions(13, backdrop.rng):
            x, y = backdrop.x_at(share), h * backdrop.rng.uniform(0.69, 0.76)
            s.draw_lamp_glow(backdrop.mid, x, y, 7 * u)
            backdrop.mid.rect(x - 1.3 * u, y - 2.6 * u, 2.6 * u, 2.8 * u, "#ffd67a", 0.4 * u)
            backdrop.mid.ellipse(x, y + 1.6 * u, 2.4 * u, 0.5 * u, "#ffd67a", 0.5)
    s.draw_ground(backdrop, backdrop.mid, h * 0.775, green, h * 0.012)
    for share in s.jittered_fractions(9, backdrop.rng):
        x, y = backdrop.x_at(share), h * 0.79
        for lean in (-1.2, 0, 1.4):
            backdrop.mid.line(
                [(x + lean * u, y), (x + lean * 1.8 * u, y - backdrop.rng.uniform(6, 10) * u)],
                darken(green, 0.25),
                0.5 * u,
            )
    s.draw_grass_tufts(
        backdrop, backdrop.mid, 30, h * 0.81, darken(green, 0.18), backdrop.setting.season in ("spring", "summer")
    )
    _near_grass(backdrop, darken(green, 0.35))


def _garden(backdrop: Backdrop) -> None:
    h, u, green, rng = backdrop.height, backdrop.unit, s.grass_colour(backdrop.setting), backdrop.rng
    for share in s.jittered_fractions(9, rng):
        s.draw_tree(backdrop, backdrop.far, backdrop.x_at(share), h * 0.66, rng.uniform(30, 44) * u)
    hedge = darken(s.leaf_colour(backdrop.setting, rng), 0.08)
    backdrop.mid.rect(backdrop.left, h * 0.61, backdrop.right - backdrop.left, h * 0.14, hedge, 2 * u)
    for index in range(26):
        backdrop.mid.circle(backdrop.x_at(index / 25), h * 0.615, 2.6 * u, lighten(hedge, 0.05))
    s.draw_ground(backdrop, backdrop.mid, h * 0.735, lighten(green, 0.05), h * 0.006)
    _path(backdrop, backdrop.mid, h * 0.735)
    for share in s.jittered_fractions(18, rng):
        x, y = backdrop.x_at(share), h * rng.uniform(0.735, 0.765)
        bloom = rng.choice(("#e8737a", "#f2c14e", "#fff3e6", "#b58ad0", "#ee9a5c"))
        backdrop.mid.line([(x, y), (x, y - 4 * u)], "#4f7d3f", 0.5 * u)
        if not backdrop.snowy:
            for turn in range(0, 360, 72):
                backdrop.mid.circle(*s.point_on_circle(x, y - 4.6 * u, u, turn), 0.85 * u, bloom)
            backdrop.mid.circle(x, y - 4.6 * u, 0.7 * u, "#f7e28b")
    for share in (0.2, 0.8):
        s.draw_round_tree(
            backdrop.mid, backdrop.x_at(share), h * 0.77, 46 * u, s.leaf_colour(backdrop.setting, rng), rng
        )
    s.draw_grass_tufts(backdrop, backdrop.mid, 26, h * 0.8, darken(green, 0.16), True)
    _near_grass(backdrop, darken(green, 0.35))


def _desert(backdrop: Backdrop) -> None:
    h, u, rng = backdrop.height, backdrop.unit, backdrop.rng
    s.draw_hills(backdrop, backdrop.far, h * 0.56, h * 0.05, "#e2b06a", 3)
    if rng.random() < 0.6:
        for share in s.jittered_fractions(3, rng):
            x, high = backdrop.x_at(share), h * rng.uniform(0.12, 0.22)
            backdrop.far.polygon(
                [
                    (x - 16 * u, h * 0.62),
                    (x - 12 * u, h * 0.6 - high),
                    (x + 9 * u, h * 0.6 - high),
                    (x + 15 * u, h * 0.62),
                ],
                "#c97f4c",
            )
    s.draw_hills(backdrop, backdrop.mid, h * 0.64, h * 0.04, "#eac07c", 3)
    s.draw_hills(backdrop, backdrop.mid, h * 0.7, h * 0.03, "#e3b46c", 2)
    s.draw_ground(backdrop, backdrop.mid, h * 0.76, "#efca88", h * 0.015)
    for share in s.jittered_fractions(4, rng):
        _cactus(backdrop.mid, backdrop.x_at(share), h * rng.uniform(0.72, 0.78), rng.uniform(12, 22) * u)
    for _ in range(12):
        x, y = backdrop.x_at(rng.random()), rng.uniform(h * 0.8, h * 1.04)
        backdrop.mid.curve([(x - 5 * u, y), (x, y - 0.7 * u), (x + 5 * u, y)], "#d5a662", 0.4 * u)
    s.draw_rock(backdrop.near, backdrop.right - 7 * u, backdrop.bottom, 16 * u, "#a9754a", rng)
    s.draw_rock(backdrop.near, backdrop.left + 3 * u, backdrop.bottom, 13 * u, "#a9754a", rng)


def _cactus(canvas: Canvas, x: float, y: float, size: float) -> None:
    with canvas.transformed(x, y, size / 100):
        green = "#5f8f5a"
        canvas.line([(0, 0), (0, -92)], green, 20)
        canvas.line([(0, -40), (30, -46), (30, -70)], green, 14)
        canvas.line([(0, -54), (-28, -58), (-28, -82)], green, 13)
        canvas.line([(-3, -4), (-3, -90)], lighten(green, 0.2), 3)


def _city(backdrop: Backdrop) -> None:
    h, u, rng = backdrop.height, backdrop.unit, backdrop.rng
    for share in s.jittered_fractions(13, rng):
        wide = rng.uniform(9, 16) * u
        s.draw_tower_block(
            backdrop.far,
            backdrop.x_at(share) - wide / 2,
            h * 0.72,
            wide,
            h * rng.uniform(0.32, 0.6),
            rng,
            backdrop.lighting.dark,
        )
    x = backdrop.left - 4 * u
    while x < backdrop.right:
        wide = rng.uniform(20, 30) * u
        high = h * rng.uniform(0.34, 0.52)
        s.draw_tower_block(backdrop.mid, x, h * 0.745, wide, high, rng, backdrop.lighting.dark)
        _shopfront(backdrop, x, h * 0.745, wide)
        x += wide + rng.choice((0.0, 0.6)) * u
    pave = "#c9bfb2" if not backdrop.snowy else "#e6ebef"
    backdrop.mid.rect(backdrop.left, h * 0.74, backdrop.right - backdrop.left, backdrop.bottom, pave)
    backdrop.mid.rect(
        backdrop.left,
        h * 0.79,
        backdrop.right - backdrop.left,
        backdrop.bottom,
        backdrop.mid.linear_gradient([(0, "#7d7f88", 1), (1, "#65666f", 1)]) if not backdrop.snowy else "#d5dce3",
    )
    backdrop.mid.rect(backdrop.left, h * 0.785, backdrop.right - backdrop.left, u, darken(pave, 0.2))
    for index in range(7):
        backdrop.mid.rect(backdrop.x_at(index / 6) - 5 * u, h * 0.96, 10 * u, 1.1 * u, "#f0e6c8", 0.4 * u, 0.8)
    for share in (0.16, 0.84):
        _street_lamp(backdrop, backdrop.x_at(share), h * 0.785, h * 0.36)


def _shopfront(backdrop: Backdrop, x: float, y: float, wide: float) -> None:
    u, rng = backdrop.unit, backdrop.rng
    high = 13 * u
    colour = rng.choice(("#a8413c", "#3f6a66", "#4a5d8a", "#c98a3c", "#7a5f86"))
    backdrop.mid.rect(x, y - high, wide, high, darken(colour, 0.3))
    backdrop.mid.rect(
        x + 2 * u, y - high * 0.7, wide * 0.52, high * 0.6, "#ffdf9a" if backdrop.lighting.dark else "#bcd8de", 0.4 * u
    )
    backdrop.mid.rect(x + wide * 0.7, y - high * 0.72, wide * 0.2, high * 0.72, darken(colour, 0.5), 0.3 * u)
    count = 6
    for index in range(count):
        tone = colour if index % 2 else "#f6ecd9"
        left = x + wide * index / count
        backdrop.mid.path(
            f"M{left:.0f} {y - high:.0f}L{left + wide / count:.0f} {y - high:.0f}L{left + wide / count:.0f} {y - high * 0.76:.0f}Q{left + wide / count / 2:.0f} {y - high * 0.66:.0f} {left:.0f} {y - high * 0.76:.0f}Z",
            tone,
        )


def _street_lamp(backdrop: Backdrop, x: float, y: float, high: float) -> None:
    u = backdrop.unit
    backdrop.mid.rect(x - 0.6 * u, y - high, 1.2 * u, high, "#3b4149", 0.5 * u)
    backdrop.mid.rect(x - 1.6 * u, y - 2 * u, 3.2 * u, 2.4 * u, "#3b4149", 0.6 * u)
    if backdrop.lighting.dark or backdrop.setting.time == "dusk":
        s.draw_lamp_glow(backdrop.mid, x, y - high - 2 * u, 17 * u)
    backdrop.mid.polygon(
        [
            (x - 2.4 * u, y - high - 4 * u),
            (x + 2.4 * u, y - high - 4 * u),
            (x + 1.6 * u, y - high),
            (x - 1.6 * u, y - high),
        ],
        "#ffe6a8" if backdrop.lighting.dark else "#e8ecec",
    )
    backdrop.mid.polygon(
        [(x - 3 * u, y - high - 4 * u), (x + 3 * u, y - high - 4 * u), (x, y - high - 6.4 * u)], "#3b4149"
    )


def _village(backdrop: Backdrop) -> None:
    h, u, rng = backdrop.height, backdrop.unit, backdrop.rng
    green = s.grass_colour(backdrop.setting)
    if "mountains" in backdrop.setting.features:
        for share in s.jittered_fractions(4, rng):
            s.draw_mountain(backdrop.far, backdrop.x_at(share), h * 0.62, h * 0.36, "#7389a2", rng)
    s.draw_hills(backdrop, backdrop.far, h * 0.53, h * 0.05, mix(green, "#84a394", 0.4))
    for share in s.jittered_fractions(8, rng):
        s.draw_house(
            backdrop.far,
            backdrop.x_at(share),
            h * 0.645,
            rng.uniform(13, 18) * u,
            rng,
            backdrop.lighting.dark,
            backdrop.snowy,
        )
    spire = backdrop.x_at(rng.uniform(0.3, 0.7))
    backdrop.far.rect(spire - 3.6 * u, h * 0.4, 7.2 * u, h * 0.24, "#e3d7c2")
    backdrop.far.polygon([(spire - 5 * u, h * 0.4), (spire + 5 * u, h * 0.4), (spire, h * 0.25)], "#8d4a42")
    for share in s.jittered_fractions(5, rng):
        if abs(share - 0.5) > 0.14:
            s.draw_house(
                backdrop.mid,
                backdrop.x_at(share),
                h * 0.745,
                rng.uniform(32, 40) * u,
                rng,
                backdrop.lighting.dark,
                backdrop.snowy,
            )
    for share in s.jittered_fractions(4, rng):
        s.draw_tree(backdrop, backdrop.mid, backdrop.x_at(share), h * 0.755, rng.uniform(20, 28) * u)
    stone = "#d6c3a2" if not backdrop.snowy else "#e9eef2"
    s.draw_ground(backdrop, backdrop.mid, h * 0.745, stone, 0)
    for _ in range(60):
        y = rng.uniform(h * 0.77, backdrop.bottom)
        size = u * (0.8 + 2.6 * (y / h - 0.75))
        backdrop.mid.ellipse(backdrop.x_at(rng.random()), y, size * 1.5, size * 0.6, darken(stone, 0.1), 0.6)
    if backdrop.lighting.dark or backdrop.setting.time == "dusk":
        for share in (0.14, 0.86):
            _street_lamp(backdrop, backdrop.x_at(share), h * 0.79, h * 0.28)
    _near_grass(backdrop, darken(green, 0.4))


def _fortress(backdrop: Backdrop) -> None:
    h, u, rng = backdrop.height, backdrop.unit, backdrop.rng
    green = s.grass_colour(backdrop.setting)
    s.draw_hills(backdrop, backdrop.far, h * 0.55, h * 0.04, mix(green, "#84a394", 0.4))
    x = backdrop.width * (0.34 if backdrop.setting.seed % 2 else 0.66)
    backdrop.mid.path(
        f"M{x - 60 * u:.0f} {h * 0.75:.0f}C{x - 34 * u:.0f} {h * 0.6:.0f} {x + 34 * u:.0f} {h * 0.6:.0f} {x + 60 * u:.0f} {h * 0.75:.0f}Z",
        mix(green, "#8b8a68", 0.3),
    )
    _keep(backdrop, x, h * 0.655, h * 0.46)
    s.draw_ground(backdrop, backdrop.mid, h * 0.735, green, h * 0.012)
    _path(backdrop, backdrop.mid, h * 0.735)
    for share in s.jittered_fractions(7, rng):
        s.draw_tree(backdrop, backdrop.mid, backdrop.x_at(share), h * rng.uniform(0.735, 0.76), rng.uniform(14, 22) * u)
    s.draw_grass_tufts(
        backdrop, backdrop.mid, 34, h * 0.78, darken(green, 0.18), backdrop.setting.season in ("spring", "summer")
    )
    _near_grass(backdrop, darken(green, 0.38))


def _keep(backdrop: Backdrop, x: float, y: float, high: float) -> None:
    canvas, lit = backdrop.mid, backdrop.lighting.dark
    stone, pane = "#c3b6a8", "#ffd885" if lit else "#5f6b7a"
    with canvas.transformed(x, y, high / 100):
        for left, wide, top, roof in (
            (-52, 18, -58, "#7d5a8a"),
            (34, 18, -66, "#7d5a8a"),
            (-26, 14, -84, "#a8524a"),
            (10, 16, -92, "#7d5a8a"),
        ):
            canvas.rect(left, top, wide, -top + 6, lighten(stone, 0.1))
            canvas.rect(left + wide * 0.62, top, wide * 0.38, -top + 6, darken(stone, 0.06))
            canvas.polygon([(left - 3, top), (left + wide + 3, top), (left + wide / 2, top - 24)], roof)
            canvas.rect(left + wide / 2 - 2, top + 9, 4.4, 9, pane, 2.2)
            canvas.path(
                f"M{left + wide / 2} {top - 24}L{left + wide / 2} {top - 33}L{left + wide / 2 + 10} {top - 30}L{left + wide / 2} {top - 27}Z",
                "#e0b64a",
            )
        canvas.rect(-40, -46, 80, 52, stone)
        for index in range(9):
            canvas.rect(-40 + index * 9.2, -51, 5.6, 7, stone)
        canvas.path("M-9 6L-9 -16C-9 -28 9 -28 9 -16L9 6Z", "#5a4334")
        for wx in (-28, -18, 18, 28):
            canvas.rect(wx - 2, -34, 4.4, 9, pane, 2.2)


def _road(backdrop: Backdrop) -> None:
    _meadow(backdrop)


def _cave(backdrop: Backdrop) -> None:
    h, u, rng = backdrop.height, backdrop.unit, backdrop.rng
    backdrop.sky.rect(
        backdrop.left,
        -backdrop.margin - 4,
        backdrop.right - backdrop.left,
        backdrop.bottom + backdrop.margin + 8,
        "#2b2330",
    )
    x = backdrop.width * rng.uniform(0.4, 0.6)
    s.draw_lamp_glow(backdrop.sky, x, h * 0.5, 60 * u, "#e9a65c", 0.5)
    for shade, wide in (("#3a2f42", 1.0), ("#453849", 1.5)):
        arch = [(x + wide * 30 * u * dx, h * (0.78 - wide * 0.3 * dy)) for dx, dy in _ARCH]
        hole = smooth_path(arch)
        backdrop.far.path(
            f"{hole}L{backdrop.right:.0f} {backdrop.bottom:.0f}L{backdrop.right:.0f} {-backdrop.margin - 4:.0f}"
            f"L{backdrop.left:.0f} {-backdrop.margin - 4:.0f}L{backdrop.left:.0f} {backdrop.bottom:.0f}Z",
            shade,
            opacity=0.85,
        )
    for share in s.jittered_fractions(11, rng):
        cx, long = backdrop.x_at(share), h * rng.uniform(0.08, 0.26)
        backdrop.mid.polygon(
            [
                (cx - 4 * u, -backdrop.margin - 2),
                (cx + 4 * u, -backdrop.margin - 2),
                (cx + rng.uniform(-1, 1) * u, long),
            ],
            "#584758",
        )
    s.draw_ground(backdrop, backdrop.mid, h * 0.745, "#6d5a62", h * 0.015)
    for share in s.jittered_fractions(8, rng):
        s.draw_rock(
            backdrop.mid, backdrop.x_at(share), h * rng.uniform(0.74, 0.8), rng.uniform(3, 8) * u, "#5f4d58", rng
        )
    for share in s.jittered_fractions(5, rng):
        cx, cy = backdrop.x_at(share), h * rng.uniform(0.7, 0.78)
        gem = rng.choice(("#7fe3d8", "#b59af0", "#f0b3d0"))
        s.draw_lamp_glow(backdrop.mid, cx, cy - 3 * u, 9 * u, gem, 0.5)
        for turn in (-24, 0, 22):
            with backdrop.mid.transformed(cx, cy, u, rotation=turn):
                backdrop.mid.polygon([(-1.1, 0), (-1.2, -5), (0, -7.5), (1.2, -5), (1.1, 0)], gem)
    for cx, size in ((backdrop.left + 4 * u, 30), (backdrop.right - 4 * u, 26)):
        s.draw_rock(backdrop.near, cx, backdrop.bottom, size * u, "#2f2530", rng)


def _space(backdrop: Backdrop) -> None:
    h, u, rng = backdrop.height, backdrop.unit, backdrop.rng
    canvas = backdrop.sky
    fill = canvas.linear_gradient([(0, "#0d0f2b", 1), (0.55, "#231d4d", 1), (1, "#44305f", 1)])
    canvas.rect(
        backdrop.left, -backdrop.margin - 4, backdrop.right - backdrop.left, backdrop.bottom + backdrop.margin + 8, fill
    )
    for colour in ("#6d4aa0", "#2f6f9a"):
        s.draw_lamp_glow(canvas, backdrop.x_at(rng.random()), h * rng.uniform(0.1, 0.6), 60 * u, colour, 0.4)
    for _ in range(150):
        canvas.circle(
            backdrop.x_at(rng.random()),
            rng.uniform(-backdrop.margin, h * 0.8),
            rng.uniform(0.08, 0.34) * u,
            "#fdf6df",
            rng.uniform(0.3, 1),
        )
    x, y, r = backdrop.x_at(rng.uniform(0.18, 0.34)), h * rng.uniform(0.22, 0.32), rng.uniform(11, 16) * u
    colour = rng.choice(("#e08a5c", "#5fa8b8", "#c98ac0"))
    backdrop.far.colour_transform = backdrop.lighting.emissive_transform()
    backdrop.far.circle(x, y, r, colour)
    for shift in (-0.4, 0.05, 0.45):
        backdrop.far.ellipse(x, y + r * shift, r * (1 - abs(shift)) * 0.9, r * 0.09, lighten(colour, 0.25), 0.7)
    backdrop.far.ellipse(x, y, r * 1.75, r * 0.34, None, stroke="#f0dcae", width=0.9 * u)
    backdrop.far.circle(backdrop.x_at(rng.uniform(0.66, 0.86)), h * rng.uniform(0.12, 0.3), 4.5 * u, "#d8dce4")
    land = "#c0623f" if "mars" in backdrop.setting.features else "#b3a8bd"
    s.draw_hills(backdrop, backdrop.mid, h * 0.7, h * 0.035, darken(land, 0.24), 3)
    s.draw_ground(backdrop, backdrop.mid, h * 0.75, land, h * 0.012)
    for _ in range(11):
        cx, cy, size = backdrop.x_at(rng.random()), rng.uniform(h * 0.78, h * 1.02), rng.uniform(2, 6) * u
        backdrop.mid.ellipse(cx, cy, size, size * 0.34, darken(land, 0.26))
        backdrop.mid.ellipse(cx, cy + size * 0.06, size * 0.86, size * 0.24, darken(land, 0.12))
    s.draw_rock(backdrop.near, backdrop.left + 3 * u, backdrop.bottom, 18 * u, "#5d5470", rng)


def _sky(backdrop: Backdrop) -> None:
    h, u, rng = backdrop.height, backdrop.unit, backdrop.rng
    white = mix(backdrop.lighting.sky[2], "#ffffff", 0.6)
    s.draw_birds(backdrop, backdrop.far, 5)
    for row, (y, size) in enumerate(((0.6, 16), (0.7, 20))):
        for index in range(11):
            (backdrop.far if row == 0 else backdrop.mid).circle(
                backdrop.x_at(index / 10),
                h * (y + rng.uniform(0, 0.03)),
                size * u * rng.uniform(0.7, 1.1),
                darken(white, 0.1 - row * 0.05),
            )
    for index in range(14):
        backdrop.mid.circle(backdrop.x_at(index / 13), h * 0.9 + rng.uniform(-1, 1) * u, rng.uniform(13, 18) * u, white)
    backdrop.mid.rect(backdrop.left, h * 0.86, backdrop.right - backdrop.left, backdrop.bottom, white)
    for share in s.jittered_fractions(5, rng):
        backdrop.near.circle(backdrop.x_at(share), backdrop.bottom + 2 * u, 12 * u, white, 0.8)


OUTDOORS: dict[str, Callable[[Backdrop], None]] = {
    "meadow": _meadow, "forest": _forest, "mountains": _mountains, "sea": _sea, "beach": _beach, "cove": _cove,
    "lighthouse": _lighthouse, "gallery": _gallery, "harbour": _harbour, "ship": _ship, "underwater": _underwater,
    "river": _river, "lake": _river, "garden": _garden, "desert": _desert, "city": _city, "village": _village,
    "fortress": _fortress, "market": draw_market, "road": _road, "cave": _cave, "space": _space, "sky": _sky,
}  # fmt: skip

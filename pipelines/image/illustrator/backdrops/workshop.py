"""A workshop: benches of wood, tools on the wall, shelves, and clocks where a clockmaker works."""

from __future__ import annotations

from pipelines.image.illustrator.backdrops.elements import Backdrop
from pipelines.image.illustrator.canvas import darken, lighten

_WOOD = "#8a5f40"


def draw_workshop(backdrop: Backdrop, wall: str) -> None:
    """Draw the walls and both sides of the room; the middle stays free."""
    u, h, rng = backdrop.unit, backdrop.height, backdrop.rng
    clocks = "clock" in backdrop.setting.features
    for share in (0.14, 0.5, 0.86):
        x = backdrop.x_at(share)
        if clocks:
            for dx, dy, r in ((-11, -2, 5.4), (1, 3, 4.2), (12, -3, 6.2), (-4, 13, 3.4), (9, 13, 4.0)):
                _wall_clock(backdrop, x + dx * u, h * 0.2 + dy * u, r * u)
        else:
            _tools(backdrop, x, h * 0.17)
    for share in (0.13, 0.87):
        x = backdrop.x_at(share)
        _workbench(backdrop, x, 50 * u, 21 * u)
    shelf = h * 0.44
    for share in (0.34, 0.66):
        x = backdrop.x_at(share)
        backdrop.mid.rect(x - 12 * u, shelf, 24 * u, 1.3 * u, darken(_WOOD, 0.1))
        for index in range(5):
            tone = rng.choice(("#a8413c", "#3f6a66", "#c98a3c", "#d9cbb2", "#7a5f86", "#5a6a7a"))
            wide, high = rng.uniform(2.4, 3.8) * u, rng.uniform(3, 6.4) * u
            backdrop.mid.rect(x - 10.6 * u + index * 4.6 * u, shelf - high, wide, high, tone, 0.6 * u)


def _workbench(backdrop: Backdrop, x: float, wide: float, high: float) -> None:
    u, floor, rng = backdrop.unit, backdrop.floor, backdrop.rng
    top = floor + 3 * u - high
    backdrop.mid.rect(x - wide / 2, top, wide, 2.2 * u, lighten(_WOOD, 0.08), 0.5 * u)
    for side in (-0.46, 0.4):
        backdrop.mid.rect(x + wide * side, top + 2 * u, 3 * u, high - 2 * u, darken(_WOOD, 0.2))
    backdrop.mid.rect(x - wide * 0.2, top + 3 * u, wide * 0.4, 5 * u, darken(_WOOD, 0.08), 0.5 * u)
    backdrop.mid.circle(x, top + 5.4 * u, 0.8 * u, "#d9b45c")
    # A vice, a box of parts and an oil lamp stand on it.
    backdrop.mid.rect(x - wide * 0.36, top - 3.4 * u, 6 * u, 3.4 * u, "#5f666e", 0.5 * u)
    backdrop.mid.rect(x - wide * 0.36 + 1.6 * u, top - 5.4 * u, 2.4 * u, 2.4 * u, "#7c848c", 0.4 * u)
    backdrop.mid.rect(x + wide * 0.02, top - 3 * u, 9 * u, 3 * u, "#b98d57", 0.4 * u)
    for index in range(4):
        backdrop.mid.circle(
            x + wide * 0.02 + (1.6 + 2 * index) * u, top - 3.2 * u, rng.uniform(0.8, 1.4) * u, "#d9a441"
        )
    lamp = x + wide * 0.34
    backdrop.mid.circle(
        lamp, top - 6 * u, 11 * u, backdrop.mid.radial_gradient([(0, "#ffd98a", 0.5), (1, "#ffd98a", 0)])
    )
    backdrop.mid.rect(lamp - 2 * u, top - 2.4 * u, 4 * u, 2.4 * u, "#a8742c", 0.8 * u)
    backdrop.mid.ellipse(lamp, top - 5.6 * u, 2 * u, 3.4 * u, "#ffe6a8")


def _tools(backdrop: Backdrop, x: float, y: float) -> None:
    """A board with a saw, a hammer, pliers and a square."""
    u, mid = backdrop.unit, backdrop.mid
    mid.rect(x - 15 * u, y, 30 * u, 17 * u, darken("#c9a27a", 0.06), u)
    mid.polygon(
        [(x - 12 * u, y + 4 * u), (x - 1 * u, y + 3 * u), (x - 1 * u, y + 6 * u), (x - 12 * u, y + 7 * u)], "#b9c3cc"
    )
    mid.rect(x - 1 * u, y + 2.6 * u, 3.6 * u, 4 * u, "#7d5136", u)
    mid.rect(x + 6 * u, y + 3 * u, 1.4 * u, 11 * u, "#8a5f40", 0.5 * u)
    mid.rect(x + 3.6 * u, y + 2.4 * u, 6.4 * u, 2.4 * u, "#5f666e", 0.5 * u)
    mid.line([(x - 9 * u, y + 10 * u), (x - 6.4 * u, y + 15 * u)], "#a8413c", 1.2 * u)
    mid.line([(x - 6.4 * u, y + 10 * u), (x - 9 * u, y + 15 * u)], "#a8413c", 1.2 * u)
    mid.line([(x - 2 * u, y + 10 * u), (x - 2 * u, y + 15 * u), (x + 3 * u, y + 15 * u)], "#d9b45c", 0.9 * u)


def _wall_clock(backdrop: Backdrop, x: float, y: float, r: float) -> None:
    rng, mid = backdrop.rng, backdrop.mid
    rim = rng.choice(("#8a5f40", "#b5762c", "#5a4030", "#6a5a52"))
    mid.circle(x, y, r, rim)
    mid.circle(x, y, r * 0.8, "#fbf3e2")
    for turn in range(4):
        dx, dy = ((0, -1), (1, 0), (0, 1), (-1, 0))[turn]
        mid.circle(x + dx * r * 0.62, y + dy * r * 0.62, r * 0.07, "#5a4a40")
    mid.line([(x, y), (x + rng.uniform(-0.4, 0.4) * r, y - r * 0.42)], "#38343a", r * 0.1)
    mid.line([(x, y), (x + r * 0.5, y + rng.uniform(-0.3, 0.3) * r)], "#38343a", r * 0.08)

"""An office: tall windows on the town, desks with screens, a whiteboard and a plant."""

from __future__ import annotations

from pipelines.image.illustrator.backdrops.elements import Backdrop
from pipelines.image.illustrator.canvas import darken, lighten

_DESK = "#c9a27a"


def draw_office(backdrop: Backdrop, wall: str) -> None:
    """Draw the walls and both sides of the room; the middle stays free."""
    u, floor = backdrop.unit, backdrop.floor
    x = backdrop.x_at(0.5)
    backdrop.mid.rect(x - 21 * u, floor - 42 * u, 42 * u, 25 * u, "#b9bec4", u)
    backdrop.mid.rect(x - 20 * u, floor - 41 * u, 40 * u, 23 * u, "#fbfcfb", 0.6 * u)
    for index, high in enumerate((5, 9, 7, 13, 16)):
        tone = ("#5f9ac0", "#e0a53a", "#7fb06a", "#d97a5f", "#75519b")[index]
        backdrop.mid.rect(x + (-16 + index * 4) * u, floor - (21 + high) * u, 2.6 * u, high * u, tone, 0.3 * u)
    backdrop.mid.curve(
        [
            (x + 6 * u, floor - 24 * u),
            (x + 10 * u, floor - 30 * u),
            (x + 13 * u, floor - 28 * u),
            (x + 17 * u, floor - 37 * u),
        ],
        "#d9483a",
        0.7 * u,
    )
    for share in (0.12, 0.88):
        _desk(backdrop, backdrop.x_at(share))
    for share in (0.3, 0.72):
        _plant(backdrop, backdrop.x_at(share))


def _desk(backdrop: Backdrop, x: float) -> None:
    u, top = backdrop.unit, backdrop.floor - 14 * backdrop.unit
    backdrop.mid.rect(x - 22 * u, top, 44 * u, 1.8 * u, lighten(_DESK, 0.12), 0.5 * u)
    for side in (-20, 18):
        backdrop.mid.rect(x + side * u, top + 1.6 * u, 1.6 * u, 16 * u, darken(_DESK, 0.3))
    backdrop.mid.rect(x - 9 * u, top - 13 * u, 20 * u, 11.6 * u, "#3b4452", 0.8 * u)
    backdrop.mid.rect(x - 8 * u, top - 12.2 * u, 18 * u, 9.6 * u, "#a9cfdf", 0.4 * u)
    for row in (2.2, 4.6, 7.0):
        backdrop.mid.rect(x - 6.4 * u, top - (12.2 - row) * u, 9 * u, 0.9 * u, "#f4f8fa", 0.3 * u)
    backdrop.mid.rect(x, top - 1.6 * u, 2.4 * u, 1.6 * u, "#3b4452")
    backdrop.mid.rect(x - 17 * u, top - 2.4 * u, 6 * u, 2.4 * u, "#f3ede0", 0.3 * u)
    backdrop.mid.rect(x + 14 * u, top - 3.4 * u, 2.8 * u, 3.4 * u, "#c8503f", 0.5 * u)


def _plant(backdrop: Backdrop, x: float) -> None:
    u, floor = backdrop.unit, backdrop.floor + 2 * backdrop.unit
    backdrop.mid.path(
        f"M{x - 3.4 * u:.0f} {floor - 7 * u:.0f}L{x + 3.4 * u:.0f} {floor - 7 * u:.0f}L{x + 2.6 * u:.0f} {floor:.0f}L{x - 2.6 * u:.0f} {floor:.0f}Z",
        "#d9cbb2",
    )
    for turn, high in ((-46, 12), (-20, 16), (4, 18), (26, 15), (50, 11)):
        with backdrop.mid.transformed(x, floor - 7 * u, rotation=turn):
            backdrop.mid.path(
                f"M0 0C{-2.6 * u:.0f} {-high * 0.5 * u:.0f} {-1.6 * u:.0f} {-high * 0.9 * u:.0f} 0 {-high * u:.0f}C{1.6 * u:.0f} {-high * 0.9 * u:.0f} {2.6 * u:.0f} {-high * 0.5 * u:.0f} 0 0Z",
                "#4f8f5a" if turn % 20 else "#62a566",
            )

"""Furniture and supports: boats, beds, benches, tables, plinths, and knee-deep water."""

from __future__ import annotations

import random

from pipelines.image.illustrator.backdrops.elements import Backdrop, draw_rock, draw_wave_line
from pipelines.image.illustrator.canvas import Canvas, darken, identity, lighten, mix
from pipelines.image.illustrator.figures import body as body

WATERLINE = 0.85
"""Where the surface meets those who stand or row in it: a share of the frame's height."""
_SEA = "#3f86a6"
_WOOD = "#8a5f40"


def draw_water_behind(canvas: Canvas, backdrop: Backdrop) -> None:
    """The surface from the horizon's foot to the lower border, with waves that grow towards the viewer."""
    _draw_waves(canvas, backdrop, (0.735, 0.78, 0.825), first=True)


def draw_water_in_front(canvas: Canvas, backdrop: Backdrop) -> None:
    """Draw the waves in front of actors in the water."""
    _draw_waves(canvas, backdrop, (WATERLINE, 0.93), first=False)


def _draw_waves(canvas: Canvas, backdrop: Backdrop, lines: tuple[float, ...], *, first: bool) -> None:
    tone, canvas.colour_transform = canvas.colour_transform, identity
    # Waves have their own RNG: another actor must not change the sea.
    rng, backdrop.rng = backdrop.rng, random.Random(f"{backdrop.setting.seed} {first}")
    rough = 2.2 if backdrop.setting.weather in ("storm", "wind") else 1.0
    sea = mix(_SEA, backdrop.lighting.sky[0], 0.3)
    for index, line in enumerate(lines):
        near = index / 4 + (0.0 if first else 0.6)
        colour = backdrop.lighting.colour_transform(max(0.0, 0.35 - near * 0.3))(darken(sea, 0.12 + 0.16 * near))
        y, size = backdrop.height * line, backdrop.unit * (2.0 + 3.2 * near) * rough
        # Calm water has a sheen, rough water foam.
        foam = backdrop.lighting.colour_transform(0.1)(lighten(sea, 0.62 if rough > 1 else 0.2))
        draw_wave_line(backdrop, canvas, y - size * 0.06, size, foam)
        dice_state = random.Random(f"{backdrop.setting.seed} {first} {index}")
        backdrop.rng = dice_state
        draw_wave_line(backdrop, canvas, y + size * 0.02, size, colour)
    canvas.colour_transform, backdrop.rng = tone, rng


def draw_boat_near_side(canvas: Canvas, colour: str) -> None:
    """The near side of a boat, its keel on (0, 0), turned to the right; draw its crew first."""
    dark = darken(colour, 0.25)
    canvas.path("M-150 -64C-120 -50 112 -50 166 -84C160 -30 120 2 62 6L-84 6C-130 0 -148 -32 -150 -64Z", colour)
    canvas.path("M-150 -64C-120 -50 112 -50 166 -84L164 -68C112 -36 -120 -36 -149 -50Z", lighten(colour, 0.45))
    for y in (-30, -12):
        canvas.curve([(-140, y - 8), (0, y + 6), (140, y - 12)], dark, 3, 0.7)


def draw_boat_far_side(canvas: Canvas, colour: str) -> None:
    """The far side of the boat, behind its crew."""
    canvas.path("M-150 -64C-110 -80 112 -80 166 -84C112 -44 -120 -44 -150 -64Z", darken(colour, 0.45))


def draw_bed(canvas: Canvas, proportions: body.BodyProportions) -> tuple[float, float]:
    """Draw head board, mattress and pillow for these body proportions, feet to the right. Return the centre of the pillow."""
    long, top = proportions.height * 1.12, -74.0
    left = -long * 0.5
    canvas.rect(left - 14, top - 72, 26, 146, darken(_WOOD, 0.12), 8)
    canvas.rect(left + long - 8, top - 30, 22, 104, darken(_WOOD, 0.12), 8)
    canvas.rect(left, top + 22, long, 34, _WOOD, 6)
    canvas.rect(left + 2, top, long - 6, 30, "#efe6d4", 10)
    canvas.ellipse(left + 62, top - 12, 62, 26, "#fbf6ea")
    return left + 74, top - 26


def draw_blanket(canvas: Canvas, proportions: body.BodyProportions, colour: str) -> None:
    """Draw the blanket over a lying actor, from the chest down."""
    long, top = proportions.height * 1.12, -74.0
    left, right = -long * 0.5 + proportions.head * 1.9, long * 0.5 - 4
    bulge = proportions.shoulder * 1.05
    canvas.path(
        f"M{left:.1f} {top + 34:.1f}C{left - 6:.1f} {top - bulge * 0.7:.1f} {left + 12:.1f} {top - bulge:.1f} {left + 44:.1f} {top - bulge:.1f}"
        f"C{(left + right) / 2:.1f} {top - bulge * 0.9:.1f} {right - 40:.1f} {top - bulge * 0.86:.1f} {right:.1f} {top - 12:.1f}L{right:.1f} {top + 40:.1f}L{left:.1f} {top + 40:.1f}Z",
        colour,
    )
    canvas.path(
        f"M{left:.1f} {top + 34:.1f}C{left - 6:.1f} {top - bulge * 0.7:.1f} {left + 12:.1f} {top - bulge:.1f} {left + 44:.1f} {top - bulge:.1f}L{left + 62:.1f} {top - bulge:.1f}C{left + 34:.1f} {top - bulge * 0.9:.1f} {left + 22:.1f} {top - bulge * 0.5:.1f} {left + 24:.1f} {top + 40:.1f}Z",
        lighten(colour, 0.5),
    )


def draw_bench(canvas: Canvas, left: float, right: float, top: float) -> None:
    """A plank on two feet from `left` to `right`, its seat at `top`."""
    for x in (left + 16, right - 30):
        canvas.rect(x, top, 14, -top, darken(_WOOD, 0.3))
    canvas.rect(left, top - 4, right - left, 15, _WOOD, 5)


def draw_stool(canvas: Canvas, wide: float, top: float) -> None:
    """A seat for one."""
    draw_bench(canvas, -wide * 0.55, wide * 0.6, top)


def draw_boulder(canvas: Canvas, top: float, seed: int) -> None:
    """A stone to sit on, under the open sky."""
    draw_rock(canvas, 0, 4, -top * 1.12, "#8d857c", random.Random(seed))


def draw_desk(canvas: Canvas, top: float) -> None:
    """Draw a table in front of a sitting actor, its top at y = `top`."""
    canvas.rect(24, top, 250, 14, lighten(_WOOD, 0.08), 4)
    for x in (40, 244):
        canvas.rect(x, top + 12, 14, -top - 12, darken(_WOOD, 0.22))


def draw_plinth(canvas: Canvas, x: float, y: float, size: float, *, as_table: bool, backdrop: Backdrop) -> None:
    """Draw the support of a single prop: a table top, or a round base with a halo."""
    if as_table:
        canvas.rect(backdrop.left, y, backdrop.right - backdrop.left, backdrop.bottom - y, _WOOD)
        canvas.rect(backdrop.left, y, backdrop.right - backdrop.left, max(4.0, size * 0.05), lighten(_WOOD, 0.18))
        for line in (0.3, 0.62, 0.86):
            canvas.rect(
                backdrop.left, y + (backdrop.bottom - y) * line, backdrop.right - backdrop.left, 2, darken(_WOOD, 0.18)
            )
        return
    canvas.circle(
        x,
        y - size * 0.5,
        size * 1.15,
        canvas.radial_gradient([(0, "#fff6dc", 0.75), (0.5, "#fff6dc", 0.3), (1, "#fff6dc", 0)]),
    )
    canvas.ellipse(x, y + size * 0.12, size * 0.72, size * 0.15, "#1d1622", 0.2)
    canvas.path(
        f"M{x - size * 0.62:.1f} {y:.1f}L{x - size * 0.62:.1f} {y + size * 0.1:.1f}C{x - size * 0.62:.1f} {y + size * 0.24:.1f} {x + size * 0.62:.1f} {y + size * 0.24:.1f} {x + size * 0.62:.1f} {y + size * 0.1:.1f}L{x + size * 0.62:.1f} {y:.1f}Z",
        "#d9cbb2",
    )
    canvas.ellipse(x, y, size * 0.62, size * 0.12, "#f3eadb")

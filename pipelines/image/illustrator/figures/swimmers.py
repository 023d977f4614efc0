"""Fish, whales and dolphins: whole bodies that swim instead of standing. Belly on (0, 0), y upwards negative, turned right."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pipelines.image.illustrator.canvas import Canvas, Point, darken, lighten
from pipelines.image.illustrator.language.appearance import Appearance


@dataclass(frozen=True, slots=True)
class Swimmer:
    """The shape of one kind: length by height, tail upright (fish) or flat (whales), and what else it has."""

    length_ratio: float
    flat_tail: bool
    pale_colour: str
    dorsal_fin: float
    beak: bool = False


SWIMMERS = {
    "fish": Swimmer(1.34, False, "#fff1d8", 1.0),
    "whale": Swimmer(1.7, True, "#e4eef2", 0.0),
    "dolphin": Swimmer(1.9, True, "#eef3f4", 0.8, True),
}


def draw_swimmer(
    canvas: Canvas, appearance: Appearance, height: float, fin_angles: tuple[float, float], mood: str
) -> tuple[float, Point, Point]:
    """Draws it `height` high; `lift`: how far near and far fin are raised, in degrees. Gives its top, the tip of its
    near fin, and the middle of its face."""
    kind = SWIMMERS[appearance.species]
    skin = darken(appearance.skin, 0.18) if "wet" in appearance.conditions else appearance.skin
    dark = darken(skin, 0.22)
    h, w = height * 0.74, height * kind.length_ratio * 0.5
    y = -h * 0.56  # the middle of the body
    sway = math.sin(math.radians(fin_angles[0] * 1.7 + fin_angles[1])) * h * 0.08
    _draw_tail(canvas, kind, w, h, y + sway, dark)
    if kind.dorsal_fin:
        f = h * 0.42 * kind.dorsal_fin
        canvas.path(
            f"M{-w * 0.42:.1f} {y - h * 0.34:.1f}C{-w * 0.3:.1f} {y - h * 0.4 - f:.1f} {w * 0.05:.1f} {y - h * 0.42 - f:.1f} {w * 0.3:.1f} {y - h * 0.4:.1f}Z",
            dark,
        )
    _draw_fin(canvas, -w * 0.02, y + h * 0.3, h * 0.42, fin_angles[1], darken(skin, 0.3))
    canvas.path(
        f"M{-w * 0.92:.1f} {y + sway * 0.6:.1f}C{-w * 0.5:.1f} {y - h * 0.56:.1f} {w * 0.42:.1f} {y - h * 0.66:.1f} {w * 0.82:.1f} {y - h * 0.22:.1f}"
        f"C{w * 1.02:.1f} {y + h * 0.02:.1f} {w * 0.86:.1f} {y + h * 0.34:.1f} {w * 0.5:.1f} {y + h * 0.44:.1f}C{w * 0.1:.1f} {y + h * 0.56:.1f} {-w * 0.5:.1f} {y + h * 0.42:.1f} {-w * 0.92:.1f} {y + sway * 0.6:.1f}Z",
        skin,
    )
    if kind.beak:
        canvas.path(
            f"M{w * 0.74:.1f} {y - h * 0.1:.1f}C{w * 0.98:.1f} {y - h * 0.12:.1f} {w * 1.22:.1f} {y - h * 0.02:.1f} {w * 1.24:.1f} {y + h * 0.06:.1f}C{w * 1.16:.1f} {y + h * 0.16:.1f} {w * 0.9:.1f} {y + h * 0.2:.1f} {w * 0.7:.1f} {y + h * 0.2:.1f}Z",
            skin,
        )
    canvas.path(
        f"M{w * 0.84:.1f} {y + h * 0.14:.1f}C{w * 0.74:.1f} {y + h * 0.36:.1f} {w * 0.5:.1f} {y + h * 0.44:.1f} {w * 0.4:.1f} {y + h * 0.46:.1f}C{w * 0.05:.1f} {y + h * 0.54:.1f} {-w * 0.4:.1f} {y + h * 0.4:.1f} {-w * 0.6:.1f} {y + h * 0.22:.1f}C{-w * 0.1:.1f} {y + h * 0.26:.1f} {w * 0.5:.1f} {y + h * 0.26:.1f} {w * 0.84:.1f} {y + h * 0.14:.1f}Z",
        kind.pale_colour,
    )
    if appearance.pattern or appearance.species == "fish":
        stripe = lighten(skin, 0.78) if appearance.pattern == "stripes" else lighten(skin, 0.28)
        for x, tall in ((-0.42, 0.34), (0.02, 0.44)):
            canvas.path(
                f"M{w * x:.1f} {y - h * tall:.1f}C{w * (x + 0.12):.1f} {y - h * 0.1:.1f} {w * (x + 0.12):.1f} {y + h * 0.1:.1f} {w * x:.1f} {y + h * tall * 0.9:.1f}"
                f"L{w * (x + 0.16):.1f} {y + h * tall * 0.94:.1f}C{w * (x + 0.28):.1f} {y + h * 0.1:.1f} {w * (x + 0.28):.1f} {y - h * 0.1:.1f} {w * (x + 0.16):.1f} {y - h * tall:.1f}Z",
                stripe,
            )
    face = (w * 0.56, y - h * 0.08)
    _draw_face(canvas, appearance, face, h, mood)
    for extra in appearance.accessories:
        if extra.name == "scarf":
            canvas.path(
                f"M{w * 0.22:.1f} {y - h * 0.46:.1f}C{w * 0.34:.1f} {y - h * 0.1:.1f} {w * 0.34:.1f} {y + h * 0.2:.1f} {w * 0.18:.1f} {y + h * 0.5:.1f}",
                None,
                extra.colour,
                h * 0.11,
            )
    tip = _draw_fin(canvas, w * 0.06, y + h * 0.24, h * 0.46, fin_angles[0], dark)
    return y - h * (0.52 if not kind.dorsal_fin else 0.74), tip, face


def _draw_tail(canvas: Canvas, kind: Swimmer, w: float, h: float, y: float, dark: str) -> None:
    x = -w * 0.84
    if kind.flat_tail:
        canvas.path(
            f"M{x + w * 0.12:.1f} {y + h * 0.02:.1f}C{x - w * 0.1:.1f} {y - h * 0.1:.1f} {x - w * 0.3:.1f} {y - h * 0.5:.1f} {x - w * 0.36:.1f} {y - h * 0.56:.1f}C{x - w * 0.12:.1f} {y - h * 0.52:.1f} {x + w * 0.06:.1f} {y - h * 0.3:.1f} {x + w * 0.04:.1f} {y - h * 0.14:.1f}"
            f"C{x + w * 0.16:.1f} {y - h * 0.36:.1f} {x + w * 0.3:.1f} {y - h * 0.44:.1f} {x + w * 0.34:.1f} {y - h * 0.4:.1f}C{x + w * 0.34:.1f} {y - h * 0.2:.1f} {x + w * 0.26:.1f} {y - h * 0.06:.1f} {x + w * 0.12:.1f} {y + h * 0.02:.1f}Z",
            dark,
        )
        return
    canvas.path(
        f"M{x + w * 0.12:.1f} {y:.1f}C{x - w * 0.2:.1f} {y - h * 0.08:.1f} {x - w * 0.3:.1f} {y - h * 0.42:.1f} {x - w * 0.42:.1f} {y - h * 0.46:.1f}C{x - w * 0.34:.1f} {y - h * 0.1:.1f} {x - w * 0.34:.1f} {y + h * 0.1:.1f} {x - w * 0.42:.1f} {y + h * 0.46:.1f}C{x - w * 0.3:.1f} {y + h * 0.42:.1f} {x - w * 0.2:.1f} {y + h * 0.08:.1f} {x + w * 0.12:.1f} {y:.1f}Z",
        dark,
    )


def _draw_fin(canvas: Canvas, x: float, y: float, long: float, angle: float, colour: str) -> Point:
    turn = math.radians(min(150.0, max(-30.0, angle)))
    tip = (x + math.sin(turn) * long * 0.9 - long * 0.34, y + math.cos(turn) * long * 0.9)
    canvas.path(
        f"M{x - long * 0.22:.1f} {y - long * 0.1:.1f}Q{x - long * 0.3:.1f} {(y + tip[1]) / 2:.1f} {tip[0]:.1f} {tip[1]:.1f}Q{(x + tip[0]) / 2 + long * 0.3:.1f} {(y + tip[1]) / 2:.1f} {x + long * 0.2:.1f} {y - long * 0.06:.1f}Z",
        colour,
    )
    return tip


def _draw_face(canvas: Canvas, appearance: Appearance, face: Point, h: float, mood: str) -> None:
    x, y = face
    ink, r = "#2a2125", h * 0.12
    closed = mood in ("tired",) or "tired" in appearance.conditions
    for dx, size in ((-0.02, 1.0), (0.26, 0.86)):
        cx = x + h * dx
        if closed:
            canvas.curve([(cx - r * 0.8, y), (cx, y + r * 0.4), (cx + r * 0.8, y)], ink, h * 0.022)
            continue
        canvas.ellipse(cx, y, r * size * 0.86, r * size, "#fffdf6")
        canvas.ellipse(cx + r * 0.16, y + r * 0.06, r * size * 0.52, r * size * 0.64, appearance.eyes)
        canvas.circle(cx + r * 0.34, y - r * 0.24, r * 0.2, "#ffffff")
        if mood in ("angry", "sad", "afraid"):
            lift = h * 0.03 if mood == "angry" else -h * 0.03
            side = 1 if dx > 0.1 else -1
            canvas.line(
                [(cx - r * 0.8, y - r * 1.3 - lift * side), (cx + r * 0.8, y - r * 1.3 + lift * side)], ink, h * 0.024
            )
    mx, my = x + h * 0.13, y + h * 0.22
    match mood:
        case "happy":
            canvas.path(
                f"M{mx - h * 0.11:.1f} {my:.1f}C{mx - h * 0.06:.1f} {my + h * 0.13:.1f} {mx + h * 0.06:.1f} {my + h * 0.13:.1f} {mx + h * 0.11:.1f} {my:.1f}Z",
                "#7c2f35",
            )
        case "sad":
            canvas.curve([(mx - h * 0.09, my + h * 0.04), (mx, my), (mx + h * 0.09, my + h * 0.04)], ink, h * 0.022)
        case "afraid":
            canvas.ellipse(mx, my + h * 0.02, h * 0.04, h * 0.05, "#7c2f35")
        case _:
            canvas.curve([(mx - h * 0.1, my), (mx, my + h * 0.05), (mx + h * 0.1, my)], ink, h * 0.022)

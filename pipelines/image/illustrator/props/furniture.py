"""What figures sit in, lie on and stand in: boats, beds, benches, tables, plinths, and water up to the knees."""

from __future__ import annotations

import random

from pipelines.image.illustrator.backdrops.elements import Scenery, rock, wave_line
from pipelines.image.illustrator.canvas import Sheet, darker, lighter, mix, plain
from pipelines.image.illustrator.figures import body as body

WATERLINE = 0.85
"""Where the surface meets those who stand or row in it: a share of the frame's height."""
_SEA = "#3f86a6"
_WOOD = "#8a5f40"
HULL = 150.0
"""Half the length of a rowing boat in the units of figures."""


def water_behind(sheet: Sheet, scene: Scenery) -> None:
    """The surface from the horizon's foot to the lower border, with waves that grow towards the viewer."""
    _waves(sheet, scene, (0.735, 0.78, 0.825), first=True)


def water_before(sheet: Sheet, scene: Scenery) -> None:
    """The waves in front of everybody who is in the water."""
    _waves(sheet, scene, (WATERLINE, 0.93), first=False)


def _waves(sheet: Sheet, scene: Scenery, lines: tuple[float, ...], *, first: bool) -> None:
    tone, sheet.tone = sheet.tone, plain
    # Waves have their own throws: a person more in the scene must not change the sea.
    dice, scene.dice = scene.dice, random.Random(f"{scene.place.seed} {first}")
    rough = 2.2 if scene.place.weather in ("storm", "wind") else 1.0
    sea = mix(_SEA, scene.light.sky[0], 0.3)
    for index, line in enumerate(lines):
        near = index / 4 + (0.0 if first else 0.6)
        colour = scene.light.tone(max(0.0, 0.35 - near * 0.3))(darker(sea, 0.12 + 0.16 * near))
        y, size = scene.height * line, scene.unit * (2.0 + 3.2 * near) * rough
        # Calm water has a sheen, rough water foam.
        foam = scene.light.tone(0.1)(lighter(sea, 0.62 if rough > 1 else 0.2))
        wave_line(scene, sheet, y - size * 0.06, size, foam)
        dice_state = random.Random(f"{scene.place.seed} {first} {index}")
        scene.dice = dice_state
        wave_line(scene, sheet, y + size * 0.02, size, colour)
    sheet.tone, scene.dice = tone, dice


def rowing_boat(sheet: Sheet, colour: str) -> None:
    """The near side of a boat, its keel on (0, 0), turned to the right; whoever sits in it is drawn before."""
    dark = darker(colour, 0.25)
    sheet.path("M-150 -64C-120 -50 112 -50 166 -84C160 -30 120 2 62 6L-84 6C-130 0 -148 -32 -150 -64Z", colour)
    sheet.path("M-150 -64C-120 -50 112 -50 166 -84L164 -68C112 -36 -120 -36 -149 -50Z", lighter(colour, 0.45))
    for y in (-30, -12):
        sheet.curve([(-140, y - 8), (0, y + 6), (140, y - 12)], dark, 3, 0.7)


def boat_inside(sheet: Sheet, colour: str) -> None:
    """The far side of the boat, behind its crew."""
    sheet.path("M-150 -64C-110 -80 112 -80 166 -84C112 -44 -120 -44 -150 -64Z", darker(colour, 0.45))


def bed_behind(sheet: Sheet, frame: body.Frame) -> tuple[float, float]:
    """Head board, mattress and pillow for somebody of these measures; gives the middle of the pillow. Feet to the right."""
    long, top = frame.height * 1.12, -74.0
    left = -long * 0.5
    sheet.rect(left - 14, top - 72, 26, 146, darker(_WOOD, 0.12), 8)
    sheet.rect(left + long - 8, top - 30, 22, 104, darker(_WOOD, 0.12), 8)
    sheet.rect(left, top + 22, long, 34, _WOOD, 6)
    sheet.rect(left + 2, top, long - 6, 30, "#efe6d4", 10)
    sheet.ellipse(left + 62, top - 12, 62, 26, "#fbf6ea")
    return left + 74, top - 26


def blanket(sheet: Sheet, frame: body.Frame, colour: str) -> None:
    """Drawn over the one who lies in the bed, from the chest down."""
    long, top = frame.height * 1.12, -74.0
    left, right = -long * 0.5 + frame.head * 1.9, long * 0.5 - 4
    bulge = frame.shoulder * 1.05
    sheet.path(
        f"M{left:.1f} {top + 34:.1f}C{left - 6:.1f} {top - bulge * 0.7:.1f} {left + 12:.1f} {top - bulge:.1f} {left + 44:.1f} {top - bulge:.1f}"
        f"C{(left + right) / 2:.1f} {top - bulge * 0.9:.1f} {right - 40:.1f} {top - bulge * 0.86:.1f} {right:.1f} {top - 12:.1f}L{right:.1f} {top + 40:.1f}L{left:.1f} {top + 40:.1f}Z",
        colour,
    )
    sheet.path(
        f"M{left:.1f} {top + 34:.1f}C{left - 6:.1f} {top - bulge * 0.7:.1f} {left + 12:.1f} {top - bulge:.1f} {left + 44:.1f} {top - bulge:.1f}L{left + 62:.1f} {top - bulge:.1f}C{left + 34:.1f} {top - bulge * 0.9:.1f} {left + 22:.1f} {top - bulge * 0.5:.1f} {left + 24:.1f} {top + 40:.1f}Z",
        lighter(colour, 0.5),
    )


def bench(sheet: Sheet, left: float, right: float, top: float) -> None:
    """A plank on two feet from `left` to `right`, its seat at `top`."""
    for x in (left + 16, right - 30):
        sheet.rect(x, top, 14, -top, darker(_WOOD, 0.3))
    sheet.rect(left, top - 4, right - left, 15, _WOOD, 5)


def stool(sheet: Sheet, wide: float, top: float) -> None:
    """A seat for one."""
    bench(sheet, -wide * 0.55, wide * 0.6, top)


def boulder(sheet: Sheet, top: float, seed: int) -> None:
    """A stone to sit on, under the open sky."""
    rock(sheet, 0, 4, -top * 1.12, "#8d857c", random.Random(seed))


def desk(sheet: Sheet, top: float) -> None:
    """A table in front of somebody who sits, its board at `top`."""
    sheet.rect(24, top, 250, 14, lighter(_WOOD, 0.08), 4)
    for x in (40, 244):
        sheet.rect(x, top + 12, 14, -top - 12, darker(_WOOD, 0.22))


def plinth(sheet: Sheet, x: float, y: float, size: float, *, table: bool, scene: Scenery) -> None:
    """What a thing stands on that is the scene's only subject: a table's board, or a round base with a soft halo."""
    if table:
        sheet.rect(scene.left, y, scene.right - scene.left, scene.bottom - y, _WOOD)
        sheet.rect(scene.left, y, scene.right - scene.left, max(4.0, size * 0.05), lighter(_WOOD, 0.18))
        for line in (0.3, 0.62, 0.86):
            sheet.rect(scene.left, y + (scene.bottom - y) * line, scene.right - scene.left, 2, darker(_WOOD, 0.18))
        return
    sheet.circle(
        x, y - size * 0.5, size * 1.15, sheet.glow([(0, "#fff6dc", 0.75), (0.5, "#fff6dc", 0.3), (1, "#fff6dc", 0)])
    )
    sheet.ellipse(x, y + size * 0.12, size * 0.72, size * 0.15, "#1d1622", 0.2)
    sheet.path(
        f"M{x - size * 0.62:.1f} {y:.1f}L{x - size * 0.62:.1f} {y + size * 0.1:.1f}C{x - size * 0.62:.1f} {y + size * 0.24:.1f} {x + size * 0.62:.1f} {y + size * 0.24:.1f} {x + size * 0.62:.1f} {y + size * 0.1:.1f}L{x + size * 0.62:.1f} {y:.1f}Z",
        "#d9cbb2",
    )
    sheet.ellipse(x, y, size * 0.62, size * 0.12, "#f3eadb")

"""Background animals, sitting, 100 units high, origin at (0, 0), facing right."""

from __future__ import annotations

from pipelines.image.illustrator.canvas import Canvas, darken
from pipelines.image.illustrator.figures import animal_heads, body
from pipelines.image.illustrator.figures.swimmers import SWIMMERS, draw_swimmer
from pipelines.image.illustrator.language.appearance import FUR_COLOURS, Appearance

_ANIMAL_HEIGHTS = {
    "mouse": 46.0, "bird": 62.0, "frog": 52.0, "squirrel": 70.0, "hedgehog": 62.0, "chicken": 84.0, "cat": 118.0,
    "rabbit": 92.0, "owl": 104.0, "turtle": 78.0, "fox": 140.0, "dog": 146.0, "penguin": 130.0, "monkey": 140.0,
    "pig": 140.0, "sheep": 170.0, "wolf": 176.0, "deer": 236.0, "lion": 220.0, "tiger": 216.0, "bear": 268.0,
    "panda": 236.0, "cow": 240.0, "horse": 280.0, "unicorn": 280.0, "elephant": 340.0, "dragon": 320.0,
    "dinosaur": 320.0, "robot": 230.0, "alien": 210.0, "ghost": 220.0, "snowman": 260.0,
    "dolphin": 170.0, "bee": 46.0, "snail": 46.0,
}  # fmt: skip


_UPRIGHT_SPECIES = frozenset({"robot", "alien", "ghost", "snowman", "penguin"})
"""Background animals that stand."""


def animal_height(species: str) -> float:
    """Height in units, where an adult is 400 units high."""
    return _ANIMAL_HEIGHTS.get(species, 150.0)


def draw_sitting_animal(canvas: Canvas, species: str, colour: str) -> None:
    """The animal, sitting."""
    kind = animal_heads.SPECIES[species]
    fur = colour or FUR_COLOURS[species]
    if species in _UPRIGHT_SPECIES:
        appearance = Appearance(
            species=species, skin=colour or FUR_COLOURS[species], dressed=False, cut="bald", eyes="#2d2622"
        )
        with canvas.transformed(0, 0, 100 / body.body_proportions(appearance).height):
            body.draw_figure(canvas, appearance, "stand")
        return
    if species in SWIMMERS:
        appearance = Appearance(
            species=species, skin=colour or FUR_COLOURS[species], dressed=False, cut="bald", eyes="#2d2622"
        )
        draw_swimmer(canvas, appearance, 100, (20, 0), "")
        return
    appearance = Appearance(species=species, skin=fur, hair=darken(fur, 0.3), dressed=False, cut="bald", eyes="#2d2622")
    dark = darken(fur, 0.1)
    wide = 25 * min(1.25, kind.bulk)
    with canvas.transformed(-4, -8, 0.36):
        animal_heads.draw_tail(canvas, appearance, 0)
    if kind.limb_kind == "wings":
        canvas.ellipse(0, -30, wide, 31, fur)
        canvas.ellipse(6, -26, wide * 0.66, 22, kind.pale_colour)
        canvas.path(f"M{-wide * 0.9:.1f} -44C{-wide * 1.4:.1f} -20 {-wide * 0.8:.1f} -6 {-wide * 0.3:.1f} -10Z", dark)
        for toe in (-7, 9):
            canvas.ellipse(toe + 3, -1, 8, 3.6, "#e39a36")
    else:
        canvas.path(
            f"M{-wide * 0.4:.1f} -58C{-wide * 1.3:.1f} -40 {-wide * 1.5:.1f} -2 {-wide * 0.7:.1f} 0L{wide * 0.9:.1f} 0C{wide * 1.1:.1f} -20 {wide * 0.9:.1f} -46 {wide * 0.5:.1f} -58Z",
            fur,
        )
        canvas.ellipse(wide * 0.32, -28, wide * 0.5, 22, kind.pale_colour)
        canvas.ellipse(-wide * 0.62, -12, wide * 0.56, 13, dark)
        for x in (0.18, 0.74):
            canvas.line([(wide * x, -30), (wide * x + 1, -4)], fur if x > 0.5 else dark, wide * 0.36)
            canvas.ellipse(wide * x + 4, -2, wide * 0.32, 4.6, darken(fur, 0.18))
        canvas.ellipse(-wide * 0.4, -2, wide * 0.46, 4.6, darken(fur, 0.18))
    with canvas.transformed(3, -70, 0.5):
        animal_heads.draw_animal_head(canvas, appearance, "")

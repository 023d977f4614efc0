"""Props, drawn 100 units high with the base at (0, 0)."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from pipelines.base import Params
from pipelines.image.illustrator.backdrops import elements
from pipelines.image.illustrator.canvas import Canvas, darken, lighten
from pipelines.image.illustrator.figures.animal_extras import animal_height, draw_sitting_animal
from pipelines.image.illustrator.language.appearance import COLOURS, FUR_COLOURS
from pipelines.image.illustrator.language.lexicon import concept_names, load_lexicon

DrawFunction = Callable[[Canvas, str], None]


class PropSpec(Params):
    """One prop: what it is and its main colour."""

    name: str = ""
    kind: str = "chest"
    colour: str = "#a5693a"


@dataclass(frozen=True, slots=True)
class Prop:
    """`size` is the height in units, where an adult is 400; `where` it belongs; `grip` how high up a hand takes it (0..100)."""

    draw: DrawFunction
    size: float
    anchor: str
    colour: str
    grip_height: float = 50


def parse_prop(name: str, description: str, seed: int) -> tuple[PropSpec, bool]:
    """Return the prop of a name and description, and whether the lexicon recognised it."""
    hits = (*load_lexicon().find_concepts(name), *load_lexicon().find_concepts(description))
    kinds = [kind for kind in (*concept_names(hits, "prop"), *concept_names(hits, "species")) if kind in PROPS]
    kind = kinds[0] if kinds else ("chest", "crystal", "bag", "bottle")[seed % 4]
    colours = concept_names(hits, "colour")
    return PropSpec(name=name, kind=kind, colour=COLOURS[colours[0]] if colours else PROPS[kind].colour), bool(kinds)


def draw_prop_spec(canvas: Canvas, spec: PropSpec) -> None:
    """Draw the prop 100 units high with the base at (0, 0)."""
    PROPS[spec.kind].draw(canvas, spec.colour)


def _animal(species: str, canvas: Canvas, colour: str) -> None:
    draw_sitting_animal(canvas, species, colour)


def _lantern(canvas: Canvas, colour: str) -> None:
    tone, canvas.colour_transform = canvas.colour_transform, lambda c: c
    canvas.circle(
        0, -42, 120, canvas.radial_gradient([(0, "#ffd67a", 0.6), (0.35, "#ffd67a", 0.25), (1, "#ffd67a", 0)])
    )
    canvas.colour_transform = tone
    canvas.path("M-16 -78C-16 -104 16 -104 16 -78", None, "#3b3f48", 5)
    canvas.polygon([(-26, -66), (26, -66), (14, -82), (-14, -82)], colour)
    canvas.rect(-24, -66, 48, 56, "#ffe9a6", 6)
    canvas.path("M0 -54C14 -38 10 -22 0 -20C-10 -22 -14 -38 0 -54Z", "#f6a13a")
    for x in (-24, -2, 20):
        canvas.rect(x, -66, 4, 56, "#3b3f48")
    canvas.rect(-29, -12, 58, 12, colour, 4)


def _candle(canvas: Canvas, colour: str) -> None:
    canvas.circle(0, -84, 70, canvas.radial_gradient([(0, "#ffd67a", 0.6), (1, "#ffd67a", 0)]))
    canvas.rect(-12, -66, 24, 60, "#fbf3e2", 4)
    canvas.path("M0 -100C12 -84 9 -72 0 -70C-9 -72 -12 -84 0 -100Z", "#f6a13a")
    canvas.ellipse(0, -4, 34, 8, colour)


def _book(canvas: Canvas, colour: str) -> None:
    canvas.path(
        "M0 -20C-26 -40 -58 -34 -72 -26L-72 -86C-58 -94 -26 -96 0 -78C26 -96 58 -94 72 -86L72 -26C58 -34 26 -40 0 -20Z",
        colour,
    )
    canvas.path(
        "M0 -28C-26 -46 -54 -40 -66 -34L-66 -88C-54 -96 -24 -98 0 -82C24 -98 54 -96 66 -88L66 -34C54 -40 26 -46 0 -28Z",
        "#fbf3e0",
    )
    canvas.line([(0, -80), (0, -28)], "#cdb894", 3)
    for y in (-76, -64, -52):
        canvas.line([(-54, y - 2), (-14, y + 4)], "#b9a88c", 3)
        canvas.line([(14, y + 4), (54, y - 2)], "#b9a88c", 3)


def _letter(canvas: Canvas, colour: str) -> None:
    canvas.rect(-56, -80, 112, 74, "#fbf3e0", 5)
    canvas.line([(-54, -78), (0, -36), (54, -78)], "#cdb894", 4)
    canvas.circle(0, -40, 10, "#c23b34")


def _map(canvas: Canvas, colour: str) -> None:
    canvas.polygon(
        [(-70, -84), (-24, -94), (24, -82), (70, -92), (70, -18), (24, -8), (-24, -20), (-70, -10)], "#eed9a8"
    )
    canvas.line([(-24, -94), (-24, -20)], "#d3b57c", 3)
    canvas.line([(24, -82), (24, -8)], "#d3b57c", 3)
    canvas.curve([(-54, -30), (-30, -52), (0, -40), (30, -62), (46, -50)], "#b0522a", 4)
    canvas.line([(40, -66), (54, -48)], "#c23b34", 5)
    canvas.line([(54, -66), (40, -48)], "#c23b34", 5)


def _key(canvas: Canvas, colour: str) -> None:
    canvas.ellipse(0, -78, 20, 20, None, stroke=colour, width=11)
    canvas.rect(-6, -58, 12, 58, colour, 3)
    canvas.rect(4, -22, 20, 9, colour, 2)
    canvas.rect(4, -8, 15, 8, colour, 2)


def _drum(canvas: Canvas, colour: str) -> None:
    canvas.path("M-62 -76L-54 -10C-30 8 30 8 54 -10L62 -76Z", colour)
    for x in (-52, -26, 0, 26):
        canvas.line([(x, -68), (x + 13, -4), (x + 26, -68)], "#f6e6c2", 4)
    canvas.path("M-55 -14C-30 6 30 6 55 -14L53 -4C30 14 -30 14 -53 -4Z", "#e0b64a")
    canvas.ellipse(0, -76, 64, 20, "#e0b64a")
    canvas.ellipse(0, -79, 58, 16, "#fbf3e2")
    canvas.line([(-40, -112), (-4, -84)], "#9c6a44", 6)
    canvas.circle(-4, -84, 6, "#7d5238")
    canvas.line([(48, -114), (18, -82)], "#9c6a44", 6)
    canvas.circle(18, -82, 6, "#7d5238")


def _guitar(canvas: Canvas, colour: str) -> None:
    with canvas.transformed(0, 0, rotation=28):
        canvas.rect(-5, -116, 10, 66, "#5a4030", 3)
        canvas.rect(-9, -128, 18, 20, "#4a3226", 4)
        canvas.circle(0, -48, 22, colour)
        canvas.circle(0, -18, 31, colour)
        canvas.circle(0, -34, 11, "#4a3226")
        for x in (-2.5, 0, 2.5):
            canvas.line([(x, -112), (x, -8)], "#f6e6c2", 1.2)


def _violin(canvas: Canvas, colour: str) -> None:
    with canvas.transformed(0, 0, rotation=24):
        canvas.rect(-4, -112, 8, 60, "#3b2a22", 3)
        canvas.circle(0, -50, 19, colour)
        canvas.circle(0, -18, 24, colour)
        canvas.rect(-9, -40, 18, 14, colour)
        canvas.line([(0, -110), (0, -4)], "#f6e6c2", 2)
        canvas.line([(-36, -70), (44, -16)], "#e9d2a8", 3)


def _trumpet(canvas: Canvas, colour: str) -> None:
    with canvas.transformed(0, -40, rotation=-14):
        canvas.rect(-60, -7, 90, 13, colour, 6)
        canvas.path("M26 -8C46 -10 58 -24 66 -34L66 34C58 22 46 8 26 7Z", colour)
        for x in (-20, -4, 12):
            canvas.rect(x, -24, 8, 26, darken(colour, 0.2), 3)


def _boat(canvas: Canvas, colour: str) -> None:
    elements.draw_sailing_boat(canvas, 0, 0, 100, hull=colour)


def _car(canvas: Canvas, colour: str) -> None:
    canvas.path(
        "M-110 -20C-112 -46 -98 -52 -78 -54C-64 -88 -48 -96 -8 -96C32 -96 48 -84 64 -56C96 -54 112 -46 112 -20Z", colour
    )
    canvas.path("M-62 -56C-52 -80 -42 -84 -12 -84L-12 -56Z", "#cfe6ee")
    canvas.path("M0 -84C28 -84 36 -76 48 -56L0 -56Z", "#cfe6ee")
    for x in (-62, 62):
        canvas.circle(x, -20, 24, "#2e2b31")
        canvas.circle(x, -20, 11, "#d8d3c8")
    canvas.circle(104, -38, 8, "#ffe9a6")


def _bicycle(canvas: Canvas, colour: str) -> None:
    for x in (-52, 52):
        canvas.ellipse(x, -34, 33, 33, None, stroke="#38343a", width=6)
    canvas.line([(-52, -34), (-18, -78), (34, -78), (-2, -34), (-52, -34)], colour, 7)
    canvas.line([(-18, -78), (-2, -34)], colour, 7)
    canvas.line([(34, -78), (52, -34)], colour, 7)
    canvas.line([(34, -78), (30, -98), (48, -98)], "#38343a", 6)
    canvas.line([(-30, -88), (-6, -88)], "#38343a", 8)


def _kite(canvas: Canvas, colour: str) -> None:
    canvas.polygon([(0, -100), (40, -58), (0, 0), (-40, -58)], colour)
    canvas.polygon([(0, -100), (40, -58), (0, -58)], lighten(colour, 0.3))
    canvas.polygon([(0, -58), (0, 0), (-40, -58)], darken(colour, 0.2))
    canvas.curve([(0, 0), (14, 24), (-8, 46), (10, 70)], "#6b5a4a", 3)
    for x, y in ((8, 24), (-2, 48)):
        canvas.polygon([(x - 10, y - 6), (x + 10, y + 6), (x + 10, y - 6), (x - 10, y + 6)], "#f2c14e")


def _balloon(canvas: Canvas, colour: str) -> None:
    canvas.curve([(0, 40), (-8, 0), (4, -30), (0, -46)], "#8a7f78", 2.4)
    canvas.ellipse(0, -76, 27, 33, colour)
    canvas.polygon([(-6, -40), (6, -40), (0, -48)], colour)
    canvas.ellipse(-9, -86, 6, 10, lighten(colour, 0.45), 0.8)


def _ball(canvas: Canvas, colour: str) -> None:
    canvas.circle(0, -48, 48, colour)
    canvas.path("M-40 -74C-14 -58 16 -58 40 -74", None, "#fff6e6", 7)
    canvas.path("M-46 -34C-16 -18 18 -18 46 -34", None, "#fff6e6", 7)


def _umbrella(canvas: Canvas, colour: str) -> None:
    canvas.line([(0, -2), (0, -86)], "#6b4a34", 5)
    canvas.path("M0 -2C0 12 -16 12 -16 0", None, "#6b4a34", 6)
    canvas.path(
        "M-78 -76C-64 -128 64 -128 78 -76C60 -86 44 -86 28 -76C18 -84 -18 -84 -28 -76C-44 -86 -60 -86 -78 -76Z", colour
    )
    canvas.path(
        "M-28 -76C-24 -100 -10 -114 0 -116C10 -114 24 -100 28 -76C18 -84 -18 -84 -28 -76Z", lighten(colour, 0.22)
    )


def _sword(canvas: Canvas, colour: str) -> None:
    canvas.polygon([(-6, -30), (6, -30), (5, -120), (0, -130), (-5, -120)], "#dfe5ea")
    canvas.polygon([(0, -30), (6, -30), (5, -120), (0, -130)], "#b9c3cc")
    canvas.rect(-22, -32, 44, 8, "#e0b64a", 4)
    canvas.rect(-5, -26, 10, 24, colour, 3)
    canvas.circle(0, 0, 6, "#e0b64a")


def _shield(canvas: Canvas, colour: str) -> None:
    canvas.path("M-44 -96L44 -96C48 -50 38 -16 0 2C-38 -16 -48 -50 -44 -96Z", "#e0b64a")
    canvas.path("M-36 -88L36 -88C40 -50 32 -22 0 -8C-32 -22 -40 -50 -36 -88Z", colour)
    canvas.rect(-5, -86, 10, 74, "#f6ecd9")
    canvas.rect(-36, -60, 72, 10, "#f6ecd9")


def _staff(canvas: Canvas, colour: str) -> None:
    canvas.curve([(0, 0), (-2, -40), (3, -72), (0, -104)], colour, 6)
    canvas.line([(2, -66), (12, -78)], colour, 4)


def _wand(canvas: Canvas, colour: str) -> None:
    canvas.line([(0, 0), (0, -100)], colour, 6)
    canvas.circle(0, -106, 20, canvas.radial_gradient([(0, "#bfeef0", 0.9), (1, "#bfeef0", 0)]))
    canvas.circle(0, -104, 8, "#8fe0e4")


def _rope(canvas: Canvas, colour: str) -> None:
    for y, r in ((-14, 50), (-34, 46), (-54, 42)):
        canvas.ellipse(0, y, r, 15, None, stroke=colour, width=12)
        canvas.ellipse(0, y - 2, r, 15, None, stroke=lighten(colour, 0.25), width=3)


def _flower(canvas: Canvas, colour: str) -> None:
    for x, y, petal in ((0, -84, colour), (-26, -70, "#f2c14e"), (26, -72, "#f0e2f4")):
        canvas.curve([(0, 0), (x * 0.5, y * 0.5), (x, y)], "#5a8a4a", 5)
        for dx, dy in ((0, -13), (12, -4), (8, 11), (-8, 11), (-12, -4)):
            canvas.circle(x + dx, y + dy, 9, petal)
        canvas.circle(x, y, 7, "#f7e28b" if petal != "#f2c14e" else "#b5762c")
    canvas.path("M0 -26C-22 -40 -30 -30 -32 -22C-22 -16 -10 -18 0 -22Z", "#6fa055")


def _apple(canvas: Canvas, colour: str) -> None:
    canvas.path("M0 -72C-18 -90 -56 -82 -52 -44C-50 -14 -26 6 0 -2C26 6 50 -14 52 -44C56 -82 18 -90 0 -72Z", colour)
    canvas.line([(0, -72), (5, -96)], "#6b4a34", 6)
    canvas.path("M5 -88C16 -104 34 -100 36 -94C28 -84 14 -82 5 -88Z", "#6fa055")
    canvas.ellipse(-24, -54, 8, 12, lighten(colour, 0.4), 0.8)


def _bread(canvas: Canvas, colour: str) -> None:
    canvas.path("M-80 -8C-92 -56 -50 -76 0 -76C50 -76 92 -56 80 -8C60 4 -60 4 -80 -8Z", colour)
    for x in (-40, -6, 28):
        canvas.curve([(x, -64), (x + 16, -46), (x + 10, -30)], lighten(colour, 0.4), 7)


def _cake(canvas: Canvas, colour: str) -> None:
    canvas.ellipse(0, -4, 74, 10, "#e9e2d4")
    canvas.path("M-58 -8L-58 -44L58 -44L58 -8C30 2 -30 2 -58 -8Z", colour)
    canvas.path(
        "M-60 -46L60 -46C62 -32 50 -26 46 -34C40 -22 26 -24 22 -34C16 -22 4 -22 0 -33C-6 -22 -18 -22 -22 -34C-28 -24 -40 -24 -46 -34C-52 -26 -62 -32 -60 -46Z",
        "#fff6ec",
    )
    canvas.ellipse(0, -47, 60, 12, "#fff6ec")
    tone, canvas.colour_transform = canvas.colour_transform, lambda c: c
    for x, wax in ((-32, "#7fb8d8"), (-10, "#e8a0b8"), (12, "#8fc46a"), (34, "#f0bb2d")):
        canvas.rect(x - 3, -78, 6, 32, wax, 2)
        canvas.circle(x, -86, 15, canvas.radial_gradient([(0, "#ffd67a", 0.6), (1, "#ffd67a", 0)]))
        canvas.path(f"M{x} -96C{x + 6} -88 {x + 5} -80 {x} -79C{x - 5} -80 {x - 6} -88 {x} -96Z", "#f6a13a")
    canvas.colour_transform = tone


def _cup(canvas: Canvas, colour: str) -> None:
    canvas.ellipse(38, -36, 19, 19, None, stroke=colour, width=9)
    canvas.path("M-40 -66L-34 -8C-20 4 20 4 34 -8L40 -66Z", colour)
    canvas.ellipse(0, -66, 40, 9, "#6b4230")
    for x in (-12, 10):
        canvas.curve([(x, -78), (x - 6, -92), (x + 5, -104), (x, -118)], "#ffffff", 4, 0.55)


def _bottle(canvas: Canvas, colour: str) -> None:
    canvas.path(
        "M-12 -86C-12 -78 -24 -74 -24 -60L-24 -8C-24 -1 -18 1 0 1C18 1 24 -1 24 -8L24 -60C24 -74 12 -78 12 -86Z", colour
    )
    canvas.path("M6 -86C8 -78 24 -74 24 -60L24 -8C24 -1 18 1 4 1C12 -20 14 -60 6 -86Z", darken(colour, 0.14))
    canvas.rect(-24, -46, 48, 22, "#fbf6ea")
    canvas.path("M-10 -30C-8 -42 6 -44 12 -42C12 -32 2 -26 -10 -30Z", darken(colour, 0.1))
    canvas.rect(-14, -100, 28, 16, "#3b4149", 4)
    canvas.rect(-16, -70, 5, 22, lighten(colour, 0.5), 2.5, 0.8)


def _kettle(canvas: Canvas, colour: str) -> None:
    canvas.path("M34 -74C66 -78 70 -22 38 -18", None, darken(colour, 0.4), 11)
    canvas.path("M-34 -58C-50 -64 -60 -76 -66 -86L-48 -88C-42 -78 -36 -74 -28 -74Z", darken(colour, 0.12))
    canvas.path("M-32 -82C-38 -50 -46 -30 -46 -6L46 -6C46 -30 38 -50 32 -82Z", colour)
    canvas.path("M14 -82C18 -50 24 -30 22 -6L46 -6C46 -30 38 -50 32 -82Z", darken(colour, 0.12))
    canvas.rect(-52, -8, 104, 9, "#3b4149", 4)
    canvas.path("M-32 -82C-28 -92 28 -92 32 -82Z", "#3b4149")
    canvas.circle(0, -92, 6, "#3b4149")
    canvas.circle(0, -22, 5, "#ffb15c")
    for x in (-66, -56):
        canvas.curve([(x, -92), (x - 6, -104), (x + 4, -114), (x - 2, -126)], "#ffffff", 4, 0.6)


def _potion(canvas: Canvas, colour: str) -> None:
    canvas.path(
        "M-12 -98L12 -98L12 -70C34 -58 38 -40 38 -24C38 -6 28 0 0 0C-28 0 -38 -6 -38 -24C-38 -40 -34 -58 -12 -70Z",
        "#d8ecec",
        opacity=0.9,
    )
    canvas.path("M-35 -36C-20 -30 20 -42 35 -36C38 -8 30 -4 0 -4C-30 -4 -38 -8 -35 -36Z", colour)
    canvas.rect(-11, -110, 22, 16, "#a8774c", 4)
    canvas.ellipse(-18, -42, 5, 13, "#ffffff", 0.7)


def _basket(canvas: Canvas, colour: str) -> None:
    canvas.path("M-46 -50C-46 -116 46 -116 46 -50", None, colour, 8)
    for x, c in ((-26, "#c8382e"), (0, "#e0a53a"), (26, "#c8382e")):
        canvas.circle(x, -56, 17, c)
    canvas.path("M-60 -54L-46 0L46 0L60 -54Z", colour)
    for y in (-38, -20):
        canvas.line([(-54, y), (54, y)], darken(colour, 0.25), 4)


def _bag(canvas: Canvas, colour: str) -> None:
    canvas.path("M-20 -66C-20 -96 20 -96 20 -66", None, darken(colour, 0.3), 8)
    canvas.rect(-60, -68, 120, 68, colour, 10)
    for x in (-40, 28):
        canvas.rect(x, -68, 12, 68, darken(colour, 0.25))
    canvas.rect(-6, -46, 12, 12, "#e0b64a", 3)


def _sack(canvas: Canvas, colour: str) -> None:
    canvas.path("M-40 -2C-58 -30 -46 -66 -22 -74L22 -74C46 -66 58 -30 40 -2C20 4 -20 4 -40 -2Z", colour)
    canvas.path("M-22 -74C-34 -92 -16 -98 0 -92C16 -98 34 -92 22 -74Z", darken(colour, 0.1))
    canvas.line([(-22, -74), (22, -74)], darken(colour, 0.35), 5)
    canvas.path("M-14 -92C-4 -104 12 -102 16 -92Z", "#fbf8f2")
    canvas.ellipse(0, -34, 22, 16, lighten(colour, 0.4), 0.6)


def _chest(canvas: Canvas, colour: str) -> None:
    canvas.path("M-62 -52C-62 -92 62 -92 62 -52Z", darken(colour, 0.12))
    canvas.rect(-62, -54, 124, 54, colour, 4)
    for x in (-46, 34):
        canvas.rect(x, -80, 12, 80, "#d9a73a")
    canvas.rect(-62, -58, 124, 8, "#d9a73a")
    canvas.rect(-10, -62, 20, 22, "#e9c25a", 4)
    canvas.circle(0, -52, 4, "#5a4030")


def _clock(canvas: Canvas, colour: str) -> None:
    canvas.circle(0, -48, 48, colour)
    canvas.circle(0, -48, 38, "#fbf3e2")
    canvas.line([(0, -48), (0, -74)], "#38343a", 6)
    canvas.line([(0, -48), (17, -38)], "#38343a", 6)


def _watch(canvas: Canvas, colour: str) -> None:
    canvas.curve([(0, -96), (26, -112), (48, -92), (70, -96), (84, -70)], darken(colour, 0.2), 4)
    canvas.rect(-6, -100, 12, 14, darken(colour, 0.15), 3)
    canvas.circle(0, -44, 44, colour)
    canvas.circle(0, -44, 35, "#fbf3e2")
    for turn in range(12):
        x, y = elements.point_on_circle(0, -44, 29, turn * 30)
        canvas.circle(x, y, 2.4 if turn % 3 == 0 else 1.2, "#5a4a40")
    canvas.line([(0, -44), (0, -66)], "#38343a", 4)
    canvas.line([(0, -44), (14, -38)], "#38343a", 4)
    canvas.circle(0, -44, 3.4, "#38343a")


def _telescope(canvas: Canvas, colour: str) -> None:
    canvas.line([(0, -56), (-30, 0)], "#6b4a34", 6)
    canvas.line([(0, -56), (30, 0)], "#6b4a34", 6)
    canvas.line([(0, -56), (4, 0)], "#5a4030", 6)
    with canvas.transformed(0, -66, rotation=-24):
        canvas.rect(-52, -9, 44, 18, darken(colour, 0.2), 3)
        canvas.rect(-14, -12, 76, 24, colour, 3)
        canvas.rect(52, -15, 12, 30, "#e0b64a", 3)


def _camera(canvas: Canvas, colour: str) -> None:
    canvas.rect(-22, -90, 44, 20, colour, 5)
    canvas.rect(-62, -76, 124, 74, colour, 10)
    canvas.circle(0, -38, 27, "#d8dce0")
    canvas.circle(0, -38, 19, "#3b4a5c")
    canvas.circle(-6, -44, 5, "#ffffff", 0.8)


def _phone(canvas: Canvas, colour: str) -> None:
    canvas.rect(-30, -100, 60, 100, colour, 10)
    canvas.rect(-24, -90, 48, 74, "#9fdce4", 4)


def _computer(canvas: Canvas, colour: str) -> None:
    canvas.rect(-62, -92, 124, 80, "#3b4452", 6)
    canvas.rect(-54, -84, 108, 64, "#8fd8e4", 3)
    canvas.polygon([(-66, -12), (66, -12), (84, 0), (-84, 0)], "#b9c3cc")


def _brush(canvas: Canvas, colour: str) -> None:
    canvas.line([(-30, 0), (0, -100)], "#8a5f40", 6)
    canvas.line([(30, 0), (0, -100)], "#8a5f40", 6)
    canvas.rect(-46, -92, 92, 66, "#fbf6ea", 3)
    canvas.path("M-40 -34L-16 -62L4 -46L22 -70L40 -34Z", colour)
    canvas.circle(26, -78, 7, "#f2c14e")
    canvas.rect(-50, -28, 100, 6, "#8a5f40")


def _broom(canvas: Canvas, colour: str) -> None:
    canvas.line([(0, -40), (0, -140)], "#8a5f40", 7)
    canvas.path("M-10 -44L10 -44L28 0L-28 0Z", colour)
    for x in (-12, 0, 12):
        canvas.line([(x * 0.5, -38), (x * 1.4, -3)], darken(colour, 0.3), 3)


def _bow(canvas: Canvas, colour: str) -> None:
    canvas.path("M-4 0C46 -34 46 -86 -4 -120", None, colour, 7)
    canvas.line([(-4, 0), (-4, -120)], "#f6ecd9", 2)
    canvas.line([(-20, -60), (60, -60)], "#8a5f40", 4)
    canvas.polygon([(58, -68), (74, -60), (58, -52)], "#b9c3cc")


def _fish(canvas: Canvas, colour: str) -> None:
    canvas.path("M-64 -50C-30 -96 30 -96 60 -50C30 -4 -30 -4 -64 -50Z", colour)
    canvas.polygon([(-54, -50), (-98, -82), (-88, -50), (-98, -18)], darken(colour, 0.2))
    canvas.circle(34, -58, 8, "#ffffff")
    canvas.circle(36, -58, 4, "#22303a")


def _net(canvas: Canvas, colour: str) -> None:
    canvas.line([(-40, 0), (30, -130)], "#8a5f40", 6)
    canvas.curve([(30, -130), (60, -110), (66, -60)], "#e6ecee", 2)
    canvas.path("M58 -60C72 -44 74 -36 66 -30C58 -36 60 -44 66 -60Z", "#c8382e")


def _star(canvas: Canvas, colour: str) -> None:
    tone, canvas.colour_transform = canvas.colour_transform, lambda c: c
    canvas.circle(0, -52, 96, canvas.radial_gradient([(0, "#fff0a8", 0.85), (0.4, "#fff0a8", 0.3), (1, "#fff0a8", 0)]))
    canvas.path("M0 -104L14 -68L52 -66L22 -42L33 -4L0 -26L-33 -4L-22 -42L-52 -66L-14 -68Z", "#ffd85e", "#ffd85e", 6)
    canvas.colour_transform = tone


def _crystal(canvas: Canvas, colour: str) -> None:
    canvas.circle(0, -50, 84, canvas.radial_gradient([(0, lighten(colour, 0.5), 0.7), (1, colour, 0)]))
    canvas.polygon([(-34, -70), (-16, -98), (16, -98), (34, -70), (0, -4)], colour)
    canvas.polygon([(-34, -70), (-12, -70), (0, -4)], darken(colour, 0.15))
    canvas.polygon([(-12, -70), (12, -70), (0, -4)], lighten(colour, 0.35))
    canvas.polygon([(-16, -98), (16, -98), (12, -70), (-12, -70)], lighten(colour, 0.55))


def _mirror(canvas: Canvas, colour: str) -> None:
    canvas.ellipse(0, -56, 40, 50, colour)
    canvas.ellipse(0, -56, 31, 41, "#d3e8ee")
    canvas.line([(-14, -44), (10, -78)], "#ffffff", 6, 0.8)
    canvas.rect(-7, -10, 14, 24, colour, 5)


def _seed(canvas: Canvas, colour: str) -> None:
    canvas.path("M-34 -38L-26 0L26 0L34 -38Z", "#c4724a")
    canvas.rect(-38, -46, 76, 12, "#d5855a", 4)
    canvas.curve([(0, -44), (-2, -70), (0, -88)], "#5a8a4a", 5)
    canvas.path("M0 -84C-10 -106 -36 -104 -40 -96C-34 -80 -16 -76 0 -84Z", "#7fb85c")
    canvas.path("M0 -76C10 -98 34 -96 38 -88C32 -72 14 -70 0 -76Z", "#6aa552")


def _egg(canvas: Canvas, colour: str) -> None:
    canvas.path("M-64 -26C-50 6 50 6 64 -26C40 -38 -40 -38 -64 -26Z", "#a8774c")
    canvas.path("M0 -100C-30 -100 -44 -50 -36 -30C-24 -12 24 -12 36 -30C44 -50 30 -100 0 -100Z", colour)
    canvas.path("M-64 -26C-40 -10 40 -10 64 -26C50 6 -50 6 -64 -26Z", "#8a5f3c")
    for x, y in ((-12, -62), (10, -76), (14, -48)):
        canvas.circle(x, y, 5, darken(colour, 0.18))


def _fire(canvas: Canvas, colour: str) -> None:
    tone, canvas.colour_transform = canvas.colour_transform, lambda c: c
    canvas.circle(0, -34, 190, canvas.radial_gradient([(0, "#ffb85c", 0.55), (0.4, "#ffb85c", 0.2), (1, "#ffb85c", 0)]))
    canvas.line([(-50, -2), (44, -18)], "#5a4030", 14)
    canvas.line([(50, -2), (-44, -18)], "#6b4a34", 14)
    canvas.path(
        "M0 -108C14 -80 46 -62 40 -28C36 -8 16 -4 0 -4C-16 -4 -38 -8 -40 -30C-42 -54 -16 -66 0 -108Z", "#e8722e"
    )
    canvas.path("M2 -76C10 -58 28 -46 24 -24C20 -8 8 -6 0 -6C-10 -6 -24 -12 -22 -28C-20 -44 -4 -52 2 -76Z", "#f6a13a")
    canvas.path("M0 -44C6 -34 14 -28 12 -18C8 -8 -8 -8 -11 -18C-12 -28 -2 -34 0 -44Z", "#ffe08a")
    canvas.colour_transform = tone


def _table(canvas: Canvas, colour: str) -> None:
    canvas.rect(-92, -92, 18, 92, darken(colour, 0.25))
    canvas.rect(74, -92, 18, 92, darken(colour, 0.25))
    canvas.rect(-108, -104, 216, 16, colour, 5)


def _tree(canvas: Canvas, colour: str) -> None:
    elements.draw_round_tree(canvas, 0, 0, 100, colour, random.Random(7))


def _house(canvas: Canvas, colour: str) -> None:
    elements.draw_house(canvas, 0, 0, 100, random.Random(5), False)


def _lighthouse(canvas: Canvas, colour: str) -> None:
    elements.draw_lighthouse(canvas, 0, 0, 100, False)


def _rocket(canvas: Canvas, colour: str) -> None:
    canvas.path("M-10 0L0 20L10 0Z", "#f6a13a")
    for side in (-1, 1):
        canvas.path(f"M{side * 14} -34C{side * 34} -24 {side * 34} -6 {side * 30} 4L{side * 14} -8Z", colour)
    canvas.path("M0 -104C24 -82 26 -40 16 0L-16 0C-26 -40 -24 -82 0 -104Z", "#f3eee6")
    canvas.path("M0 -104C12 -92 18 -80 20 -72L-20 -72C-18 -80 -12 -92 0 -104Z", colour)
    canvas.circle(0, -52, 10, "#8fc8d8")
    canvas.ellipse(0, -52, 10, 10, None, stroke="#b9a898", width=3)


def _whale(canvas: Canvas, colour: str) -> None:
    canvas.path(
        "M-110 -48C-100 -104 30 -112 74 -60C92 -50 100 -66 96 -84C112 -84 124 -70 118 -56C130 -52 132 -36 120 -32C100 -34 92 -30 80 -18C40 12 -104 12 -110 -48Z",
        colour,
    )
    canvas.path("M-108 -38C-80 -18 20 -14 64 -20C20 8 -98 10 -108 -38Z", lighten(colour, 0.55))
    canvas.circle(-74, -54, 5, "#22303a")
    canvas.curve([(-30, -102), (-40, -124), (-58, -126)], "#cfe8f0", 6)
    canvas.curve([(-30, -102), (-22, -126), (-4, -126)], "#cfe8f0", 6)


def _butterfly(canvas: Canvas, colour: str) -> None:
    for side in (-1, 1):
        canvas.path(
            f"M0 -50C{side * 20} -104 {side * 72} -100 {side * 60} -62C{side * 56} -46 {side * 20} -44 0 -48Z", colour
        )
        canvas.path(
            f"M0 -46C{side * 30} -46 {side * 56} -30 {side * 42} -8C{side * 26} 4 {side * 6} -20 0 -40Z",
            lighten(colour, 0.3),
        )
    canvas.line([(0, -64), (0, -24)], "#3b2a2c", 6)


def _scarecrow(canvas: Canvas, colour: str) -> None:
    canvas.line([(0, 0), (0, -80)], "#8a5f40", 4)
    canvas.line([(-36, -60), (36, -60)], "#8a5f40", 4)
    canvas.path("M-34 -66L34 -66L34 -54L14 -52L16 -24L-16 -24L-14 -52L-34 -54Z", colour)
    canvas.circle(0, -80, 13, "#e9cf9a")
    canvas.ellipse(0, -90, 22, 4, "#b98d57")
    canvas.path("M-12 -90C-12 -106 12 -106 12 -90Z", "#b98d57")


def _toy(canvas: Canvas, colour: str) -> None:
    for x in (-26, 26):
        canvas.circle(x, -92, 12, colour)
        canvas.circle(x, -8, 14, darken(colour, 0.1))
    canvas.circle(0, -76, 30, colour)
    canvas.ellipse(0, -30, 32, 32, colour)
    canvas.ellipse(0, -28, 18, 20, lighten(colour, 0.4))
    canvas.ellipse(0, -68, 13, 10, lighten(colour, 0.5))
    canvas.circle(0, -72, 4, "#2a2125")
    for x in (-11, 11):
        canvas.circle(x, -82, 3.4, "#2a2125")


PROPS: dict[str, Prop] = {
    "lantern": Prop(_lantern, 62, "hand", "#46505c", 96), "candle": Prop(_candle, 44, "hand", "#c79a3c", 10),
    "book": Prop(_book, 56, "hand", "#a8413c", 30), "letter": Prop(_letter, 40, "hand", "#fbf3e0", 30),
    "map": Prop(_map, 56, "hand", "#eed9a8", 30), "key": Prop(_key, 44, "hand", "#d9a73a", 80),
    "drum": Prop(_drum, 84, "belly", "#c8443a", 50), "guitar": Prop(_guitar, 108, "belly", "#c98a3c", 50),
    "violin": Prop(_violin, 92, "belly", "#a8653a", 50), "trumpet": Prop(_trumpet, 60, "hand", "#e0b64a", 40),
    "boat": Prop(_boat, 300, "back", "#9c5a3a"), "car": Prop(_car, 190, "back", "#c8443a"),
    "bicycle": Prop(_bicycle, 170, "ground", "#3f7a8a"), "kite": Prop(_kite, 110, "sky", "#d9524a"),
    "balloon": Prop(_balloon, 130, "hand", "#d9524a", -30), "ball": Prop(_ball, 52, "ground", "#d9524a"),
    "umbrella": Prop(_umbrella, 170, "hand", "#c8443a", 16), "sword": Prop(_sword, 120, "hand", "#7d5136", 14),
    "shield": Prop(_shield, 110, "hand", "#3f5d8a", 50), "staff": Prop(_staff, 230, "hand", "#7d5a3e", 45),
    "wand": Prop(_wand, 120, "hand", "#7d5a3e", 20),
    "rope": Prop(_rope, 46, "hand", "#c9a66c", 40), "flower": Prop(_flower, 70, "hand", "#e8737a", 14),
    "apple": Prop(_apple, 34, "hand", "#c8382e", 10), "cake": Prop(_cake, 84, "ground", "#c98a5c"), "bread": Prop(_bread, 44, "hand", "#c98f4e", 10),
    "cup": Prop(_cup, 36, "hand", "#5f8a9c", 40), "bottle": Prop(_bottle, 66, "hand", "#3f8f9c", 50),
    "potion": Prop(_potion, 52, "hand", "#6fb58a", 50), "kettle": Prop(_kettle, 66, "hand", "#c8503f", 50),
    "basket": Prop(_basket, 76, "hand", "#b98d57", 98), "sack": Prop(_sack, 120, "ground", "#c9ad7f"), "bag": Prop(_bag, 84, "ground", "#8a5a3a"),
    "chest": Prop(_chest, 110, "ground", "#8a5a3a"), "clock": Prop(_clock, 52, "hand", "#d9a73a", 10),
    "watch": Prop(_watch, 40, "hand", "#d9a73a", 10),
    "telescope": Prop(_telescope, 190, "ground", "#8a5f3c"), "camera": Prop(_camera, 46, "hand", "#3b3f48", 30),
    "phone": Prop(_phone, 40, "hand", "#3b3f48", 20), "computer": Prop(_computer, 70, "ground", "#3b4452"),
    "brush": Prop(_brush, 210, "ground", "#6f9a7a"), "broom": Prop(_broom, 150, "hand", "#d9a95c", 95),
    "bow": Prop(_bow, 140, "hand", "#8a5f40", 60), "fish": Prop(_fish, 46, "hand", "#7fa8b8", 50),
    "net": Prop(_net, 150, "hand", "#8a5f40", 30), "star": Prop(_star, 60, "hand", "#ffd85e", 0),
    "crystal": Prop(_crystal, 46, "hand", "#6fc4d0", 4), "mirror": Prop(_mirror, 90, "hand", "#d9a73a", 4),
    "seed": Prop(_seed, 70, "ground", "#7fb85c"), "egg": Prop(_egg, 60, "ground", "#f3e6d0"),
    "fire": Prop(_fire, 110, "ground", "#e8722e"), "table": Prop(_table, 150, "back", "#9c6a44"),
    "tree": Prop(_tree, 620, "back", "#5c9a4c"), "house": Prop(_house, 620, "back", "#b2533c"),
    "lighthouse": Prop(_lighthouse, 900, "back", "#c8443a"), "rocket": Prop(_rocket, 520, "back", "#c8443a"),
    "whale": Prop(_whale, 260, "back", "#4f7fa0"), "butterfly": Prop(_butterfly, 46, "sky", "#e8934a"),
    "scarecrow": Prop(_scarecrow, 360, "back", "#7a6a9c"), "toy": Prop(_toy, 76, "hand", "#b98451", 40),
}  # fmt: skip
PROPS |= {
    species: Prop(partial(_animal, species), animal_height(species), "ground", fur)
    for species, fur in FUR_COLOURS.items()
    if species not in PROPS
}

"""Heads and tails of animals and other creatures, on the same measure as human heads: (0, 0), 100 units high, turned right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pipelines.image.illustrator.canvas import Canvas, darken, lighten, luminance, mix
from pipelines.image.illustrator.figures.head import draw_hat
from pipelines.image.illustrator.language.appearance import Appearance


@dataclass(frozen=True, slots=True)
class Species:
    """How a kind of creature differs: its height beside a grown man's, its parts by name, its pale parts' colour."""

    height: float
    ears: str
    muzzle: str
    tail: str
    pale_colour: str = "#fbeeda"
    extra_feature: str = ""
    limb_kind: str = "paws"
    bulk: float = 1.15


SPECIES: dict[str, Species] = {
    "fox": Species(0.72, "pointed", "long", "bushy"),
    "wolf": Species(0.86, "pointed", "long", "bushy", "#e9e6e2"),
    "dog": Species(0.7, "floppy", "round", "thin"),
    "cat": Species(0.64, "pointed", "small", "thin", extra_feature="whiskers"),
    "bear": Species(1.0, "round", "round", "stub", bulk=1.5),
    "panda": Species(0.9, "round", "round", "stub", "#f7f3ec", "panda", bulk=1.5),
    "rabbit": Species(0.62, "long", "small", "stub", "#f6ebdd", "teeth"),
    "mouse": Species(0.5, "disc", "small", "string", extra_feature="whiskers"),
    "squirrel": Species(0.55, "tuft", "small", "curl", extra_feature="teeth"),
    "hedgehog": Species(0.5, "round", "long", "", "#f0dcc0", "spines"),
    "pig": Species(0.68, "fold", "snout", "string", "#f6c5bf", bulk=1.4),
    "cow": Species(0.95, "side", "broad", "string", "#f0c7b5", "horns", bulk=1.4),
    "sheep": Species(0.7, "side", "broad", "stub", "#e0cdb8", "wool", bulk=1.4),
    "deer": Species(0.92, "side", "long", "stub", extra_feature="antlers"),
    "horse": Species(1.0, "pointed", "broad", "mane", "#c89c78", "mane"),
    "unicorn": Species(1.0, "pointed", "broad", "mane", "#fadfe8", "unicorn"),
    "lion": Species(0.95, "round", "round", "string", extra_feature="lion", bulk=1.3),
    "tiger": Species(0.95, "round", "round", "thin", "#fdf3e4", "stripes", bulk=1.3),
    "monkey": Species(0.68, "disc", "broad", "string", "#e9c9a3"),
    "elephant": Species(1.02, "huge", "trunk", "string", "#b4bcc6", bulk=1.55),
    "owl": Species(0.58, "tuft", "beak", "", "#ead7b8", "discs", "wings", 1.5),
    "bird": Species(0.46, "", "beak", "fan", "#eef0e4", "", "wings", 1.4),
    "penguin": Species(0.6, "", "beak", "", "#fbfbf7", "mask", "wings", 1.5),
    "chicken": Species(0.54, "", "beak", "fan", "#fff7e2", "comb", "wings", 1.5),
    "frog": Species(0.5, "", "wide", "", "#dfe8a8", "frog"),
    "turtle": Species(0.52, "", "wide", "stub", "#dfe0b0", "shell"),
    "dragon": Species(1.05, "", "broad", "spiked", "#dfe3a4", "dragon", bulk=1.45),
    "dinosaur": Species(1.05, "", "broad", "spiked", "#e3e6b0", bulk=1.45),
    "fish": Species(0.46, "", "", "", "#fff1d8"),
    "whale": Species(0.72, "", "", "", "#e4eef2"),
    "dolphin": Species(0.56, "", "", "", "#eef3f4"),
    "bee": Species(0.46, "", "small", "", "#fbe9b0", "feelers", bulk=1.3),
    "snail": Species(0.48, "", "wide", "", "#efe2c6", "feelers"),
    "robot": Species(0.86, "", "", "", "#dce5ea", "robot"),
    "alien": Species(0.8, "", "wide", "", "#cbe8a8", "alien"),
    "ghost": Species(0.75, "", "", "", "#ffffff", "ghost"),
    "snowman": Species(0.85, "", "carrot", "", "#ffffff", "snowman", bulk=1.6),
}  # fmt: skip


def draw_animal_head(canvas: Canvas, appearance: Appearance, mood: str) -> None:
    """The head of any creature of `SPECIES`."""
    kind = SPECIES[appearance.species]
    fur = darken(appearance.skin, 0.2) if "wet" in appearance.conditions else appearance.skin
    if appearance.species == "robot":
        _robot(canvas, fur, mood)
    else:
        if kind.extra_feature in _DRAWN_BEHIND_HEAD:
            _DRAWN_BEHIND_HEAD[kind.extra_feature](canvas, fur)
        _ears(canvas, kind, fur)
        _skull(canvas, kind, appearance.species, fur)
        _eyes(canvas, kind, appearance, mood, fur)
        _muzzle(canvas, kind, fur, mood)
        if kind.extra_feature in _DRAWN_ABOVE_HEAD:
            _DRAWN_ABOVE_HEAD[kind.extra_feature](canvas, fur)
    if "glasses" in appearance.features:
        for x in (-14, 26):
            canvas.ellipse(x, -4, 15, 14, "#ffffff", 0.25, "#38302e", 3)
        canvas.line([(1, -6), (11, -6)], "#38302e", 3)
    if "hurt" in appearance.conditions:
        canvas.path("M-46 -30C-20 -46 20 -46 46 -28L45 -15C20 -32 -20 -34 -46 -17Z", "#f7f1e6")
        canvas.ellipse(24, -30, 6, 4.5, "#c23b34")
    if "wet" in appearance.conditions:
        for x, y in ((-34, 2), (38, 12), (-14, 44)):
            canvas.path(f"M{x} {y}C{x - 5} {y + 10} {x + 5} {y + 10} {x} {y}Z", "#a9d8ee", opacity=0.95)
    with canvas.transformed(0, -4):
        draw_hat(canvas, appearance)


def height_above_skull(species: str) -> float:
    """How far ears, horns or aerials stand above the skull, in hundredths of the head."""
    kind = SPECIES[species]
    above = {"antlers": 62, "unicorn": 58, "feelers": 40, "alien": 42, "robot": 36, "horns": 30, "dragon": 30}.get(
        kind.extra_feature, 0
    )
    return max(above, {"long": 80, "pointed": 40, "tuft": 30}.get(kind.ears, 0))


def draw_tail(canvas: Canvas, appearance: Appearance, hip: float) -> None:
    """The tail, from the hip (0, `hip`) backwards (left)."""
    kind = SPECIES[appearance.species]
    fur, dark = appearance.skin, darken(appearance.skin, 0.2)
    with canvas.transformed(-14, hip):
        match kind.tail:
            case "bushy":
                canvas.path("M0 0C-44 14 -96 -4 -100 -62C-112 -30 -112 44 -40 44C-16 44 0 28 8 14Z", fur)
                canvas.path(
                    "M-100 -62C-112 -44 -110 -14 -101 2C-92 -6 -84 -10 -88 -24C-96 -36 -99 -48 -100 -62Z",
                    kind.pale_colour,
                )
            case "curl":
                canvas.path(
                    "M0 10C-70 30 -100 -40 -70 -100C-50 -136 -6 -116 -22 -88C-44 -96 -50 -60 -34 -40C-20 -24 -6 -20 6 -6Z",
                    fur,
                )
            case "thin":
                canvas.curve([(6, 4), (-36, 14), (-58, -18), (-46, -52), (-60, -72)], fur, 14)
            case "string":
                canvas.curve([(6, 4), (-34, 20), (-56, -2), (-52, -34)], dark, 6)
                canvas.circle(-52, -38, 9, dark) if appearance.species in ("lion", "cow", "elephant") else None
            case "stub":
                canvas.circle(-16, 8, 15, lighten(fur, 0.25))
            case "mane":
                canvas.path(
                    "M4 0C-50 -6 -62 46 -48 90C-34 70 -18 60 4 30Z",
                    dark if appearance.species == "horse" else "#d98fc0",
                )
            case "fan":
                for turn in (-14, 4, 22):
                    with canvas.transformed(0, 6, rotation=turn):
                        canvas.path("M0 -6C-30 -20 -58 -12 -66 2C-58 14 -30 16 0 8Z", dark)
            case "spiked":
                canvas.path("M14 -10C-40 10 -84 8 -132 -34C-110 30 -60 62 14 44Z", fur)
                for x, y in ((-36, 4), (-66, 2), (-96, -10)):
                    canvas.path(f"M{x - 12} {y + 4}L{x - 6} {y - 20}L{x + 10} {y + 2}Z", dark)
            case _:
                pass


def draw_wings(canvas: Canvas, appearance: Appearance, shoulder: float) -> None:
    """A dragon's wings, behind the body."""
    dark = darken(appearance.skin, 0.25)
    for side in (-1, 1):
        canvas.path(
            f"M0 {shoulder}C{side * 40} {shoulder - 90} {side * 100} {shoulder - 110} {side * 150} {shoulder - 92}C{side * 132} {shoulder - 60} "
            f"{side * 130} {shoulder - 30} {side * 140} {shoulder}C{side * 110} {shoulder - 14} {side * 96} {shoulder + 4} {side * 90} {shoulder + 30}"
            f"C{side * 66} {shoulder + 8} {side * 40} {shoulder + 14} 0 {shoulder + 44}Z",
            dark,
        )


def _ears(canvas: Canvas, kind: Species, fur: str) -> None:
    inner = mix(kind.pale_colour, "#e08f86", 0.35)
    dark = darken(fur, 0.45)
    for side in (-1, 1):
        match kind.ears:
            case "pointed":
                canvas.path(f"M{side * 14} -40L{side * 44} -84L{side * 50} -16Z", fur, fur, 6)
                canvas.path(f"M{side * 24} -40L{side * 42} -68L{side * 45} -24Z", inner)
                canvas.path(f"M{side * 34} -72L{side * 45} -86L{side * 47} -60Z", dark, dark, 5)
            case "tuft":
                canvas.path(f"M{side * 12} -42L{side * 40} -76L{side * 44} -22Z", fur, fur, 6)
            case "round":
                canvas.circle(side * 36, -44, 19, fur if luminance(fur) < 0.85 else "#2e2b31")
                canvas.circle(side * 36, -42, 11, inner if luminance(fur) < 0.85 else "#4a444c")
            case "disc":
                canvas.circle(side * 48, -30, 26, fur)
                canvas.circle(side * 48, -28, 17, inner)
            case "floppy":
                canvas.path(
                    f"M{side * 30} -44C{side * 62} -50 {side * 72} 0 {side * 54} 34C{side * 40} 30 {side * 36} 0 {side * 34} -20Z",
                    darken(fur, 0.3),
                )
            case "long":
                canvas.path(f"M{side * 8} -40C{side * 4} -120 {side * 44} -128 {side * 36} -36Z", fur)
                canvas.path(f"M{side * 16} -44C{side * 14} -104 {side * 34} -108 {side * 29} -42Z", inner)
            case "fold":
                canvas.path(
                    f"M{side * 16} -42L{side * 46} -66L{side * 48} -22Z", darken(fur, 0.12), darken(fur, 0.12), 6
                )
            case "side":
                canvas.ellipse(side * 52, -16, 22, 11, fur)
                canvas.ellipse(side * 51, -15, 14, 6, inner)
            case "huge":
                canvas.path(
                    f"M{side * 28} -44C{side * 86} -72 {side * 112} 10 {side * 76} 44C{side * 56} 48 {side * 40} 24 {side * 34} 4Z",
                    darken(fur, 0.1),
                )
                canvas.path(
                    f"M{side * 38} -34C{side * 76} -52 {side * 94} 8 {side * 70} 32C{side * 56} 34 {side * 46} 16 {side * 42} 2Z",
                    mix(fur, "#e2a7a0", 0.5),
                )
            case _:
                pass


def _skull(canvas: Canvas, kind: Species, species: str, fur: str) -> None:
    match kind.extra_feature:
        case "ghost":
            canvas.path("M-48 60C-54 -70 54 -70 48 60C36 50 24 66 10 54C-4 66 -20 50 -30 60C-38 52 -44 56 -48 60Z", fur)
        case "snowman":
            canvas.circle(0, 0, 48, fur)
        case "alien":
            canvas.path("M0 50C-30 46 -58 0 -48 -30C-38 -60 38 -60 48 -30C58 0 30 46 0 50Z", fur)
            for side in (-1, 1):
                canvas.line([(side * 18, -50), (side * 28, -78)], fur, 5)
                canvas.circle(side * 28, -80, 7, "#f0c24a")
        case _:
            canvas.path("M0 48C-34 46 -56 22 -50 -12C-44 -54 44 -54 50 -12C56 22 34 46 0 48Z", fur)
    if species in ("fox", "wolf", "squirrel", "cat", "dog", "tiger", "deer"):
        for side in (-1, 1):
            canvas.path(
                f"M{side * 50} -2C{side * 54} 24 {side * 32} 46 0 48C{side * 6} 30 {side * 22} 14 {side * 50} -2Z",
                kind.pale_colour,
            )
        # Where both cheeks meet under the chin no wedge of fur is left.
        canvas.ellipse(1, 36, 12, 11.4, kind.pale_colour)
    if kind.extra_feature == "mask":
        canvas.path(
            "M4 46C-36 44 -40 6 -30 -14C-22 -26 -4 -22 4 -8C12 -22 30 -26 38 -14C48 6 44 44 4 46Z", kind.pale_colour
        )
    if kind.extra_feature == "spines":
        canvas.path("M4 46C-30 44 -38 16 -30 -8C-14 -24 26 -24 40 -6C46 18 34 44 4 46Z", kind.pale_colour)


def _eyes(canvas: Canvas, kind: Species, appearance: Appearance, mood: str, fur: str) -> None:
    ink = "#241d21"
    if kind.extra_feature == "panda":
        for x in (-15, 27):
            canvas.ellipse(x, -4, 14, 17, "#2e2b31")
    spots = ((-17, -44), (29, -44)) if kind.extra_feature == "frog" else ((-14, -5), (26, -5))
    if kind.extra_feature == "frog":
        for x, y in spots:
            canvas.circle(x, y, 18, fur)
    big = 17 if kind.extra_feature == "discs" else 11.5 if kind.extra_feature == "frog" else 0
    for x, y in spots:
        if kind.extra_feature == "discs":
            canvas.circle(x, y, 24, kind.pale_colour)
        if "tired" in appearance.conditions or mood == "tired":
            canvas.curve([(x - 8, y), (x, y + 5), (x + 8, y)], ink, 3.4)
            continue
        if kind.extra_feature == "alien":
            canvas.ellipse(x, y + 4, 12, 17, ink)
        else:
            white = big or 10.5
            canvas.ellipse(x, y, white, white + 1.5, "#fffaf0" if kind.extra_feature != "discs" else "#f2b93c")
            pupil = white * 0.66
            canvas.ellipse(x + 1.5, y + 0.5, pupil, pupil + 1.5, ink)
        canvas.circle(x + 4, y - 3, 2.6, "#ffffff")
    brow = darken(fur, 0.5)
    if mood in ("angry", "sad", "afraid"):
        lift = 6 if mood == "angry" else -6
        for x, y in spots:
            side = -1 if x < 6 else 1
            canvas.line([(x - side * 9, y - 17 + lift), (x + side * 9, y - 17 - lift * 0.6)], brow, 4)


def _muzzle(canvas: Canvas, kind: Species, fur: str, mood: str) -> None:
    ink = "#2a2125"
    x = 8.0

    def mouth(y: float, wide: float) -> None:
        if mood == "happy":
            canvas.path(
                f"M{x - wide} {y}C{x - wide * 0.6} {y + 13} {x + wide * 0.6} {y + 13} {x + wide} {y}Z", "#7c2f35"
            )
        elif mood == "sad":
            canvas.curve([(x - wide, y + 6), (x, y + 1), (x + wide, y + 6)], ink, 3)
        elif mood == "afraid":
            canvas.ellipse(x, y + 5, 6, 7, "#7c2f35")
        else:
            half = wide / 2
            canvas.path(
                f"M{x - wide} {y}C{x - wide} {y + 8} {x} {y + 8} {x} {y}C{x} {y + 8} {x + wide} {y + 8} {x + wide} {y}",
                None,
                ink,
                3,
            )
            canvas.line([(x, y - half), (x, y)], ink, 2.4)

    match kind.muzzle:
        case "long":
            canvas.path("M-16 18C-8 2 24 2 32 18C30 40 18 46 8 46C-2 46 -14 40 -16 18Z", kind.pale_colour)
            canvas.ellipse(x + 2, 14, 10, 7.5, ink)
            mouth(30, 11)
        case "round" | "broad":
            rx = 27 if kind.muzzle == "broad" else 23
            canvas.ellipse(x, 25, rx, 20, kind.pale_colour)
            if kind.muzzle == "broad":
                for side in (-1, 1):
                    canvas.ellipse(x + side * 10, 19, 4, 5, darken(kind.pale_colour, 0.45))
            else:
                canvas.ellipse(x + 1, 15, 10, 7.5, ink)
            mouth(31, 12)
        case "small":
            canvas.ellipse(x - 8, 24, 13, 11, kind.pale_colour)
            canvas.ellipse(x + 8, 24, 13, 11, kind.pale_colour)
            canvas.path(f"M{x - 6} 13L{x + 6} 13L{x} 20Z", "#d0736f", "#d0736f", 3)
            mouth(25, 10)
        case "snout":
            canvas.ellipse(x, 18, 21, 16, kind.pale_colour)
            for side in (-1, 1):
                canvas.ellipse(x + side * 7, 18, 3.6, 5.5, "#a85c5c")
            mouth(37, 11)
        case "beak":
            canvas.path(f"M{x - 14} 8L{x + 14} 8L{x + 3} 34Z", "#eda13a", "#eda13a", 5)
            canvas.line([(x - 11, 15), (x + 11, 15)], "#c27a22", 2.6)
        case "wide":
            mouth(22, 24)
        case "trunk":
            canvas.path("M-10 6C-14 50 -4 92 26 96C44 96 46 80 36 78C22 78 26 40 28 6Z", darken(fur, 0.06))
            for y in (36, 50, 64):
                canvas.curve([(-6, y), (8, y + 4), (22, y)], darken(fur, 0.22), 2.6)
        case "carrot":
            canvas.path("M4 8L52 18L6 24Z", "#e8842f", "#e8842f", 3)
            for step in range(5):
                canvas.circle(-14 + step * 8, 31 + (3 - abs(step - 2)) * 1.5, 3, "#2a2125")
        case _:
            if kind.extra_feature == "ghost":
                canvas.ellipse(x, 20, 7, 10, "#4b4657")


def _robot(canvas: Canvas, metal: str, mood: str) -> None:
    dark = darken(metal, 0.35)
    canvas.line([(0, -48), (0, -70)], dark, 5)
    canvas.circle(0, -74, 8, "#e5574d")
    canvas.rect(-58, -14, 14, 30, dark, 5)
    canvas.rect(44, -14, 14, 30, dark, 5)
    canvas.rect(-48, -48, 96, 94, metal, 22)
    canvas.rect(-36, -28, 78, 42, "#23303c", 14)
    light = "#ffb15c" if mood == "angry" else "#7fe3e6"
    for x in (-14, 22):
        if mood in ("happy", "tired"):
            canvas.curve([(x - 9, -5), (x, -12 if mood == "happy" else 0), (x + 9, -5)], light, 5)
        else:
            canvas.ellipse(x, -7, 8, 10, light)
    canvas.rect(-16, 24, 40, 11, dark, 5)
    for x in (-8, 2, 12):
        canvas.rect(x, 24, 3, 11, metal)


def _mane(canvas: Canvas, colour: str, radius: float) -> None:
    for x, y in (
        (-52, -20),
        (-54, 12),
        (-38, 42),
        (0, 56),
        (38, 42),
        (54, 12),
        (52, -20),
        (30, -48),
        (-30, -48),
        (0, -56),
    ):
        canvas.circle(x, y, radius, colour)


def _spines(canvas: Canvas, fur: str) -> None:
    dark = darken(fur, 0.35)
    for x, y in (
        (-56, 20),
        (-64, -6),
        (-58, -34),
        (-40, -58),
        (-14, -72),
        (16, -72),
        (42, -58),
        (58, -34),
        (62, -6),
        (54, 20),
    ):
        canvas.path(f"M{x * 0.6 - 12} {y * 0.6}L{x * 1.1} {y * 1.1}L{x * 0.6 + 12} {y * 0.6 + 6}Z", dark, dark, 8)


def _antlers(canvas: Canvas, fur: str) -> None:
    bone = "#8a6a48"
    for side in (-1, 1):
        canvas.curve([(side * 14, -44), (side * 26, -76), (side * 50, -92)], bone, 7)
        canvas.line([(side * 24, -70), (side * 12, -96)], bone, 6)
        canvas.line([(side * 36, -86), (side * 38, -108)], bone, 6)


def _horns(canvas: Canvas, fur: str) -> None:
    for side in (-1, 1):
        canvas.path(
            f"M{side * 20} -42C{side * 44} -44 {side * 52} -60 {side * 46} -76C{side * 36} -62 {side * 26} -60 {side * 12} -52Z",
            "#eadfc8",
        )


def _wool(canvas: Canvas, fur: str) -> None:
    for x, y in ((-28, -42), (-8, -52), (14, -52), (32, -40), (0, -38)):
        canvas.circle(x, y, 17, lighten(fur, 0.3))


def _forelock(canvas: Canvas, fur: str) -> None:
    canvas.path("M-8 -56C12 -58 24 -34 8 -12C4 -26 -6 -36 -8 -56Z", darken(fur, 0.4))


def _unicorn(canvas: Canvas, fur: str) -> None:
    canvas.path("M-2 -44L8 -104L18 -44Z", "#f0c65a")
    for y in (-58, -74):
        canvas.line([(1, y), (15, y - 6)], "#d39b33", 3)
    canvas.path("M-34 -48C-12 -66 6 -50 -2 -22C-14 -30 -28 -30 -34 -48Z", "#d98fc0")


def _stripes(canvas: Canvas, fur: str) -> None:
    for side in (-1, 1):
        for y in (-24, -8, 10):
            canvas.path(f"M{side * 50} {y}L{side * 32} {y + 4}L{side * 49} {y + 8}Z", "#3a2a26")
    canvas.path("M-8 -44L4 -22L14 -44Z", "#3a2a26")


def _comb(canvas: Canvas, fur: str) -> None:
    for x, r in ((-8, 9), (5, 12), (18, 9)):
        canvas.circle(x, -48, r, "#cf3f36")
    canvas.ellipse(8, 40, 6, 10, "#cf3f36")


def _teeth(canvas: Canvas, fur: str) -> None:
    canvas.rect(3, 29, 10, 9, "#ffffff", 2)


def _whiskers(canvas: Canvas, fur: str) -> None:
    for side in (-1, 1):
        for y in (20, 27):
            canvas.line([(8 + side * 16, y), (8 + side * 46, y - 4 + (y - 20))], "#fff6ea", 2, 0.9)


def _dragon(canvas: Canvas, fur: str) -> None:
    _horns(canvas, fur)
    dark = darken(fur, 0.3)
    for x in (-10, 6, 22):
        canvas.path(f"M{x - 9} -44L{x - 2} -64L{x + 9} -43Z", dark)


_DRAWN_BEHIND_HEAD: dict[str, Callable[[Canvas, str], None]] = {
    "lion": lambda sheet, fur: _mane(sheet, darken(mix(fur, "#a8481f", 0.6), 0.1), 24),
    "spines": _spines, "antlers": _antlers, "horns": _horns, "dragon": _dragon,
    "mane": lambda sheet, fur: sheet.path("M-8 -60C-66 -54 -72 20 -46 58C-34 40 -30 10 -20 -20Z", darken(fur, 0.4)),
    "unicorn": lambda sheet, fur: sheet.path("M-8 -60C-66 -54 -72 20 -46 58C-34 40 -30 10 -20 -20Z", "#d98fc0"),
}  # fmt: skip


def _antennae(canvas: Canvas, fur: str) -> None:
    for side in (-1, 1):
        canvas.curve([(side * 12, -42), (side * 18, -62), (side * 30, -74)], "#4a3a30", 3.4)
        canvas.circle(side * 30, -76, 6, "#4a3a30")


_DRAWN_ABOVE_HEAD: dict[str, Callable[[Canvas, str], None]] = {
    "wool": _wool, "mane": _forelock, "unicorn": _unicorn, "stripes": _stripes, "comb": _comb, "teeth": _teeth,
    "whiskers": _whiskers, "feelers": _antennae,
}  # fmt: skip

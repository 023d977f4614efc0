"""What backdrops are built from: skies, hills, trees, houses, rocks, water. All sizes in pixels of the frame."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field

from pipelines.image.illustrator.backdrops.lighting import Light
from pipelines.image.illustrator.canvas import Sheet, darker, lighter, mix, smooth
from pipelines.image.illustrator.language.setting import Place


@dataclass(slots=True)
class Scenery:
    """The papers of one backdrop, far to near, and the measures they share. Drawing goes from `left` to `right` and down to
    `bottom`, which lie outside the frame by the camera's margin."""

    place: Place
    light: Light
    width: float
    height: float
    margin: float
    dice: random.Random
    sky: Sheet = field(init=False)
    far: Sheet = field(init=False)
    mid: Sheet = field(init=False)
    near: Sheet = field(init=False)

    def __post_init__(self) -> None:
        self.sky = Sheet()
        self.far = Sheet(self.light.tone(1.0))
        self.mid = Sheet(self.light.tone(0.25))
        self.near = Sheet(self.light.tone(0.0), "near")

    @property
    def unit(self) -> float:
        """A hundredth of the frame's shorter measure, with some of the longer: the size of things."""
        return (min(self.width, self.height) * 0.75 + max(self.width, self.height) * 0.14) / 100

    @property
    def left(self) -> float:
        return -self.margin - 4

    @property
    def right(self) -> float:
        return self.width + self.margin + 4

    @property
    def bottom(self) -> float:
        return self.height + self.margin + 4

    @property
    def horizon(self) -> float:
        return self.height * 0.56

    @property
    def floor(self) -> float:
        """Where the floor of a room begins, and the ground on which figures stand."""
        return self.height * 0.72

    def across(self, share: float) -> float:
        """0 is the left border of the drawing, 1 the right."""
        return self.left + (self.right - self.left) * share

    @property
    def snowy(self) -> bool:
        return self.place.weather == "snow" or self.place.season == "winter"


def leaves(place: Place, dice: random.Random) -> str:
    """One leaf colour of the season."""
    greens = {
        "spring": ("#8cba5a", "#a3c765", "#e9b3c0", "#7cae58"),
        "summer": ("#5c9a4c", "#4d8a4a", "#74a650", "#3f7d4a"),
        "autumn": ("#d98a35", "#c9622c", "#e0ae3f", "#a9502d"),
        "winter": ("#e9eef2", "#d9e2ea", "#cfdae4"),
    }
    return dice.choice(greens[place.season])


def grass(place: Place) -> str:
    """The ground's colour in the season."""
    if place.weather == "snow" or place.season == "winter":
        return "#eaf0f5"
    return {"spring": "#93bf62", "summer": "#82b056", "autumn": "#b9a24e"}[place.season]


def hills(
    scene: Scenery, sheet: Sheet, y: float, swing: float, colour: str, waves: int = 4
) -> list[tuple[float, float]]:
    """A soft ridge across the picture, filled to the bottom; gives the ridge's points."""
    steps = waves * 2 + 1
    ridge = [(scene.across(i / (steps - 1)), y + scene.dice.uniform(-1, 1) * swing) for i in range(steps)]
    data = smooth(ridge) + f"L{scene.right:.0f} {scene.bottom:.0f}L{scene.left:.0f} {scene.bottom:.0f}Z"
    sheet.path(data, colour)
    return ridge


def ground(scene: Scenery, sheet: Sheet, y: float, colour: str, swing: float = 0) -> None:
    """The near ground: a shade darker towards the viewer."""
    fill = sheet.fade([(0, lighter(colour, 0.12), 1), (0.5, colour, 1), (1, darker(colour, 0.16), 1)])
    ridge = [(scene.across(i / 6), y + scene.dice.uniform(-1, 1) * swing) for i in range(7)]
    sheet.path(smooth(ridge) + f"L{scene.right:.0f} {scene.bottom:.0f}L{scene.left:.0f} {scene.bottom:.0f}Z", fill)


def paint_sky(scene: Scenery) -> None:
    """Sky, sun or moon, stars, clouds: by hour and weather."""
    sheet, light, dice, u = scene.sky, scene.light, scene.dice, scene.unit
    fill = sheet.fade([(0, light.sky[0], 1), (0.42, light.sky[1], 1), (0.68, light.sky[2], 1), (1, light.sky[2], 1)])
    sheet.rect(scene.left, -scene.margin - 4, scene.right - scene.left, scene.bottom + scene.margin + 8, fill)
    covered = scene.place.weather in ("rain", "storm", "fog", "snow", "cloud")
    x = scene.width * dice.uniform(0.14, 0.34) if dice.random() < 0.5 else scene.width * dice.uniform(0.66, 0.86)
    if light.dark:
        for _ in range(0 if covered else 90):
            sheet.circle(
                scene.across(dice.random()),
                dice.uniform(-scene.margin, scene.horizon * 0.95),
                dice.uniform(0.1, 0.34) * u,
                "#fdf6df",
                dice.uniform(0.4, 1),
            )
        if not covered:
            y = scene.height * dice.uniform(0.14, 0.24)
            sheet.circle(x, y, 22 * u, sheet.glow([(0, "#fdf0c8", 0.4), (1, "#fdf0c8", 0)]))
            sheet.circle(x, y, 6.5 * u, "#fbf0cf")
            for dx, dy, r in ((-2, -1.4, 1.2), (1.6, 1.8, 1.5), (2.2, -2.4, 0.8)):
                sheet.circle(x + dx * u, y + dy * u, r * u, "#eadcb2")
    elif not covered or scene.place.weather == "snow":
        low = scene.place.time in ("dawn", "dusk")
        y = scene.horizon - 8 * u if low else scene.height * dice.uniform(0.13, 0.2)
        colour = "#ffdf9a" if scene.place.time == "dawn" else "#ffc468" if low else "#fff3c4"
        sheet.circle(
            x, y, (46 if low else 30) * u, sheet.glow([(0, colour, 0.75), (0.35, colour, 0.32), (1, colour, 0)])
        )
        sheet.circle(x, y, 6.8 * u, lighter(colour, 0.45))
    _clouds(scene, covered)


def _clouds(scene: Scenery, covered: bool) -> None:
    sheet, dice, u = scene.sky, scene.dice, scene.unit
    base = mix(scene.light.sky[1], "#ffffff", 0.55 if not scene.light.dark else 0.12)
    if scene.place.weather == "storm":
        base = mix(scene.light.sky[0], "#5d6474" if not scene.light.dark else "#39415c", 0.7)
    elif covered:
        base = mix(scene.light.sky[0], "#e9edf0" if not scene.light.dark else "#454e6d", 0.5)
    rows = 3 if covered else 1
    for row in range(rows):
        for index in range(3 if not covered else 6):
            x = scene.across((index + dice.uniform(0.1, 0.9)) / (3 if not covered else 6))
            y = scene.height * (
                dice.uniform(0.08, 0.3) if not covered else 0.02 + row * 0.11 + dice.uniform(-0.03, 0.03)
            )
            size = dice.uniform(5, 9) * u * (1.7 if covered else 1)
            tone = darker(base, 0.06 * row) if covered else base
            opacity = 0.85 if not covered else 0.95
            with sheet.moved(x, y, size / 10, opacity=opacity):
                sheet.path("M-26 8C-34 8 -34 -4 -24 -5C-24 -16 -8 -18 -4 -10C2 -20 20 -16 18 -5C30 -6 32 8 22 8Z", tone)


def round_tree(sheet: Sheet, x: float, y: float, size: float, leaf: str, dice: random.Random) -> None:
    """A tree with a round crown, `size` high, standing on (x, y)."""
    with sheet.moved(x, y, size / 100):
        sheet.path("M-7 2C-3 -20 -5 -40 -4 -56L5 -56C5 -40 4 -20 9 2Z", "#7a553a")
        sheet.line([(0, -38), (16, -54)], "#7a553a", 4)
        shade = darker(leaf, 0.14)
        blobs = [(-20, -58, 20), (18, -56, 21), (0, -76, 25), (-12, -66, 20), (12, -70, 20)]
        for bx, by, r in blobs:
            sheet.circle(bx + 2, by + 5, r, shade)
        for bx, by, r in blobs:
            sheet.circle(bx + dice.uniform(-2, 2), by, r * 0.94, leaf)
        sheet.circle(-10, -80, 9, lighter(leaf, 0.16), 0.8)
        sheet.circle(12, -64, 7, lighter(leaf, 0.16), 0.7)


def birch(sheet: Sheet, x: float, y: float, size: float, leaf: str, dice: random.Random) -> None:
    """A slender tree with white, dark-marked bark, `size` high."""
    with sheet.moved(x, y, size / 100):
        sheet.path("M-5 2C-3 -30 -4 -60 -2 -96L3 -96C4 -60 4 -30 6 2Z", "#efeae0")
        for y_, wide in ((-8, 5), (-18, 3), (-27, 5), (-38, 3), (-49, 4)):
            side = dice.choice((-1, 1))
            sheet.line([(side * 3.6, y_), (side * (3.6 - wide), y_ + 0.6)], "#4a4440", 1.8)
        shade = darker(leaf, 0.14)
        blobs = [(-12, -58, 13), (13, -60, 13), (-9, -76, 13), (10, -80, 12), (0, -93, 11), (0, -68, 13)]
        for bx, by, r in blobs:
            sheet.ellipse(bx + 2, by + 4, r, r * 1.1, shade)
        for bx, by, r in blobs:
            sheet.ellipse(bx + dice.uniform(-2, 2), by, r * 0.92, r, leaf)
        sheet.circle(-6, -90, 5, lighter(leaf, 0.2), 0.8)


def pine(sheet: Sheet, x: float, y: float, size: float, leaf: str, snow: bool = False) -> None:
    """A fir, `size` high."""
    with sheet.moved(x, y, size / 100):
        sheet.rect(-4, -16, 8, 18, "#6b4a34")
        for step, (low, wide) in enumerate(((-10, 30), (-34, 25), (-57, 19))):
            tone = darker(leaf, 0.12 - step * 0.06)
            sheet.path(
                f"M0 {low - 42}C8 {low - 26} {wide * 0.7} {low - 8} {wide} {low}C{wide * 0.4} {low + 6} {-wide * 0.4} {low + 6} {-wide} {low}C{-wide * 0.7} {low - 8} -8 {low - 26} 0 {low - 42}Z",
                tone,
            )
            if snow:
                sheet.path(
                    f"M0 {low - 42}C6 {low - 30} {wide * 0.4} {low - 18} {wide * 0.56} {low - 12}C6 {low - 18} -6 {low - 14} {-wide * 0.56} {low - 12}C{-wide * 0.4} {low - 18} -6 {low - 30} 0 {low - 42}Z",
                    "#fbfdff",
                )


def bare_tree(sheet: Sheet, x: float, y: float, size: float) -> None:
    """A leafless tree."""
    with sheet.moved(x, y, size / 100):
        bark = "#6b5446"
        sheet.path("M-6 2C-2 -24 -4 -44 -2 -70L4 -70C4 -44 4 -24 8 2Z", bark)
        for line in (
            ((0, -40), (-24, -70), (-30, -88)),
            ((1, -50), (24, -74), (26, -94)),
            ((0, -66), (-8, -92), (-4, -100)),
            ((-16, -60), (-34, -64)),
            ((18, -68), (36, -72)),
        ):
            sheet.line(list(line), bark, 3.4)


def palm(sheet: Sheet, x: float, y: float, size: float) -> None:
    """A palm tree."""
    with sheet.moved(x, y, size / 100):
        sheet.curve([(0, 2), (5, -30), (0, -60), (8, -82)], "#9a7449", 6)
        for turn in (-150, -110, -70, -25, 15, 40):
            with sheet.moved(8, -82, turn=turn):
                sheet.path("M0 0C14 -14 34 -12 44 6C32 0 16 -2 0 3Z", "#4f9152" if turn % 20 else "#62a35c")
        sheet.circle(6, -78, 4, "#7a4f30")
        sheet.circle(12, -77, 4, "#7a4f30")


def tree(scene: Scenery, sheet: Sheet, x: float, y: float, size: float) -> None:
    """A tree of the season."""
    if scene.snowy:
        if scene.dice.random() < 0.6:
            pine(sheet, x, y, size, "#5d8474", True)
        else:
            bare_tree(sheet, x, y, size)
    elif "birch" in scene.place.features:
        birch(sheet, x, y, size * 1.12, leaves(scene.place, scene.dice), scene.dice)
    elif scene.dice.random() < 0.3 and scene.place.season != "autumn":
        pine(sheet, x, y, size * 1.05, "#4f7f5a")
    else:
        round_tree(sheet, x, y, size, leaves(scene.place, scene.dice), scene.dice)


def bush(sheet: Sheet, x: float, y: float, size: float, leaf: str) -> None:
    """A low bush, about twice as wide as high."""
    with sheet.moved(x, y, size / 40):
        for bx, by, r in ((-20, -8, 13), (-4, -16, 17), (16, -12, 14), (28, -5, 9)):
            sheet.circle(bx, by, r, leaf)
        sheet.circle(-6, -20, 7, lighter(leaf, 0.14), 0.8)
        sheet.rect(-33, -6, 70, 8, leaf, 4)


def tufts(scene: Scenery, sheet: Sheet, count: int, top: float, colour: str, flowers: bool = False) -> None:
    """Blades of grass (and flowers), scattered from `top` to the bottom, bigger when nearer."""
    u = scene.unit
    spots = sorted((scene.dice.uniform(top, scene.bottom), scene.dice.random()) for _ in range(count))
    for y, share in spots:
        x, size = scene.across(share), u * (1.2 + 2.6 * (y - top) / max(1.0, scene.bottom - top))
        with sheet.moved(x, y, size / 4):
            sheet.path(
                "M-5 0C-6 -5 -7 -7 -9 -9C-5 -7 -3 -4 -2 -1C-2 -6 0 -10 1 -13C2 -9 1 -5 1 -1C3 -5 5 -7 8 -8C6 -5 5 -3 4 0Z",
                colour,
            )
            if flowers and scene.dice.random() < 0.5:
                bloom = scene.dice.choice(("#f4d35e", "#ee7f8c", "#fff6ea", "#b58ad0", "#ea6a5a"))
                sheet.circle(2, -15, 3.4, bloom)
                sheet.circle(2, -15, 1.3, "#f7e28b" if bloom != "#f4d35e" else "#c98a2c")


def rock(sheet: Sheet, x: float, y: float, size: float, colour: str, dice: random.Random) -> None:
    """A boulder, about 1.5 times as wide as high."""
    jag = [dice.uniform(-4, 4) for _ in range(5)]
    with sheet.moved(x, y, size / 50, flip=dice.random() < 0.5):
        outline = [(-42, 2), (-36 + jag[0], -22), (-16, -42 + jag[1]), (12, -48 + jag[2]), (32 + jag[3], -26), (42, 2)]
        sheet.polygon(outline, colour)
        sheet.polygon([(-16, -42 + jag[1]), (12, -48 + jag[2]), (4, -22), (-20, -16)], lighter(colour, 0.16))
        sheet.polygon([(32 + jag[3], -26), (42, 2), (10, 2), (4, -22), (12, -48 + jag[2])], darker(colour, 0.14))


def mountain(
    sheet: Sheet, x: float, y: float, size: float, colour: str, dice: random.Random, snow: bool = True
) -> None:
    """A peak, `size` high, with its light side and its snow."""
    with sheet.moved(x, y, size / 100, flip=dice.random() < 0.5):
        a, b = dice.uniform(-6, 6), dice.uniform(-5, 5)
        sheet.polygon([(-86, 4), (-48, -46 + a), (-30, -58 + b), (0, -100), (26, -62), (46, -50 + a), (88, 4)], colour)
        sheet.polygon(
            [(0, -100), (26, -62), (46, -50 + a), (88, 4), (24, 4), (10, -40), (14, -66)], darker(colour, 0.14)
        )
        if snow:
            sheet.polygon([(0, -100), (26, -62), (15, -66), (8, -54), (-4, -66), (-14, -52), (-24, -64)], "#f7fafc")


def house(
    sheet: Sheet,
    x: float,
    y: float,
    size: float,
    dice: random.Random,
    lit: bool,
    snow: bool = False,
    glow: str = "#ffd885",
) -> None:
    """A gabled cottage, `size` high to the ridge."""
    wall = dice.choice(("#f1e2c6", "#e8c9a4", "#dfe3dc", "#e9b8a0", "#c9d6d8", "#f4ecd8"))
    roof = dice.choice(("#b2533c", "#8d4a42", "#5f6b7a", "#a8673f", "#71584f"))
    pane = glow if lit else "#8fb4c4"
    with sheet.moved(x, y, size / 100, flip=dice.random() < 0.5):
        sheet.rect(20, -92, 12, 30, darker(roof, 0.25))
        sheet.rect(-36, -58, 72, 60, wall)
        sheet.rect(14, -58, 22, 60, darker(wall, 0.1))
        sheet.polygon([(-46, -54), (0, -100), (46, -54)], roof)
        sheet.polygon([(0, -100), (46, -54), (24, -54)], darker(roof, 0.14))
        if snow:
            sheet.polygon([(-46, -54), (0, -100), (46, -54), (40, -52), (0, -90), (-40, -52)], "#fbfdff")
        sheet.rect(-8, -28, 17, 30, darker(roof, 0.3), 3)
        for wx in (-28, 18):
            sheet.rect(wx - 1.5, -45.5, 15, 17, "#fff8ea", 1)
            sheet.rect(wx, -44, 12, 14, pane, 1)
            sheet.line([(wx + 6, -44), (wx + 6, -30)], "#fff8ea", 1.6)
        sheet.circle(0, -70, 6, pane)


def tower_block(sheet: Sheet, x: float, y: float, wide: float, high: float, dice: random.Random, lit: bool) -> None:
    """A city building with rows of windows."""
    wall = dice.choice(("#b98d78", "#8aa0ae", "#d2b48f", "#9a8fa6", "#c7a48c", "#7f94a0", "#d8c3a5"))
    sheet.rect(x, y - high, wide, high + 4, wall)
    sheet.rect(x + wide * 0.8, y - high, wide * 0.2, high + 4, darker(wall, 0.12))
    sheet.rect(x - wide * 0.03, y - high - wide * 0.05, wide * 1.06, wide * 0.07, darker(wall, 0.2))
    columns = max(2, round(wide / (high * 0.13 + 14)))
    rows = max(2, round(high / (wide / columns * 1.35)))
    cell_w, cell_h = wide / columns, high / (rows + 0.6)
    for row in range(rows):
        for column in range(columns):
            shine = dice.random()
            pane = ("#ffd885" if shine < 0.5 else "#3c4766") if lit else ("#a9c9d6" if shine < 0.7 else "#7fa3b8")
            sheet.rect(
                x + (column + 0.24) * cell_w, y - high + (row + 0.35) * cell_h, cell_w * 0.5, cell_h * 0.56, pane, 1.5
            )


def lighthouse(sheet: Sheet, x: float, y: float, size: float, lit: bool, glow: Sheet | None = None) -> None:
    """A striped lighthouse, `size` high; its beam goes on the paper `glow`."""
    if lit:
        target = glow or sheet
        with target.moved(x, y - size * 0.87, size / 100):
            beam = target.fade([(0, "#fff0b8", 0.0), (1, "#fff0b8", 0.55)], across=True)
            target.path("M0 -2L-190 -34L-190 22L0 4Z", beam)
            back = target.fade([(0, "#fff0b8", 0.55), (1, "#fff0b8", 0)], across=True)
            target.path("M0 -2L190 -30L190 26L0 4Z", back)
            target.circle(0, 1, 26, target.glow([(0, "#fff3c8", 0.9), (1, "#fff3c8", 0)]))
    with sheet.moved(x, y, size / 100):
        sheet.polygon([(-14, 2), (-9, -76), (9, -76), (14, 2)], "#f6efe2")
        for low, high in ((-8, -24), (-40, -56)):
            left, right = 14 + low * 0.064, 14 + high * 0.064
            sheet.polygon([(-left, low), (-right, high), (right, high), (left, low)], "#c8443a")
        sheet.polygon([(4, 2), (3, -76), (9, -76), (14, 2)], "#000000", 0.1)
        sheet.rect(-13, -80, 26, 4.5, "#39424f", 1)
        sheet.rect(-7, -93, 14, 13, "#ffe9a6" if lit else "#bcd6de")
        for bar in (-7, 0, 6):
            sheet.rect(bar, -93, 1.4, 13, "#39424f")
        sheet.path("M-10 -92C-8 -104 8 -104 10 -92Z", "#b03a33")
        sheet.rect(-3, -14, 6, 16, "#5a4334", 3)
        sheet.rect(-2.4, -36, 5, 7, "#5c7280", 2.4)
        sheet.rect(-2.2, -68, 4.6, 6.5, "#5c7280", 2.2)


def sailing_boat(sheet: Sheet, x: float, y: float, size: float, sail: str = "#fbf3e2", hull: str = "#9c5a3a") -> None:
    """A small sailing boat, `size` high."""
    with sheet.moved(x, y, size / 100):
        sheet.line([(0, -18), (0, -96)], "#6b4a34", 3)
        sheet.path("M3 -92C34 -66 42 -46 44 -28L3 -28Z", sail)
        sheet.path("M-4 -82C-20 -60 -30 -44 -32 -28L-4 -28Z", darker(sail, 0.1))
        sheet.path("M-48 -20L52 -20C46 -4 38 2 28 4L-26 4C-38 0 -46 -8 -48 -20Z", hull)
        sheet.path("M-48 -20L52 -20L49 -13L-46 -13Z", "#f3e6cf")


def water(scene: Scenery, sheet: Sheet, y: float, colour: str, bottom: float | None = None) -> None:
    """A surface from `y` down, with glints that grow towards the viewer."""
    end = bottom or scene.bottom
    fill = sheet.fade([(0, mix(colour, scene.light.sky[2], 0.55), 1), (0.3, colour, 1), (1, darker(colour, 0.25), 1)])
    sheet.rect(scene.left, y, scene.right - scene.left, end - y, fill)
    u = scene.unit
    shine = lighter(colour, 0.4)
    for _ in range(34):
        depth = scene.dice.random() ** 1.6
        wy = y + depth * (end - y) * 0.96 + u * 0.4
        wx, size = scene.across(scene.dice.random()), u * (1.5 + 6 * depth)
        sheet.path(
            f"M{wx - size:.0f} {wy:.0f}Q{wx:.0f} {wy - size * 0.14:.0f} {wx + size:.0f} {wy:.0f}Q{wx:.0f} {wy + size * 0.1:.0f} {wx - size:.0f} {wy:.0f}Z",
            shine,
            opacity=0.55,
        )


def wave_line(scene: Scenery, sheet: Sheet, y: float, size: float, colour: str) -> None:
    """A scalloped line of waves, filled to the bottom."""
    step = size * 2.4
    x = scene.left - step * scene.dice.random()
    data = f"M{x:.0f} {y:.0f}"
    while x < scene.right:
        data += f"Q{x + step * 0.3:.0f} {y + size * 0.5:.0f} {x + step * 0.72:.0f} {y - size * 0.36:.0f}Q{x + step * 0.9:.0f} {y - size * 0.5:.0f} {x + step:.0f} {y:.0f}"
        x += step
    sheet.path(data + f"L{x:.0f} {scene.bottom:.0f}L{scene.left:.0f} {scene.bottom:.0f}Z", colour)


def birds(scene: Scenery, sheet: Sheet, count: int = 4) -> None:
    """Gulls far off."""
    u = scene.unit
    for _ in range(count):
        x, y, size = (
            scene.across(scene.dice.uniform(0.1, 0.9)),
            scene.height * scene.dice.uniform(0.14, 0.4),
            u * scene.dice.uniform(0.9, 1.7),
        )
        sheet.path(
            f"M{x - size * 1.6:.1f} {y - size * 0.5:.1f}Q{x - size * 0.7:.1f} {y - size:.1f} {x:.1f} {y:.1f}Q{x + size * 0.7:.1f} {y - size:.1f} {x + size * 1.6:.1f} {y - size * 0.5:.1f}",
            None,
            "#fffaf0" if not scene.light.dark else "#b9c2dc",
            u * 0.32,
        )


def lamp_glow(sheet: Sheet, x: float, y: float, radius: float, colour: str = "#ffd98a", strength: float = 0.55) -> None:
    """A soft round light."""
    sheet.circle(x, y, radius, sheet.glow([(0, colour, strength), (0.4, colour, strength * 0.4), (1, colour, 0)]))


def ring(count: int, dice: random.Random) -> list[float]:
    """`count` shares of 0..1, evenly spread with some disorder."""
    return [(i + dice.uniform(0.2, 0.8)) / count for i in range(count)]


def arc(x: float, y: float, radius: float, degrees: float) -> tuple[float, float]:
    """The point at an angle (0: right, clockwise) on a circle."""
    return x + radius * math.cos(math.radians(degrees)), y + radius * math.sin(math.radians(degrees))

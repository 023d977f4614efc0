"""Elements of backdrops: skies, hills, trees, houses, rocks, water. Sizes are in pixels of the frame."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field

from pipelines.image.illustrator.backdrops.lighting import Lighting
from pipelines.image.illustrator.canvas import Canvas, darken, lighten, mix, smooth_path
from pipelines.image.illustrator.language.setting import Setting


@dataclass(slots=True)
class Backdrop:
    """The layers of one backdrop, far to near, with shared measures in pixels. The drawn area from `left` to `right`
    and down to `bottom` exceeds the frame by the margin of the camera."""

    setting: Setting
    lighting: Lighting
    width: float
    height: float
    margin: float
    rng: random.Random
    sky: Canvas = field(init=False)
    far: Canvas = field(init=False)
    mid: Canvas = field(init=False)
    near: Canvas = field(init=False)

    def __post_init__(self) -> None:
        self.sky = Canvas()
        self.far = Canvas(self.lighting.colour_transform(1.0))
        self.mid = Canvas(self.lighting.colour_transform(0.25))
        self.near = Canvas(self.lighting.colour_transform(0.0), "near")

    @property
    def unit(self) -> float:
        """Base unit of sizes: about 1/100 of the frame's shorter side, in pixels."""
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
        """Return the y of the floor's edge and of the ground under figures, in pixels."""
        return self.height * 0.72

    def x_at(self, fraction: float) -> float:
        """Return the x in pixels of a fraction of the drawn width (0 left, 1 right)."""
        return self.left + (self.right - self.left) * fraction

    @property
    def snowy(self) -> bool:
        return self.setting.weather == "snow" or self.setting.season == "winter"


def leaf_colour(setting: Setting, rng: random.Random) -> str:
    """One leaf colour of the season."""
    greens = {
        "spring": ("#8cba5a", "#a3c765", "#e9b3c0", "#7cae58"),
        "summer": ("#5c9a4c", "#4d8a4a", "#74a650", "#3f7d4a"),
        "autumn": ("#d98a35", "#c9622c", "#e0ae3f", "#a9502d"),
        "winter": ("#e9eef2", "#d9e2ea", "#cfdae4"),
    }
    return rng.choice(greens[setting.season])


def grass_colour(setting: Setting) -> str:
    """The ground's colour in the season."""
    if setting.weather == "snow" or setting.season == "winter":
        return "#eaf0f5"
    return {"spring": "#93bf62", "summer": "#82b056", "autumn": "#b9a24e"}[setting.season]


def draw_hills(
    backdrop: Backdrop, canvas: Canvas, y: float, amplitude: float, colour: str, waves: int = 4
) -> list[tuple[float, float]]:
    """Draw a smooth ridge, filled to the bottom, and return its points."""
    steps = waves * 2 + 1
    ridge = [(backdrop.x_at(i / (steps - 1)), y + backdrop.rng.uniform(-1, 1) * amplitude) for i in range(steps)]
    data = (
        smooth_path(ridge) + f"L{backdrop.right:.0f} {backdrop.bottom:.0f}L{backdrop.left:.0f} {backdrop.bottom:.0f}Z"
    )
    canvas.path(data, colour)
    return ridge


def draw_ground(backdrop: Backdrop, canvas: Canvas, y: float, colour: str, amplitude: float = 0) -> None:
    """The near ground: a shade darker towards the viewer."""
    fill = canvas.linear_gradient([(0, lighten(colour, 0.12), 1), (0.5, colour, 1), (1, darken(colour, 0.16), 1)])
    ridge = [(backdrop.x_at(i / 6), y + backdrop.rng.uniform(-1, 1) * amplitude) for i in range(7)]
    canvas.path(
        smooth_path(ridge) + f"L{backdrop.right:.0f} {backdrop.bottom:.0f}L{backdrop.left:.0f} {backdrop.bottom:.0f}Z",
        fill,
    )


def draw_sky(backdrop: Backdrop) -> None:
    """Sky, sun or moon, stars, clouds: by hour and weather."""
    canvas, lighting, rng, u = backdrop.sky, backdrop.lighting, backdrop.rng, backdrop.unit
    fill = canvas.linear_gradient(
        [(0, lighting.sky[0], 1), (0.42, lighting.sky[1], 1), (0.68, lighting.sky[2], 1), (1, lighting.sky[2], 1)]
    )
    canvas.rect(
        backdrop.left, -backdrop.margin - 4, backdrop.right - backdrop.left, backdrop.bottom + backdrop.margin + 8, fill
    )
    covered = backdrop.setting.weather in ("rain", "storm", "fog", "snow", "cloud")
    x = backdrop.width * rng.uniform(0.14, 0.34) if rng.random() < 0.5 else backdrop.width * rng.uniform(0.66, 0.86)
    if lighting.dark:
        for _ in range(0 if covered else 90):
            canvas.circle(
                backdrop.x_at(rng.random()),
                rng.uniform(-backdrop.margin, backdrop.horizon * 0.95),
                rng.uniform(0.1, 0.34) * u,
                "#fdf6df",
                rng.uniform(0.4, 1),
            )
        if not covered:
            y = backdrop.height * rng.uniform(0.14, 0.24)
            canvas.circle(x, y, 22 * u, canvas.radial_gradient([(0, "#fdf0c8", 0.4), (1, "#fdf0c8", 0)]))
            canvas.circle(x, y, 6.5 * u, "#fbf0cf")
            for dx, dy, r in ((-2, -1.4, 1.2), (1.6, 1.8, 1.5), (2.2, -2.4, 0.8)):
                canvas.circle(x + dx * u, y + dy * u, r * u, "#eadcb2")
    elif not covered or backdrop.setting.weather == "snow":
        low = backdrop.setting.time in ("dawn", "dusk")
        y = backdrop.horizon - 8 * u if low else backdrop.height * rng.uniform(0.13, 0.2)
        colour = "#ffdf9a" if backdrop.setting.time == "dawn" else "#ffc468" if low else "#fff3c4"
        canvas.circle(
            x,
            y,
            (46 if low else 30) * u,
            canvas.radial_gradient([(0, colour, 0.75), (0.35, colour, 0.32), (1, colour, 0)]),
        )
        canvas.circle(x, y, 6.8 * u, lighten(colour, 0.45))
    _draw_clouds(backdrop, covered)


def _draw_clouds(backdrop: Backdrop, covered: bool) -> None:
    canvas, rng, u = backdrop.sky, backdrop.rng, backdrop.unit
    base = mix(backdrop.lighting.sky[1], "#ffffff", 0.55 if not backdrop.lighting.dark else 0.12)
    if backdrop.setting.weather == "storm":
        base = mix(backdrop.lighting.sky[0], "#5d6474" if not backdrop.lighting.dark else "#39415c", 0.7)
    elif covered:
        base = mix(backdrop.lighting.sky[0], "#e9edf0" if not backdrop.lighting.dark else "#454e6d", 0.5)
    rows = 3 if covered else 1
    for row in range(rows):
        for index in range(3 if not covered else 6):
            x = backdrop.x_at((index + rng.uniform(0.1, 0.9)) / (3 if not covered else 6))
            y = backdrop.height * (
                rng.uniform(0.08, 0.3) if not covered else 0.02 + row * 0.11 + rng.uniform(-0.03, 0.03)
            )
            size = rng.uniform(5, 9) * u * (1.7 if covered else 1)
            tone = darken(base, 0.06 * row) if covered else base
            opacity = 0.85 if not covered else 0.95
            with canvas.transformed(x, y, size / 10, opacity=opacity):
                canvas.path(
                    "M-26 8C-34 8 -34 -4 -24 -5C-24 -16 -8 -18 -4 -10C2 -20 20 -16 18 -5C30 -6 32 8 22 8Z", tone
                )


def draw_round_tree(canvas: Canvas, x: float, y: float, size: float, leaf: str, rng: random.Random) -> None:
    """A tree with a round crown, `size` high, standing on (x, y)."""
    with canvas.transformed(x, y, size / 100):
        canvas.path("M-7 2C-3 -20 -5 -40 -4 -56L5 -56C5 -40 4 -20 9 2Z", "#7a553a")
        canvas.line([(0, -38), (16, -54)], "#7a553a", 4)
        shade = darken(leaf, 0.14)
        blobs = [(-20, -58, 20), (18, -56, 21), (0, -76, 25), (-12, -66, 20), (12, -70, 20)]
        for bx, by, r in blobs:
            canvas.circle(bx + 2, by + 5, r, shade)
        for bx, by, r in blobs:
            canvas.circle(bx + rng.uniform(-2, 2), by, r * 0.94, leaf)
        canvas.circle(-10, -80, 9, lighten(leaf, 0.16), 0.8)
        canvas.circle(12, -64, 7, lighten(leaf, 0.16), 0.7)


def draw_birch(canvas: Canvas, x: float, y: float, size: float, leaf: str, rng: random.Random) -> None:
    """A slender tree with white, dark-marked bark, `size` high."""
    with canvas.transformed(x, y, size / 100):
        canvas.path("M-5 2C-3 -30 -4 -60 -2 -96L3 -96C4 -60 4 -30 6 2Z", "#efeae0")
        for y_, wide in ((-8, 5), (-18, 3), (-27, 5), (-38, 3), (-49, 4)):
            side = rng.choice((-1, 1))
            canvas.line([(side * 3.6, y_), (side * (3.6 - wide), y_ + 0.6)], "#4a4440", 1.8)
        shade = darken(leaf, 0.14)
        blobs = [(-12, -58, 13), (13, -60, 13), (-9, -76, 13), (10, -80, 12), (0, -93, 11), (0, -68, 13)]
        for bx, by, r in blobs:
            canvas.ellipse(bx + 2, by + 4, r, r * 1.1, shade)
        for bx, by, r in blobs:
            canvas.ellipse(bx + rng.uniform(-2, 2), by, r * 0.92, r, leaf)
        canvas.circle(-6, -90, 5, lighten(leaf, 0.2), 0.8)


def draw_pine(canvas: Canvas, x: float, y: float, size: float, leaf: str, snow: bool = False) -> None:
    """A fir, `size` high."""
    with canvas.transformed(x, y, size / 100):
        canvas.rect(-4, -16, 8, 18, "#6b4a34")
        for step, (low, wide) in enumerate(((-10, 30), (-34, 25), (-57, 19))):
            tone = darken(leaf, 0.12 - step * 0.06)
            canvas.path(
                f"M0 {low - 42}C8 {low - 26} {wide * 0.7} {low - 8} {wide} {low}C{wide * 0.4} {low + 6} {-wide * 0.4} {low + 6} {-wide} {low}C{-wide * 0.7} {low - 8} -8 {low - 26} 0 {low - 42}Z",
                tone,
            )
            if snow:
                canvas.path(
                    f"M0 {low - 42}C6 {low - 30} {wide * 0.4} {low - 18} {wide * 0.56} {low - 12}C6 {low - 18} -6 {low - 14} {-wide * 0.56} {low - 12}C{-wide * 0.4} {low - 18} -6 {low - 30} 0 {low - 42}Z",
                    "#fbfdff",
                )


def draw_bare_tree(canvas: Canvas, x: float, y: float, size: float) -> None:
    """A leafless tree."""
    with canvas.transformed(x, y, size / 100):
        bark = "#6b5446"
        canvas.path("M-6 2C-2 -24 -4 -44 -2 -70L4 -70C4 -44 4 -24 8 2Z", bark)
        for line in (
            ((0, -40), (-24, -70), (-30, -88)),
            ((1, -50), (24, -74), (26, -94)),
            ((0, -66), (-8, -92), (-4, -100)),
            ((-16, -60), (-34, -64)),
            ((18, -68), (36, -72)),
        ):
            canvas.line(list(line), bark, 3.4)


def draw_palm(canvas: Canvas, x: float, y: float, size: float) -> None:
    """A palm tree."""
    with canvas.transformed(x, y, size / 100):
        canvas.curve([(0, 2), (5, -30), (0, -60), (8, -82)], "#9a7449", 6)
        for turn in (-150, -110, -70, -25, 15, 40):
            with canvas.transformed(8, -82, rotation=turn):
                canvas.path("M0 0C14 -14 34 -12 44 6C32 0 16 -2 0 3Z", "#4f9152" if turn % 20 else "#62a35c")
        canvas.circle(6, -78, 4, "#7a4f30")
        canvas.circle(12, -77, 4, "#7a4f30")


def draw_tree(backdrop: Backdrop, canvas: Canvas, x: float, y: float, size: float) -> None:
    """A tree of the season."""
    if backdrop.snowy:
        if backdrop.rng.random() < 0.6:
            draw_pine(canvas, x, y, size, "#5d8474", True)
        else:
            draw_bare_tree(canvas, x, y, size)
    elif "birch" in backdrop.setting.features:
        draw_birch(canvas, x, y, size * 1.12, leaf_colour(backdrop.setting, backdrop.rng), backdrop.rng)
    elif backdrop.rng.random() < 0.3 and backdrop.setting.season != "autumn":
        draw_pine(canvas, x, y, size * 1.05, "#4f7f5a")
    else:
        draw_round_tree(canvas, x, y, size, leaf_colour(backdrop.setting, backdrop.rng), backdrop.rng)


def draw_bush(canvas: Canvas, x: float, y: float, size: float, leaf: str) -> None:
    """A low bush, about twice as wide as high."""
    with canvas.transformed(x, y, size / 40):
        for bx, by, r in ((-20, -8, 13), (-4, -16, 17), (16, -12, 14), (28, -5, 9)):
            canvas.circle(bx, by, r, leaf)
        canvas.circle(-6, -20, 7, lighten(leaf, 0.14), 0.8)
        canvas.rect(-33, -6, 70, 8, leaf, 4)


def draw_grass_tufts(
    backdrop: Backdrop, canvas: Canvas, count: int, top: float, colour: str, flowers: bool = False
) -> None:
    """Blades of grass (and flowers), scattered from `top` to the bottom, bigger when nearer."""
    u = backdrop.unit
    spots = sorted((backdrop.rng.uniform(top, backdrop.bottom), backdrop.rng.random()) for _ in range(count))
    for y, share in spots:
        x, size = backdrop.x_at(share), u * (1.2 + 2.6 * (y - top) / max(1.0, backdrop.bottom - top))
        with canvas.transformed(x, y, size / 4):
            canvas.path(
                "M-5 0C-6 -5 -7 -7 -9 -9C-5 -7 -3 -4 -2 -1C-2 -6 0 -10 1 -13C2 -9 1 -5 1 -1C3 -5 5 -7 8 -8C6 -5 5 -3 4 0Z",
                colour,
            )
            if flowers and backdrop.rng.random() < 0.5:
                bloom = backdrop.rng.choice(("#f4d35e", "#ee7f8c", "#fff6ea", "#b58ad0", "#ea6a5a"))
                canvas.circle(2, -15, 3.4, bloom)
                canvas.circle(2, -15, 1.3, "#f7e28b" if bloom != "#f4d35e" else "#c98a2c")


def draw_rock(canvas: Canvas, x: float, y: float, size: float, colour: str, rng: random.Random) -> None:
    """A boulder, about 1.5 times as wide as high."""
    jag = [rng.uniform(-4, 4) for _ in range(5)]
    with canvas.transformed(x, y, size / 50, flip=rng.random() < 0.5):
        outline = [(-42, 2), (-36 + jag[0], -22), (-16, -42 + jag[1]), (12, -48 + jag[2]), (32 + jag[3], -26), (42, 2)]
        canvas.polygon(outline, colour)
        canvas.polygon([(-16, -42 + jag[1]), (12, -48 + jag[2]), (4, -22), (-20, -16)], lighten(colour, 0.16))
        canvas.polygon([(32 + jag[3], -26), (42, 2), (10, 2), (4, -22), (12, -48 + jag[2])], darken(colour, 0.14))


def draw_mountain(
    canvas: Canvas, x: float, y: float, size: float, colour: str, rng: random.Random, snow: bool = True
) -> None:
    """A peak, `size` high, with its light side and its snow."""
    with canvas.transformed(x, y, size / 100, flip=rng.random() < 0.5):
        a, b = rng.uniform(-6, 6), rng.uniform(-5, 5)
        canvas.polygon([(-86, 4), (-48, -46 + a), (-30, -58 + b), (0, -100), (26, -62), (46, -50 + a), (88, 4)], colour)
        canvas.polygon(
            [(0, -100), (26, -62), (46, -50 + a), (88, 4), (24, 4), (10, -40), (14, -66)], darken(colour, 0.14)
        )
        if snow:
            canvas.polygon([(0, -100), (26, -62), (15, -66), (8, -54), (-4, -66), (-14, -52), (-24, -64)], "#f7fafc")


def draw_house(
    canvas: Canvas,
    x: float,
    y: float,
    size: float,
    rng: random.Random,
    lit: bool,
    snow: bool = False,
    glow: str = "#ffd885",
) -> None:
    """A gabled cottage, `size` high to the ridge."""
    wall = rng.choice(("#f1e2c6", "#e8c9a4", "#dfe3dc", "#e9b8a0", "#c9d6d8", "#f4ecd8"))
    roof = rng.choice(("#b2533c", "#8d4a42", "#5f6b7a", "#a8673f", "#71584f"))
    pane = glow if lit else "#8fb4c4"
    with canvas.transformed(x, y, size / 100, flip=rng.random() < 0.5):
        canvas.rect(20, -92, 12, 30, darken(roof, 0.25))
        canvas.rect(-36, -58, 72, 60, wall)
        canvas.rect(14, -58, 22, 60, darken(wall, 0.1))
        canvas.polygon([(-46, -54), (0, -100), (46, -54)], roof)
        canvas.polygon([(0, -100), (46, -54), (24, -54)], darken(roof, 0.14))
        if snow:
            canvas.polygon([(-46, -54), (0, -100), (46, -54), (40, -52), (0, -90), (-40, -52)], "#fbfdff")
        canvas.rect(-8, -28, 17, 30, darken(roof, 0.3), 3)
        for wx in (-28, 18):
            canvas.rect(wx - 1.5, -45.5, 15, 17, "#fff8ea", 1)
            canvas.rect(wx, -44, 12, 14, pane, 1)
            canvas.line([(wx + 6, -44), (wx + 6, -30)], "#fff8ea", 1.6)
        canvas.circle(0, -70, 6, pane)


def draw_tower_block(
    canvas: Canvas, x: float, y: float, wide: float, high: float, rng: random.Random, lit: bool
) -> None:
    """A city building with rows of windows."""
    wall = rng.choice(("#b98d78", "#8aa0ae", "#d2b48f", "#9a8fa6", "#c7a48c", "#7f94a0", "#d8c3a5"))
    canvas.rect(x, y - high, wide, high + 4, wall)
    canvas.rect(x + wide * 0.8, y - high, wide * 0.2, high + 4, darken(wall, 0.12))
    canvas.rect(x - wide * 0.03, y - high - wide * 0.05, wide * 1.06, wide * 0.07, darken(wall, 0.2))
    columns = max(2, round(wide / (high * 0.13 + 14)))
    rows = max(2, round(high / (wide / columns * 1.35)))
    cell_w, cell_h = wide / columns, high / (rows + 0.6)
    for row in range(rows):
        for column in range(columns):
            shine = rng.random()
            pane = ("#ffd885" if shine < 0.5 else "#3c4766") if lit else ("#a9c9d6" if shine < 0.7 else "#7fa3b8")
            canvas.rect(
                x + (column + 0.24) * cell_w, y - high + (row + 0.35) * cell_h, cell_w * 0.5, cell_h * 0.56, pane, 1.5
            )


def draw_lighthouse(canvas: Canvas, x: float, y: float, size: float, lit: bool, glow: Canvas | None = None) -> None:
    """A striped lighthouse, `size` high; its beam goes on the layer `glow`."""
    if lit:
        target = glow or canvas
        with target.transformed(x, y - size * 0.87, size / 100):
            beam = target.linear_gradient([(0, "#fff0b8", 0.0), (1, "#fff0b8", 0.55)], horizontal=True)
            target.path("M0 -2L-190 -34L-190 22L0 4Z", beam)
            back = target.linear_gradient([(0, "#fff0b8", 0.55), (1, "#fff0b8", 0)], horizontal=True)
            target.path("M0 -2L190 -30L190 26L0 4Z", back)
            target.circle(0, 1, 26, target.radial_gradient([(0, "#fff3c8", 0.9), (1, "#fff3c8", 0)]))
    with canvas.transformed(x, y, size / 100):
        canvas.polygon([(-14, 2), (-9, -76), (9, -76), (14, 2)], "#f6efe2")
        for low, high in ((-8, -24), (-40, -56)):
            left, right = 14 + low * 0.064, 14 + high * 0.064
            canvas.polygon([(-left, low), (-right, high), (right, high), (left, low)], "#c8443a")
        canvas.polygon([(4, 2), (3, -76), (9, -76), (14, 2)], "#000000", 0.1)
        canvas.rect(-13, -80, 26, 4.5, "#39424f", 1)
        canvas.rect(-7, -93, 14, 13, "#ffe9a6" if lit else "#bcd6de")
        for bar in (-7, 0, 6):
            canvas.rect(bar, -93, 1.4, 13, "#39424f")
        canvas.path("M-10 -92C-8 -104 8 -104 10 -92Z", "#b03a33")
        canvas.rect(-3, -14, 6, 16, "#5a4334", 3)
        canvas.rect(-2.4, -36, 5, 7, "#5c7280", 2.4)
        canvas.rect(-2.2, -68, 4.6, 6.5, "#5c7280", 2.2)


def draw_sailing_boat(
    canvas: Canvas, x: float, y: float, size: float, sail: str = "#fbf3e2", hull: str = "#9c5a3a"
) -> None:
    """A small sailing boat, `size` high."""
    with canvas.transformed(x, y, size / 100):
        canvas.line([(0, -18), (0, -96)], "#6b4a34", 3)
        canvas.path("M3 -92C34 -66 42 -46 44 -28L3 -28Z", sail)
        canvas.path("M-4 -82C-20 -60 -30 -44 -32 -28L-4 -28Z", darken(sail, 0.1))
        canvas.path("M-48 -20L52 -20C46 -4 38 2 28 4L-26 4C-38 0 -46 -8 -48 -20Z", hull)
        canvas.path("M-48 -20L52 -20L49 -13L-46 -13Z", "#f3e6cf")


def draw_water(backdrop: Backdrop, canvas: Canvas, y: float, colour: str, bottom: float | None = None) -> None:
    """A surface from `y` down, with glints that grow towards the viewer."""
    end = bottom or backdrop.bottom
    fill = canvas.linear_gradient(
        [(0, mix(colour, backdrop.lighting.sky[2], 0.55), 1), (0.3, colour, 1), (1, darken(colour, 0.25), 1)]
    )
    canvas.rect(backdrop.left, y, backdrop.right - backdrop.left, end - y, fill)
    u = backdrop.unit
    shine = lighten(colour, 0.4)
    for _ in range(34):
        depth = backdrop.rng.random() ** 1.6
        wy = y + depth * (end - y) * 0.96 + u * 0.4
        wx, size = backdrop.x_at(backdrop.rng.random()), u * (1.5 + 6 * depth)
        canvas.path(
            f"M{wx - size:.0f} {wy:.0f}Q{wx:.0f} {wy - size * 0.14:.0f} {wx + size:.0f} {wy:.0f}Q{wx:.0f} {wy + size * 0.1:.0f} {wx - size:.0f} {wy:.0f}Z",
            shine,
            opacity=0.55,
        )


def draw_wave_line(backdrop: Backdrop, canvas: Canvas, y: float, size: float, colour: str) -> None:
    """A scalloped line of waves, filled to the bottom."""
    step = size * 2.4
    x = backdrop.left - step * backdrop.rng.random()
    data = f"M{x:.0f} {y:.0f}"
    while x < backdrop.right:
        data += f"Q{x + step * 0.3:.0f} {y + size * 0.5:.0f} {x + step * 0.72:.0f} {y - size * 0.36:.0f}Q{x + step * 0.9:.0f} {y - size * 0.5:.0f} {x + step:.0f} {y:.0f}"
        x += step
    canvas.path(data + f"L{x:.0f} {backdrop.bottom:.0f}L{backdrop.left:.0f} {backdrop.bottom:.0f}Z", colour)


def draw_birds(backdrop: Backdrop, canvas: Canvas, count: int = 4) -> None:
    """Gulls far off."""
    u = backdrop.unit
    for _ in range(count):
        x, y, size = (
            backdrop.x_at(backdrop.rng.uniform(0.1, 0.9)),
            backdrop.height * backdrop.rng.uniform(0.14, 0.4),
            u * backdrop.rng.uniform(0.9, 1.7),
        )
        canvas.path(
            f"M{x - size * 1.6:.1f} {y - size * 0.5:.1f}Q{x - size * 0.7:.1f} {y - size:.1f} {x:.1f} {y:.1f}Q{x + size * 0.7:.1f} {y - size:.1f} {x + size * 1.6:.1f} {y - size * 0.5:.1f}",
            None,
            "#fffaf0" if not backdrop.lighting.dark else "#b9c2dc",
            u * 0.32,
        )


def draw_lamp_glow(
    canvas: Canvas, x: float, y: float, radius: float, colour: str = "#ffd98a", strength: float = 0.55
) -> None:
    """A soft round light."""
    canvas.circle(
        x, y, radius, canvas.radial_gradient([(0, colour, strength), (0.4, colour, strength * 0.4), (1, colour, 0)])
    )


def jittered_fractions(count: int, rng: random.Random) -> list[float]:
    """Return `count` jittered, evenly spread positions in 0…1."""
    return [(i + rng.uniform(0.2, 0.8)) / count for i in range(count)]


def point_on_circle(x: float, y: float, radius: float, degrees: float) -> tuple[float, float]:
    """Return the point at an angle in radians (0: right, clockwise) on a circle."""
    return x + radius * math.cos(math.radians(degrees)), y + radius * math.sin(math.radians(degrees))

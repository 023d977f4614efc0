"""A lane of market stalls: awnings, goods, and lanterns on strings above."""

from __future__ import annotations

from pipelines.image.illustrator.backdrops import elements as s
from pipelines.image.illustrator.backdrops.elements import Backdrop
from pipelines.image.illustrator.canvas import Canvas, darken, lighten, mix

_CLOTHS = ("#b8413a", "#2f7f7a", "#c98a2e", "#4a5d9a", "#7a4f86", "#3f7a4a")
_GOODS = ("#d9622b", "#e0a53a", "#b83b2e", "#7fa045", "#8a4f86", "#efd9a0")
_LAMPS = ("#ffd67a", "#ff9a5c", "#ff7a6a", "#ffe6a8")


def draw_market(backdrop: Backdrop) -> None:
    """Draw facades and stalls on both sides of a lane; the middle stays free for the cast."""
    h, u, rng = backdrop.height, backdrop.unit, backdrop.rng
    line = h * 0.735
    _draw_facades(backdrop, line)
    stone = "#cdb896" if not backdrop.snowy else "#e6ebef"
    s.draw_ground(backdrop, backdrop.mid, line, stone)
    wet = backdrop.lighting.dark or backdrop.setting.weather in ("rain", "storm")
    for _ in range(70):
        y = rng.uniform(h * 0.76, backdrop.bottom)
        size = u * (0.8 + 3.0 * (y / h - 0.74))
        backdrop.mid.ellipse(backdrop.x_at(rng.random()), y, size * 2.0, size * 0.6, darken(stone, 0.12), 0.55)
    count = max(2, round(backdrop.width / backdrop.height * 2.6))
    for index in range(count):
        share = (index + 0.5) / count
        # The middle of the lane stays open: people walk there.
        if count > 2 and abs(share - 0.5) < 0.5 / count:
            continue
        _draw_stall(backdrop, backdrop.x_at(share), line + 2.4 * u, (backdrop.right - backdrop.left) / count * 0.86)
    _draw_lantern_strings(backdrop)
    if wet:
        for _ in range(9):
            x, y = backdrop.x_at(rng.random()), rng.uniform(h * 0.8, backdrop.bottom)
            backdrop.mid.ellipse(x, y, rng.uniform(4, 9) * u, 0.9 * u, rng.choice(_LAMPS), 0.22)


def _draw_facades(backdrop: Backdrop, line: float) -> None:
    h, u, rng = backdrop.height, backdrop.unit, backdrop.rng
    x = backdrop.left - 3 * u
    while x < backdrop.right:
        wide = rng.uniform(17, 26) * u
        middle = abs((x + wide / 2) / backdrop.width - 0.5)
        high = h * (0.3 + 0.42 * min(1.0, middle * 1.7)) * rng.uniform(0.9, 1.08)
        wall = rng.choice(("#d8b58a", "#c99d76", "#cfa98c", "#bf9a80", "#dcc09a"))
        backdrop.far.rect(x, line - high, wide, high + h * 0.1, wall)
        backdrop.far.rect(x - 0.6 * u, line - high - 1.4 * u, wide + 1.2 * u, 2.2 * u, darken(wall, 0.22))
        y = line - high + 6 * u
        while y < line - 26 * u:
            for place in (0.26, 0.68):
                _draw_arched_window(backdrop, x + wide * place, y, wide * 0.2, rng.random() < 0.7)
            y += 17 * u
        x += wide
    if "clock" not in backdrop.setting.features:
        tower = backdrop.x_at(rng.uniform(0.44, 0.56))
        wall = mix("#d8b58a", backdrop.lighting.haze, 0.3)
        backdrop.sky.rect(tower - 3.4 * u, h * 0.2, 6.8 * u, h * 0.6, backdrop.lighting.colour_transform(1.0)(wall))
        backdrop.sky.path(
            f"M{tower - 4.2 * u:.0f} {h * 0.2:.0f}C{tower - 4.6 * u:.0f} {h * 0.13:.0f} {tower - 1.5 * u:.0f} {h * 0.12:.0f} {tower:.0f} {h * 0.08:.0f}C{tower + 1.5 * u:.0f} {h * 0.12:.0f} {tower + 4.6 * u:.0f} {h * 0.13:.0f} {tower + 4.2 * u:.0f} {h * 0.2:.0f}Z",
            backdrop.lighting.colour_transform(1.0)(darken(wall, 0.25)),
        )


def _draw_arched_window(backdrop: Backdrop, x: float, y: float, wide: float, lit: bool) -> None:
    glass = "#ffd885" if lit and (backdrop.lighting.dark or backdrop.setting.time == "dusk") else "#6a5a52"
    high = wide * 1.5
    backdrop.far.path(
        f"M{x - wide / 2:.0f} {y + high:.0f}L{x - wide / 2:.0f} {y + wide * 0.4:.0f}C{x - wide / 2:.0f} {y - wide * 0.2:.0f} {x + wide / 2:.0f} {y - wide * 0.2:.0f} {x + wide / 2:.0f} {y + wide * 0.4:.0f}L{x + wide / 2:.0f} {y + high:.0f}Z",
        glass,
    )


def _draw_stall(backdrop: Backdrop, x: float, y: float, wide: float) -> None:
    h, u, rng, canvas = backdrop.height, backdrop.unit, backdrop.rng, backdrop.mid
    wide = min(wide, 40 * u)
    high = h * 0.36
    cloth = rng.choice(_CLOTHS)
    left = x - wide / 2
    inside = darken(cloth, 0.6)
    canvas.rect(left + wide * 0.04, y - high * 0.86, wide * 0.92, high * 0.86, inside)
    if backdrop.lighting.dark or backdrop.setting.time == "dusk":
        s.draw_lamp_glow(canvas, x, y - high * 0.52, wide * 0.52)
    _draw_hanging_goods(backdrop, left + wide * 0.1, y - high * 0.8, wide * 0.8)
    for post in (0.03, 0.94):
        canvas.rect(left + wide * post, y - high * 0.9, wide * 0.03, high * 0.9, "#6b4a34")
    _draw_goods(backdrop, left + wide * 0.05, y - high * 0.32, wide * 0.9)
    canvas.rect(left, y - high * 0.32, wide, high * 0.07, "#8a5f40", 0.6 * u)
    canvas.rect(left + wide * 0.03, y - high * 0.26, wide * 0.94, high * 0.26, darken(cloth, 0.18))
    for index in range(5):
        canvas.line(
            [(left + wide * (0.1 + 0.2 * index), y - high * 0.24), (left + wide * (0.1 + 0.2 * index), y)],
            darken(cloth, 0.32),
            0.5 * u,
        )
    _draw_awning(canvas, left - wide * 0.05, y - high, wide * 1.1, high * 0.2, cloth)


def _draw_awning(canvas: Canvas, left: float, top: float, wide: float, high: float, cloth: str) -> None:
    count = 8
    for index in range(count):
        a, b = left + wide * index / count, left + wide * (index + 1) / count
        # The strips spread towards the viewer.
        up_a, up_b = left + wide * (0.06 + 0.88 * index / count), left + wide * (0.06 + 0.88 * (index + 1) / count)
        tone = cloth if index % 2 else "#f4e6cc"
        canvas.path(
            f"M{up_a:.0f} {top:.0f}L{up_b:.0f} {top:.0f}L{b:.0f} {top + high:.0f}Q{(a + b) / 2:.0f} {top + high * 1.45:.0f} {a:.0f} {top + high:.0f}Z",
            tone,
        )
    canvas.rect(left + wide * 0.05, top - high * 0.06, wide * 0.9, high * 0.12, darken(cloth, 0.25), high * 0.05)


def _draw_hanging_goods(backdrop: Backdrop, left: float, top: float, wide: float) -> None:
    """What hangs under the roof of a stall: brass lamps and bundles."""
    u, rng, canvas = backdrop.unit, backdrop.rng, backdrop.mid
    lit = backdrop.lighting.dark or backdrop.setting.time == "dusk"
    for index in range(4):
        x = left + wide * (index + 0.5) / 4
        drop = rng.uniform(3.5, 7) * u
        canvas.line([(x, top), (x, top + drop)], "#4a3a30", 0.4 * u)
        brass = rng.choice(("#c9963a", "#b5762c", "#a8543a"))
        if lit:
            s.draw_lamp_glow(canvas, x, top + drop + 2 * u, 6 * u)
        canvas.path(
            f"M{x:.1f} {top + drop:.1f}C{x + 3 * u:.1f} {top + drop + 1.4 * u:.1f} {x + 2.6 * u:.1f} {top + drop + 4 * u:.1f} {x:.1f} {top + drop + 5 * u:.1f}C{x - 2.6 * u:.1f} {top + drop + 4 * u:.1f} {x - 3 * u:.1f} {top + drop + 1.4 * u:.1f} {x:.1f} {top + drop:.1f}Z",
            "#ffd67a" if lit else brass,
        )


def _draw_goods(backdrop: Backdrop, left: float, base: float, wide: float) -> None:
    """Heaps of spice and fruit on the counter."""
    u, rng, canvas = backdrop.unit, backdrop.rng, backdrop.mid
    count = max(3, round(wide / (7 * u)))
    for index in range(count):
        x, colour = left + wide * (index + 0.5) / count, rng.choice(_GOODS)
        half = wide / count * 0.42
        if rng.random() < 0.5:
            canvas.path(
                f"M{x - half:.1f} {base + u:.1f}Q{x - half * 0.3:.1f} {base - half * 0.5:.1f} {x:.1f} {base - half * 1.25:.1f}Q{x + half * 0.3:.1f} {base - half * 0.5:.1f} {x + half:.1f} {base + u:.1f}Z",
                colour,
            )
        else:
            for row, places in enumerate(((-0.62, 0.0, 0.62), (-0.32, 0.32), (0.0,))):
                for place in places:
                    canvas.circle(x + place * half, base - half * (0.2 + 0.46 * row), half * 0.36, colour)
                    canvas.circle(
                        x + place * half - half * 0.1,
                        base - half * (0.3 + 0.46 * row),
                        half * 0.1,
                        lighten(colour, 0.4),
                        0.7,
                    )


def _draw_lantern_strings(backdrop: Backdrop) -> None:
    """Paper lanterns on strings from house to house."""
    h, u, rng, canvas = backdrop.height, backdrop.unit, backdrop.rng, backdrop.mid
    lit = backdrop.lighting.dark or backdrop.setting.time == "dusk"
    for row, (y, sag, size) in enumerate(((0.06, 0.06, 3.0), (0.17, 0.07, 2.3), (0.27, 0.05, 1.7))):
        start, end = (backdrop.left, h * y), (backdrop.right, h * (y + rng.uniform(-0.03, 0.03)))
        middle = (backdrop.width / 2, h * (y + sag * 2))
        canvas.path(
            f"M{start[0]:.0f} {start[1]:.0f}Q{middle[0]:.0f} {middle[1]:.0f} {end[0]:.0f} {end[1]:.0f}",
            None,
            "#4a3a3a",
            0.35 * u,
        )
        count = max(4, round(backdrop.width / (15 * u))) + row
        for index in range(count):
            t = (index + 0.5) / count
            x = (1 - t) ** 2 * start[0] + 2 * t * (1 - t) * middle[0] + t * t * end[0]
            line = (1 - t) ** 2 * start[1] + 2 * t * (1 - t) * middle[1] + t * t * end[1]
            colour = rng.choice(("#d9483a", "#e8842f", "#f0bb2d", "#c23b5a"))
            if lit:
                s.draw_lamp_glow(canvas, x, line + size * u, size * 3.4 * u, strength=0.5)
            r = size * u
            body = mix(colour, "#ffd67a", 0.55) if lit else colour
            tone, canvas.colour_transform = (
                canvas.colour_transform,
                backdrop.lighting.emissive_transform() if lit else canvas.colour_transform,
            )
            canvas.ellipse(x, line + r * 1.1, r, r * 0.92, body)
            for inset in (-0.42, 0.42):
                canvas.path(
                    f"M{x + inset * r:.1f} {line + r * 0.36:.1f}Q{x + inset * r * 1.6:.1f} {line + r * 1.1:.1f} {x + inset * r:.1f} {line + r * 1.84:.1f}",
                    None,
                    darken(body, 0.16),
                    0.2 * u,
                )
            canvas.rect(x - r * 0.34, line + r * 0.1, r * 0.68, r * 0.2, darken(colour, 0.4))
            canvas.rect(x - r * 0.34, line + r * 1.92, r * 0.68, r * 0.2, darken(colour, 0.4))
            canvas.colour_transform = tone

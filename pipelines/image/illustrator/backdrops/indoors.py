"""Rooms: wall, floor, windows with the weather outside, and typical furniture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pipelines.image.illustrator.backdrops import elements as s
from pipelines.image.illustrator.backdrops.elements import Backdrop
from pipelines.image.illustrator.backdrops.office import draw_office
from pipelines.image.illustrator.backdrops.workshop import draw_workshop
from pipelines.image.illustrator.canvas import darken, lighten, mix


@dataclass(frozen=True, slots=True)
class Room:
    """Wall and floor colours, how many windows, and whether the floor is boards or tiles."""

    walls: tuple[str, ...]
    floor: str
    windows: int
    wood_floor: bool = True


ROOMS: dict[str, Room] = {
    "room": Room(("#e3c29a", "#c9d3c0", "#dcb8a0", "#b9c7cf"), "#a8744c", 2),
    "bedroom": Room(("#b9c3d9", "#d9c0cf", "#c7d6c9"), "#b08560", 1),
    "kitchen": Room(("#efd9ae", "#d4dfcb", "#f0cfb4"), "#c98f62", 1, False),
    "library": Room(("#9a6b4b", "#7d6a58", "#8a5f52"), "#7d5238", 1),
    "classroom": Room(("#dfe3c6", "#efe0bc", "#cddfe0"), "#b98d5f", 1),
    "lab": Room(("#c6d5da", "#cfd3de", "#d6d9cc"), "#9aa3a8", 1, False),
    "office": Room(("#e6ebe8", "#dfe6ec", "#ece6dc"), "#b9b2a6", 2),
    "workshop": Room(("#d9bf9a", "#cbb394", "#c9b8a4"), "#9c7048", 1),
    "shop": Room(("#d8a878", "#c98f7a", "#a9b896"), "#8f6142", 1),
    "stage": Room(("#5a2b3c",), "#a8744c", 0),
    "temple": Room(("#d9c7a8", "#cfc3b6"), "#a9998a", 2, False),
    "station": Room(("#c9bca8", "#b6c2c6"), "#a6a09a", 2, False),
    "castle": Room(("#a89a90", "#9c94a0"), "#8a7a70", 2, False),
    "stairs": Room(("#b3a596", "#a99c94"), "#8a7a6c", 1, False),
}


def draw_room(backdrop: Backdrop) -> None:
    """Any room of `ROOMS`."""
    room = ROOMS[backdrop.setting.kind]
    wall = room.walls[backdrop.setting.seed % len(room.walls)]
    _draw_walls(backdrop, room, wall)
    _FURNITURE[backdrop.setting.kind](backdrop, wall)
    if backdrop.lighting.dark or backdrop.setting.time == "dusk":
        _lamplight(backdrop)


def _draw_walls(backdrop: Backdrop, room: Room, wall: str) -> None:
    u, floor = backdrop.unit, backdrop.floor
    backdrop.far.colour_transform = backdrop.lighting.colour_transform(0.0)
    backdrop.mid.colour_transform = backdrop.lighting.colour_transform(0.0)
    backdrop.far.rect(
        backdrop.left,
        -backdrop.margin - 4,
        backdrop.right - backdrop.left,
        floor + backdrop.margin + 8,
        backdrop.far.linear_gradient([(0, darken(wall, 0.16), 1), (0.5, wall, 1), (1, lighten(wall, 0.1), 1)]),
    )
    if backdrop.setting.kind in ("castle", "stairs", "temple"):
        for _ in range(44):
            x, y = backdrop.x_at(backdrop.rng.random()), backdrop.rng.uniform(-backdrop.margin, floor - 4 * u)
            backdrop.far.rect(x, y, backdrop.rng.uniform(5, 9) * u, 3.2 * u, darken(wall, 0.08), 0.7 * u, 0.7)
    elif backdrop.setting.seed % 3 == 0:
        for index in range(26):
            backdrop.far.rect(
                backdrop.x_at(index / 26),
                -backdrop.margin,
                1.6 * u,
                floor + backdrop.margin,
                lighten(wall, 0.12),
                0,
                0.5,
            )
    backdrop.far.rect(backdrop.left, floor - 3 * u, backdrop.right - backdrop.left, 3.2 * u, darken(wall, 0.32))
    ground = backdrop.far.linear_gradient([(0, darken(room.floor, 0.18), 1), (1, room.floor, 1)])
    backdrop.far.rect(backdrop.left, floor, backdrop.right - backdrop.left, backdrop.bottom - floor, ground)
    middle, seam = backdrop.width / 2, darken(room.floor, 0.25)
    for index in range(15):
        x = backdrop.x_at(index / 14)
        backdrop.far.line([(x, floor), (middle + (x - middle) * 2.1, backdrop.bottom)], seam, 0.28 * u, 0.7)
    if not room.wood_floor:
        y, step = floor, 2.2 * u
        while y < backdrop.bottom:
            backdrop.far.line([(backdrop.left, y), (backdrop.right, y)], seam, 0.28 * u, 0.7)
            y, step = y + step, step * 1.5
    for index in range(room.windows):
        share = 0.5 if room.windows == 1 else 0.24 + 0.52 * index
        if room.windows == 1:
            share = 0.3 if backdrop.setting.seed % 2 else 0.7
        _draw_window(
            backdrop,
            backdrop.width * share,
            arched=backdrop.setting.kind in ("castle", "stairs", "temple", "library", "station"),
        )


def _draw_window(backdrop: Backdrop, x: float, *, arched: bool) -> None:
    """Draw a window with the sky and weather outside."""
    u, light = backdrop.unit, backdrop.lighting
    wide, high = 12 * u, (30 if arched else 24) * u
    y = backdrop.floor - 26 * u - high * 0.62
    frame = "#f3e7d2" if not arched else darken("#b3a596", 0.2)
    canvas = backdrop.far
    tone, canvas.colour_transform = canvas.colour_transform, light.emissive_transform()
    fill = canvas.linear_gradient([(0, light.sky[0], 1), (0.7, light.sky[1], 1), (1, light.sky[2], 1)])

    def shape(grow: float) -> str:
        left, right, top, low = x - wide - grow, x + wide + grow, y - grow, y + high + grow
        if not arched:
            return f"M{left:.0f} {top:.0f}L{right:.0f} {top:.0f}L{right:.0f} {low:.0f}L{left:.0f} {low:.0f}Z"
        return f"M{left:.0f} {low:.0f}L{left:.0f} {top + wide:.0f}C{left:.0f} {top - wide * 0.4:.0f} {right:.0f} {top - wide * 0.4:.0f} {right:.0f} {top + wide:.0f}L{right:.0f} {low:.0f}Z"

    canvas.path(shape(1.6 * u), tone(frame))
    canvas.path(shape(0), fill)
    rng = backdrop.rng
    if light.dark and backdrop.setting.weather == "clear":
        for _ in range(12):
            canvas.circle(
                x + rng.uniform(-0.85, 0.85) * wide, y + rng.uniform(0.2, 0.7) * high, 0.22 * u, "#fdf6df", 0.9
            )
        canvas.circle(x + 0.35 * wide, y + 0.32 * high, 2.6 * u, "#fbf0cf")
    hill = mix("#7fa07a", light.sky[2], 0.3) if not light.dark else mix("#2c3a50", light.sky[1], 0.4)
    if {"sea", "lighthouse", "harbour", "cove", "ship", "beach"} & {*backdrop.setting.features}:
        hill = mix("#3f86a6", light.sky[1], 0.35)
        canvas.rect(x - wide, y + high * 0.62, 2 * wide, high * 0.38, hill)
    else:
        canvas.path(
            f"M{x - wide:.0f} {y + high:.0f}L{x - wide:.0f} {y + high * 0.74:.0f}Q{x - wide * 0.4:.0f} {y + high * 0.56:.0f} {x + wide * 0.2:.0f} {y + high * 0.76:.0f}Q{x + wide * 0.6:.0f} {y + high * 0.66:.0f} {x + wide:.0f} {y + high * 0.72:.0f}L{x + wide:.0f} {y + high:.0f}Z",
            hill,
        )
    if backdrop.setting.weather in ("rain", "storm", "snow"):
        for _ in range(22):
            rx, ry = x + rng.uniform(-0.95, 0.95) * wide, y + rng.uniform(0.15, 0.95) * high
            if backdrop.setting.weather == "snow":
                canvas.circle(rx, ry, 0.4 * u, "#ffffff", 0.9)
            else:
                canvas.line([(rx, ry), (rx - 0.5 * u, ry + 2 * u)], "#dbe8f0", 0.25 * u, 0.7)
    canvas.colour_transform = tone
    for dx in (0.0,):
        canvas.rect(x + dx - 0.45 * u, y - (4 * u if arched else 0), 0.9 * u, high + (4 * u if arched else 0), frame)
    canvas.rect(x - wide, y + high * 0.46, 2 * wide, 0.9 * u, frame)
    canvas.rect(x - wide - 3 * u, y + high + 1.2 * u, 2 * wide + 6 * u, 2 * u, frame, 0.6 * u)
    if backdrop.setting.kind in ("room", "bedroom", "kitchen"):
        cloth = ("#c4574a", "#5f8a8b", "#d9a441", "#8a6f9c")[backdrop.setting.seed // 3 % 4]
        for side in (-1, 1):
            edge = x + side * (wide + 2.4 * u)
            canvas.path(
                f"M{edge + side * 2 * u:.0f} {y - 3 * u:.0f}L{x + side * wide * 0.42:.0f} {y - 3 * u:.0f}C{x + side * wide * 0.5:.0f} {y + high * 0.4:.0f} {x + side * wide * 0.8:.0f} {y + high * 0.6:.0f} {x + side * wide * 0.86:.0f} {y + high + 4 * u:.0f}L{edge + side * 2 * u:.0f} {y + high + 4 * u:.0f}Z",
                cloth,
            )
        canvas.rect(x - wide - 6 * u, y - 4.4 * u, 2 * wide + 12 * u, 1.4 * u, "#7d5a3e", 0.7 * u)


def _lamplight(backdrop: Backdrop) -> None:
    x = backdrop.width * (0.7 if backdrop.setting.seed % 2 else 0.3)
    canvas = backdrop.mid
    tone, canvas.colour_transform = canvas.colour_transform, backdrop.lighting.emissive_transform()
    s.draw_lamp_glow(canvas, x, backdrop.height * 0.34, backdrop.height * 0.62, "#ffcf80", 0.42)
    canvas.colour_transform = tone


def _x_away_from_window(backdrop: Backdrop) -> float:
    """Return the x of the large piece of furniture, away from the window."""
    return backdrop.width * (0.76 if backdrop.setting.seed % 2 else 0.24)


def _rug(backdrop: Backdrop, colour: str) -> None:
    u, x, y = backdrop.unit, backdrop.width / 2, backdrop.height * 0.93
    backdrop.mid.ellipse(x, y, 46 * u, 8 * u, colour)
    backdrop.mid.ellipse(x, y, 40 * u, 6.6 * u, None, stroke=lighten(colour, 0.35), width=0.9 * u)


def _picture(backdrop: Backdrop, x: float, y: float) -> None:
    u = backdrop.unit
    backdrop.mid.rect(x - 6 * u, y - 5 * u, 12 * u, 10 * u, "#8a5f3c", 0.5 * u)
    backdrop.mid.rect(x - 4.8 * u, y - 3.8 * u, 9.6 * u, 7.6 * u, "#cfe0dc")
    backdrop.mid.path(
        f"M{x - 4.8 * u:.0f} {y + 3.8 * u:.0f}L{x - 1.5 * u:.0f} {y - u:.0f}L{x + u:.0f} {y + 1.6 * u:.0f}L{x + 2.6 * u:.0f} {y:.0f}L{x + 4.8 * u:.0f} {y + 3.8 * u:.0f}Z",
        "#7d9a7a",
    )


def _draw_book_row(backdrop: Backdrop, x: float, y: float, wide: float, high: float) -> None:
    """One shelf of books; (x, y) is its lower left corner."""
    rng, at = backdrop.rng, x
    while at < x + wide - high * 0.1:
        thick = rng.uniform(0.12, 0.26) * high
        tall = rng.uniform(0.66, 0.96) * high
        colour = rng.choice(("#a8413c", "#3f6a66", "#c98a3c", "#4a5d8a", "#7a4f5f", "#5f7a4a", "#e0cfa8", "#6b4a34"))
        thick = min(thick, x + wide - at)
        backdrop.mid.rect(at, y - tall, thick, tall, colour)
        backdrop.mid.rect(at + thick * 0.2, y - tall * 0.8, thick * 0.6, tall * 0.08, lighten(colour, 0.4))
        at += thick + high * 0.015


def _bookcase(backdrop: Backdrop, x: float, wide: float, high: float, rows: int = 5) -> None:
    u, low, wood = backdrop.unit, backdrop.floor + backdrop.unit, "#6b452f"
    backdrop.mid.rect(x, low - high, wide, high, wood, 0.6 * u)
    backdrop.mid.rect(x + u, low - high + u, wide - 2 * u, high - 2 * u, darken(wood, 0.35))
    step = (high - 2 * u) / rows
    for row in range(rows):
        y = low - high + u + (row + 1) * step
        _draw_book_row(backdrop, x + 1.4 * u, y - 0.9 * u, wide - 2.8 * u, step - 1.6 * u)
        backdrop.mid.rect(x + u, y - 0.9 * u, wide - 2 * u, 0.9 * u, lighten(wood, 0.12))


def _table(backdrop: Backdrop, x: float, wide: float, high: float, wood: str) -> float:
    """Draw a table by the wall and return the y of its top."""
    u, low = backdrop.unit, backdrop.floor + 3.5 * backdrop.unit
    top = low - high
    for side in (-1, 1):
        backdrop.mid.rect(x + side * (wide / 2 - 2 * u) - u, top, 2 * u, high, darken(wood, 0.2))
    backdrop.mid.rect(x - wide / 2, top - 1.6 * u, wide, 2.4 * u, wood, 0.6 * u)
    return top - 1.6 * u


def _living(backdrop: Backdrop, wall: str) -> None:
    u, x, low = backdrop.unit, backdrop.width / 2, backdrop.floor + backdrop.unit
    backdrop.mid.rect(x - 15 * u, low - 27 * u, 30 * u, 27 * u, "#a35b46", u)
    for _ in range(20):
        backdrop.mid.rect(
            x + backdrop.rng.uniform(-14, 10) * u,
            low - backdrop.rng.uniform(3, 26) * u,
            4 * u,
            1.8 * u,
            "#b7705a",
            0.3 * u,
            0.8,
        )
    backdrop.mid.path(
        f"M{x - 9 * u:.0f} {low:.0f}L{x - 9 * u:.0f} {low - 11 * u:.0f}C{x - 9 * u:.0f} {low - 19 * u:.0f} {x + 9 * u:.0f} {low - 19 * u:.0f} {x + 9 * u:.0f} {low - 11 * u:.0f}L{x + 9 * u:.0f} {low:.0f}Z",
        "#33232a",
    )
    s.draw_lamp_glow(backdrop.mid, x, low - 5 * u, 20 * u, "#ffb45c", 0.6)
    for dx, high, colour in ((-3, 7, "#e8722e"), (3, 7.6, "#e8722e"), (0, 10, "#f29a3c"), (0, 5.6, "#ffd978")):
        backdrop.mid.path(
            f"M{x + (dx - 2.6) * u:.0f} {low:.0f}C{x + (dx - 3.6) * u:.0f} {low - high * 0.5 * u:.0f} {x + dx * u:.0f} {low - high * 0.6 * u:.0f} {x + dx * u:.0f} {low - high * u:.0f}C{x + (dx + 1) * u:.0f} {low - high * 0.7 * u:.0f} {x + (dx + 3.6) * u:.0f} {low - high * 0.5 * u:.0f} {x + (dx + 2.6) * u:.0f} {low:.0f}Z",
            colour,
        )
    backdrop.mid.rect(x - 18 * u, low - 30 * u, 36 * u, 3.4 * u, "#7d5238", 0.7 * u)
    _picture(backdrop, x, low - 42 * u)
    _bookcase(backdrop, backdrop.width * 0.93, 26 * u, 44 * u, 4)
    _rug(backdrop, "#b5574a")


def _bedroom(backdrop: Backdrop, wall: str) -> None:
    u, x, low = backdrop.unit, _x_away_from_window(backdrop), backdrop.floor + 5 * backdrop.unit
    quilt = ("#5f86a6", "#a86a7a", "#6f9478", "#c98f4a")[backdrop.setting.seed // 5 % 4]
    backdrop.mid.rect(x - 27 * u, low - 32 * u, 54 * u, 32 * u, "#8a5f40", 3 * u)
    backdrop.mid.rect(x - 24 * u, low - 18 * u, 48 * u, 18 * u, "#f6efe0", 2 * u)
    for side in (-1, 1):
        backdrop.mid.rect(x + side * 11.5 * u - 9.5 * u, low - 21 * u, 19 * u, 9 * u, "#fffaf0", 3 * u)
    backdrop.mid.rect(x - 25 * u, low - 11 * u, 50 * u, 15 * u, quilt, 2 * u)
    for index in range(5):
        backdrop.mid.rect(x - 25 * u + index * 10 * u, low - 11 * u, 5 * u, 15 * u, lighten(quilt, 0.14), 0, 0.6)
    _picture(backdrop, x, low - 46 * u)
    _rug(backdrop, mix(quilt, wall, 0.5))


def _kitchen(backdrop: Backdrop, wall: str) -> None:
    u, low = backdrop.unit, backdrop.floor + 2 * backdrop.unit
    cupboard = ("#7fa095", "#c4775a", "#8a9ab5", "#d9a95c")[backdrop.setting.seed // 2 % 4]
    backdrop.mid.rect(backdrop.left, low - 20 * u, backdrop.right - backdrop.left, 20 * u, cupboard)
    backdrop.mid.rect(backdrop.left, low - 22 * u, backdrop.right - backdrop.left, 2.6 * u, "#f0e2c6")
    x = backdrop.left
    while x < backdrop.right:
        backdrop.mid.rect(x + u, low - 17.5 * u, 13 * u, 15.5 * u, lighten(cupboard, 0.14), 0.8 * u)
        backdrop.mid.circle(x + 12 * u, low - 10 * u, 0.7 * u, "#8a6a3c")
        x += 15 * u
    stove = _x_away_from_window(backdrop)
    backdrop.mid.rect(stove - 12 * u, low - 23 * u, 24 * u, 23 * u, "#5c636b", u)
    backdrop.mid.rect(stove - 9 * u, low - 14 * u, 18 * u, 11 * u, "#2e3238", u)
    s.draw_lamp_glow(backdrop.mid, stove, low - 8 * u, 10 * u, "#ffb45c", 0.5)
    backdrop.mid.path(
        f"M{stove - 6 * u:.0f} {low - 23 * u:.0f}L{stove - 7 * u:.0f} {low - 31 * u:.0f}L{stove + 7 * u:.0f} {low - 31 * u:.0f}L{stove + 6 * u:.0f} {low - 23 * u:.0f}Z",
        "#c4574a",
    )
    backdrop.mid.rect(stove - 8 * u, low - 32.5 * u, 16 * u, 2 * u, "#a8413c", u)
    for share in (0.05, 0.5, 0.95):
        x = backdrop.x_at(share)
        backdrop.mid.rect(x - 13 * u, backdrop.height * 0.24, 26 * u, 1.6 * u, "#8a5f40")
        for index in range(5):
            colour = backdrop.rng.choice(("#e9d2a8", "#c4574a", "#7fa095", "#f2c14e", "#fff6e6"))
            high = backdrop.rng.uniform(4, 7) * u
            backdrop.mid.rect(
                x - 11.5 * u + index * 4.9 * u, backdrop.height * 0.24 - high, 3.6 * u, high, colour, 0.9 * u
            )
    _rug(backdrop, "#d9b36c")


def _library(backdrop: Backdrop, wall: str) -> None:
    u = backdrop.unit
    high = backdrop.floor - backdrop.height * 0.02
    window = backdrop.width * (0.3 if backdrop.setting.seed % 2 else 0.7)
    wide = 29 * u
    x = backdrop.left
    while x < backdrop.right:
        if abs(x + wide / 2 - window) > wide * 0.5 + 13 * u:
            _bookcase(backdrop, x, wide, high, 6)
        x += wide + 1.5 * u
    ladder = _x_away_from_window(backdrop)
    for side in (-1, 1):
        backdrop.mid.line(
            [
                (ladder + side * 4 * u + 5 * u, backdrop.floor + 3 * u),
                (ladder + side * 3 * u - 3 * u, backdrop.height * 0.06),
            ],
            "#c79a62",
            u,
        )
    for index in range(9):
        t = index / 8
        y = backdrop.floor - (backdrop.floor - backdrop.height * 0.1) * t
        cx = ladder + 5 * u - 8 * u * t
        backdrop.mid.line([(cx - 3.6 * u, y), (cx + 3.6 * u, y)], "#c79a62", 0.9 * u)
    _rug(backdrop, "#8a3f44")


def _classroom(backdrop: Backdrop, wall: str) -> None:
    u, x = backdrop.unit, _x_away_from_window(backdrop)
    x = backdrop.width / 2 + (x - backdrop.width / 2) * 0.55
    top = backdrop.floor - 44 * u
    backdrop.mid.rect(x - 37 * u, top - 1.6 * u, 74 * u, 33 * u, "#a8774c", u)
    backdrop.mid.rect(x - 35 * u, top, 70 * u, 29.6 * u, "#3f6a58")
    chalk = "#e6efe2"
    backdrop.mid.circle(x - 20 * u, top + 12 * u, 5 * u, None)
    backdrop.mid.ellipse(x - 20 * u, top + 13 * u, 6 * u, 6 * u, None, stroke=chalk, width=0.6 * u)
    backdrop.mid.line(
        [(x - 4 * u, top + 20 * u), (x + 4 * u, top + 7 * u), (x + 12 * u, top + 20 * u), (x - 4 * u, top + 20 * u)],
        chalk,
        0.6 * u,
    )
    backdrop.mid.curve(
        [(x + 18 * u, top + 18 * u), (x + 22 * u, top + 8 * u), (x + 26 * u, top + 18 * u), (x + 30 * u, top + 8 * u)],
        chalk,
        0.6 * u,
    )
    backdrop.mid.rect(x - 30 * u, top + 29.6 * u, 60 * u, 1.6 * u, "#8a5f3c")
    for share in (0.08, 0.36, 0.64, 0.92):
        dx = backdrop.x_at(share)
        y = _table(backdrop, dx, 26 * u, 15 * u, "#c79a62")
        _draw_book_row(backdrop, dx - 5 * u, y, 8 * u, 5 * u)


def _lab(backdrop: Backdrop, wall: str) -> None:
    u, rng = backdrop.unit, backdrop.rng
    for share in (0.12, 0.88, 0.5):
        x = backdrop.x_at(share)
        backdrop.mid.rect(x - 20 * u, backdrop.height * 0.25, 40 * u, 1.6 * u, "#7f8a90")
        for index in range(7):
            colour = rng.choice(("#7fd3c8", "#f0b35c", "#c88fd9", "#8fc46a", "#ee8a8a"))
            cx, base = x - 17 * u + index * 5.6 * u, backdrop.height * 0.25
            if rng.random() < 0.5:
                backdrop.mid.path(
                    f"M{cx - u:.0f} {base - 8 * u:.0f}L{cx + u:.0f} {base - 8 * u:.0f}L{cx + u:.0f} {base - 5 * u:.0f}L{cx + 2.6 * u:.0f} {base:.0f}L{cx - 2.6 * u:.0f} {base:.0f}L{cx - u:.0f} {base - 5 * u:.0f}Z",
                    colour,
                )
            else:
                backdrop.mid.rect(cx - 1.8 * u, base - 6 * u, 3.6 * u, 6 * u, colour, 0.8 * u)
    for share in (0.16, 0.84):
        x = backdrop.x_at(share)
        y = _table(backdrop, x, 50 * u, 20 * u, "#8a939a")
        backdrop.mid.rect(x - 14 * u, y - 13 * u, 18 * u, 12 * u, "#3b4452", u)
        backdrop.mid.rect(x - 12.8 * u, y - 11.8 * u, 15.6 * u, 9 * u, "#7fd3e0", 0.5 * u)
        backdrop.mid.rect(x - 7 * u, y - 1.4 * u, 4 * u, 1.4 * u, "#3b4452")
        backdrop.mid.circle(x + 14 * u, y - 6 * u, 4 * u, "#d9a441")
        backdrop.mid.rect(x + 12 * u, y - 3 * u, 4 * u, 3 * u, "#7d5238")


def _shop(backdrop: Backdrop, wall: str) -> None:
    u, rng = backdrop.unit, backdrop.rng
    x = _x_away_from_window(backdrop)
    for row in range(4):
        y = backdrop.floor - 20 * u - row * 11 * u
        backdrop.mid.rect(x - 34 * u, y, 68 * u, 1.5 * u, "#6b452f")
        for index in range(12):
            colour = rng.choice(("#c4574a", "#7fa095", "#e0b64a", "#4a5d8a", "#f0dfbf", "#8a6f9c"))
            high = rng.uniform(4, 8) * u
            left = x - 32 * u + index * 5.4 * u
            if rng.random() < 0.5:
                backdrop.mid.rect(left, y - high, 3.8 * u, high, colour, u)
            else:
                backdrop.mid.circle(left + 2 * u, y - 2.2 * u, 2.2 * u, colour)
    y = _table(backdrop, x, 60 * u, 18 * u, "#9c6a44")
    backdrop.mid.rect(x - 29 * u, y + 2 * u, 58 * u, 17 * u, "#8a5a3a")
    for dx, colour in ((-18, "#f0dfbf"), (0, "#c4574a"), (16, "#e0b64a")):
        backdrop.mid.ellipse(x + dx * u, y - 2 * u, 4 * u, 2.4 * u, colour)
    for share in (0.2, 0.5, 0.8):
        cx = backdrop.x_at(share)
        backdrop.mid.line([(cx, -backdrop.margin), (cx, backdrop.height * 0.1)], "#4a3528", 0.4 * u)
        s.draw_lamp_glow(backdrop.mid, cx, backdrop.height * 0.13, 13 * u, "#ffdf9a", 0.5)
        backdrop.mid.path(
            f"M{cx - 4 * u:.0f} {backdrop.height * 0.1 + 4 * u:.0f}C{cx - 4 * u:.0f} {backdrop.height * 0.1 - 2 * u:.0f} {cx + 4 * u:.0f} {backdrop.height * 0.1 - 2 * u:.0f} {cx + 4 * u:.0f} {backdrop.height * 0.1 + 4 * u:.0f}Z",
            "#c98a3c",
        )


def _stage(backdrop: Backdrop, wall: str) -> None:
    u, h = backdrop.unit, backdrop.height
    for share in (0.3, 0.7, 0.5):
        x = backdrop.width * share
        beam = backdrop.mid.linear_gradient([(0, "#fff0c0", 0.4), (1, "#fff0c0", 0.0)])
        backdrop.mid.polygon(
            [
                (x - 3 * u, -backdrop.margin),
                (x + 3 * u, -backdrop.margin),
                (x + 24 * u, h * 0.95),
                (x - 24 * u, h * 0.95),
            ],
            beam,
        )
    red = "#b03a3f"
    count = 12
    for index in range(count):
        left, right = backdrop.x_at(index / count), backdrop.x_at((index + 1) / count)
        backdrop.far.path(
            f"M{left:.0f} {-backdrop.margin:.0f}L{right:.0f} {-backdrop.margin:.0f}L{right:.0f} {backdrop.floor:.0f}L{left:.0f} {backdrop.floor:.0f}Z",
            mix(red, "#5a1f33", 0.35 + 0.25 * (index % 2)),
        )
    for corner, side in ((backdrop.left, 1), (backdrop.right, -1)):
        for index in range(3):
            x = corner + side * index * 8 * u
            backdrop.near.path(
                f"M{x:.0f} {-backdrop.margin:.0f}L{x + side * 11 * u:.0f} {-backdrop.margin:.0f}C{x + side * 9 * u:.0f} {h * 0.4:.0f} {x + side * 4 * u:.0f} {h * 0.6:.0f} {x:.0f} {h * 0.72 - index * 6 * u:.0f}Z",
                darken(red, 0.1 + 0.12 * (index % 2)),
            )
    for index in range(9):
        left, right = backdrop.x_at(index / 9), backdrop.x_at((index + 1) / 9)
        backdrop.near.path(
            f"M{left:.0f} {-backdrop.margin - 2:.0f}L{right:.0f} {-backdrop.margin - 2:.0f}L{right:.0f} {h * 0.02:.0f}Q{(left + right) / 2:.0f} {h * 0.1:.0f} {left:.0f} {h * 0.02:.0f}Z",
            red,
        )


def _temple(backdrop: Backdrop, wall: str) -> None:
    u, h = backdrop.unit, backdrop.height
    for share in (0.06, 0.38, 0.62, 0.94):
        x = backdrop.x_at(share)
        stone = lighten(wall, 0.2)
        backdrop.mid.rect(
            x - 5 * u,
            -backdrop.margin,
            10 * u,
            backdrop.floor + backdrop.margin,
            backdrop.mid.linear_gradient(
                [(0, darken(stone, 0.12), 1), (0.4, stone, 1), (1, darken(stone, 0.2), 1)], horizontal=True
            ),
        )
        backdrop.mid.rect(x - 7 * u, backdrop.floor - 3 * u, 14 * u, 4 * u, darken(stone, 0.12), 0.5 * u)
        backdrop.mid.rect(x - 7 * u, h * 0.02, 14 * u, 3 * u, darken(stone, 0.1), 0.5 * u)
    x = backdrop.width / 2
    s.draw_lamp_glow(backdrop.mid, x, backdrop.floor - 16 * u, 26 * u, "#ffd98a", 0.6)
    backdrop.mid.rect(x - 13 * u, backdrop.floor - 9 * u, 26 * u, 11 * u, "#8a5a3a", 0.6 * u)
    for dx in (-9, -3, 3, 9):
        backdrop.mid.rect(x + (dx - 0.8) * u, backdrop.floor - 15 * u, 1.6 * u, 6 * u, "#fbf3e2")
        backdrop.mid.ellipse(x + dx * u, backdrop.floor - 16.4 * u, 0.8 * u, 1.6 * u, "#ffc24a")
    backdrop.mid.rect(x - 9 * u, backdrop.floor + u, 18 * u, backdrop.bottom - backdrop.floor, "#a8413c", 0, 0.85)


def _station(backdrop: Backdrop, wall: str) -> None:
    u, low = backdrop.unit, backdrop.floor - backdrop.unit
    colour = ("#a8413c", "#3f6a66", "#3f5d8a")[backdrop.setting.seed // 2 % 3]
    backdrop.mid.rect(backdrop.left, low - 40 * u, backdrop.right - backdrop.left, 36 * u, colour, 2 * u)
    backdrop.mid.rect(backdrop.left, low - 40 * u, backdrop.right - backdrop.left, 5 * u, darken(colour, 0.25))
    backdrop.mid.rect(backdrop.left, low - 13 * u, backdrop.right - backdrop.left, 2 * u, "#f0dfbf")
    x, index = backdrop.left + 3 * u, 0
    while x < backdrop.right:
        if index % 3 == 2:
            backdrop.mid.rect(x, low - 33 * u, 11 * u, 28 * u, darken(colour, 0.2), u)
            backdrop.mid.rect(
                x + 2 * u, low - 30 * u, 7 * u, 10 * u, "#ffe6b0" if backdrop.lighting.dark else "#cfe3ea", u
            )
        else:
            backdrop.mid.rect(
                x, low - 31 * u, 14 * u, 13 * u, "#ffe6b0" if backdrop.lighting.dark else "#cfe3ea", 1.6 * u
            )
        x, index = x + 17 * u, index + 1
    x = backdrop.left
    while x < backdrop.right:
        backdrop.mid.circle(x, low - 2 * u, 3 * u, "#3b3f48")
        x += 12 * u
    backdrop.mid.rect(backdrop.left, low, backdrop.right - backdrop.left, 3 * u, "#e0c05a")


def _castle(backdrop: Backdrop, wall: str) -> None:
    u, h, x = backdrop.unit, backdrop.height, backdrop.width / 2
    for share in (0.1, 0.9):
        cx = backdrop.x_at(share)
        backdrop.mid.rect(cx - 6 * u, -backdrop.margin, 12 * u, backdrop.floor + backdrop.margin, lighten(wall, 0.12))
        backdrop.mid.rect(cx + 2 * u, -backdrop.margin, 4 * u, backdrop.floor + backdrop.margin, darken(wall, 0.06))
    for share, colour in ((0.36, "#8a3040"), (0.64, "#3f4f86")):
        cx = backdrop.width * share
        backdrop.mid.polygon(
            [
                (cx - 6 * u, h * 0.04),
                (cx + 6 * u, h * 0.04),
                (cx + 6 * u, h * 0.36),
                (cx, h * 0.41),
                (cx - 6 * u, h * 0.36),
            ],
            colour,
        )
        backdrop.mid.circle(cx, h * 0.2, 3 * u, "#e0b64a")
    low = backdrop.floor + 2 * u
    backdrop.mid.path(
        f"M{x - 11 * u:.0f} {low:.0f}L{x - 11 * u:.0f} {low - 34 * u:.0f}L{x:.0f} {low - 44 * u:.0f}L{x + 11 * u:.0f} {low - 34 * u:.0f}L{x + 11 * u:.0f} {low:.0f}Z",
        "#c79a3c",
    )
    backdrop.mid.rect(x - 8 * u, low - 31 * u, 16 * u, 19 * u, "#a8324a", 2 * u)
    backdrop.mid.rect(x - 13 * u, low - 13 * u, 26 * u, 4 * u, "#c79a3c", u)
    carpet = "#a8324a"
    backdrop.mid.polygon(
        [(x - 9 * u, low), (x + 9 * u, low), (x + 30 * u, backdrop.bottom), (x - 30 * u, backdrop.bottom)], carpet
    )
    for side in (-1, 1):
        cx = x + side * 26 * u
        s.draw_lamp_glow(backdrop.mid, cx, h * 0.36, 12 * u, "#ffb45c", 0.6)
        backdrop.mid.rect(cx - 0.8 * u, h * 0.38, 1.6 * u, 8 * u, "#5a4334")
        backdrop.mid.path(
            f"M{cx - 1.6 * u:.0f} {h * 0.38:.0f}C{cx - 2 * u:.0f} {h * 0.36:.0f} {cx:.0f} {h * 0.34:.0f} {cx:.0f} {h * 0.38 - 5 * u:.0f}C{cx + 0.6 * u:.0f} {h * 0.34:.0f} {cx + 2 * u:.0f} {h * 0.36:.0f} {cx + 1.6 * u:.0f} {h * 0.38:.0f}Z",
            "#f29a3c",
        )


def _stairs(backdrop: Backdrop, wall: str) -> None:
    """A winding stair that climbs around the room behind the figures."""
    u, h = backdrop.unit, backdrop.height
    side = 1 if backdrop.setting.seed % 2 else -1
    middle = backdrop.width / 2
    count = 15
    wood = "#7d6250"
    rail: list[tuple[float, float]] = []
    for index in range(count):
        t = index / (count - 1)
        x = middle + side * (t - 0.42) * (backdrop.right - backdrop.left) * 1.02
        y = backdrop.floor + 5 * u - t * (backdrop.floor + backdrop.margin * 0.4)
        wide = (backdrop.right - backdrop.left) / count * 1.32
        backdrop.mid.rect(x - wide / 2, y, wide, 2.4 * u, lighten(wood, 0.22), 0.4 * u)
        backdrop.mid.rect(x - wide / 2, y + 2.2 * u, wide, 4.4 * u, darken(wood, 0.18))
        backdrop.mid.rect(x - 0.4 * u, y - 16 * u, 0.8 * u, 16 * u, "#3b3f48")
        rail.append((x, y - 16 * u))
    backdrop.mid.line(rail, "#3b3f48", 1.3 * u)
    cx = middle - side * backdrop.width * 0.3
    s.draw_lamp_glow(backdrop.mid, cx, h * 0.34, 26 * u, "#ffcf80", 0.55)
    backdrop.mid.rect(cx - 2.2 * u, h * 0.34 - 3.4 * u, 4.4 * u, 7 * u, "#ffe9a6", 0.8 * u)
    backdrop.mid.rect(cx - 3 * u, h * 0.34 - 5 * u, 6 * u, 2 * u, "#46505c", 0.6 * u)
    backdrop.mid.rect(cx - 3 * u, h * 0.34 + 3 * u, 6 * u, 1.6 * u, "#46505c", 0.6 * u)


_FURNITURE: dict[str, Callable[[Backdrop, str], None]] = {
    "room": _living, "bedroom": _bedroom, "kitchen": _kitchen, "library": _library, "classroom": _classroom, "lab": _lab, "workshop": draw_workshop, "office": draw_office,
    "shop": _shop, "stage": _stage, "temple": _temple, "station": _station, "castle": _castle, "stairs": _stairs,
}  # fmt: skip

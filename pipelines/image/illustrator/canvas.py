"""An SVG canvas: shapes in painter's order, with the colour transform of the light applied."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

Point = tuple[float, float]
ColourTransform = Callable[[str], str]


def rgb(colour: str) -> tuple[int, int, int]:
    """Return (r, g, b), each 0…255, of `#rrggbb`."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def to_hex(red: float, green: float, blue: float) -> str:
    """Return `#rrggbb` of three numbers, clipped to 0…255."""
    return "#" + "".join(f"{min(255, max(0, round(v))):02x}" for v in (red, green, blue))


def mix(a: str, b: str, t: float) -> str:
    """Interpolate two colours: `a` at t = 0, `b` at t = 1."""
    return to_hex(*(x + (y - x) * t for x, y in zip(rgb(a), rgb(b), strict=True)))


def darken(colour: str, t: float = 0.2) -> str:
    """Towards a warm black."""
    return mix(colour, "#1d1622", t)


def lighten(colour: str, t: float = 0.2) -> str:
    """Towards a warm white."""
    return mix(colour, "#fff8ea", t)


def luminance(colour: str) -> float:
    """Return the relative luminance, 0 black … 1 white."""
    red, green, blue = rgb(colour)
    return (0.299 * red + 0.587 * green + 0.114 * blue) / 255


def identity(colour: str) -> str:
    """No light at all: the colour itself."""
    return colour


def _format_number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def polygon_path(values: Sequence[Point]) -> str:
    """A closed polygon as path data."""
    return "M" + " L".join(f"{_format_number(x)} {_format_number(y)}" for x, y in values) + "Z"


def smooth_path(values: Sequence[Point]) -> str:
    """An open, soft curve through all points (Catmull-Rom as cubic Béziers), as path data."""
    if len(values) < 2:
        return ""
    data = f"M{_format_number(values[0][0])} {_format_number(values[0][1])}"
    padded = [values[0], *values, values[-1]]
    for before, start, end, after in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        c1 = (start[0] + (end[0] - before[0]) / 6, start[1] + (end[1] - before[1]) / 6)
        c2 = (end[0] - (after[0] - start[0]) / 6, end[1] - (after[1] - start[1]) / 6)
        data += "C" + " ".join(_format_number(v) for v in (*c1, *c2, *end))
    return data


class Canvas:
    """Collects shapes; `svg` returns the document. The colour transform applies to every colour."""

    def __init__(self, colour_transform: ColourTransform = identity, name: str = "g") -> None:
        self.colour_transform = colour_transform
        self._name = name
        self._parts: list[str] = []
        self._defs: list[str] = []

    def svg(self, width: int, height: int, box: tuple[float, float, float, float] | None = None) -> str:
        """Return the SVG at `width` × `height` pixels; `box` (x, y, width, height) is the view box."""
        x, y, w, h = box or (0, 0, width, height)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="{x:.2f} {y:.2f} {w:.2f} {h:.2f}" preserveAspectRatio="none">'
            f"<defs>{''.join(self._defs)}</defs>{''.join(self._parts)}</svg>"
        )

    @property
    def empty(self) -> bool:
        return not self._parts

    def overlay(self, other: Canvas) -> None:
        """Draw another canvas on top. The names must differ: they prefix the ids of gradients."""
        self._parts += other._parts
        self._defs += other._defs

    @contextmanager
    def transformed(
        self,
        x: float = 0,
        y: float = 0,
        scale: float = 1,
        *,
        rotation: float = 0,
        flip: bool = False,
        opacity: float = 1,
    ) -> Iterator[None]:
        """Context that moves, scales, rotates (degrees, clockwise) and optionally mirrors the shapes drawn in it."""
        sx = -scale if flip else scale
        transform = f"translate({x:.2f} {y:.2f}) scale({sx:.4f} {scale:.4f})" + (
            f" rotate({rotation:.2f})" if rotation else ""
        )
        opacity_attribute = f' opacity="{opacity:.2f}"' if opacity < 1 else ""
        self._parts.append(f'<g transform="{transform}"{opacity_attribute}>')
        yield
        self._parts.append("</g>")

    def _style_attributes(self, fill: str | None, stroke: str | None, width: float, opacity: float) -> str:
        def colour(value: str) -> str:
            return value if value.startswith("url(") else self.colour_transform(value)

        style = f' fill="{colour(fill)}"' if fill else ' fill="none"'
        if stroke:
            style += (
                f' stroke="{colour(stroke)}" stroke-width="{_format_number(width)}" '
                'stroke-linecap="round" stroke-linejoin="round"'
            )
        return style + (f' opacity="{opacity:.2f}"' if opacity < 1 else "")

    def path(
        self, data: str, fill: str | None = None, stroke: str | None = None, width: float = 1, opacity: float = 1
    ) -> None:
        self._parts.append(f'<path d="{data}"{self._style_attributes(fill, stroke, width, opacity)}/>')

    def polygon(self, values: Sequence[Point], fill: str, opacity: float = 1) -> None:
        self.path(polygon_path(values), fill, opacity=opacity)

    def line(self, values: Sequence[Point], stroke: str, width: float, opacity: float = 1) -> None:
        """A straight-jointed line with round ends."""
        self.path(polygon_path(values)[:-1], None, stroke, width, opacity)

    def curve(self, values: Sequence[Point], stroke: str, width: float, opacity: float = 1) -> None:
        """A soft line through all points."""
        self.path(smooth_path(values), None, stroke, width, opacity)

    def ellipse(
        self, x: float, y: float, rx: float, ry: float, fill: str | None, opacity: float = 1,
        stroke: str | None = None, width: float = 1,
    ) -> None:  # fmt: skip
        place = f'cx="{_format_number(x)}" cy="{_format_number(y)}" rx="{_format_number(max(0.1, rx))}" ry="{_format_number(max(0.1, ry))}"'
        self._parts.append(f"<ellipse {place}{self._style_attributes(fill, stroke, width, opacity)}/>")

    def circle(self, x: float, y: float, radius: float, fill: str | None, opacity: float = 1) -> None:
        self.ellipse(x, y, radius, radius, fill, opacity)

    def rect(
        self, x: float, y: float, width: float, height: float, fill: str, radius: float = 0, opacity: float = 1
    ) -> None:
        corner = f' rx="{_format_number(radius)}"' if radius else ""
        place = f'x="{_format_number(x)}" y="{_format_number(y)}" width="{_format_number(max(0.1, width))}" height="{_format_number(max(0.1, height))}"'
        self._parts.append(f"<rect {place}{corner}{self._style_attributes(fill, None, 0, opacity)}/>")

    def image(self, x: float, y: float, width: float, height: float, png: str, clip: str | None = None) -> None:
        """Draw an image (base64 PNG), clipped to the path `clip` if given."""
        style = ""
        if clip:
            name = f"{self._name}c{len(self._defs)}"
            self._defs.append(f'<clipPath id="{name}"><path d="{clip}"/></clipPath>')
            style = f' clip-path="url(#{name})"'
        place = f'x="{_format_number(x)}" y="{_format_number(y)}" width="{_format_number(width)}" height="{_format_number(height)}"'
        self._parts.append(
            f'<g{style}><image {place} preserveAspectRatio="none" href="data:image/png;base64,{png}"/></g>'
        )

    def linear_gradient(self, stops: Sequence[tuple[float, str, float]], *, horizontal: bool = False) -> str:
        """Define a linear gradient, top to bottom or left to right, with stops (offset 0…1, colour, opacity). Return a fill."""
        name = f"{self._name}{len(self._defs)}"
        end = 'x2="1" y2="0"' if horizontal else 'x2="0" y2="1"'
        self._defs.append(f'<linearGradient id="{name}" x1="0" y1="0" {end}>{self._stops(stops)}</linearGradient>')
        return f"url(#{name})"

    def radial_gradient(self, stops: Sequence[tuple[float, str, float]]) -> str:
        """Define a radial gradient from the centre of the shape outwards. Return a fill."""
        name = f"{self._name}{len(self._defs)}"
        self._defs.append(
            f'<radialGradient id="{name}" cx="0.5" cy="0.5" r="0.5">{self._stops(stops)}</radialGradient>'
        )
        return f"url(#{name})"

    def _stops(self, stops: Sequence[tuple[float, str, float]]) -> str:
        return "".join(
            f'<stop offset="{place:.2f}" stop-color="{self.colour_transform(colour)}" stop-opacity="{opacity:.2f}"/>'
            for place, colour, opacity in stops
        )

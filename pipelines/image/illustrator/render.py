"""Rendering: backdrops, scene layers, portraits and element images as PNG."""

from __future__ import annotations

import io
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.image.illustrator import composition
from pipelines.image.illustrator.backdrops.elements import Backdrop, draw_sky
from pipelines.image.illustrator.backdrops.indoors import draw_room
from pipelines.image.illustrator.backdrops.lighting import compute_lighting
from pipelines.image.illustrator.backdrops.outdoors import OUTDOORS
from pipelines.image.illustrator.backdrops.weather import draw_weather
from pipelines.image.illustrator.canvas import Canvas, lighten, mix
from pipelines.image.illustrator.figures import body as body
from pipelines.image.illustrator.figures.swimmers import SWIMMERS
from pipelines.image.illustrator.language.appearance import stable_seed
from pipelines.image.illustrator.props.props import PROPS
from pipelines.image.illustrator.resolved import CharacterFigure, LocationFigure, ObjectFigure

if TYPE_CHECKING:
    from PIL.Image import Image

MARGIN = 0.08


@dataclass(slots=True)
class RenderedScene:
    """A finished scene: PNG layers far to near with their depths, each `margin` larger than the frame on every side."""

    layers: list[tuple[bytes, float]]
    margin: int
    focus: tuple[float, float]
    frame: Image


def rasterize(canvas: Canvas, width: int, height: int, box: tuple[float, float, float, float]) -> bytes:
    """Rasterize the canvas to PNG."""
    import resvg_py

    return bytes(resvg_py.svg_to_bytes(svg_string=canvas.svg(width, height, box), skip_system_fonts=True))


def decode_png(png: bytes) -> Image:
    """Decode PNG bytes of the renderer to an RGBA image."""
    from PIL import Image as Pillow

    with Pillow.open(io.BytesIO(png), formats=("PNG",)) as picture:
        decoded: Image = picture.convert("RGBA")
        return decoded


def draw_backdrop(location: LocationFigure, width: int, height: int, margin: int) -> Backdrop:
    """Draw the layers of a place's backdrop. Seeded by the place, so it is the same in every scene."""
    setting = location.setting
    backdrop = Backdrop(setting, compute_lighting(setting), width, height, margin, random.Random(setting.seed))
    if location.image:
        backdrop.sky.image(backdrop.left, -margin, backdrop.right - backdrop.left, height + 2 * margin, location.image)
        return backdrop
    if setting.kind not in ("underwater", "cave", "space"):
        draw_sky(backdrop)
    # The sky has its own RNG: the land must not change with the weather.
    backdrop.rng = random.Random(stable_seed("land", setting.seed))
    if setting.indoors:
        draw_room(backdrop)
    else:
        OUTDOORS[setting.kind](backdrop)
    return backdrop


def render_scene(
    cast: list[CharacterFigure],
    objects: list[ObjectFigure],
    location: LocationFigure,
    scene_text: str,
    scene_number: int,
    size: tuple[int, int],
    seed: int,
    bystanders: Sequence[CharacterFigure] = (),
) -> RenderedScene:
    """Render one scene as layers."""
    from PIL import Image as Pillow

    width, height = size
    margin = max(4, round(width * MARGIN))
    rng = random.Random(seed)
    backdrop = draw_backdrop(location, width, height, margin)
    layout = composition.build_layout(cast, objects, scene_text, scene_number, width, height, rng, location.setting)
    figures = Canvas(backdrop.lighting.figure_transform(), "f")
    if layout.shot.ground_line is not None:
        composition.draw_bystanders(figures, backdrop, layout, list(bystanders))
    composition.draw_cast(figures, backdrop, layout)
    weather = draw_weather(backdrop, rng)

    full = (width + 2 * margin, height + 2 * margin)
    full_box = (float(-margin), float(-margin), float(full[0]), float(full[1]))
    zoom = 1.0 if location.image else layout.shot.backdrop_zoom
    # Nearer shots enlarge the backdrop around the horizon, beside the figures, never beyond what is painted.
    eye = (width * (0.5 + 0.12 * (zoom - 1) * (1 if scene_number % 2 else -1)), backdrop.horizon)
    near_box = (eye[0] - (eye[0] + margin) / zoom, eye[1] - (eye[1] + margin) / zoom, full[0] / zoom, full[1] / zoom)
    front = Canvas()
    if zoom <= 1.3:
        front.overlay(backdrop.near)
    front.overlay(weather)
    canvases = [
        (backdrop.sky, near_box, 0.0),
        (backdrop.far, near_box, 0.25),
        (backdrop.mid, near_box, 0.6),
        (figures, full_box, 1.0),
        (front, full_box, 1.35),
    ]
    layers: list[tuple[bytes, float]] = []
    composite = Pillow.new("RGBA", full)
    for canvas, box, depth in canvases:
        if canvas.empty and depth:
            continue
        png = rasterize(canvas, *full, box)
        layers.append((png, depth))
        composite.alpha_composite(decode_png(png))
    frame = composite.crop((margin, margin, margin + width, margin + height)).convert("RGB")
    focus = (min(0.9, max(0.1, layout.focus[0] / width)), min(0.85, max(0.15, layout.focus[1] / height)))
    return RenderedScene(layers, margin, focus, frame)


def render_portrait(character: CharacterFigure, size: tuple[int, int]) -> bytes:
    """Render a character on a plain background, from head to knee."""
    width, height = size
    canvas = Canvas()
    appearance = character.appearance
    proportions = body.body_proportions(appearance)
    ground = mix("#f0dfc0", lighten(appearance.top_colour, 0.5), 0.22)
    canvas.rect(0, 0, width, height, canvas.radial_gradient([(0, lighten(ground, 0.5), 1), (1, ground, 1)]))
    canvas.rect(0, 0, width, height, ground, opacity=0.35)
    short = min(width, height)
    canvas.circle(width / 2, height * 0.54, short * 0.4, lighten(ground, 0.55), 0.9)
    scale = min(height * 0.98 / proportions.height, width * 0.9 / 190)
    if height >= width * 0.9:
        scale = min(height * 1.18 / proportions.height, width * 0.95 / 170)
    probe = body.draw_figure(Canvas(), appearance, "stand", "", character.face_image)
    top = height * 0.1
    y = top - probe.top * scale
    if y < height * 0.94:
        y = height * 0.94
    if appearance.species in SWIMMERS:
        scale = width * 0.8 / (proportions.height * (SWIMMERS[appearance.species].length_ratio + 0.4))
        y = height * 0.54 + proportions.height * 0.42 * scale
    canvas.ellipse(width / 2, y, proportions.shoulder * 1.6 * scale, 8 * scale, "#1d1622", 0.18)
    with canvas.transformed(width / 2, y, scale):
        if character.full_body_image:
            composition.draw_full_body_image(canvas, character.full_body_image, proportions)
        else:
            body.draw_figure(canvas, appearance, "ease", appearance.mood, character.face_image)
    return rasterize(canvas, width, height, (0, 0, width, height))


def render_location(location: LocationFigure, size: tuple[int, int]) -> Image:
    """Render a location without actors."""
    return render_scene([], [], location, "", 1, size, location.setting.seed).frame


def render_object(thing: ObjectFigure, size: tuple[int, int]) -> bytes:
    """An object on a plain warm ground."""
    width, height = size
    canvas = Canvas()
    canvas.rect(0, 0, width, height, "#efdfc2")
    short = min(width, height)
    canvas.circle(width / 2, height / 2, short * 0.44, "#fbf1dc")
    size_ = short * (0.56 if PROPS[thing.spec.kind].size < 170 else 0.7)
    if thing.spec.kind in ("car", "whale", "table", "bicycle", "book", "map", "drum", "computer"):
        size_ = short * 0.36
    canvas.ellipse(width / 2, height / 2 + size_ * 0.52, size_ * 0.5, size_ * 0.06, "#1d1622", 0.16)
    with canvas.transformed(width / 2, height / 2 + size_ * 0.5, size_ / 100):
        composition.draw_object(canvas, thing)
    return rasterize(canvas, width, height, (0, 0, width, height))

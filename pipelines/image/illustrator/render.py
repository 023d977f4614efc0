"""From papers to pixels: backdrops, the layers of a scene, portraits and the pictures of places and things."""

from __future__ import annotations

import io
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.image.illustrator import composition
from pipelines.image.illustrator.backdrops.elements import Scenery, paint_sky
from pipelines.image.illustrator.backdrops.indoors import draw_room
from pipelines.image.illustrator.backdrops.lighting import light_of
from pipelines.image.illustrator.backdrops.outdoors import OUTDOORS
from pipelines.image.illustrator.backdrops.weather import draw_air
from pipelines.image.illustrator.canvas import Sheet, lighter, mix
from pipelines.image.illustrator.figures import body as body
from pipelines.image.illustrator.figures.swimmers import SWIMMERS
from pipelines.image.illustrator.language.appearance import seed_of
from pipelines.image.illustrator.props.props import PROPS
from pipelines.image.illustrator.resolved import CharacterFigure, PlaceFigure, ThingFigure

if TYPE_CHECKING:
    from PIL.Image import Image

MARGIN = 0.08


@dataclass(slots=True)
class Painted:
    """A finished scene: PNG layers far to near with their depths, each `margin` larger than the frame on every side."""

    layers: list[tuple[bytes, float]]
    margin: int
    focus: tuple[float, float]
    frame: Image


def render(sheet: Sheet, width: int, height: int, box: tuple[float, float, float, float]) -> bytes:
    """The paper as PNG."""
    import resvg_py

    return bytes(resvg_py.svg_to_bytes(svg_string=sheet.svg(width, height, box), skip_system_fonts=True))


def opened(png: bytes) -> Image:
    """PNG bytes of our own making → RGBA."""
    from PIL import Image as Pillow

    with Pillow.open(io.BytesIO(png), formats=("PNG",)) as picture:
        whole: Image = picture.convert("RGBA")
        return whole


def scenery_of(place: PlaceFigure, width: int, height: int, margin: int) -> Scenery:
    """The backdrop of a place, on its papers. The seed is the place's own, so that it is the same in every scene."""
    here = place.place
    scene = Scenery(here, light_of(here), width, height, margin, random.Random(here.seed))
    if place.picture:
        scene.sky.image(scene.left, -margin, scene.right - scene.left, height + 2 * margin, place.picture)
        return scene
    if here.kind not in ("underwater", "cave", "space"):
        paint_sky(scene)
    # The sky takes its own throws: the land must not change when the weather does.
    scene.dice = random.Random(seed_of("land", here.seed))
    if here.indoors:
        draw_room(scene)
    else:
        OUTDOORS[here.kind](scene)
    return scene


def paint_scene(
    cast: list[CharacterFigure],
    things: list[ThingFigure],
    place: PlaceFigure,
    words: str,
    number: int,
    size: tuple[int, int],
    seed: int,
    company: Sequence[CharacterFigure] = (),
) -> Painted:
    """One scene with its layers."""
    from PIL import Image as Pillow

    width, height = size
    margin = max(4, round(width * MARGIN))
    dice = random.Random(seed)
    scene = scenery_of(place, width, height, margin)
    plan = composition.compose(cast, things, words, number, width, height, dice, place.place)
    figures = Sheet(scene.light.figures(), "f")
    if plan.shot.ground is not None:
        composition.draw_company(figures, scene, plan, list(company))
    composition.draw_cast(figures, scene, plan)
    air = draw_air(scene, dice)

    full = (width + 2 * margin, height + 2 * margin)
    plain = (float(-margin), float(-margin), float(full[0]), float(full[1]))
    zoom = 1.0 if place.picture else plan.shot.zoom
    # Nearer shots enlarge the backdrop around the horizon, beside the figures, never beyond what is painted.
    eye = (width * (0.5 + 0.12 * (zoom - 1) * (1 if number % 2 else -1)), scene.horizon)
    near_box = (eye[0] - (eye[0] + margin) / zoom, eye[1] - (eye[1] + margin) / zoom, full[0] / zoom, full[1] / zoom)
    front = Sheet()
    if zoom <= 1.3:
        front.lay(scene.near)
    front.lay(air)
    papers = [
        (scene.sky, near_box, 0.0),
        (scene.far, near_box, 0.25),
        (scene.mid, near_box, 0.6),
        (figures, plain, 1.0),
        (front, plain, 1.35),
    ]
    layers: list[tuple[bytes, float]] = []
    whole = Pillow.new("RGBA", full)
    for paper, box, depth in papers:
        if paper.empty and depth:
            continue
        png = render(paper, *full, box)
        layers.append((png, depth))
        whole.alpha_composite(opened(png))
    frame = whole.crop((margin, margin, margin + width, margin + height)).convert("RGB")
    focus = (min(0.9, max(0.1, plan.centre[0] / width)), min(0.85, max(0.15, plan.centre[1] / height)))
    return Painted(layers, margin, focus, frame)


def paint_portrait(character: CharacterFigure, size: tuple[int, int]) -> bytes:
    """A character on a plain warm ground, from the head to the knee."""
    width, height = size
    sheet = Sheet()
    looks = character.looks
    frame = body.frame_of(looks)
    ground = mix("#f0dfc0", lighter(looks.top_colour, 0.5), 0.22)
    sheet.rect(0, 0, width, height, sheet.glow([(0, lighter(ground, 0.5), 1), (1, ground, 1)]))
    sheet.rect(0, 0, width, height, ground, opacity=0.35)
    short = min(width, height)
    sheet.circle(width / 2, height * 0.54, short * 0.4, lighter(ground, 0.55), 0.9)
    scale = min(height * 0.98 / frame.height, width * 0.9 / 190)
    if height >= width * 0.9:
        scale = min(height * 1.18 / frame.height, width * 0.95 / 170)
    probe = body.draw_figure(Sheet(), looks, "stand", "", character.picture)
    top = height * 0.1
    y = top - probe.top * scale
    if y < height * 0.94:
        y = height * 0.94
    if looks.species in SWIMMERS:
        scale = width * 0.8 / (frame.height * (SWIMMERS[looks.species].long + 0.4))
        y = height * 0.54 + frame.height * 0.42 * scale
    sheet.ellipse(width / 2, y, frame.shoulder * 1.6 * scale, 8 * scale, "#1d1622", 0.18)
    with sheet.moved(width / 2, y, scale):
        if character.whole:
            composition.draw_whole(sheet, character.whole, frame)
        else:
            body.draw_figure(sheet, looks, "ease", looks.mood, character.picture)
    return render(sheet, width, height, (0, 0, width, height))


def paint_place(place: PlaceFigure, size: tuple[int, int]) -> Image:
    """A location without anybody."""
    return paint_scene([], [], place, "", 1, size, place.place.seed).frame


def paint_thing(thing: ThingFigure, size: tuple[int, int]) -> bytes:
    """An object on a plain warm ground."""
    width, height = size
    sheet = Sheet()
    sheet.rect(0, 0, width, height, "#efdfc2")
    short = min(width, height)
    sheet.circle(width / 2, height / 2, short * 0.44, "#fbf1dc")
    size_ = short * (0.56 if PROPS[thing.thing.kind].size < 170 else 0.7)
    if thing.thing.kind in ("car", "whale", "table", "bicycle", "book", "map", "drum", "computer"):
        size_ = short * 0.36
    sheet.ellipse(width / 2, height / 2 + size_ * 0.52, size_ * 0.5, size_ * 0.06, "#1d1622", 0.16)
    with sheet.moved(width / 2, height / 2 + size_ * 0.5, size_ / 100):
        composition.draw_prop(sheet, thing)
    return render(sheet, width, height, (0, 0, width, height))

"""What a model of pictures is shown, and at which size it draws: no model is needed to say so."""

import numpy as np
import pytest
from PIL import Image

from pipelines.base import BadInput, Kind, MemoryMode
from pipelines.diffusion.components import ComponentGroups
from pipelines.diffusion.image_family import (
    BACKGROUND,
    ImageFamily,
    ImageOptions,
    contact_sheet,
    fit_reference,
    generation_size,
    split_references,
)
from pipelines.models import catalog
from tests.fixtures.weighted import spec

CATALOG = catalog.load()
MEGA = 1024 * 1024
COLOURS = ["red", "lime", "blue", "yellow", "magenta", "cyan", "white"]


def coloured(*sizes):
    """Pictures of one colour each, in the order of COLOURS."""
    return [Image.new("RGB", size, colour) for size, colour in zip(sizes, COLOURS, strict=False)]


@pytest.mark.parametrize("asked", [(1920, 1080), (1080, 1920), (1024, 1024), (320, 180), (4096, 1716), (1600, 400)])
@pytest.mark.parametrize("multiple", [8, 16, 32])
def test_the_model_draws_the_shape_that_was_asked_near_the_size_that_it_likes(asked, multiple):
    width, height = generation_size(*asked, (512 * 512, MEGA), multiple)
    assert (width % multiple, height % multiple) == (0, 0)
    shape, wanted = width / height, asked[0] / asked[1]
    assert shape == pytest.approx(wanted, rel=multiple / min(width, height))
    assert 0.85 * 512 * 512 < width * height < 1.15 * MEGA


def test_nothing_larger_is_drawn_than_was_asked_unless_the_model_needs_it():
    assert generation_size(800, 800, (512 * 512, 4 * MEGA), 16) == (800, 800)
    assert generation_size(320, 320, (512 * 512, 4 * MEGA), 16) == (512, 512)


def test_where_memory_is_short_three_quarters_are_drawn():
    assert generation_size(1024, 768, (512 * 512, MEGA), 16, reduced=True) == (768, 576)
    assert generation_size(512, 512, (512 * 512, MEGA), 16, reduced=True) == (384, 384)


def test_what_a_model_does_not_see_alone_shares_the_last_place():
    pictures = coloured(*[(64, 64)] * 5)
    assert split_references(pictures, None) == (pictures, ())
    assert split_references(pictures, 5) == (pictures, ())
    assert split_references(pictures, 3) == (pictures[:2], pictures[2:])
    assert split_references(pictures, 1) == ([], pictures)


@pytest.mark.parametrize("size", [(4000, 3000), (1024, 1024), (300, 200)])
def test_a_picture_is_shown_whole_and_within_what_the_model_takes(size):
    shown = fit_reference(Image.effect_mandelbrot(size, (-2, -1.5, 1, 1.5), 20), MEGA, 16)
    assert (shown.width % 16, shown.height % 16) == (0, 0)
    assert shown.width * shown.height <= MEGA
    assert shown.width / shown.height == pytest.approx(size[0] / size[1], rel=0.1)
    assert shown.width <= size[0], "nothing is gained by enlarging it"


def test_a_picture_that_a_model_could_not_take_is_made_one_that_it_can():
    assert fit_reference(Image.new("RGB", (40, 40)), MEGA, 16).size == (64, 64)
    band = fit_reference(Image.new("RGB", (2000, 100), "red"), MEGA, 16)
    assert band.width / band.height == pytest.approx(4, rel=0.05)
    assert band.getpixel((band.width // 2, band.height // 2)) == (255, 0, 0)
    assert band.getpixel((10, 10)) == BACKGROUND


@pytest.mark.parametrize("count", range(1, 8))
@pytest.mark.parametrize("size", [(1280, 720), (768, 768), (600, 900)])
def test_a_sheet_holds_every_picture_row_by_row_from_the_top_left(count, size):
    page = contact_sheet(coloured(*[size] * count), MEGA, 16)
    assert page.width * page.height <= MEGA
    pixels = np.asarray(page).astype(int)
    places = []
    for picture in coloured(*[size] * count):
        rows, columns = np.nonzero((pixels == picture.getpixel((0, 0))).all(axis=2))
        height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
        assert len(rows) == width * height, "whole, with nothing over it"
        assert width / height == pytest.approx(size[0] / size[1], rel=0.03), "not distorted"
        places.append((rows.min() * page.width + columns.min(), width))
    assert places == sorted(places)
    assert len({width for _, width in places}) == 1, "equal cells"
    frame = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    assert (frame == BACKGROUND).all(), "apart from each other and from the edge"


def test_pictures_of_any_shapes_lie_on_one_sheet_undistorted():
    sizes = [(1280, 720), (600, 900), (768, 768)]
    pixels = np.asarray(contact_sheet(coloured(*sizes), MEGA, 16))
    for picture in coloured(*sizes):
        rows, columns = np.nonzero((pixels == picture.getpixel((0, 0))).all(axis=2))
        assert (np.ptp(columns) + 1) / (np.ptp(rows) + 1) == pytest.approx(picture.width / picture.height, rel=0.03)


class Part:
    """Something large."""


def test_halves_are_made_when_they_are_needed_and_kept_where_there_is_room():
    halves = ComponentGroups({"reads": Part, "draws": Part}, keep_loaded=True)
    assert halves.loaded() == ()
    first = halves["reads"]
    assert halves["draws"] is halves["draws"]
    assert halves["reads"] is first
    assert set(halves.loaded()) == {"reads", "draws"}


def test_where_memory_is_short_one_half_goes_when_the_other_comes():
    halves = ComponentGroups({"reads": Part, "draws": Part}, keep_loaded=False)
    first = halves["reads"]
    assert halves["draws"] is halves["draws"]
    assert halves.loaded() == ("draws",)
    assert halves["reads"] is not first


PAINTERS = [
    one for one in CATALOG.models.values() if one.weights and issubclass(catalog.family_class(one), ImageFamily)
]


@pytest.mark.parametrize("one", PAINTERS, ids=lambda one: one.name)
def test_every_model_of_pictures_has_options_and_kinds_that_its_family_knows(one):
    family = catalog.family_class(one)
    recipe = family.options_type.from_spec(one)
    assert recipe.pixels[0] <= recipe.pixels[1]
    assert {lora.role for lora in recipe.loras} <= set(one.weights)
    assert set(one.kinds) == set(family.params)
    assert one.encodes_prompt == (Kind.ENCODE_PROMPT in family.params)
    assert one.licence
    assert one.max_references is not None
    assert one.multiturn <= (one.max_references > 1), "several pictures are what earlier scenes are shown by"


def test_an_option_that_is_wrong_is_named(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model_index.json").write_text("{}")
    one = spec(ImageFamily, tmp_path / "model", options={"stepps": 4})
    with pytest.raises(BadInput, match=r"models\.tiny\.options\.stepps"):
        ImageOptions.from_spec(one)


def test_every_family_of_pictures_says_how_it_saves_memory():
    for one in PAINTERS:
        rungs = catalog.family_class(one).memory_modes
        assert list(rungs) == sorted(set(rungs))
        assert rungs, one.name
        assert MemoryMode.NONE not in rungs

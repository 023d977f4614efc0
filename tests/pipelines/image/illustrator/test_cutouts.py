"""Pictures that users give of characters, places and things."""

import json

import numpy as np
import pytest
from PIL import Image, ImageDraw


@pytest.fixture
def person(tmp_path):
    """A whole figure on white paper."""
    path = tmp_path / "person.png"
    picture = Image.new("RGB", (300, 600), "white")
    pen = ImageDraw.Draw(picture)
    pen.ellipse((110, 40, 190, 130), fill="#e0a070")
    pen.rectangle((100, 130, 200, 360), fill="#8040a0")
    pen.rectangle((105, 360, 145, 560), fill="#203040")
    pen.rectangle((155, 360, 195, 560), fill="#203040")
    picture.save(path)
    return path


@pytest.fixture
def photo(tmp_path):
    """A busy picture in a colour that no drawing has."""
    path = tmp_path / "photo.jpg"
    noise = np.random.default_rng(1).integers(0, 90, (200, 260, 3), dtype=np.uint8)
    noise[..., 1] += 160
    Image.fromarray(noise).save(path, quality=90)
    return path


def near(path, colour, reach=40):
    with Image.open(path) as picture:
        data = np.asarray(picture.convert("RGB")).astype(int)
    return int((np.abs(data - np.array(colour)).max(axis=2) < reach).sum())


def test_a_whole_figure_is_cut_out_and_stands_in_the_scene(hand, person):
    made = hand.portrait("Ren", "a man", inputs={"reference": [person]})
    with Image.open(made / "figure.png") as cut:
        assert cut.mode == "RGBA"
        assert cut.getpixel((0, 0))[3] == 0
        assert cut.height > 1.5 * cut.width
    figures = {"figures": [made / "figure.json", made / "figure.png"]}
    out = hand.keyframe("Ren stands", ["Ren"], size=(640, 360), location="desert", inputs=figures)
    assert near(out / "keyframe.png", (128, 64, 160)) > 1000


def test_a_photograph_becomes_a_medallion_over_clothes_of_its_colours(hand, photo):
    made = hand.portrait("Bix", "", inputs={"reference": [photo]})
    figure = json.loads((made / "figure.json").read_text("utf-8"))
    assert figure["face_image"]
    top = figure["appearance"]["top_colour"]
    assert int(top[3:5], 16) > int(top[1:3], 16) + 60
    out = hand.keyframe(
        "Bix stands", ["Bix"], size=(640, 360), location="desert", inputs={"figures": [made / "figure.json"]}
    )
    assert near(out / "keyframe.png", (45, 205, 45), 60) > 1500


def test_a_state_of_a_given_character_keeps_the_given_face(hand, photo):
    base = hand.portrait("Bix", "", inputs={"reference": [photo]})
    later = hand.portrait(
        "Bix", "", state="wet", state_appearance="soaked", inputs={"base_figure": [base / "figure.json"]}
    )
    pictures = [json.loads((made / "figure.json").read_text("utf-8"))["face_image"] for made in (base, later)]
    assert pictures[0] == pictures[1]


def test_a_given_place_is_the_backdrop(hand, photo):
    made = hand.element("location", "Yard", inputs={"reference": [photo]})
    out = hand.keyframe("Nobody is here", [], location="Yard", inputs={"figures": [made / "figure.json"]})
    with Image.open(out / "keyframe.png") as picture:
        red, green, blue = np.asarray(picture).reshape(-1, 3).mean(axis=0)
    assert green > red + 60
    assert green > blue + 60


def test_a_given_thing_is_a_card_in_the_scene(hand, photo):
    made = hand.element("object", "Idol", "a crystal", inputs={"reference": [photo]})
    from pipelines.step_params import NamedElement

    plain = hand.keyframe("The idol", [], size=(640, 360), location="desert")
    out = hand.keyframe(
        "The idol",
        [],
        size=(640, 360),
        location="desert",
        objects=(NamedElement(name="Idol"),),
        inputs={"figures": [made / "figure.json"]},
    )
    assert near(out / "keyframe.png", (45, 205, 45), 60) > near(plain / "keyframe.png", (45, 205, 45), 60) + 200

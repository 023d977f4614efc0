"""Sharpen: the same size, clearer edges, less noise."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from pipelines.base import BadInput, Kind
from pipelines.image.sharpen import Sharpen
from pipelines.step_params import EnhanceParams


class Quiet:
    def progress(self, fraction, message=""):
        pass

    def warn(self, message):
        pass

    def record(self, **facts):
        pass


def enhanced(path, out):
    out.mkdir()
    (made,) = Sharpen().run(Kind.ENHANCE, EnhanceParams(), {"image": [path]}, out, Quiet(), seed=0)
    assert made.name == "image.png"
    return made


def test_edges_are_clearer_at_the_same_size(tmp_path):
    picture = Image.new("RGB", (160, 90), "#446688")
    ImageDraw.Draw(picture).ellipse((40, 20, 120, 80), fill="#eecc88")
    soft = picture.filter(ImageFilter.GaussianBlur(1.5))
    path = tmp_path / "x.png"
    soft.save(path)
    with Image.open(enhanced(path, tmp_path / "out")) as better:
        assert better.size == soft.size
        assert better.mode == "RGB"
        steps = [np.abs(np.diff(np.asarray(p.convert("L")).astype(int), axis=1)).max() for p in (soft, better)]
    assert steps[1] > steps[0]


def test_the_same_picture_gives_the_same_bytes(tmp_path):
    path = tmp_path / "x.webp"
    Image.effect_noise((64, 64), 40).convert("RGB").save(path, lossless=True)
    assert enhanced(path, tmp_path / "a").read_bytes() == enhanced(path, tmp_path / "b").read_bytes()


def test_what_is_no_picture_is_refused(tmp_path):
    path = tmp_path / "x.png"
    path.write_text("no picture")
    with pytest.raises(BadInput):
        enhanced(path, tmp_path / "out")

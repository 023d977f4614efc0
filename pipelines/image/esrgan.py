"""Define the two super-resolution networks of Real-ESRGAN, for inference only.

Wang et al., "Real-ESRGAN: Training Real-World Blind Super-Resolution with Pure Synthetic Data", ICCVW 2021
(weights BSD-3-Clause, © Xintao Wang); RRDBNet is from Wang et al., "ESRGAN", ECCVW 2018.
Parameters have the names of the published weights.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

NEGATIVE_SLOPE = 0.2
RESIDUAL_SCALE = 0.2
"""Factor of a block's output before it is added to the block's input."""


def load_network(weights: Mapping[str, Tensor]) -> RRDBNet | SRVGGNetCompact:
    """Build the network that matches the parameter names and shapes in `weights`, and load them into it.

    Raises KeyError, RuntimeError or ValueError for weights of another architecture.
    """
    network: RRDBNet | SRVGGNetCompact
    if "conv_first.weight" in weights:
        width, channels = weights["conv_first.weight"].shape[:2]
        blocks = 1 + max(int(name.split(".")[1]) for name in weights if name.startswith("body."))
        network = RRDBNet(width, weights["body.0.rdb1.conv1.weight"].shape[0], blocks, {3: 4, 12: 2, 48: 1}[channels])
    else:
        count = sum(name.startswith("body.") and weights[name].ndim == 4 for name in weights) - 2
        last = weights[f"body.{2 * count + 2}.weight"].shape[0]
        network = SRVGGNetCompact(weights["body.0.weight"].shape[0], count, round((last / 3) ** 0.5))
    network.load_state_dict(dict(weights))
    return network


class SRVGGNetCompact(nn.Module):  # type: ignore[misc]
    """Small, fast network: a stack of convolutions and a pixel shuffle, added to the nearest-neighbour enlargement.

    Input: RGB (n, 3, height, width), floats in 0…1. Output: (n, 3, `scale` × height, `scale` × width), not clamped.
    """

    def __init__(self, width: int = 64, count: int = 16, scale: int = 4) -> None:
        super().__init__()
        self.scale = scale
        layers: list[nn.Module] = [nn.Conv2d(3, width, 3, 1, 1), nn.PReLU(width)]
        for _ in range(count):
            layers += [nn.Conv2d(width, width, 3, 1, 1), nn.PReLU(width)]
        self.body = nn.Sequential(*layers, nn.Conv2d(width, 3 * scale * scale, 3, 1, 1))

    def forward(self, image: Tensor) -> Tensor:
        larger = functional.interpolate(image, scale_factor=self.scale, mode="nearest")
        return functional.pixel_shuffle(self.body(image), self.scale) + larger


class RRDBNet(nn.Module):  # type: ignore[misc]
    """Large network of residual-in-residual dense blocks.

    Input: RGB (n, 3, height, width), floats in 0…1. Output: (n, 3, `scale` × height, `scale` × width), not clamped.
    The input is pixel-unshuffled by 4 / `scale`; height and width must be multiples of that.
    """

    def __init__(self, width: int = 64, growth: int = 32, blocks: int = 23, scale: int = 4) -> None:
        super().__init__()
        self.scale = scale
        self.conv_first = _conv(3 * (4 // scale) ** 2, width)
        self.body = nn.Sequential(*(_RRDB(width, growth) for _ in range(blocks)))
        self.conv_body = _conv(width, width)
        self.conv_up1, self.conv_up2, self.conv_hr = (_conv(width, width) for _ in range(3))
        self.conv_last = _conv(width, 3)

    def forward(self, image: Tensor) -> Tensor:
        features = self.conv_first(functional.pixel_unshuffle(image, 4 // self.scale))
        features = features + self.conv_body(self.body(features))
        for up in (self.conv_up1, self.conv_up2):
            features = _leaky_relu(up(functional.interpolate(features, scale_factor=2, mode="nearest")))
        return self.conv_last(_leaky_relu(self.conv_hr(features)))


class _RRDB(nn.Module):  # type: ignore[misc]
    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.rdb1, self.rdb2, self.rdb3 = (_ResidualDenseBlock(width, growth) for _ in range(3))

    def forward(self, features: Tensor) -> Tensor:
        return features + RESIDUAL_SCALE * self.rdb3(self.rdb2(self.rdb1(features)))


class _ResidualDenseBlock(nn.Module):  # type: ignore[misc]
    """Five convolutions; each reads the block's input and the outputs of all earlier ones."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        for number in range(4):
            self.add_module(f"conv{number + 1}", _conv(width + number * growth, growth))
        self.conv5 = _conv(width + 4 * growth, width)

    def forward(self, features: Tensor) -> Tensor:
        collected = features
        for number in range(4):
            collected = torch.cat((collected, _leaky_relu(self.get_submodule(f"conv{number + 1}")(collected))), 1)
        return features + RESIDUAL_SCALE * self.conv5(collected)


def _conv(channels: int, width: int) -> nn.Conv2d:
    return nn.Conv2d(channels, width, 3, 1, 1)


def _leaky_relu(features: Tensor) -> Tensor:
    return functional.leaky_relu(features, NEGATIVE_SLOPE)

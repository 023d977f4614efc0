"""The two networks of Real-ESRGAN, inference only: every pixel becomes a square of pixels with the detail that is likely there.

Wang et al., "Real-ESRGAN: Training Real-World Blind Super-Resolution with Pure Synthetic Data", ICCVW 2021 (weights BSD-3-Clause,
© Xintao Wang); the large network is that of Wang et al., "ESRGAN", ECCVW 2018. Names of parameters are those of the published weights.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

NEGATIVE_SLOPE = 0.2
RESIDUAL_SCALE = 0.2
"""How much of what a block has found is added to what came in."""


def load_network(weights: Mapping[str, Tensor]) -> RRDBNet | SRVGGNetCompact:
    """The network that these weights are of, with them in it. Raises KeyError, RuntimeError or ValueError for others."""
    made: RRDBNet | SRVGGNetCompact
    if "conv_first.weight" in weights:
        width, channels = weights["conv_first.weight"].shape[:2]
        blocks = 1 + max(int(name.split(".")[1]) for name in weights if name.startswith("body."))
        made = RRDBNet(width, weights["body.0.rdb1.conv1.weight"].shape[0], blocks, {3: 4, 12: 2, 48: 1}[channels])
    else:
        count = sum(name.startswith("body.") and weights[name].ndim == 4 for name in weights) - 2
        last = weights[f"body.{2 * count + 2}.weight"].shape[0]
        made = SRVGGNetCompact(weights["body.0.weight"].shape[0], count, round((last / 3) ** 0.5))
    made.load_state_dict(dict(weights))
    return made


class SRVGGNetCompact(nn.Module):  # type: ignore[misc]
    """Small and fast (SRVGGNetCompact): (n, 3, height, width), 0…1 → (n, 3, `times` × height, `times` × width)."""

    def __init__(self, width: int = 64, count: int = 16, scale: int = 4) -> None:
        super().__init__()
        self.scale = scale
        layers: list[nn.Module] = [nn.Conv2d(3, width, 3, 1, 1), nn.PReLU(width)]
        for _ in range(count):
            layers += [nn.Conv2d(width, width, 3, 1, 1), nn.PReLU(width)]
        self.body = nn.Sequential(*layers, nn.Conv2d(width, 3 * scale * scale, 3, 1, 1))

    def forward(self, picture: Tensor) -> Tensor:
        larger = functional.interpolate(picture, scale_factor=self.scale, mode="nearest")
        return functional.pixel_shuffle(self.body(picture), self.scale) + larger


class RRDBNet(nn.Module):  # type: ignore[misc]
    """Large (RRDBNet): (n, 3, height, width), 0…1 → (n, 3, `times` × height, `times` × width). Below four times, sides must be multiples of
    4 / `times`, since it then looks at the picture folded so often."""

    def __init__(self, width: int = 64, growth: int = 32, blocks: int = 23, scale: int = 4) -> None:
        super().__init__()
        self.scale = scale
        self.conv_first = _conv(3 * (4 // scale) ** 2, width)
        self.body = nn.Sequential(*(_RRDB(width, growth) for _ in range(blocks)))
        self.conv_body = _conv(width, width)
        self.conv_up1, self.conv_up2, self.conv_hr = (_conv(width, width) for _ in range(3))
        self.conv_last = _conv(width, 3)

    def forward(self, picture: Tensor) -> Tensor:
        seen = self.conv_first(functional.pixel_unshuffle(picture, 4 // self.scale))
        seen = seen + self.conv_body(self.body(seen))
        for up in (self.conv_up1, self.conv_up2):
            seen = _leaky_relu(up(functional.interpolate(seen, scale_factor=2, mode="nearest")))
        return self.conv_last(_leaky_relu(self.conv_hr(seen)))


class _RRDB(nn.Module):  # type: ignore[misc]
    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.rdb1, self.rdb2, self.rdb3 = (_ResidualDenseBlock(width, growth) for _ in range(3))

    def forward(self, seen: Tensor) -> Tensor:
        return seen + RESIDUAL_SCALE * self.rdb3(self.rdb2(self.rdb1(seen)))


class _ResidualDenseBlock(nn.Module):  # type: ignore[misc]
    """Five layers, each of which sees all before it."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        for number in range(4):
            self.add_module(f"conv{number + 1}", _conv(width + number * growth, growth))
        self.conv5 = _conv(width + 4 * growth, width)

    def forward(self, seen: Tensor) -> Tensor:
        known = seen
        for number in range(4):
            known = torch.cat((known, _leaky_relu(self.get_submodule(f"conv{number + 1}")(known))), 1)
        return seen + RESIDUAL_SCALE * self.conv5(known)


def _conv(channels: int, width: int) -> nn.Conv2d:
    return nn.Conv2d(channels, width, 3, 1, 1)


def _leaky_relu(seen: Tensor) -> Tensor:
    return functional.leaky_relu(seen, NEGATIVE_SLOPE)

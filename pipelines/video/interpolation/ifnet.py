"""IFNet: two pictures and a moment between them → where each pixel of that moment lies in both.

The network of RIFE 3.9 (Huang et al., "Real-Time Intermediate Flow Estimation for Video Frame Interpolation", ECCV 2022; MIT,
© hzwer and contributors), inference only, without its refinement stage, which the published weights leave out as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

BLOCK_CHANNELS = (192, 128, 96, 64)
"""Channels of the four blocks in the published weights, coarse to fine."""
SCALES = (8, 4, 2, 1)
"""Each block sees the pictures so many times smaller."""
MAX_RESIDUAL_FLOW = 32
"""Pixels. When the second block still moves both pictures further than this, the search starts again at half the size."""
SIZE_MULTIPLE = 128
"""Sides of the pictures must be multiples of this: the first block's scale, doubled by the second search, times its strides."""


class IFNet(nn.Module):  # type: ignore[misc]
    """Call with two pictures (1, 3, height, width), float32 in 0…1, sides multiples of `SIZE_MULTIPLE`, and a time in 0…1.

    Returns `(flow, mask)`, float32. Flow (1, 4, height, width), pixels: the moment's pixel (x, y) lies in the first picture at
    (x + flow[0], y + flow[1]), in the second at (x + flow[2], y + flow[3]). Mask (1, 1, height, width), 0…1: the share of the first.
    """

    def __init__(self, widths: Sequence[int] = BLOCK_CHANNELS) -> None:
        super().__init__()
        first, *finer = widths
        self.block0 = _Block(7, first)
        for number, width in enumerate(finer, 1):
            self.add_module(f"block{number}", _Block(12, width))
        self._block_count = len(widths)

    def forward(self, before: Tensor, after: Tensor, time: float) -> tuple[Tensor, Tensor]:
        pair = torch.cat((before, after), 1)
        moment = torch.full_like(before[:, :1], time)
        flow, mask, left = self._estimate(pair, moment, 1)
        if left > MAX_RESIDUAL_FLOW:
            flow, mask, _ = self._estimate(pair, moment, 2)
        return flow, torch.sigmoid(mask)

    def _estimate(self, pair: Tensor, moment: Tensor, scale: int) -> tuple[Tensor, Tensor, float]:
        """Flow, mask (before its sigmoid), and how far the second block still moved that picture which it moved less."""
        flow, mask = self._block(0)(torch.cat((pair, moment), 1), None, SCALES[0] * scale)
        left = 0.0
        for number in range(1, self._block_count):
            seen = torch.cat((_warp(pair[:, :3], flow[:, :2]), _warp(pair[:, 3:], flow[:, 2:]), moment, mask), 1)
            more, change = self._block(number)(seen, flow, SCALES[number] * scale)
            if number == 1:
                left = min(float(more[:, :2].abs().max()), float(more[:, 2:].abs().max()))
                if scale == 1 and left > MAX_RESIDUAL_FLOW:
                    break
            flow, mask = flow + more, mask + change
        return flow, mask, left

    def _block(self, number: int) -> _Block:
        return cast(_Block, self.get_submodule(f"block{number}"))


class _Block(nn.Module):  # type: ignore[misc]
    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.conv0 = nn.Sequential(_conv(channels, width // 2, 2), _conv(width // 2, width, 2))
        self.convblock = nn.Sequential(*(_conv(width, width) for _ in range(8)))
        self.lastconv = nn.ConvTranspose2d(width, 5, 4, 2, 1)

    def forward(self, seen: Tensor, flow: Tensor | None, scale: int) -> tuple[Tensor, Tensor]:
        small = _resize(seen, 1 / scale)
        if flow is not None:
            small = torch.cat((small, _resize(flow, 1 / scale) / scale), 1)
        # Half-precision weights compute in half precision; positions need all of single precision.
        features = self.conv0(small.to(self.lastconv.weight.dtype))
        found = _resize(self.lastconv(self.convblock(features) + features).float(), scale * 2)
        return found[:, :4] * (scale * 2), found[:, 4:]


def _conv(channels: int, width: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, width, 3, stride, 1), nn.PReLU(width))


def _resize(picture: Tensor, scale: float) -> Tensor:
    return functional.interpolate(picture, scale_factor=scale, mode="bilinear", align_corners=False)


def _warp(picture: Tensor, flow: Tensor) -> Tensor:
    height, width = picture.shape[2:]
    rows = torch.linspace(-1, 1, height, device=picture.device).view(1, height, 1)
    columns = torch.linspace(-1, 1, width, device=picture.device).view(1, 1, width)
    across, down = columns + flow[:, 0] * (2 / (width - 1)), rows + flow[:, 1] * (2 / (height - 1))
    grid = torch.stack((across, down), 3)
    return functional.grid_sample(picture, grid, mode="bilinear", padding_mode="border", align_corners=True)

"""IFNet: the intermediate flow between two images at a time between them.

The network of RIFE 3.9 (Huang et al., "Real-Time Intermediate Flow Estimation for Video Frame Interpolation", ECCV
2022; MIT, © hzwer and contributors), for inference only, without the refinement stage, which the published weights do
not have.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

BLOCK_CHANNELS = (192, 128, 96, 64)
"""Channels of the four blocks of the published weights, coarse to fine."""
SCALES = (8, 4, 2, 1)
"""Factor by which each block downscales the images."""
MAX_RESIDUAL_FLOW = 32
"""Pixels of residual flow in both images after the second block above which the estimation restarts at half size."""
SIZE_MULTIPLE = 128
"""Both sides of the images must be multiples of this: 8 (scale of the first block) × 2 (restart) × 8 (strides)."""


class IFNet(nn.Module):  # type: ignore[misc]
    """The network: two images and a time between them → flow and mask.

    Inputs: two images (1, 3, height, width), float32, 0 to 1, with sides that are multiples of `SIZE_MULTIPLE`, and a
    time, 0 to 1. Returns `(flow, mask)`, float32. Flow (1, 4, height, width) in pixels: pixel (x, y) of the
    intermediate frame lies at (x + flow[0], y + flow[1]) in the first image and at (x + flow[2], y + flow[3]) in the
    second. Mask (1, 1, height, width), 0 to 1: the share of the first image.
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
        time_map = torch.full_like(before[:, :1], time)
        flow, mask, residual = self._estimate(pair, time_map, 1)
        if residual > MAX_RESIDUAL_FLOW:
            flow, mask, _ = self._estimate(pair, time_map, 2)
        return flow, torch.sigmoid(mask)

    def _estimate(self, pair: Tensor, time_map: Tensor, scale: int) -> tuple[Tensor, Tensor, float]:
        """Return the flow, the mask before its sigmoid, and the residual flow of the second block in pixels.

        The residual is the smaller one of the maxima of both images. Above `MAX_RESIDUAL_FLOW` the estimation at scale
        1 stops early.
        """
        flow, mask = self._block(0)(torch.cat((pair, time_map), 1), None, SCALES[0] * scale)
        residual = 0.0
        for number in range(1, self._block_count):
            warped = torch.cat((_warp(pair[:, :3], flow[:, :2]), _warp(pair[:, 3:], flow[:, 2:]), time_map, mask), 1)
            flow_delta, mask_delta = self._block(number)(warped, flow, SCALES[number] * scale)
            if number == 1:
                residual = min(float(flow_delta[:, :2].abs().max()), float(flow_delta[:, 2:].abs().max()))
                if scale == 1 and residual > MAX_RESIDUAL_FLOW:
                    break
            flow, mask = flow + flow_delta, mask + mask_delta
        return flow, mask, residual

    def _block(self, number: int) -> _Block:
        return cast(_Block, self.get_submodule(f"block{number}"))


class _Block(nn.Module):  # type: ignore[misc]
    """One IFBlock: the change of flow and mask, estimated at a lower resolution."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.conv0 = nn.Sequential(_conv(channels, width // 2, 2), _conv(width // 2, width, 2))
        self.convblock = nn.Sequential(*(_conv(width, width) for _ in range(8)))
        self.lastconv = nn.ConvTranspose2d(width, 5, 4, 2, 1)

    def forward(self, inputs: Tensor, flow: Tensor | None, scale: int) -> tuple[Tensor, Tensor]:
        small = _resize(inputs, 1 / scale)
        if flow is not None:
            small = torch.cat((small, _resize(flow, 1 / scale) / scale), 1)
        # Convolutions run in the precision of the weights; flow needs float32.
        features = self.conv0(small.to(self.lastconv.weight.dtype))
        output = _resize(self.lastconv(self.convblock(features) + features).float(), scale * 2)
        return output[:, :4] * (scale * 2), output[:, 4:]


def _conv(channels: int, width: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, width, 3, stride, 1), nn.PReLU(width))


def _resize(tensor: Tensor, scale: float) -> Tensor:
    return functional.interpolate(tensor, scale_factor=scale, mode="bilinear", align_corners=False)


def _warp(image: Tensor, flow: Tensor) -> Tensor:
    """Sample the image (1, channels, height, width) at each pixel plus its flow (1, 2, height, width), in pixels."""
    height, width = image.shape[2:]
    rows = torch.linspace(-1, 1, height, device=image.device).view(1, height, 1)
    columns = torch.linspace(-1, 1, width, device=image.device).view(1, 1, width)
    across, down = columns + flow[:, 0] * (2 / (width - 1)), rows + flow[:, 1] * (2 / (height - 1))
    grid = torch.stack((across, down), 3)
    return functional.grid_sample(image, grid, mode="bilinear", padding_mode="border", align_corners=True)

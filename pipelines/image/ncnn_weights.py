"""Read weights in ncnn format: a text file with the layers, and a binary file with their weights in that order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_FP16_FLAG = 0x01306B47
"""Tag before the weights of a convolution that are stored as float16; the tag 0 means float32."""


@dataclass(frozen=True, slots=True)
class NcnnLayer:
    """Weights of one layer, float32.

    Convolution: `weight` (out, in, height, width), `bias` (out) or None. PReLU: `weight` (channels) holds the slopes.
    """

    weight: Floats
    bias: Floats | None = None


def read_layers(param_file: Path, weights_file: Path) -> list[NcnnLayer]:
    """Return the layers that have weights, in file order. Raises ValueError for truncated files and other formats."""
    found: list[NcnnLayer] = []
    content = weights_file.read_bytes()
    at = 0

    def take(count: int, dtype: type[np.generic]) -> Floats:
        nonlocal at
        values = np.frombuffer(content, dtype, count, at)
        at += -(-values.nbytes // 4) * 4
        return values.astype(np.float32)

    for kind, options in _read_layer_lines(param_file):
        if kind == "Convolution":
            flag = int.from_bytes(content[at : at + 4], "little")
            if flag not in (0, _FP16_FLAG):
                raise ValueError(f"unknown weight format {flag:#x}")
            at += 4
            out, side = int(options["0"]), int(options["1"])
            weight = take(int(options["6"]), np.float16 if flag else np.float32)
            bias = take(out, np.float32) if options.get("5") == "1" else None
            found.append(NcnnLayer(weight.reshape(out, -1, side, side), bias))
        elif kind == "PReLU":
            found.append(NcnnLayer(take(int(options["0"]), np.float32)))
    if at != len(content):
        raise ValueError(f"{len(content) - at} trailing bytes belong to no layer")
    return found


def _read_layer_lines(param_file: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the type of each layer and its options by option number."""
    for line in param_file.read_text("ascii").splitlines()[2:]:
        fields = line.split()
        inputs, outputs = int(fields[2]), int(fields[3])
        yield fields[0], dict(field.split("=", 1) for field in fields[4 + inputs + outputs :])

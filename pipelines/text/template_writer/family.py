"""Template writer: storyboards by rules and sentence banks, in ten languages. No model, no network, no translation."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self

from pipelines.base import BadInput, Device, Kind, ModelSpec, Params, Report
from pipelines.step_params import WriteParams
from pipelines.storyboard import Storyboard


class TemplateWriter:
    """Family for `write`. It keeps the client's text word for word and takes missing sentences from sentence banks.

    If the idea is not in the film's language, the writer uses only its recognised nouns and warns. A script or a long
    text of the client keeps its own number of scenes if the request gives none (at most 20).
    """

    name: ClassVar[str] = "template-writer"
    version: ClassVar[str] = "1"
    params: ClassVar[Mapping[Kind, type[Params]]] = {Kind.WRITE: WriteParams}

    @classmethod
    def load(cls, spec: ModelSpec, device: Device) -> Self:
        return cls()

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
        if not isinstance(params, WriteParams):
            raise BadInput("params", "the draft writer takes the parameters of a write step")
        board = write_storyboard(
            params, list(inputs.get("images", ())), next(iter(inputs.get("page", ())), None), report, seed
        )
        path = out / "storyboard.json"
        path.write_text(json.dumps(board.model_dump(mode="json"), ensure_ascii=False, indent=1) + "\n", "utf-8")
        report.progress(1.0, f"{len(board.scenes)} scenes")
        return [path]

    def close(self) -> None:
        """Nothing is held."""


def write_storyboard(
    params: WriteParams, images: Sequence[Path], page: Path | None, report: Report, seed: int
) -> Storyboard:
    """Return the storyboard for `params`, from the images, else from the page, else from the idea."""
    from pipelines.text.template_writer import inputs

    if images:
        return inputs.from_images(params, images, report, seed)
    if page is not None:
        return inputs.from_page(params, page, report, seed)
    return inputs.from_idea(params, report, seed)

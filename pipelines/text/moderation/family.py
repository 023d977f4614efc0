"""Whether texts may be told: by rules about words, in ten languages, without a model."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self

from pipelines.base import BadInput, Device, Kind, ModelSpec, Params, Rejected, Report
from pipelines.step_params import CheckParams

CHECKED_BY = "words of ten languages"


class WordCheck:
    """Kind `check`. The rules are data: `rules/*.yaml`, one file per category."""

    name: ClassVar[str] = "text-moderation"
    version: ClassVar[str] = "1"
    params: ClassVar[Mapping[Kind, type[Params]]] = {Kind.CHECK: CheckParams}

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
        from pipelines.text.moderation.rules import categories, plain

        if not isinstance(params, CheckParams):
            raise BadInput("params", "the word check takes the parameters of a check step")
        asked = [one for one in categories() if one.always or params.strictness == "normal"]
        texts = [(field, plain(text)) for field, text in params.texts]
        whole = "\n".join(text for _, text in texts)
        for category in (one.suspects(whole) for one in asked):
            for field, text in texts:
                if category.finds(text):
                    hint = "" if category.always else 'The strictness "liberal" allows it.'
                    raise Rejected(field, category.name, category.says, hint)
        names = [category.name for category in asked]
        report.record(checked_by=CHECKED_BY, strictness=params.strictness, categories=names)
        content = {"checked_by": CHECKED_BY, "categories": names, "verdicts": dict.fromkeys(dict(texts), "passed")}
        path = out / "check.json"
        path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", "utf-8")
        return [path]

    def close(self) -> None:
        """Nothing is held."""

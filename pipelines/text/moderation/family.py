"""Text moderation by keyword rules in ten languages, without a model."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self

from pipelines.base import BadInput, ContentRejected, Device, Kind, ModelSpec, Params, Report
from pipelines.step_params import CheckTextParams

CHECKED_BY = "words of ten languages"


class TextModeration:
    """Family for `check_text`. The rules are data: `rules/*.yaml`, one file per category."""

    name: ClassVar[str] = "text-moderation"
    version: ClassVar[str] = "1"
    params: ClassVar[Mapping[Kind, type[Params]]] = {Kind.CHECK_TEXT: CheckTextParams}

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
        from pipelines.text.moderation.rules import load_categories, normalize

        if not isinstance(params, CheckTextParams):
            raise BadInput("params", "text moderation takes the parameters of a check_text step")
        enforced = [one for one in load_categories() if one.always_enforced or params.strictness == "normal"]
        texts = [(field, normalize(text)) for field, text in params.texts]
        all_text = "\n".join(text for _, text in texts)
        for category in (one.prefilter(all_text) for one in enforced):
            for field, text in texts:
                if category.matches(text):
                    hint = "" if category.always_enforced else 'The strictness "liberal" allows it.'
                    raise ContentRejected(field, category.name, category.description, hint)
        names = [category.name for category in enforced]
        report.record(checked_by=CHECKED_BY, strictness=params.strictness, categories=names)
        content = {"checked_by": CHECKED_BY, "categories": names, "verdicts": dict.fromkeys(dict(texts), "passed")}
        path = out / "check.json"
        path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", "utf-8")
        return [path]

    def close(self) -> None:
        """Nothing is held."""

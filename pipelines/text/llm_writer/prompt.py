"""Prompt templates of the language-model writer, one per language, filled with the client's text.

A template (`prompts/<language>.md`) has sections, each under a line `# name`; `$name` is a placeholder. Text of the
client or of a page stands between tags. `PromptTemplate.sanitize` removes these tags and the model's control tokens
from it, so that it can neither leave its place nor start the turn of another speaker (prompt injection).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from string import Template

from pipelines.step_params import Language, NamedElement, WriteParams

SECTIONS = frozenset((
    "system", "idea", "title", "count", "choose", "characters", "locations", "objects", "page", "pictures", "silent",
    "cast",
    "scenes", "scenes-choose", "earlier",
))  # fmt: skip
_FOLDER = Path(__file__).with_name("prompts")
_PROMPT_TAG = re.compile(r"</?\s*(?:idea|page|given|told)\s*>", re.IGNORECASE)


class PromptTemplate:
    """Template of one language.

    `special_tokens` are control tokens of the model such as `<|im_end|>`; they are removed from all text that is filled
    in.
    """

    def __init__(self, language: Language, special_tokens: Iterable[str] = ()) -> None:
        self._sections = load_sections(language)
        known = sorted((sign for sign in special_tokens if sign.strip()), key=lambda sign: (-len(sign), sign))
        self._special_tokens = re.compile("|".join(map(re.escape, known))) if known else None

    def render(self, section: str, **values: object) -> str:
        """Return a section with its placeholders replaced by `values`."""
        return Template(self._sections[section]).substitute(
            {name: self.sanitize(value) for name, value in values.items()}
        )

    def sanitize(self, value: object) -> str:
        """Return outside text without tags and control tokens.

        Removal repeats until no match is left, because the text around a removed match may join to a new one.
        """
        text = str(value)
        for pattern in filter(None, (_PROMPT_TAG, self._special_tokens)):
            while pattern.search(text):
                text = pattern.sub(" ", text)
        return text

    def render_task(self, params: WriteParams, idea: str, page: str, images: Sequence[str], count: int | None) -> str:
        """Return the task of the story. `images` describes each input image; empty sources are left out."""
        given = (("characters", params.characters), ("locations", params.locations), ("objects", params.objects))
        parts = [
            self.render("idea", idea=idea) if idea else "",
            self.render("page", page=page) if page else "",
            *(self.render(section, given=_bullet_list(those)) for section, those in given if those),
            self.render("title", title=params.title) if params.title else "",
            self.render("pictures", count=len(images), given=_numbered_list(images)) if images else "",
            self.render("count", count=count) if count else self.render("choose"),
            "" if params.narrated else self.render("silent"),
            self.render("cast"),
        ]
        return "\n\n".join(filter(None, parts))

    def render_next_scenes(self, first: int, last: int | None, previous_scenes: Sequence[str]) -> str:
        """Return the instruction for scenes `first` to `last` (None: the model chooses).

        The text of `previous_scenes` comes first.
        """
        instruction = self.render("scenes", first=first, last=last) if last else self.render("scenes-choose")
        return "\n\n".join(
            filter(
                None, (self.render("earlier", told="\n".join(previous_scenes)) if previous_scenes else "", instruction)
            )
        )


@cache
def load_sections(language: Language) -> Mapping[str, str]:
    """Return the sections of a language's template by name."""
    text = (_FOLDER / f"{language}.md").read_text("utf-8")
    parts = re.split(r"^# ([a-z-]+)\n", text, flags=re.MULTILINE)[1:]
    return {name: body.strip() for name, body in zip(parts[::2], parts[1::2], strict=True)}


def _bullet_list(given: Sequence[NamedElement]) -> str:
    return "\n".join(f"- {one.name}: {one.description}" if one.description else f"- {one.name}" for one in given)


def _numbered_list(lines: Sequence[str]) -> str:
    return "\n".join(f"{number}. {line}" for number, line in enumerate(lines, 1))

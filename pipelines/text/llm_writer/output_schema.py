"""The form of a storyboard, as schemas for constrained writing: what they allow is a storyboard, whoever writes. Pure.

Writing has two stages. First who, where and what (`cast`); then scenes, which can name nothing else (`scenes`). Every string
has a pattern: it begins with a letter, ends (where it is no name) like a sentence, holds no escapes, only letters of the language it is in, and is
bounded. So all that the schemas allow is finite, can be spoken, and needs no repair.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from pipelines.step_params import Language, Named, WriteParams

Schema = dict[str, Any]

CAMERA = (
    "static shot", "slow push in", "slow pull back", "slow pan left", "slow pan right", "slow tilt up", "slow tilt down",
    "slow crane up", "gentle drift left", "gentle drift right", "slow orbit left", "slow orbit right", "handheld, subtle",
)  # fmt: skip
MOODS = ("calm", "joyful", "adventurous", "tense", "sad")
ON_STAGE = 4
"""More figures than this crowd a picture."""
FEWEST, MOST = 2, 6
"""How many scenes a story has whose length nobody chose."""

_LATIN = "A-Za-zÀ-ÖØ-öø-ſ"
_LETTERS: Mapping[Language, str] = {
    "Arabic": "\u0621-\u064a\u0671-\u06d3",
    "Chinese": "\u4e00-\u9fff",
    "English": _LATIN,
    "French": _LATIN,
    "German": _LATIN,
    "Hindi": "\u0904-\u0939\u0958-\u0961\u0972-\u097f",
    "Japanese": "\u3041-\u3096\u30a1-\u30fa\u30fc\u3005-\u3007\u4e00-\u9fff",
    "Korean": "\uac00-\ud7a3",
    "Spanish": _LATIN,
    "Turkish": _LATIN,
}
_MARKS: Mapping[Language, str] = {"Arabic": "\u064b-\u0652\u0670", "Hindi": "\u0900-\u0903\u093a-\u0957\u0962-\u0965"}
"""Signs that stand on a letter before them."""
_OPENING = "¿¡“„«‘「『"
# Capitals and digits are for what has no other name in any script: DNA, TV, 3D. No quotation mark or backslash of JSON.
_WORDS = " A-Z0-9'’\u200c\u200d-"
_ENDS = ".!?…"
_OTHER_ENDS: Mapping[Language, str] = {"Arabic": "؟", "Chinese": "。！？", "Hindi": "।", "Japanese": "。！？"}
_BETWEEN = ",;:‘“”„()%&/+°–—"
_OTHER_BETWEEN: Mapping[Language, str] = {
    "Arabic": "،؛«»",
    "Chinese": "、，：；（）「」『』《》",
    "French": "«»",
    "Japanese": "、：；（）「」『』・",
    "Spanish": "«»¿¡",
}
_CHARACTERS = "x-characters"
"""Keyword for the most characters of a string with a pattern: `maxLength` beside a pattern is not understood by the grammar."""
_BYTES = 4
"""The longest UTF-8 form of a character."""


class Lengths(BaseModel):
    """The most characters of each kind of text."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: int = Field(40, ge=2, le=200)
    plot: int = Field(600, ge=4, le=4000)
    looks: int = Field(
        240, ge=4, le=2000, description="Of a character, a place, a thing; and of the whole film's style."
    )
    image: int = Field(320, ge=4, le=2000)
    narration: int = Field(320, ge=4, le=2000)


@dataclass(frozen=True, slots=True)
class _Alphabet:
    """Letters, signs on them, what ends a sentence, and what else stands between words: as ranges of a regular expression."""

    letters: str
    marks: str = ""
    ends: str = _ENDS
    between: str = _BETWEEN

    @classmethod
    def of(cls, asked: WriteParams) -> _Alphabet:
        """That of the language."""
        language = asked.language
        ends, between = _ENDS + _OTHER_ENDS.get(language, ""), _BETWEEN + _OTHER_BETWEEN.get(language, "")
        return cls(_LETTERS[language], _MARKS.get(language, ""), ends, between).with_names(asked)

    def with_names(self, asked: WriteParams) -> _Alphabet:
        """This one, and what names that the client gave are written in."""
        known = re.compile(f"[{self.letters}{self.marks}]")
        names = (one.name for one in (*asked.characters, *asked.locations, *asked.objects))
        strange = sorted({c for name in names for c in name if not known.match(c)})
        letters, marks = ("".join(c for c in strange if unicodedata.category(c)[0] == kind) for kind in "LM")
        return replace(self, letters=self.letters + letters, marks=self.marks + marks)


_ENGLISH = _Alphabet(_LATIN)


def cast(asked: WriteParams, lengths: Lengths) -> Schema:
    """Title (unless it is given), what happens, style, mood; characters, locations and objects. Those that the client named but did
    not describe come first, under their names; those that the client described are not asked for."""
    own = _Alphabet.of(asked)
    properties: Schema = {
        "description": _text(own, lengths.plot),
        "title": _name(own, lengths.name),
        "style": _text(_ENGLISH, lengths.looks),
        "mood": {"enum": list(MOODS)},
        "characters": _elements(asked, asked.characters, lengths, fewest=0, most=3),
        "locations": _elements(asked, asked.locations, lengths, fewest=1, most=3),
        "objects": _elements(asked, asked.objects, lengths, fewest=0, most=2),
    }
    if asked.title:
        del properties["title"]
    return _object({name: value for name, value in properties.items() if value.get("maxItems") != 0})


def scenes(
    asked: WriteParams,
    characters: Sequence[str],
    locations: Sequence[str],
    objects: Sequence[str],
    lengths: Lengths,
    count: tuple[int, int],
) -> Schema:
    """Between so many scenes and so many. Only the given names can be named."""
    own = _Alphabet.of(asked)
    properties: Schema = {
        "name": _name(own, lengths.name),
        "image_description": _text(_ENGLISH.with_names(asked), lengths.image),
        "narration": _text(own, lengths.narration),
        "camera_movement": {"enum": list(CAMERA)},
        "characters": _list({"enum": list(characters)}, 0, min(ON_STAGE, len(characters))),
        "location": {"enum": list(locations)},
        "objects": _list({"enum": list(objects)}, 0, min(ON_STAGE, len(objects))),
    }
    for name, known in (("characters", characters), ("location", locations), ("objects", objects)):
        if not known:
            del properties[name]
    if not asked.narrated:
        del properties["narration"]
    return _object({"scenes": _list(_object(properties), *count)})


def longest(schema: Schema) -> int:
    """The most bytes that an answer of this schema has, written without line breaks. A bound for its tokens too: each stands for a
    byte at least."""
    if "const" in schema:
        return _written(schema["const"])
    if "enum" in schema:
        return max(map(_written, schema["enum"]))
    if schema["type"] == "string":
        return 2 + int(schema[_CHARACTERS]) * _BYTES
    if schema["type"] == "array":
        first = [longest(one) for one in schema.get("prefixItems", ())]
        most = int(schema["maxItems"])
        rest = most - len(first)
        return 2 + sum(first) + 2 * most + (rest * longest(schema["items"]) if rest else 0)
    return 2 + sum(_written(name) + 4 + longest(value) for name, value in schema["properties"].items())


def _elements(asked: WriteParams, given: Sequence[Named], lengths: Lengths, *, fewest: int, most: int) -> Schema:
    looks = _text(_ENGLISH.with_names(asked), lengths.looks)
    bare = [_object({"name": {"const": one.name}, "description": looks}) for one in given if not one.description]
    described = len(given) - len(bare)
    fresh = _object({"name": _name(_Alphabet.of(asked), lengths.name), "description": looks})
    listed = _list(fresh, max(fewest - described, len(bare)), max(most - described, len(bare)))
    return {**listed, "prefixItems": bare} if bare else listed


def _name(alphabet: _Alphabet, most: int) -> Schema:
    letters, marks = alphabet.letters, alphabet.marks
    return {"type": "string", "pattern": f"^[{letters}][{letters}{marks}{_WORDS}]{{0,{most - 1}}}$", _CHARACTERS: most}


def _text(alphabet: _Alphabet, most: int) -> Schema:
    """Sentences: what is cut off at its bound ends like one too."""
    letters, ends = alphabet.letters, alphabet.ends
    within = f"{letters}{alphabet.marks}{ends}{alphabet.between}{_WORDS}"
    pattern = f"^[{_OPENING}]?[{letters}][{within}]{{0,{most - 4}}}[{ends}][”»」』]?$"
    return {"type": "string", "pattern": pattern, _CHARACTERS: most}


def _list(items: Schema, fewest: int, most: int) -> Schema:
    return {"type": "array", "items": items, "minItems": fewest, "maxItems": most}


def _object(properties: Schema) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _written(value: object) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode())

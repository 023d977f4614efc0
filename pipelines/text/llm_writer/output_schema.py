"""JSON schemas for constrained decoding: any text that they allow is a valid storyboard. Pure functions.

The writer works in two stages: first title, plot and elements (`cast_schema`), then scenes, which can refer only to
these elements (`scenes_schema`). Every string has a pattern: it begins with a letter, ends like a sentence (unless it
is a name), has no escapes, only letters of its language, and a maximum length. So every allowed text is finite,
pronounceable, and needs no repair.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from pipelines.step_params import Language, NamedElement, WriteParams

Schema = dict[str, Any]

CAMERA_MOVES = (
    "static shot", "slow push in", "slow pull back", "slow pan left", "slow pan right", "slow tilt up",
    "slow tilt down",
    "slow crane up", "gentle drift left", "gentle drift right", "slow orbit left", "slow orbit right",
    "handheld, subtle",
)  # fmt: skip
MOODS = ("calm", "joyful", "adventurous", "tense", "sad")
MAX_ELEMENTS_PER_SCENE = 4
"""Maximum number of characters and of objects in a scene; more crowd the image."""
MIN_SCENES, MAX_SCENES = 2, 6
"""Range of the number of scenes if the request gives none."""

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
_COMBINING_MARKS: Mapping[Language, str] = {
    "Arabic": "\u064b-\u0652\u0670",
    "Hindi": "\u0900-\u0903\u093a-\u0957\u0962-\u0965",
}
"""Combining characters that follow a letter."""
_OPENING_PUNCTUATION = "¿¡“„«‘「『"
# Latin capitals and digits serve for DNA, TV, 3D in any script. JSON's quotation mark and backslash are excluded.
_COMMON_CHARACTERS = " A-Z0-9'’\u200c\u200d-"
_SENTENCE_ENDS = ".!?…"
_LANGUAGE_SENTENCE_ENDS: Mapping[Language, str] = {
    "Arabic": "؟",
    "Chinese": "。！？",
    "Hindi": "।",
    "Japanese": "。！？",
}
_PUNCTUATION = ",;:‘“”„()%&/+°–—"
_LANGUAGE_PUNCTUATION: Mapping[Language, str] = {
    "Arabic": "،؛«»",
    "Chinese": "、，：；（）「」『』《》",
    "French": "«»",
    "Japanese": "、：；（）「」『』・",
    "Spanish": "«»¿¡",
}
_MAX_CHARACTERS_KEY = "x-characters"
"""Schema keyword for the maximum length of a string with a pattern: xgrammar ignores `maxLength` next to `pattern`."""
_MAX_BYTES_PER_CHARACTER = 4
"""Length of the longest UTF-8 sequence."""


class TextLimits(BaseModel):
    """Maximum number of characters of each kind of text."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: int = Field(40, ge=2, le=200)
    plot: int = Field(600, ge=4, le=4000)
    appearance: int = Field(
        240, ge=4, le=2000, description="Of a character, a location, an object, and of the film's style."
    )
    image: int = Field(320, ge=4, le=2000)
    narration: int = Field(320, ge=4, le=2000)


@dataclass(frozen=True, slots=True)
class _Alphabet:
    """Character ranges of a regular expression: letters, combining marks, sentence enders, and other punctuation."""

    letters: str
    combining_marks: str = ""
    sentence_ends: str = _SENTENCE_ENDS
    punctuation: str = _PUNCTUATION

    @classmethod
    def for_params(cls, params: WriteParams) -> _Alphabet:
        """Return the alphabet of the story's language, extended by the client's names."""
        language = params.language
        ends, between = (
            _SENTENCE_ENDS + _LANGUAGE_SENTENCE_ENDS.get(language, ""),
            _PUNCTUATION + _LANGUAGE_PUNCTUATION.get(language, ""),
        )
        return cls(_LETTERS[language], _COMBINING_MARKS.get(language, ""), ends, between).with_names(params)

    def with_names(self, params: WriteParams) -> _Alphabet:
        """Return this alphabet with the letters and marks of the client's names added."""
        known = re.compile(f"[{self.letters}{self.combining_marks}]")
        names = (one.name for one in (*params.characters, *params.locations, *params.objects))
        extra_characters = sorted({c for name in names for c in name if not known.match(c)})
        letters, marks = ("".join(c for c in extra_characters if unicodedata.category(c)[0] == kind) for kind in "LM")
        return replace(self, letters=self.letters + letters, combining_marks=self.combining_marks + marks)


_ENGLISH = _Alphabet(_LATIN)


def cast_schema(params: WriteParams, limits: TextLimits) -> Schema:
    """Return the schema of title, plot, style, mood, characters, locations and objects.

    The title is left out if the client gave one. Elements of the client without a description come first, under their
    names; elements with a description are left out.
    """
    alphabet = _Alphabet.for_params(params)
    properties: Schema = {
        "description": _text_schema(alphabet, limits.plot),
        "title": _name_schema(alphabet, limits.name),
        "style": _text_schema(_ENGLISH, limits.appearance),
        "mood": {"enum": list(MOODS)},
        "characters": _elements_schema(params, params.characters, limits, minimum=0, maximum=3),
        "locations": _elements_schema(params, params.locations, limits, minimum=1, maximum=3),
        "objects": _elements_schema(params, params.objects, limits, minimum=0, maximum=2),
    }
    if params.title:
        del properties["title"]
    return _object_schema({name: value for name, value in properties.items() if value.get("maxItems") != 0})


def scenes_schema(
    params: WriteParams,
    characters: Sequence[str],
    locations: Sequence[str],
    objects: Sequence[str],
    limits: TextLimits,
    count: tuple[int, int],
) -> Schema:
    """Return the schema of `count` (minimum, maximum) scenes. Scenes can refer only to the given names."""
    alphabet = _Alphabet.for_params(params)
    properties: Schema = {
        "name": _name_schema(alphabet, limits.name),
        "image_description": _text_schema(_ENGLISH.with_names(params), limits.image),
        "narration": _text_schema(alphabet, limits.narration),
        "camera_movement": {"enum": list(CAMERA_MOVES)},
        "characters": _array_schema({"enum": list(characters)}, 0, min(MAX_ELEMENTS_PER_SCENE, len(characters))),
        "location": {"enum": list(locations)},
        "objects": _array_schema({"enum": list(objects)}, 0, min(MAX_ELEMENTS_PER_SCENE, len(objects))),
    }
    for name, known in (("characters", characters), ("location", locations), ("objects", objects)):
        if not known:
            del properties[name]
    if not params.narrated:
        del properties["narration"]
    return _object_schema({"scenes": _array_schema(_object_schema(properties), *count)})


def max_bytes(schema: Schema) -> int:
    """Return the maximum size in bytes of an answer of this schema without line breaks.

    It bounds the number of tokens too, because each token stands for at least one byte.
    """
    if "const" in schema:
        return _json_bytes(schema["const"])
    if "enum" in schema:
        return max(map(_json_bytes, schema["enum"]))
    if schema["type"] == "string":
        return 2 + int(schema[_MAX_CHARACTERS_KEY]) * _MAX_BYTES_PER_CHARACTER
    if schema["type"] == "array":
        first = [max_bytes(one) for one in schema.get("prefixItems", ())]
        most = int(schema["maxItems"])
        rest = most - len(first)
        return 2 + sum(first) + 2 * most + (rest * max_bytes(schema["items"]) if rest else 0)
    return 2 + sum(_json_bytes(name) + 4 + max_bytes(value) for name, value in schema["properties"].items())


def _elements_schema(
    params: WriteParams, user_elements: Sequence[NamedElement], limits: TextLimits, *, minimum: int, maximum: int
) -> Schema:
    appearance = _text_schema(_ENGLISH.with_names(params), limits.appearance)
    undescribed = [
        _object_schema({"name": {"const": one.name}, "description": appearance})
        for one in user_elements
        if not one.description
    ]
    described = len(user_elements) - len(undescribed)
    new_element = _object_schema(
        {"name": _name_schema(_Alphabet.for_params(params), limits.name), "description": appearance}
    )
    listed = _array_schema(
        new_element, max(minimum - described, len(undescribed)), max(maximum - described, len(undescribed))
    )
    return {**listed, "prefixItems": undescribed} if undescribed else listed


def _name_schema(alphabet: _Alphabet, max_characters: int) -> Schema:
    letters, marks = alphabet.letters, alphabet.combining_marks
    return {
        "type": "string",
        "pattern": f"^[{letters}][{letters}{marks}{_COMMON_CHARACTERS}]{{0,{max_characters - 1}}}$",
        _MAX_CHARACTERS_KEY: max_characters,
    }


def _text_schema(alphabet: _Alphabet, max_characters: int) -> Schema:
    """Return the schema of one or more sentences.

    Text that reaches the maximum length still ends with a sentence ender.
    """
    letters, ends = alphabet.letters, alphabet.sentence_ends
    allowed = f"{letters}{alphabet.combining_marks}{ends}{alphabet.punctuation}{_COMMON_CHARACTERS}"
    pattern = f"^[{_OPENING_PUNCTUATION}]?[{letters}][{allowed}]{{0,{max_characters - 4}}}[{ends}][”»」』]?$"
    return {"type": "string", "pattern": pattern, _MAX_CHARACTERS_KEY: max_characters}


def _array_schema(items: Schema, min_items: int, max_items: int) -> Schema:
    return {"type": "array", "items": items, "minItems": min_items, "maxItems": max_items}


def _object_schema(properties: Schema) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _json_bytes(value: object) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode())

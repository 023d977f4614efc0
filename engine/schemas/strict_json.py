"""JSON as strict as it was meant: no key twice, no NaN, no number beyond 64 bits, no text that is no text."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from engine.story.model import StoryError

LARGEST = 2**63 - 1
NO_TEXT = re.compile("[\0\ud800-\udfff]")
"""What no file or program could hold."""


def loads(place: str, text: str) -> Any:
    """The value of a JSON text. Raises StoryError naming `place`."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                raise StoryError(place, "is JSON in which one key stands twice in an object")
            found[key] = value
        return found

    def no_constant(name: str) -> Any:
        raise StoryError(place, f"is JSON with {name}, which is no number that JSON knows")

    try:
        value = json.loads(text, object_pairs_hook=unique, parse_constant=no_constant)
        check(place, value)
    except StoryError:
        raise
    except ValueError:
        raise StoryError(place, "is not valid JSON") from None
    except RecursionError:
        raise StoryError(place, "is JSON that is nested too deeply") from None
    return value


def check(place: str, value: Any) -> None:
    """Raises StoryError for what no file, database or program could hold."""
    match value:
        case str():
            if NO_TEXT.search(value):
                raise StoryError(place, "holds characters that are no text (NUL or half of a surrogate pair)")
        case bool():
            pass
        case int():
            if not -LARGEST <= value <= LARGEST:
                raise StoryError(place, "holds a whole number of more than 64 bits")
        case float():
            if not math.isfinite(value):
                raise StoryError(place, "holds a number that is too large")
        case dict():
            for key, item in value.items():
                check(place, key)
                check(place, item)
        case list():
            for item in value:
                check(place, item)

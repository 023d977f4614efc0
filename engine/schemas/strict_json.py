"""JSON as strict as it was meant: no key twice, no NaN, no number beyond 64 bits, no text that is no text."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from engine.story.model import StoryError

MAX_INT = 2**63 - 1
INVALID_CHARS = re.compile("[\0\ud800-\udfff]")
"""What no file or program could hold."""


def loads(field_path: str, text: str) -> Any:
    """The value of a JSON text. Raises StoryError naming `place`."""

    def reject_duplicate_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                raise StoryError(field_path, "is JSON in which one key stands twice in an object")
            found[key] = value
        return found

    def reject_constant(name: str) -> Any:
        raise StoryError(field_path, f"is JSON with {name}, which is no number that JSON knows")

    try:
        value = json.loads(text, object_pairs_hook=reject_duplicate_keys, parse_constant=reject_constant)
        check_value(field_path, value)
    except StoryError:
        raise
    except ValueError:
        raise StoryError(field_path, "is not valid JSON") from None
    except RecursionError:
        raise StoryError(field_path, "is JSON that is nested too deeply") from None
    return value


def check_value(field_path: str, value: Any) -> None:
    """Raises StoryError for what no file, database or program could hold."""
    match value:
        case str():
            if INVALID_CHARS.search(value):
                raise StoryError(field_path, "holds characters that are no text (NUL or half of a surrogate pair)")
        case bool():
            pass
        case int():
            if not -MAX_INT <= value <= MAX_INT:
                raise StoryError(field_path, "holds a whole number of more than 64 bits")
        case float():
            if not math.isfinite(value):
                raise StoryError(field_path, "holds a number that is too large")
        case dict():
            for key, item in value.items():
                check_value(field_path, key)
                check_value(field_path, item)
        case list():
            for item in value:
                check_value(field_path, item)

"""Strict JSON: no duplicate keys, no NaN or infinity, integers of at most 64 bits, no NUL and no lone surrogates."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from engine.story.model import StoryError

MAX_INT = 2**63 - 1
INVALID_CHARS = re.compile("[\0\ud800-\udfff]")
"""NUL and lone surrogates: databases and UTF-8 files cannot store them."""


def loads(field_path: str, text: str) -> Any:
    """Return the value of a JSON text. Raises StoryError with `field_path`."""

    def reject_duplicate_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                raise StoryError(field_path, "has a duplicate key")
            found[key] = value
        return found

    def reject_constant(name: str) -> Any:
        raise StoryError(field_path, f"contains {name}, which is not a valid JSON number")

    try:
        value = json.loads(text, object_pairs_hook=reject_duplicate_keys, parse_constant=reject_constant)
        check_value(field_path, value)
    except StoryError:
        raise
    except ValueError:
        raise StoryError(field_path, "is not valid JSON") from None
    except RecursionError:
        raise StoryError(field_path, "is nested too deeply") from None
    return value


def check_value(field_path: str, value: Any) -> None:
    """Raise StoryError for text or numbers that cannot be stored."""
    match value:
        case str():
            if INVALID_CHARS.search(value):
                raise StoryError(field_path, "contains NUL or a lone surrogate")
        case bool():
            pass
        case int():
            if not -MAX_INT <= value <= MAX_INT:
                raise StoryError(field_path, "contains an integer of more than 64 bits")
        case float():
            if not math.isfinite(value):
                raise StoryError(field_path, "contains a number that is too large")
        case dict():
            for key, item in value.items():
                check_value(field_path, key)
                check_value(field_path, item)
        case list():
            for item in value:
                check_value(field_path, item)

"""Parsing of a story file: the request body of either hosted API as JSON or YAML, with local paths → Story or Brief."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from engine.schemas import generate_requests, story_requests
from engine.schemas.strict_json import INVALID_CHARS
from engine.story.model import Brief, Story, StoryError
from pipelines.models.catalog import suggest

MAX_BYTES = 8 * 1024 * 1024
REQUEST_PARSERS: Mapping[str, Callable[[Mapping[str, Any]], Story | Brief]] = {
    generate_requests.NAME: generate_requests.to_story,
    **{name: partial(story_requests.to_brief, name) for name in story_requests.REQUEST_BODIES},
}
"""Parsers by request type."""


def read_spec(path: Path, request_type: str | None = None) -> Story | Brief:
    """Return the story of a file. Without `request_type`, detect the type from the fields.

    Raises StoryError with the field (or the file name) and the fix.
    """
    content = _load_file(path)
    name = request_type or detect_request_type(content)
    if name not in REQUEST_PARSERS:
        raise StoryError("--type", f'no request type "{name}"{suggest(name, REQUEST_PARSERS)}')
    return REQUEST_PARSERS[name](content)


def detect_request_type(content: Mapping[str, Any]) -> str:
    """Return the request type of a body. Raises StoryError if no type matches."""
    if "scenes" in content and "idea" not in content:
        return generate_requests.NAME
    if "image_urls" in content or "image_files" in content:
        return "images-2-video"
    if "idea" in content:
        idea = content["idea"]
        has_page = "page" in content or (isinstance(idea, str) and story_requests.find_url(idea))
        return "url-2-video" if has_page else "idea-2-video"
    raise StoryError("", 'must have "scenes" (a complete story), "idea" or "image_urls"; see `python -m engine schema`')


def _load_file(path: Path) -> Mapping[str, Any]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise StoryError(str(path), f"is larger than {MAX_BYTES >> 20} MB; keep images in separate files")
        text = path.read_text("utf-8-sig")
    except IsADirectoryError:
        raise StoryError(str(path), "is a folder; pass a story file") from None
    except UnicodeDecodeError:
        raise StoryError(str(path), "is not valid UTF-8; save it as UTF-8") from None
    except OSError as error:
        raise StoryError(str(path), f"cannot be read ({error.strerror})") from error
    content = _load_yaml(path, text) if path.suffix.lower() in (".yaml", ".yml") else _load_json(path, text)
    if not isinstance(content, dict):
        raise StoryError(str(path), "must be one object (the body of a request)")
    _check_value("", content)
    return content


def _load_json(path: Path, text: str) -> Any:
    def reject_duplicate_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                raise StoryError(key, "is a duplicate key")
            found[key] = value
        return found

    def reject_constant(name: str) -> Any:
        raise StoryError(str(path), f"{name} is not a valid JSON number")

    try:
        return json.loads(text, object_pairs_hook=reject_duplicate_keys, parse_constant=reject_constant)
    except json.JSONDecodeError as error:
        raise StoryError(f"{path}:{error.lineno}:{error.colno}", f"is not valid JSON ({error.msg})") from None
    except RecursionError:
        raise StoryError(str(path), "is nested too deeply") from None


def _load_yaml(path: Path, text: str) -> Any:
    try:
        # Nested aliases can expand a small file exponentially.
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader)):
            raise StoryError(str(path), "has a YAML alias (*name); repeat the value instead")
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        location = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise StoryError(location, f"is not valid YAML ({getattr(error, 'problem', None) or 'unreadable'})") from None
    except RecursionError:
        raise StoryError(str(path), "is nested too deeply") from None


def _check_value(field_path: str, value: Any) -> None:
    """Raise StoryError for text with NUL or a lone surrogate, and for keys that are not text."""
    match value:
        case str():
            if INVALID_CHARS.search(value):
                raise StoryError(field_path, "contains NUL or a lone surrogate")
        case dict():
            for key, item in value.items():
                if not isinstance(key, str):
                    raise StoryError(field_path, f"has the key {key!r}, which is not text; put it in quotes")
                _check_value(field_path, key)
                _check_value(f"{field_path}.{key}" if field_path else key, item)
        case list():
            for number, item in enumerate(value):
                _check_value(f"{field_path}[{number}]", item)

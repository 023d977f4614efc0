"""A spec file → Story or Brief: the JSON (or YAML) body of a creating request of either hosted API, with local paths allowed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from engine.schemas import generate_requests, story_requests
from engine.schemas.strict_json import NO_TEXT
from engine.story.model import Brief, Story, StoryError
from pipelines.models.catalog import suggest

MAX_BYTES = 8 * 1024 * 1024
FORMS: Mapping[str, Callable[[Mapping[str, Any]], Story | Brief]] = {
    generate_requests.NAME: generate_requests.story,
    **{name: partial(story_requests.brief, name) for name in story_requests.BODIES},
}
"""What a spec file can be: the names of the creating requests."""


def read_spec(path: Path, form: str | None = None) -> Story | Brief:
    """The story that a file tells. `form` says which request it is; None: recognised by its fields.

    Raises StoryError with the field (or the file's name) and what to do.
    """
    content = _content(path)
    name = form or recognised(content)
    if name not in FORMS:
        raise StoryError("--as", f'no form "{name}"{suggest(name, FORMS)}')
    return FORMS[name](content)


def recognised(content: Mapping[str, Any]) -> str:
    """Which request a body is. Raises StoryError when it is none."""
    if "scenes" in content and "idea" not in content:
        return generate_requests.NAME
    if "image_urls" in content or "image_files" in content:
        return "images-2-video"
    if "idea" in content:
        idea = content["idea"]
        reads_a_page = "page" in content or (isinstance(idea, str) and story_requests.address_in(idea))
        return "url-2-video" if reads_a_page else "idea-2-video"
    raise StoryError(
        "", 'neither "scenes" (a whole story) nor "idea" nor "image_urls" is there; see `python -m engine schema`'
    )


def _content(path: Path) -> Mapping[str, Any]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise StoryError(
                str(path), f"is larger than {MAX_BYTES >> 20} MB; a spec file holds words, pictures lie beside it"
            )
        text = path.read_text("utf-8-sig")
    except IsADirectoryError:
        raise StoryError(str(path), "is a folder; give the spec file in it") from None
    except UnicodeDecodeError:
        raise StoryError(str(path), "is not UTF-8 text; save it as UTF-8") from None
    except OSError as error:
        raise StoryError(str(path), f"cannot be read ({error.strerror})") from error
    content = _yaml(path, text) if path.suffix.lower() in (".yaml", ".yml") else _json(path, text)
    if not isinstance(content, dict):
        raise StoryError(str(path), "must hold one object (the body of a request)")
    _check_text("", content)
    return content


def _json(path: Path, text: str) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                raise StoryError(key, "stands twice in one object")
            found[key] = value
        return found

    def no_constant(name: str) -> Any:
        raise StoryError(str(path), f"{name} is not a number that JSON knows")

    try:
        return json.loads(text, object_pairs_hook=unique, parse_constant=no_constant)
    except json.JSONDecodeError as error:
        raise StoryError(f"{path}:{error.lineno}:{error.colno}", f"is not valid JSON ({error.msg})") from None
    except RecursionError:
        raise StoryError(str(path), "is nested too deeply") from None


def _yaml(path: Path, text: str) -> Any:
    try:
        # Aliases can make a small file expand without end; a spec needs none.
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader)):
            raise StoryError(str(path), "uses YAML aliases (*name); write the value out")
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise StoryError(place, f"is not valid YAML ({getattr(error, 'problem', None) or 'unreadable'})") from None
    except RecursionError:
        raise StoryError(str(path), "is nested too deeply") from None


def _check_text(place: str, value: Any) -> None:
    """Text that no file or program could hold is refused where it stands."""
    match value:
        case str():
            if NO_TEXT.search(value):
                raise StoryError(place, "holds characters that are no text (NUL or half of a surrogate pair)")
        case dict():
            for key, item in value.items():
                if not isinstance(key, str):
                    raise StoryError(place, f"has the key {key!r}, which is no text; put it in quotes")
                _check_text(place, key)
                _check_text(f"{place}.{key}" if place else key, item)
        case list():
            for number, item in enumerate(value):
                _check_text(f"{place}[{number}]", item)

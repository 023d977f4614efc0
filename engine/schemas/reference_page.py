"""Reference of story files and `story.json` as Markdown, generated from the models."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from engine.outputs.story_record import RecordModel, StoryRecord
from engine.schemas import generate_requests, story_requests
from engine.schemas.common import EngineOptions
from engine.story.model import Story, StoryError
from pipelines.models.catalog import suggest

REQUEST_BODIES: dict[str, type[BaseModel]] = {
    generate_requests.NAME: generate_requests.GenerateStoryBody,
    **story_requests.REQUEST_BODIES,
}
INTRODUCTION = """\
# Story files

`python -m engine run FILE` reads a story file: the JSON body of any request of the two hosted APIs that creates a
story. The same content as YAML works too. A relative path works wherever the APIs take a URL. The fields of a file
determine its request type:

- `scenes` without `idea`: generate-story
- `image_urls` or `image_files`: images-2-video
- `page`, or an `idea` with a URL: url-2-video
- any other `idea`: idea-2-video

`--type NAME` sets the request type instead. Unknown keys are refused with a suggestion. Keys marked *extension* exist
only in this engine. For editors: `python -m engine schema --type NAME > schema.json`.

`python -m engine schema --markdown` generates this page from the types.
"""
RECORD_INTRODUCTION = """\
# story.json

`python -m engine run` writes `story.json` beside the film: the story, models, seeds, licences, run times and warnings
of everything in the folder. `version` increases when a field changes; `engine.outputs.story_record.read_record`
refuses other versions. JSON Schema: `python -m engine schema --record`.
"""


def get_body(name: str) -> type[BaseModel]:
    """Return the model of a request type. Raises StoryError with a suggestion."""
    if name not in REQUEST_BODIES:
        raise StoryError("--type", f'no request type "{name}"{suggest(name, REQUEST_BODIES)}')
    return REQUEST_BODIES[name]


def render_page() -> str:
    """Return the reference of story files and `story.json` as Markdown."""
    parts = [INTRODUCTION]
    for name, body in REQUEST_BODIES.items():
        parts.append(f"## {name}\n\n{_doc_text(body)}\n\n{_fields_table(body)}")
    parts.append("# Objects in story files\n")
    parts += [_section(model) for model in _nested_models(*REQUEST_BODIES.values())]
    parts.append(RECORD_INTRODUCTION)
    record_models: list[type[BaseModel]] = [StoryRecord, *_nested_models(StoryRecord)]
    parts += [_section(model) for model in record_models if issubclass(model, RecordModel)]
    return "\n".join(parts).rstrip("\n")


def _section(model: type[BaseModel]) -> str:
    return f"## {_title(model)}\n\n{_doc_text(model)}\n\n{_fields_table(model)}"


def _nested_models(*roots: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """Yield every model inside the roots once, in the order of first use."""
    seen: dict[type[BaseModel], None] = {}
    queue = list(roots)
    while queue:
        for field in queue.pop(0).model_fields.values():
            for model in _models(field.annotation):
                if model not in seen:
                    seen[model] = None
                    queue.append(model)
    yield from seen


def _fields_table(body: type[BaseModel]) -> str:
    rows = ["| key | value | default | meaning |", "|---|---|---|---|"]
    extensions = EngineOptions.model_fields if issubclass(body, EngineOptions) else {}
    for name, field in sorted(body.model_fields.items(), key=lambda item: item[0] in extensions):
        meaning = (field.description or "").replace("|", "\\|").replace("\n", " ")
        if name in extensions:
            meaning = f"*extension* {meaning}"
        meaning = meaning.replace("Extension: ", "*extension* ")
        rows.append(f"| `{name}` | {_field_type_text(field)} | {_default_text(field)} | {meaning} |")
    return "\n".join(rows) + "\n"


def _field_type_text(field: FieldInfo) -> str:
    text = _type_text(field.annotation)
    bounds = []
    for one in field.metadata:
        for attribute, sign in (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<")):
            value = getattr(one, attribute, None)
            if value is not None:
                bounds.append(f"{sign} {value}")
        for attribute, phrase in (("min_length", "at least"), ("max_length", "at most")):
            value = getattr(one, attribute, None)
            if value is not None:
                bounds.append(f"{phrase} {value}")
    return text + (f", {', '.join(bounds)}" if bounds else "")


def _type_text(annotation: Any) -> str:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _type_text(arguments[0])
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_type_text(one) for one in arguments if one is not type(None))
    if origin is typing.Literal:
        return ", ".join(f"`{one}`" if isinstance(one, str) else f"{one}" for one in arguments)
    if origin in (list, tuple):
        return f"list of {_type_text(arguments[0])}"
    if origin in (dict, Mapping):
        return f"object: name → {_type_text(arguments[1])}"
    if annotation is Story:
        return "object"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        title = _title(annotation)
        return f"[{title}](#{title.lower().replace(' ', '-')})"
    return {"str": "text", "int": "integer", "float": "number", "bool": "true or false", "Any": "any"}.get(
        getattr(annotation, "__name__", ""), str(annotation)
    )


def _default_text(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    default = field.get_default(call_default_factory=True)
    if isinstance(default, BaseModel) or default in (None, "", [], {}, ()):
        return "–"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _doc_text(body: type[BaseModel]) -> str:
    return " ".join((body.__doc__ or "").split())


def _title(body: type[BaseModel]) -> str:
    name = body.__name__.removesuffix("Body")
    return "".join(f" {char.lower()}" if char.isupper() and number else char for number, char in enumerate(name))


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for one in typing.get_args(annotation):
        yield from _models(one)

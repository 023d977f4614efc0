"""The page and the schema that document spec files, made from the types."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from engine.schemas import generate_requests, story_requests
from engine.schemas.common import EngineOptions
from engine.story.model import StoryError
from pipelines.models.catalog import suggest

REQUEST_BODIES: dict[str, type[BaseModel]] = {
    generate_requests.NAME: generate_requests.GenerateStoryBody,
    **story_requests.REQUEST_BODIES,
}
INTRODUCTION = """\
# Spec files

`python -m engine run FILE` takes the JSON body of any creating request of the two hosted APIs as it is; YAML says the same with
fewer quotes. Where the APIs take an address, a path beside the file is taken too. Which request a file is, is recognised by its
fields: `scenes` makes it a generate-story body, `image_urls` or `image_files` an images-2-video body, an `idea` that holds an address
(or a `page`) an url-2-video body, any other `idea` an idea-2-video body; `--as NAME` says it when that is not meant.

Unknown keys are refused with a suggestion. Keys marked *extension* are this engine's own. For editors:
`python -m engine schema --as NAME > schema.json`. This page is made from the types by `python -m engine schema --page`.
"""


def get_body(name: str) -> type[BaseModel]:
    """The type of a request body. Raises StoryError with a suggestion."""
    if name not in REQUEST_BODIES:
        raise StoryError("--as", f'no form "{name}"{suggest(name, REQUEST_BODIES)}')
    return REQUEST_BODIES[name]


def render_page() -> str:
    """The whole page, as Markdown."""
    parts = [INTRODUCTION]
    for name, body in REQUEST_BODIES.items():
        parts.append(f"## {name}\n\n{_doc_text(body)}\n\n{_fields_table(body)}")
    parts.append("# Parts of bodies\n")
    for part in _nested_models():
        parts.append(f"## {_title(part)}\n\n{_doc_text(part)}\n\n{_fields_table(part)}")
    return "\n".join(parts).rstrip("\n")


def _nested_models() -> Iterator[type[BaseModel]]:
    """Every object that stands inside a body, once, in the order of first use."""
    seen: dict[type[BaseModel], None] = {}
    queue = list(REQUEST_BODIES.values())
    while queue:
        for field in queue.pop(0).model_fields.values():
            for model in _models(field.annotation):
                if model not in seen:
                    seen[model] = None
                    queue.append(model)
    yield from seen


def _fields_table(body: type[BaseModel]) -> str:
    rows = ["| key | value | default | meaning |", "|---|---|---|---|"]
    fields = sorted(body.model_fields.items(), key=lambda item: item[0] in EngineOptions.model_fields)
    for name, field in fields:
        words = (field.description or "").replace("|", "\\|").replace("\n", " ")
        if name in EngineOptions.model_fields and issubclass(body, EngineOptions):
            words = f"*extension* {words}"
        words = words.replace("Extension: ", "*extension* ")
        rows.append(f"| `{name}` | {_field_type_text(field)} | {_default_text(field)} | {words} |")
    return "\n".join(rows) + "\n"


def _field_type_text(field: FieldInfo) -> str:
    text = _type_text(field.annotation)
    bounds = []
    for one in field.metadata:
        for attribute, sign in (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<")):
            value = getattr(one, attribute, None)
            if value is not None:
                bounds.append(f"{sign} {value}")
        for attribute, words in (("min_length", "at least {}"), ("max_length", "at most {}")):
            value = getattr(one, attribute, None)
            if value is not None:
                bounds.append(words.format(value))
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
    if origin is dict:
        return f"object: name → {_type_text(arguments[1])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        title = _title(annotation)
        return f"[{title}](#{title.lower().replace(' ', '-')})"
    return {"str": "text", "int": "whole number", "float": "number", "bool": "true or false"}.get(
        getattr(annotation, "__name__", ""), str(annotation)
    )


def _default_text(field: FieldInfo) -> str:
    if field.is_required():
        return "**needed**"
    default = field.get_default(call_default_factory=True)
    if isinstance(default, BaseModel) or default in (None, "", [], {}):
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

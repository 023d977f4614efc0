"""What a portrait or an element leaves for the keyframes: resolved attributes, so that words are read once."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from pipelines.base import BadInput, Params
from pipelines.image.illustrator.language.appearance import Appearance
from pipelines.image.illustrator.language.setting import Setting
from pipelines.image.illustrator.props.props import PropSpec


class CharacterFigure(Params):
    """A character in one state. `picture`: a given picture of the character, cut square around the face, as base64 PNG;
    `whole`: a given picture that shows the character from head to foot, cut out, to stand in the scene as it is."""

    role: Literal["character"] = "character"
    name: str
    state: str | None = None
    appearance: Appearance
    face_image: str | None = None
    full_body_image: str | None = None


class LocationFigure(Params):
    """A location; `picture`: a given picture of it, as base64 PNG."""

    role: Literal["location"] = "location"
    name: str
    setting: Setting
    image: str | None = None


class ObjectFigure(Params):
    """An object; `picture`: a given picture of it, cut out, as base64 PNG."""

    role: Literal["object"] = "object"
    name: str
    spec: PropSpec
    image: str | None = None


Figure = Annotated[CharacterFigure | LocationFigure | ObjectFigure, Field(discriminator="role")]
_FIGURE_ADAPTER: TypeAdapter[CharacterFigure | LocationFigure | ObjectFigure] = TypeAdapter(Figure)
_PNG_SIGNATURE = b"\x89PNG"


def read_figures(paths: Iterable[Path]) -> list[CharacterFigure | LocationFigure | ObjectFigure]:
    """The figures among the files of the role `figures`; pictures that lie beside them are passed over."""
    found = []
    for path in paths:
        data = path.read_bytes()
        if data.startswith(_PNG_SIGNATURE):
            continue
        try:
            found.append(_FIGURE_ADAPTER.validate_json(data))
        except ValidationError as error:
            raise BadInput(
                "figures", f"{path.name} is not a figure of this model.", "Draw the portraits again."
            ) from error
    return found


def find_base_figure(inputs: Mapping[str, Sequence[Path]]) -> CharacterFigure | None:
    """The figure of the base look, where there is one."""
    for figure in read_figures(inputs.get("base_figure", ())):
        if isinstance(figure, CharacterFigure):
            return figure
    return None


def encode_base64(png: bytes) -> str:
    """PNG bytes → base64 text."""
    return base64.b64encode(png).decode("ascii")

"""The conversation that keyframes are part of: each picture adds its turn, so that a later scene can be shown what came before."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pydantic import Field, ValidationError

from pipelines.base import BadInput, Params
from pipelines.step_params import KeyframeParams, Reference


class Turn(Params):
    """One picture of the conversation: what was asked, which pictures were shown, and which picture (SHA-256 of the file) came."""

    number: int = Field(ge=1)
    prompt: str
    references: tuple[Reference, ...] = ()
    image_digest: str


class Conversation(Params):
    """The turns so far, oldest first."""

    turns: tuple[Turn, ...] = ()


def read_conversation(context_file: Path | None) -> Conversation:
    """The conversation in a context.json; an empty one where there is none. Raises BadInput for any other file."""
    if context_file is None:
        return Conversation()
    try:
        return Conversation.model_validate_json(context_file.read_bytes())
    except ValidationError as error:
        raise BadInput(
            "previous_context", "this is not the context of an earlier scene.", "Make the earlier scene again."
        ) from error


def write_turn(params: KeyframeParams, context_file: Path | None, image_file: Path, out: Path) -> Path:
    """Writes `out/context.json`: the conversation before, with the turn of `image_file` at its end."""
    turn = Turn(
        number=params.number,
        prompt=params.prompt,
        references=params.references,
        image_digest=hashlib.sha256(image_file.read_bytes()).hexdigest(),
    )
    told = Conversation(turns=(*read_conversation(context_file).turns, turn))
    path = out / "context.json"
    path.write_text(told.model_dump_json(), encoding="utf-8")
    return path

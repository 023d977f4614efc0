"""The conversation of keyframes: each image adds a turn, and later scenes use the turns before them as context."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pydantic import Field, ValidationError

from pipelines.base import BadInput, Params
from pipelines.step_params import KeyframeParams, Reference


class Turn(Params):
    """One turn: the prompt, the reference images, and the SHA-256 of the generated image file."""

    number: int = Field(ge=1)
    prompt: str
    references: tuple[Reference, ...] = ()
    image_digest: str


class Conversation(Params):
    """The turns in order, oldest first."""

    turns: tuple[Turn, ...] = ()


def read_conversation(context_file: Path | None) -> Conversation:
    """Read a context.json; return an empty conversation for None. Raises BadInput when the file is not valid."""
    if context_file is None:
        return Conversation()
    try:
        return Conversation.model_validate_json(context_file.read_bytes())
    except ValidationError as error:
        raise BadInput(
            "previous_context", "the file is not the context of an earlier scene.", "Make the earlier scene again."
        ) from error


def write_turn(params: KeyframeParams, context_file: Path | None, image_file: Path, out: Path) -> Path:
    """Write `out/context.json`: the conversation of `context_file` and the turn of `image_file`. Return its path."""
    turn = Turn(
        number=params.number,
        prompt=params.prompt,
        references=params.references,
        image_digest=hashlib.sha256(image_file.read_bytes()).hexdigest(),
    )
    conversation = Conversation(turns=(*read_conversation(context_file).turns, turn))
    path = out / "context.json"
    path.write_text(conversation.model_dump_json(), encoding="utf-8")
    return path

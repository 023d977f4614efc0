"""Functions for 0003_plain_names.sql: rename fields, step kinds and step ids in stored text."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

_KINDS = {
    "check": "check_text",
    "intake": "sanitize_image",
    "inspect": "check_image",
    "glimpse": "sample_frames",
    "encode": "encode_prompt",
    "bridge": "transition",
}
_STEPS_ABOUT_STEPS = frozenset({"inspect", "encode", "enhance"})
"""Kinds whose step id names another step, as in `inspect:keyframe:3`."""


def register_functions(connection: sqlite3.Connection) -> None:
    """Make the functions available to the SQL of this connection."""
    connection.create_function("rename_kind", 1, rename_kind, deterministic=True)
    connection.create_function("rename_story_json", 1, rename_story_json, deterministic=True)


def rename_kind(kind: str) -> str:
    """Return the current name of a step kind."""
    return _KINDS.get(kind, kind)


def rename_story_json(text: str) -> str:
    """Return a stored Story or Brief with the current field names.

    The text is the bare object, or an object with the single key `story` or `brief`."""
    content: dict[str, Any] = json.loads(text)
    for wrapper in ("story", "brief"):
        if content.keys() == {wrapper}:
            return json.dumps({wrapper: _rename_fields(content[wrapper])}, ensure_ascii=False)
    return json.dumps(_rename_fields(content), ensure_ascii=False)


def _rename_fields(story: dict[str, Any]) -> dict[str, Any]:
    renamed = {{"sounds": "audio_tracks", "shared": "shared_references"}.get(key, key): story[key] for key in story}
    if isinstance(audio := renamed.get("audio"), dict):
        renamed["audio"] = {"voice_sample" if key == "sample" else key: audio[key] for key in audio}
    if takes := renamed.get("takes"):
        renamed["takes"] = {_rename_step(step): takes[step] for step in takes}
    choices = renamed.get("choices")
    if isinstance(choices, dict) and (models := choices.get("models")):
        renamed["choices"] = {**choices, "models": {rename_kind(kind): models[kind] for kind in models}}
    return renamed


def _rename_step(step_id: str) -> str:
    if step_id == "check:texts":
        return "check_text:story"
    kind, colon, subject = step_id.partition(":")
    return rename_kind(kind) + colon + (_rename_step(subject) if kind in _STEPS_ABOUT_STEPS else subject)

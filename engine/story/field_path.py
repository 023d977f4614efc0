"""Paths of fields in a request or a story."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeAlias

Part: TypeAlias = str | int
"""A key of an object, or an index of an array from 0."""

_PART = re.compile(r"\[(\d+)\]|\.?([^.\[\]]+|[.\[\]])")


class FieldPath(str):
    """The path of a field: its parts, and the text that people see, such as `scenes[3].clip`.

    It is a `str`, so that JSON, SQL and messages take it as it is; decisions use `parts`, never the text.
    """

    __slots__ = ("_parts",)
    _parts: tuple[Part, ...]

    def __new__(cls, *parts: Part) -> FieldPath:
        """Return the path of these parts."""
        text = ""
        for part in parts:
            text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
        path = super().__new__(cls, text)
        path._parts = parts
        return path

    def __reduce__(self) -> tuple[type[FieldPath], tuple[Part, ...]]:
        return FieldPath, self._parts

    @property
    def parts(self) -> tuple[Part, ...]:
        """The keys and indexes, outermost first."""
        return self._parts

    @property
    def root(self) -> Part:
        """The first part; an empty text if there is none."""
        return self._parts[0] if self._parts else ""

    @property
    def leaf(self) -> Part:
        """The last part; an empty text if there is none."""
        return self._parts[-1] if self._parts else ""

    def child(self, *parts: Part) -> FieldPath:
        """Return the path of a field inside this one."""
        return FieldPath(*self._parts, *parts)

    def with_root(self, names: Mapping[str, str]) -> FieldPath:
        """Return the path with its first part renamed as in `names`; other paths stay the same."""
        if not self._parts or not isinstance(self._parts[0], str):
            return self
        return FieldPath(names.get(self._parts[0], self._parts[0]), *self._parts[1:])

    def index_in(self, array: str) -> int | None:
        """Return the index if this is an item of the array `array` at the root, or a field inside one; else None."""
        match self._parts:
            case (str(root), int(index), *_) if root == array:
                return index
        return None

    @classmethod
    def parse(cls, text: str) -> FieldPath:
        """Return the path of a text that crossed a process or a database. Its text is the same.

        A key that itself has dots or brackets (a state's name can have them) becomes several parts."""
        if isinstance(text, FieldPath):
            return text
        parts: list[Part] = []
        position = 0
        for match in _PART.finditer(text):
            if match.start() != position:
                break
            parts.append(int(match[1]) if match[1] is not None else match[2])
            position = match.end()
        path = cls(*parts)
        return path if path == text else cls(text)

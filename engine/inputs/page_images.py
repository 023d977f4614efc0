"""Pictures of the page that a story was written from, as objects of that story. Nothing but what the reader listed as pictures is
asked for, never more than was wished, and only through the caller's door."""

from __future__ import annotations

import re
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.inputs.fetch import MEGABYTE, PICTURE, FetchError, Want
from engine.storage.artifact_store import Output
from engine.story.model import Picture, Place, Story
from pipelines.base import Missing

"""Pictures of a page that a request may ask for."""
SPARE = 2
"""So many times the wished number are tried at most: some cannot be had."""
BYTES, SECONDS = 40 * MEGABYTE, 60.0
"""What all pictures of a page may take together."""
SMALLEST = 160
"""Pixels of the shorter side; what is smaller is an ornament."""
NAME = 60
SOURCE = "page:"
"""How the source of such a picture begins: the address is the page's word, so clients are shown our copy instead."""

LEFT_OUT = "a picture of the page was left out: it"
_WORDS = re.compile(r"[^\W\d_]{3,}")


def gathered(
    page: Mapping[str, Any], count: int, fetch: Callable[[str, Want], Output]
) -> tuple[list[tuple[str, Picture]], list[str]]:
    """Up to `count` pictures of a page (page.json), best first and each once, with what the page says that they show; and why
    others are not among them."""
    found: dict[str, tuple[str, Picture]] = {}
    warnings: list[str] = []
    end, room = time.monotonic() + SECONDS, BYTES
    tried = list(zip(page["pictures"], page["captions"], strict=True))[: SPARE * count]
    for url, caption in tried:
        left = end - time.monotonic()
        if len(found) == count or left <= 0 or room <= 0:
            break
        want = replace(PICTURE, limit_bytes=min(PICTURE.limit_bytes, room), seconds=min(PICTURE.seconds, left))
        try:
            file = fetch(url, want)
        except (FetchError, Missing) as error:
            warnings.append(f"{LEFT_OUT} {error}")
            continue
        room -= file.size
        found.setdefault(file.digest, (caption, Picture(source=f"{SOURCE}{url}", digest=file.digest)))
    return list(found.values()), warnings


def with_objects(story: Story, pictures: Sequence[tuple[str, Picture]]) -> Story:
    """The story with these pictures (caption, file) as objects: each in the scene whose words have most in common with its
    caption and that has fewest of them, the first of those."""
    taken = {thing.name for thing in story.objects}
    words = [_words(f"{scene.name} {scene.prompt} {scene.narration}") for scene in story.scenes]
    held: list[list[str]] = [[] for _ in story.scenes]
    objects = []
    for number, (caption, picture) in enumerate(pictures, start=1):
        name = _name(caption or story.title, number, taken)
        taken.add(name)
        objects.append(Place(name=name, description=caption, reference=picture))
        told = _words(caption)
        best = max(range(len(words)), key=lambda at: (len(told & words[at]) - 2 * len(held[at]), -at))
        held[best].append(name)
    scenes = tuple(
        scene.model_copy(update={"objects": (*scene.objects, *names)})
        for scene, names in zip(story.scenes, held, strict=True)
    )
    return story.model_copy(update={"objects": (*story.objects, *objects), "scenes": scenes})


def is_small(path: Path) -> bool:
    """Whether a PNG of our own making shows no more than an ornament."""
    with path.open("rb") as file:
        width, height = struct.unpack(">II", file.read(24)[16:])
    return bool(min(width, height) < SMALLEST)


def _name(caption: str, number: int, taken: set[str]) -> str:
    text = caption if len(caption) <= NAME else caption[:NAME].rpartition(" ")[0] or caption[:NAME]
    name = text.strip(" .,;:") or f"Picture {number}"
    return name if name not in taken else f"{name} ({number})"


def _words(text: str) -> set[str]:
    return {word.casefold() for word in _WORDS.findall(text)}

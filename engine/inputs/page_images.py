"""Images of the page that a story was written from, as objects of the story.

Only images that the page reader listed are fetched, at most the requested number, and only with the caller's
fetcher."""

from __future__ import annotations

import re
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.inputs.fetch import IMAGE_POLICY, MEGABYTE, FetchError, FetchPolicy
from engine.storage.artifact_store import Output
from engine.story.model import Element, InputFile, Story
from pipelines.base import MissingDependency

ATTEMPTS_PER_IMAGE = 2
"""Maximum fetches per requested image, because some fail."""
MAX_TOTAL_BYTES, MAX_TOTAL_SECONDS = 40 * MEGABYTE, 60.0
"""Limits for all images of a page together."""
MIN_SIDE_PIXELS = 160
"""Minimum length of the shorter side, in pixels; smaller images are decoration."""
MAX_NAME_LENGTH = 60
SOURCE_PREFIX = "page:"
"""Prefix of the source of such an image. Clients get a URL of the stored copy, because the page chose the original
URL."""

SKIPPED_MESSAGE = "skipped an image of the page: it"
_WORD_PATTERN = re.compile(r"[^\W\d_]{3,}")


def fetch_page_images(
    page: Mapping[str, Any], count: int, fetch: Callable[[str, FetchPolicy], Output]
) -> tuple[list[tuple[str, InputFile]], list[str]]:
    """Fetch up to `count` different images of a page, best first.

    `page`: content of page.json. Return (caption, file) of each image, and a warning for each failed fetch."""
    found: dict[str, tuple[str, InputFile]] = {}
    warnings: list[str] = []
    deadline, bytes_left = time.monotonic() + MAX_TOTAL_SECONDS, MAX_TOTAL_BYTES
    tried = list(zip(page["pictures"], page["captions"], strict=True))[: ATTEMPTS_PER_IMAGE * count]
    for url, caption in tried:
        seconds_left = deadline - time.monotonic()
        if len(found) == count or seconds_left <= 0 or bytes_left <= 0:
            break
        policy = replace(
            IMAGE_POLICY,
            limit_bytes=min(IMAGE_POLICY.limit_bytes, bytes_left),
            seconds=min(IMAGE_POLICY.seconds, seconds_left),
        )
        try:
            file = fetch(url, policy)
        except (FetchError, MissingDependency) as error:
            warnings.append(f"{SKIPPED_MESSAGE} {error}")
            continue
        bytes_left -= file.size
        found.setdefault(file.digest, (caption, InputFile(source=f"{SOURCE_PREFIX}{url}", digest=file.digest)))
    return list(found.values()), warnings


def add_image_objects(story: Story, pictures: Sequence[tuple[str, InputFile]]) -> Story:
    """Return the story with images (caption, file) added as objects.

    Each goes to the scene that shares the most words with its caption, minus two per image that the scene has; the
    first scene wins ties."""
    used_names = {thing.name for thing in story.objects}
    words_by_scene = [_word_set(f"{scene.name} {scene.prompt} {scene.narration}") for scene in story.scenes]
    names_by_scene: list[list[str]] = [[] for _ in story.scenes]
    objects = []
    for number, (caption, picture) in enumerate(pictures, start=1):
        name = _object_name(caption or story.title, number, used_names)
        used_names.add(name)
        objects.append(Element(name=name, description=caption, reference=picture))
        caption_words = _word_set(caption)
        best = max(
            range(len(words_by_scene)),
            key=lambda at: (len(caption_words & words_by_scene[at]) - 2 * len(names_by_scene[at]), -at),
        )
        names_by_scene[best].append(name)
    scenes = tuple(
        scene.model_copy(update={"objects": (*scene.objects, *names)})
        for scene, names in zip(story.scenes, names_by_scene, strict=True)
    )
    return story.model_copy(update={"objects": (*story.objects, *objects), "scenes": scenes})


def is_too_small(path: Path) -> bool:
    """Return whether a PNG file is smaller than MIN_SIDE_PIXELS; it is read from the header."""
    with path.open("rb") as file:
        width, height = struct.unpack(">II", file.read(24)[16:])
    return bool(min(width, height) < MIN_SIDE_PIXELS)


def _object_name(caption: str, number: int, used_names: set[str]) -> str:
    text = (
        caption
        if len(caption) <= MAX_NAME_LENGTH
        else caption[:MAX_NAME_LENGTH].rpartition(" ")[0] or caption[:MAX_NAME_LENGTH]
    )
    name = text.strip(" .,;:") or f"Picture {number}"
    return name if name not in used_names else f"{name} ({number})"


def _word_set(text: str) -> set[str]:
    return {word.casefold() for word in _WORD_PATTERN.findall(text)}

"""The examples satisfy the limits of the two hosted APIs, and the writer accepts their ideas."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.step_params import LANGUAGES, NamedElement, WriteParams
from pipelines.text.template_writer.family import write_storyboard

EXAMPLES = Path(__file__).parents[4] / "examples"
STORIES = ["lighthouse", "portrait-10", "hindi"]
IDEAS = ["idea", "arabic"]
AUDIO = {"has_bg_music", "has_narration", "native_audio", "narrator"}
RATIOS = {"16:9", "4:3", "1:1", "3:4", "9:16"}


def load(name: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((EXAMPLES / f"{name}.json").read_text("utf-8"))
    return data


def test_every_example_is_described() -> None:
    names = {path.stem for path in EXAMPLES.glob("*.json")}
    assert names == {*STORIES, *IDEAS, "pictures"}
    readme = (EXAMPLES / "README.md").read_text("utf-8")
    assert all(f"`{name}.json`" in readme for name in names)


@pytest.mark.parametrize("name", STORIES)
def test_example_stories_refer_only_to_their_own_elements(name: str) -> None:
    body = load(name)
    states = {person["name"]: set(person.get("states", {})) for person in body["characters"]}
    places = {place["name"] for place in body["locations"]}
    assert 1 <= len(states) <= 10
    assert len(states) == len(body["characters"])
    assert all(len(keys) <= 5 for keys in states.values())
    assert 2 <= len(body["scenes"]) <= 10
    for scene in body["scenes"]:
        assert scene["prompt"].strip()
        assert 8 <= len(scene["narration"].split()) <= 35
        assert scene["camera_movement"]
        assert scene["location"] in places
        for person in scene["characters"]:
            assert person["name"] in states
            assert person.get("state") is None or person["state"] in states[person["name"]]
    assert set(body["audio"]) == AUDIO
    assert body["aspect_ratio"] in RATIOS
    assert body["language"] in LANGUAGES


@pytest.mark.parametrize("name", [*IDEAS, "pictures"])
def test_example_form_bodies_use_valid_enumeration_values(name: str) -> None:
    body = load(name)
    assert body["idea"].strip()
    assert body["language"] in LANGUAGES
    assert body["aspect_ratio"] in RATIOS
    assert body["scene_duration"] in ("5", "10")
    assert set(body["audio_option"]) == AUDIO
    assert 1 <= body.get("scene_count", 3) <= 20


class Quiet:
    def progress(self, fraction: float, message: str = "") -> None: ...

    def warn(self, message: str) -> None:
        raise AssertionError(message)

    def record(self, **facts: Any) -> None: ...


@pytest.mark.parametrize("name", IDEAS)
def test_the_writer_parses_example_ideas_without_a_warning(name: str) -> None:
    body = load(name)
    named = {part: tuple(NamedElement(**entry) for entry in entries) for part, entries in body["elements"].items()}
    params = WriteParams(
        idea=body["idea"],
        language=body["language"],
        scene_count=body["scene_count"],
        characters=named["characters"],
        locations=named["environments"],
        objects=named["objects"],
    )
    board = write_storyboard(params, [], None, Quiet(), 1)
    assert len(board.scenes) == body["scene_count"]
    for sentence in body["idea"].split(". ")[1:]:
        assert sentence.rstrip(".") in " ".join(scene.narration for scene in board.scenes)


def test_example_pictures_exist_and_are_small() -> None:
    for address in load("pictures")["image_urls"]:
        path = EXAMPLES / address
        assert path.read_bytes()[:3] == b"\xff\xd8\xff"
        assert path.stat().st_size <= 150_000

"""Every family with weights makes a film, whole, through models.yaml: its own entry there, on tiny weights of the same classes."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import pytest

from engine.executor.inline import InlineExecutor
from engine.schemas import generate_story
from engine.service import Service
from engine.settings import Settings
from pipelines import catalog
from pipelines.base import Economy, Kind, Weights
from pipelines.pool import SAID
from pipelines.weights import Shelf
from tests.fixtures.tiny import (
    acestep,
    cogvideox,
    flux2,
    flux3,
    hunyuan,
    kontext,
    ltx,
    ltx2,
    musicgen,
    qwenimage,
    sdxl,
    vision,
    vits,
    wan,
    zimage,
)

WIDTH, HEIGHT, FPS = 96, 64, 12
SMALL = {"steps": 2, "pixels": [64, 96 * 64], "reference_pixels": 4096}
EIGHTS = {"fps": 24, "frames": 25, "every": 8, "width": 96, "height": 64, "multiple": 32}


@dataclass(frozen=True)
class Tiny:
    """What stands for an entry of models.yaml: builders of its weights by role, and options that suit them."""

    build: Mapping[str, Callable[[Path], None]]
    options: Mapping[str, Any] = field(default_factory=dict)


PICTURES = {
    "flux2-klein-4b": Tiny({"model": flux2.build}, SMALL),
    "sdxl-references": Tiny({"model": sdxl.build, "adapter": sdxl.build_adapter}, SMALL),
    "flux-kontext": Tiny({"model": kontext.build}, SMALL),
    "z-image-turbo": Tiny({"model": zimage.build}, SMALL),
    "qwen-image-edit": Tiny({"model": qwenimage.build}, SMALL),
    "flux3-klein": Tiny({"model": flux3.build}, SMALL),
}
CLIPS = {
    "wan2.2-i2v": Tiny({"model": wan.build}, {"steps": 2, "window": {"frames": 9, "width": 64, "height": 48}}),
    "ltx-2b": Tiny({"model": ltx.build}, {"steps": 2, "window": EIGHTS}),
    "ltx-2": Tiny({"model": ltx2.build}, {"steps": 2, "window": {**EIGHTS, "stretch": 1.0}}),
    "hunyuan-1.5-480p": Tiny({"model": hunyuan.build}, {"steps": 2, "window": {"fps": 24, "frames": 25, "every": 4}}),
    "cogvideox-1.5-5b": Tiny(
        {"model": cogvideox.build},
        {"steps": 2, "tiles": False, "window": {"fps": 16, "frames": 17, "every": 8, "width": 96, "height": 64}},
    ),
}
SPEECH = {
    "vits-vctk": Tiny({"English": lambda folder: vits.build(folder, vits.IPA, phonemes=True, speakers=109)}),
}
MUSIC = {"musicgen": Tiny({"model": musicgen.build}), "acestep": Tiny({"model": acestep.build}, {"steps": 2})}
EVERYTHING = {**PICTURES, **CLIPS, **SPEECH, **MUSIC}
ELSEWHERE = {
    "pipelines.text.instruct:Instruct": "writes the story before there is a plan: tests/pipelines/text/test_instruct.py",
    "pipelines.speech.kokoro:Kokoro": "speaks in every film of the draft profile, from weights that a package carries",
    "pipelines.speech.xtts:Xtts": "needs torchaudio, which loads only beside a torch with CUDA",
    "pipelines.speech.chatterbox:Chatterbox": "runs in an interpreter of its own",
    "pipelines.image.upscale:Upscale": "enhances any picture: tests/pipelines/image/test_upscale.py",
}
"""Families with weights that are no part of these films, and why."""


FILMS = [
    {Kind.KEYFRAME: picture, Kind.ANIMATE: clip} | dict(zip((Kind.NARRATE, Kind.SCORE), sound, strict=False))
    for picture, clip, *sound in (
        ("flux2-klein-4b", "wan2.2-i2v", "vits-vctk", "musicgen"),
        ("sdxl-references", "ltx-2b", "vits-vctk", "acestep"),
        ("flux-kontext", "ltx-2"),
        ("z-image-turbo", "hunyuan-1.5-480p"),
        ("flux2-klein-4b", "cogvideox-1.5-5b"),
        ("qwen-image-edit", "wan2.2-i2v"),
        ("flux3-klein", "ltx-2b"),
    )
]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    return tmp_path_factory.mktemp("open")


def overlay(entries, home, **changes):
    """A file like models.yaml in which these entries have tiny weights, built when they are first needed, and `changes`."""
    models = {}
    for name in entries:
        tiny = EVERYTHING[name]
        weights = {}
        for role, build in tiny.build.items():
            folder = home / f"{name}-{role}"
            weights[role] = {"repo": f"file:{folder}", "revision": "main", "files": []}
            if not folder.exists():
                build(folder)
                Shelf(home / "weights").adopt(Weights(**weights[role]), folder)
        models[name] = {"weights": weights, "options": tiny.options, **changes}
    path = home / f"{'+'.join(entries)}.yaml"
    path.write_text(json.dumps({"models": models}))
    return path


def make(models, home, shelf, **changes):
    """The film and the records of all steps."""
    body = {
        "model": "local-story",
        "seed": 3,
        "characters": [{"name": "Mara", "appearance": "auburn braid", "states": {"wet": {"appearance": "dripping"}}}],
        "locations": [{"name": "Tower", "description": "a lighthouse at night"}],
        "scenes": [
            {"prompt": "Mara lights the lamp", "characters": [{"name": "Mara"}], "location": "Tower", "duration": 1},
            {"prompt": "Mara looks at the sea", "characters": [{"name": "Mara", "state": "wet"}], "duration": 1},
        ],
        "video": {"width": WIDTH, "height": HEIGHT, "fps": FPS, "transition": "match", "transition_seconds": 0.5},
        "audio": {"has_narration": Kind.NARRATE in models, "has_bg_music": Kind.SCORE in models},
        "models": {**models, Kind.PORTRAIT: models[Kind.KEYFRAME], Kind.ELEMENT: models[Kind.KEYFRAME]},
    }
    body["scenes"][0]["narration"] = "The lamp is lit."
    known = catalog.load(overlay(sorted(set(models.values())), shelf, **changes), home=shelf / "weights")
    story = generate_story.story({**body, "models": {str(kind): name for kind, name in body["models"].items()}})
    with Service(Settings(home, shelf / "weights"), known, InlineExecutor(budget_mb=10**6)) as service:
        made = service.make(story)
        film = service.store.path(made.actions["compose"].outputs[0].digest)
        return film.read_bytes(), {step: action.record for step, action in made.actions.items()}


@pytest.mark.parametrize("models", FILMS, ids=lambda models: "+".join(models.values()))
def test_open_models_make_a_film_and_the_same_bytes_again(models, shelf, tmp_path):
    if {"qwen-image-edit", "flux3-klein"} & set(models.values()) and (reason := vision.absent()):
        pytest.skip(reason)
    film, records = make(models, tmp_path / "one", shelf)
    (tmp_path / "film.mp4").write_bytes(film)
    with av.open(str(tmp_path / "film.mp4")) as container:
        stream = container.streams.video[0]
        count = sum(1 for _ in container.decode(video=0))
    assert (stream.width, stream.height) == (WIDTH, HEIGHT)
    assert count >= 2 * FPS - FPS
    for kind, name in models.items():
        done = [record for record in records.values() if record["kind"] == kind]
        assert done
        assert {record["model"] for record in done} == {name}
        assert all(record["economy"] == Economy.NONE for record in done)
    used = {record["model"] for record in records.values()}
    loaded = [record["model"] for record in records.values() if record["loaded"]]
    assert sorted(loaded) == sorted(used), "each model is loaded once"
    again, _ = make(models, tmp_path / "two", shelf)
    assert hashlib.sha256(again).hexdigest() == hashlib.sha256(film).hexdigest()


def test_a_film_comes_out_of_a_gpu_that_is_too_small(shelf, tmp_path):
    """Every rung of the ladder is taken once, told and recorded; what helped is kept for the rest of the film and for the next."""
    family = "tests.fixtures.tiny.starved:Starved"
    home = tmp_path / "home"
    _, records = make({Kind.KEYFRAME: "flux2-klein-4b"}, home, shelf, family=family)
    painted = [record for record in records.values() if record["model"] == "flux2-klein-4b"]
    assert {record["economy"] for record in painted} == {Economy.SMALLER}
    (fallen,) = [record for record in painted if record["rungs"]]
    assert fallen["rungs"] == ["all loaded models were unloaded", *SAID.values()]
    assert len(fallen["warnings"]) == len(fallen["rungs"])
    drawn = next(record for record in painted if record["kind"] == Kind.KEYFRAME)
    assert drawn["facts"]["size"][0] < WIDTH, "drawn smaller, and scaled up to what was asked"

    for action in (home / "store").rglob("*"):
        action.unlink() if action.is_file() else None
    _, again = make({Kind.KEYFRAME: "flux2-klein-4b"}, home, shelf, family=family)
    painted = [record for record in again.values() if record["model"] == "flux2-klein-4b"]
    assert [record["rungs"] for record in painted] == [[]] * len(painted), "it is not found out by failing again"


def test_every_family_with_weights_has_its_film():
    known = catalog.load()
    assert {name for models in FILMS for name in models.values()} == set(EVERYTHING)
    with_weights = {spec.family for spec in known.models.values() if spec.weights}
    filmed = {known.spec(name).family for name in EVERYTHING}
    assert with_weights - filmed == set(ELSEWHERE)
    assert not filmed & set(ELSEWHERE)

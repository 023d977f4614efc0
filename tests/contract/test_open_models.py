"""Every family with weights makes a film, whole, through models.yaml: its own entry there, on tiny weights of the same classes."""

import hashlib

import av
import pytest

from engine.execution.inline import InlineExecutor
from engine.schemas import generate_requests
from engine.service import Service
from engine.settings import Settings
from pipelines.base import Kind, MemoryMode
from pipelines.models import catalog
from pipelines.models.pool import DESCRIPTIONS
from tests.fixtures.tiny import (
    acestep,
    cogvideox,
    esrgan,
    flux2,
    flux3,
    hunyuan,
    kokoro,
    kontext,
    ltx,
    ltx2,
    musicgen,
    qwenimage,
    rife,
    sdxl,
    vision,
    vits,
    wan,
    xtts,
    zimage,
)
from tests.fixtures.weighted import TinyModel, overlay

WIDTH, HEIGHT, FPS = 96, 64, 12
SMALL = {"steps": 2, "pixels": [64, 96 * 64], "reference_pixels": 4096}
EIGHTS = {"fps": 24, "frames": 25, "frame_stride": 8, "width": 96, "height": 64, "multiple": 32}


KNOWN = catalog.load()


PICTURES = {
    "flux2-klein-4b": TinyModel({"model": flux2.build}, SMALL),
    "sdxl-references": TinyModel({"model": sdxl.build, "adapter": sdxl.build_adapter}, SMALL),
    "flux-kontext": TinyModel({"model": kontext.build}, SMALL),
    "z-image-turbo": TinyModel({"model": zimage.build}, SMALL),
    "qwen-image-edit": TinyModel({"model": qwenimage.build}, SMALL),
    "flux3-klein": TinyModel({"model": flux3.build}, SMALL),
}
CLIPS = {
    "wan2.2-i2v": TinyModel({"model": wan.build}, {"steps": 2, "window": {"frames": 9, "width": 64, "height": 48}}),
    "ltx-2b": TinyModel({"model": ltx.build}, {"steps": 2, "window": EIGHTS}),
    "ltx-2": TinyModel({"model": ltx2.build}, {"steps": 2, "window": {**EIGHTS, "max_slowdown": 1.0}}),
    "hunyuan-1.5-480p": TinyModel(
        {"model": hunyuan.build}, {"steps": 2, "window": {"fps": 24, "frames": 25, "frame_stride": 4}}
    ),
    "cogvideox-1.5-5b": TinyModel(
        {"model": cogvideox.build},
        {
            "steps": 2,
            "vae_tiling": False,
            "window": {"fps": 16, "frames": 17, "frame_stride": 8, "width": 96, "height": 64},
        },
    ),
}


def voices(folder):
    """Every voice that the entry's narrators speak with, or borrow from."""
    options = KNOWN.spec("kokoro-voices").options
    own = [voice for narrator in options["narrators"].values() for voice in narrator["timbre"]]
    kokoro.build(folder, [*own, *(voice for lent in options["prosody_voices"].values() for voice in lent.values())])


def speakers(folder):
    xtts.build(folder, [narrator["speaker"] for narrator in KNOWN.spec("xtts").options["narrators"].values()])


SPEECH = {
    "vits-vctk": TinyModel({"English": lambda folder: vits.build(folder, vits.IPA, phonemes=True, speakers=109)}),
    "kokoro-voices": TinyModel({"model": voices}, files=kokoro.FILES),
    "xtts": TinyModel({"model": speakers}, files=xtts.FILES),
}
MUSIC = {"musicgen": TinyModel({"model": musicgen.build}), "acestep": TinyModel({"model": acestep.build}, {"steps": 2})}
BETTER = {
    "realesrgan": TinyModel({"model": esrgan.build}),
    "rife": TinyModel(fields=rife.build),
    "conform-rife": TinyModel(fields=rife.build),
}
EVERYTHING = {**PICTURES, **CLIPS, **SPEECH, **MUSIC, **BETTER}
ELSEWHERE = {
    "pipelines.text.llm_writer.family:LlmWriter": "writes the story before there is a plan: tests/pipelines/text/llm_writer/test_family.py",
    "pipelines.speech.chatterbox:Chatterbox": "runs in an interpreter of its own: tests/engine/execution/test_isolated_worker.py",
}
"""Families with weights whose films are made elsewhere, and why."""


FILMS = [
    {Kind.KEYFRAME: picture, Kind.ANIMATE: clip, **rest}
    for picture, clip, rest in (
        ("flux2-klein-4b", "wan2.2-i2v", {Kind.NARRATE: "vits-vctk", Kind.SCORE: "musicgen"}),
        ("sdxl-references", "ltx-2b", {Kind.NARRATE: "kokoro-voices", Kind.SCORE: "acestep"}),
        ("flux-kontext", "ltx-2", {Kind.ENHANCE: "realesrgan"}),
        ("z-image-turbo", "hunyuan-1.5-480p", {}),
        ("flux2-klein-4b", "cogvideox-1.5-5b", {Kind.CONFORM: "conform-rife", Kind.TRANSITION: "rife"}),
        ("qwen-image-edit", "wan2.2-i2v", {}),
        ("flux3-klein", "ltx-2b", {}),
        ("illustrator", "still", {Kind.NARRATE: "xtts"}),
    )
]
ABSENT = {"qwen-image-edit": vision.skip_reason, "flux3-klein": vision.skip_reason, "xtts": xtts.skip_reason}
"""What says why a model cannot be loaded on this machine, if it cannot."""


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    return tmp_path_factory.mktemp("open")


@pytest.fixture
def carried(shelf, models, monkeypatch):
    """A package with tiny weights is on the path for those who load it, and for no other: it looks like the real one."""
    if Kind.TRANSITION in models:
        monkeypatch.syspath_prepend(shelf)


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
        "enhance_image": Kind.ENHANCE in models,
        "models": {**models, Kind.PORTRAIT: models[Kind.KEYFRAME], Kind.ELEMENT: models[Kind.KEYFRAME]},
    }
    body["scenes"][0]["narration"] = "The lamp is lit."
    tiny = {name: EVERYTHING[name] for name in sorted({*models.values()} & EVERYTHING.keys())}
    known = catalog.load(overlay(tiny, shelf, **changes), home=shelf / "weights")
    story = generate_requests.to_story({**body, "models": {str(kind): name for kind, name in body["models"].items()}})
    with Service(Settings(home, shelf / "weights"), known, InlineExecutor(budget_mb=10**6)) as service:
        made = service.run(story)
        film = service.store.path(made.actions["compose"].outputs[0].digest)
        return film.read_bytes(), {step: action.record for step, action in made.actions.items()}


@pytest.mark.parametrize("models", FILMS, ids=lambda models: "+".join(models.values()))
@pytest.mark.usefixtures("carried")
def test_open_models_make_a_film_and_the_same_bytes_again(models, shelf, tmp_path):
    for name in ABSENT.keys() & models.values():
        if reason := ABSENT[name]():
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
        assert all(record["memory_mode"] == MemoryMode.NONE for record in done)
    facts = {fact for record in records.values() for fact in record["facts"]}
    assert {"transition", "similarity"} <= facts or Kind.TRANSITION not in models, (
        "the network was asked what both pictures show"
    )
    assert "inbetween" in facts or Kind.CONFORM not in models, "frames were made that the clip has not"
    used = {record["model"] for record in records.values()}
    loaded = [record["model"] for record in records.values() if record["loaded"]]
    assert sorted(loaded) == sorted(used), "each model is loaded once"
    again, _ = make(models, tmp_path / "two", shelf)
    assert hashlib.sha256(again).hexdigest() == hashlib.sha256(film).hexdigest()


def test_a_film_comes_out_of_a_gpu_that_is_too_small(shelf, tmp_path):
    """Every rung of the ladder is taken once, told and recorded; what helped is kept for the rest of the film and for the next."""
    family = "tests.fixtures.tiny.starved:OutOfMemoryFlux2"
    home = tmp_path / "home"
    _, records = make({Kind.KEYFRAME: "flux2-klein-4b"}, home, shelf, family=family)
    painted = [record for record in records.values() if record["model"] == "flux2-klein-4b"]
    assert {record["memory_mode"] for record in painted} == {MemoryMode.REDUCED_SIZE}
    (fallen,) = [record for record in painted if record["memory_steps"]]
    assert fallen["memory_steps"] == ["all models unloaded", *DESCRIPTIONS.values()]
    assert len(fallen["warnings"]) == len(fallen["memory_steps"])
    drawn = next(record for record in painted if record["kind"] == Kind.KEYFRAME)
    assert drawn["facts"]["size"][0] < WIDTH, "drawn smaller, and scaled up to what was asked"

    for action in (home / "store").rglob("*"):
        action.unlink() if action.is_file() else None
    _, again = make({Kind.KEYFRAME: "flux2-klein-4b"}, home, shelf, family=family)
    painted = [record for record in again.values() if record["model"] == "flux2-klein-4b"]
    assert [record["memory_steps"] for record in painted] == [[]] * len(painted), "it is not found out by failing again"


def test_every_family_with_weights_has_its_film():
    filmed = {name for models in FILMS for name in models.values()}
    assert {name for name in filmed if name in EVERYTHING or KNOWN.spec(name).weights} == set(EVERYTHING)
    filmed = {KNOWN.spec(name).family for name in EVERYTHING}
    with_weights = {spec.family for spec in KNOWN.models.values() if spec.weights}
    assert with_weights - filmed == set(ELSEWHERE)
    assert not filmed & set(ELSEWHERE)

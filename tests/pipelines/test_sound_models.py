"""Voices and composers on torch: the real classes with tiny random weights, loaded from a folder as pulled ones are."""

import json
import wave

import numpy as np
import pytest

from pipelines.base import BadInput, Device, Economy, Kind
from pipelines.catalog import load
from pipelines.kinds import ScoreParams
from pipelines.media.timeline import ScenePlace, SceneTiming, Timeline
from tests.fixtures import weighted

pytest.importorskip("torch", reason="models on torch need torch")
pytest.importorskip("transformers", reason="these models are run by transformers")

CATALOG = load()


class Report:
    def __init__(self):
        self.facts, self.fractions = {}, []

    def progress(self, fraction, message=""):
        assert 0 <= fraction <= 1
        self.fractions.append(fraction)

    def warn(self, message):
        raise AssertionError(message)

    def record(self, **facts):
        json.dumps(facts)
        self.facts.update(facts)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Folders of tiny models, each built once."""
    import importlib

    made = {}

    def folder(name, label="", **options):
        key = name + label
        if key not in made:
            made[key] = tmp_path_factory.mktemp(key) / "weights"
            importlib.import_module(f"tests.fixtures.tiny.{name}").build(made[key], **options)
        return made[key]

    return folder


# --- composers ---------------------------------------------------------------------------------------------------------


class Music:
    """What a composer made: `samples` (−1 to 1, two columns) at 48 kHz."""

    def __init__(self, path, report):
        self.bytes, self.report = path.read_bytes(), report
        with wave.open(str(path)) as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (48_000, 2, 2)
            self.samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2) / 32768


@pytest.fixture
def score(tmp_path):
    counter = iter(range(100))

    def compose(family, frames, *, fps=24, seed=1, mood="joyful", prompt="a fox and the moon"):
        out, report = tmp_path / str(next(counter)), Report()
        out.mkdir()
        timeline = tmp_path / "timeline.json"
        place = ScenePlace(start=0, timing=SceneTiming(fps=fps, frames=frames))
        timeline.write_text(Timeline(fps=fps, scenes=(place,)).model_dump_json())
        params = ScoreParams(mood=mood, prompt=prompt)
        made = list(family.run(Kind.SCORE, params, {"timeline": [timeline]}, out, report, seed=seed))
        assert [path.name for path in made] == ["music.wav"]
        return Music(made[0], report)

    return compose


def is_a_score(music, frames, fps=24):
    """As long as the film, at a level to work with, without clipping, ending in silence."""
    assert len(music.samples) == round(frames * 48_000 / fps)
    assert 0.03 < np.sqrt(np.mean(music.samples**2)) < 0.2
    assert np.abs(music.samples).max() < 0.999
    assert np.abs(music.samples[-480:]).max() < 0.002
    assert music.report.fractions[-1] == 1.0


@pytest.fixture(scope="module")
def musicgen(built):
    from pipelines.music.musicgen import MusicGen

    spec = weighted.spec(MusicGen, built("musicgen"), options={"window": 4, "memory": 2}, licence="CC-BY-NC-4.0")
    return MusicGen.load(spec, Device())


def test_musicgen_plays_from_words_in_stereo_and_the_same_bytes_again(musicgen, score):
    music = score(musicgen, 60)
    is_a_score(music, 60)
    assert "happy" in music.report.facts["prompt"]
    assert "a fox and the moon" in music.report.facts["prompt"]
    assert music.report.facts["licence"] == "CC-BY-NC-4.0"
    assert not np.array_equal(music.samples[:, 0], music.samples[:, 1])
    assert score(musicgen, 60).bytes == music.bytes
    assert score(musicgen, 60, seed=2).bytes != music.bytes


def test_a_film_longer_than_the_models_window_is_played_on_from_what_was_heard(musicgen, score):
    music = score(musicgen, 24 * 11)
    is_a_score(music, 24 * 11)
    assert music.report.fractions == sorted(music.report.fractions)
    assert len(music.report.fractions) >= 4, "one report for each window"
    seconds = np.sqrt(np.mean(music.samples[: 8 * 48_000].reshape(-1, 48_000, 2) ** 2, axis=(1, 2)))
    assert seconds.min() > 0.01, "no hole where one window ends and the next begins"


def test_musicgen_of_one_channel_plays_in_both_and_with_little_memory(built, score):
    from pipelines.music.musicgen import MusicGen

    assert Economy.LEAVES in MusicGen.economies
    spec = weighted.spec(MusicGen, built("musicgen", "-mono", channels=1))
    whole = score(MusicGen.load(spec, Device()), 30)
    is_a_score(whole, 30)
    assert np.array_equal(whole.samples[:, 0], whole.samples[:, 1])
    assert score(MusicGen.load(spec, Device(economy=Economy.LEAVES)), 30).bytes == whole.bytes


def test_a_wrong_option_of_a_composer_is_named(built):
    from pipelines.music.musicgen import MusicGen

    with pytest.raises(BadInput, match=r"tiny\.options\.window"):
        MusicGen.load(weighted.spec(MusicGen, built("musicgen"), options={"window": 99}), Device())


@pytest.fixture(scope="module")
def acestep(built):
    pytest.importorskip("diffusers", reason="ACE-Step is run by diffusers")
    from pipelines.music.acestep import AceStep

    spec = weighted.spec(AceStep, built("acestep"), options={"steps": 2, "longest": 30})
    return AceStep.load(spec, Device())


def test_acestep_plays_one_piece_and_the_same_bytes_again(acestep, score):
    music = score(acestep, 60)
    is_a_score(music, 60)
    assert music.report.facts["pieces"] == 1
    assert score(acestep, 60).bytes == music.bytes
    assert score(acestep, 60, seed=2).bytes != music.bytes


def test_a_film_longer_than_the_longest_piece_gets_several_joined_on_the_beat(acestep, score):
    music = score(acestep, 24 * 40)
    is_a_score(music, 24 * 40)
    assert music.report.facts["pieces"] >= 2


def test_acestep_within_little_memory(built, score):
    pytest.importorskip("diffusers", reason="ACE-Step is run by diffusers")
    from pipelines.music.acestep import AceStep

    spec = weighted.spec(AceStep, built("acestep"), options={"steps": 2})
    whole = score(AceStep.load(spec, Device()), 24).bytes
    for economy in AceStep.economies[:3]:
        assert len(score(AceStep.load(spec, Device(economy=economy)), 24).bytes) == len(whole)


def test_a_composer_needs_the_films_timeline(musicgen, tmp_path):
    with pytest.raises(BadInput, match="timeline"):
        list(musicgen.run(Kind.SCORE, ScoreParams(), {}, tmp_path, Report(), seed=1))

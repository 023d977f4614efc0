"""Score of a film from shipped tracks, selected by mood and seed."""

import wave

import numpy as np
import pytest

from pipelines.base import BadInput, Device, Kind, MissingDependency
from pipelines.media.timeline import SceneTiming, Timeline, TimelineScene
from pipelines.models.catalog import family_class, load
from pipelines.step_params import ScoreParams

SPEC = load().spec("score-library")


class Report:
    def __init__(self):
        self.facts, self.fractions = {}, []

    def progress(self, fraction, message=""):
        self.fractions.append(fraction)

    def warn(self, message):
        raise AssertionError(message)

    def record(self, **facts):
        self.facts.update(facts)


@pytest.fixture
def score(tmp_path):
    pytest.importorskip("immich_memories_music")
    family = family_class(SPEC).load(SPEC, Device())

    def compose(frames, fps=24, *, mood="", prompt="", seed=1):
        out, report = tmp_path / f"{frames}-{fps}-{mood}-{seed}-{len(list(tmp_path.iterdir()))}", Report()
        out.mkdir()
        timeline = tmp_path / "timeline.json"
        timeline.write_text(
            Timeline(
                fps=fps, scenes=(TimelineScene(start=0, timing=SceneTiming(fps=fps, frames=frames)),)
            ).model_dump_json()
        )
        made = family.run(
            Kind.SCORE, ScoreParams(mood=mood, prompt=prompt), {"timeline": [timeline]}, out, report, seed=seed
        )
        assert [path.name for path in made] == ["music.wav"]
        with wave.open(str(out / "music.wav")) as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (48_000, 2, 2)
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
        return samples, report

    return compose


@pytest.mark.parametrize(("frames", "fps"), [(1, 24), (50, 24), (1501, 25), (77, 30)])
def test_the_score_has_the_length_of_the_film_in_samples(score, frames, fps):
    samples, report = score(frames, fps)
    assert len(samples) == round(frames * 48_000 / fps)
    assert report.fractions[-1] == 1.0


def test_one_seed_gives_the_same_bytes_and_other_seeds_give_other_tracks(score):
    first, report = score(240, seed=5)
    again, _ = score(240, seed=5)
    assert np.array_equal(first, again)
    tracks = {tuple(score(48, seed=seed)[1].facts["tracks"]) for seed in range(5)}
    assert len(tracks) == 5
    assert report.facts["mood"] == "calm"
    assert "MIT" in report.facts["credit"]


def test_the_mood_selects_the_tracks(score):
    _, report = score(48, mood="joyful", prompt="a quiet night")
    assert report.facts["mood"] == "happy"
    assert all(track.startswith("happy") for track in report.facts["tracks"])


def test_a_long_film_gets_several_tracks_without_clicks(score):
    samples, report = score(24 * 70, mood="tender")
    assert len(report.facts["tracks"]) == 3
    assert np.abs(np.diff(samples.astype(int), axis=0)).max() < 16_000
    loud = np.sqrt(np.mean((samples[48_000 : 66 * 48_000, 0] / 32768.0).reshape(-1, 48_000) ** 2, axis=1))
    assert loud.min() > 0.015
    assert np.abs(samples[-480:]).max() < 60


def test_a_score_without_a_timeline_is_bad_input(tmp_path):
    family = family_class(SPEC).load(SPEC, Device())
    with pytest.raises(BadInput, match="timeline"):
        list(family.run(Kind.SCORE, ScoreParams(), {}, tmp_path, Report(), seed=1))


def test_a_missing_track_package_is_reported_with_the_install_command():
    spec = SPEC.model_copy(update={"options": {"package": "no_such_music"}})
    with pytest.raises(MissingDependency, match="pip install"):
        family_class(spec).load(spec, Device())

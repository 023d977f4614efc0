"""The schedule: exact frames from durations that are known only at run time."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.base import BadInput, Device, Kind, ModelSpec
from pipelines.media.film.schedule import FilmScheduler, compute_timeline
from pipelines.media.timeline import SceneTiming, Timeline
from pipelines.step_params import SceneDuration, ScheduleParams

SPEC = ModelSpec(name="scheduler", family="pipelines.media.film.schedule:FilmScheduler", kinds=(Kind.SCHEDULE,))


class SilentReport:
    def progress(self, fraction, message=""): ...
    def warn(self, message): ...
    def record(self, **facts): ...


def scenes(*seconds, transition=0.0, narrated=False):
    return tuple(SceneDuration(seconds=length, transition=transition, narrated=narrated) for length in seconds)


def test_a_hundred_scenes_accumulate_no_drift():
    timeline = compute_timeline(ScheduleParams(fps=24, scenes=scenes(*[1.02] * 100)), [])
    assert timeline.frames == (102 * 24)
    assert all(abs(place.start / 24 - 1.02 * number) <= 0.5 / 24 for number, place in enumerate(timeline.scenes))


def test_transitions_are_centred_on_the_cuts_and_keep_the_length_of_the_film():
    timeline = compute_timeline(ScheduleParams(fps=24, scenes=scenes(5, 5, 5, transition=0.5)), [])
    assert timeline.frames == 15 * 24
    assert [place.timing.head for place in timeline.scenes] == [0, 12, 12]
    assert [place.timing.tail for place in timeline.scenes] == [12, 12, 0]
    assert [place.start for place in timeline.scenes] == [0, 114, 234]


def test_a_transition_takes_at_most_a_third_of_a_short_scene():
    timeline = compute_timeline(ScheduleParams(fps=24, scenes=scenes(5, 0.5, 5, transition=2.0)), [])
    assert timeline.scenes[1].timing.head == 4
    assert timeline.scenes[1].timing.segment_frames >= 1


def test_the_speech_sets_the_length_of_a_narrated_scene():
    timeline = compute_timeline(ScheduleParams(fps=24, scenes=scenes(10, narrated=True)), [3.1])
    assert timeline.frames == 87  # 3.6 s, rounded up
    assert timeline.scenes[0].narration == 0.25


def test_end_padding_extends_only_the_last_narrated_scene():
    padded = ScheduleParams(fps=24, scenes=scenes(5, 5, narrated=True), end_padding=1.0)
    before, after = (
        compute_timeline(params, [3.0, 3.0]) for params in (padded.model_copy(update={"end_padding": 0.0}), padded)
    )
    assert after.scenes[0] == before.scenes[0]
    assert after.scenes[1].narration == before.scenes[1].narration
    assert after.frames == before.frames + 24


def test_a_longer_speech_does_not_change_the_timing_of_other_scenes():
    params = ScheduleParams(fps=24, scenes=scenes(5, 5, 5, transition=0.5, narrated=True))
    one, other = compute_timeline(params, [3.0, 3.33, 4.0]), compute_timeline(params, [3.0, 5.71, 4.0])
    assert one.scenes[0].timing == other.scenes[0].timing
    assert one.scenes[2].timing == other.scenes[2].timing
    assert one.scenes[1].timing != other.scenes[1].timing


@given(
    fps=st.integers(12, 60),
    speech=st.lists(st.floats(0.05, 20), min_size=1, max_size=8),
    transition=st.floats(0, 5),
    pause=st.floats(0, 2),
)
def test_speech_never_overlaps_a_neighbour_or_a_transition(fps, speech, transition, pause):
    requested = scenes(*[5.0] * len(speech), transition=transition, narrated=True)
    timeline = compute_timeline(ScheduleParams(fps=fps, scenes=requested, pause=pause), speech)
    for place, seconds in zip(timeline.scenes, speech, strict=True):
        timing = place.timing
        begin, end = place.narration, place.narration + seconds
        assert begin >= (place.start + timing.head) / fps - 1e-5
        assert end <= (place.start + timing.frames - timing.tail) / fps + 1e-5
        assert end - begin == pytest.approx(seconds)


@given(
    fps=st.integers(1, 60),
    lengths=st.lists(st.floats(0.05, 20), min_size=1, max_size=12),
    transition=st.floats(0, 5),
)
def test_neighbouring_clips_overlap_exactly_and_every_scene_keeps_a_frame_outside_transitions(fps, lengths, transition):
    timeline = compute_timeline(ScheduleParams(fps=fps, scenes=scenes(*lengths, transition=transition)), [])
    places = timeline.scenes
    for before, after in itertools.pairwise(places):
        assert before.timing.tail == after.timing.head
        assert after.start == before.start + before.timing.frames - before.timing.tail
        assert (before.timing.tail >= 1) == (transition > 0)
    assert all(place.timing.segment_frames >= 1 for place in places)
    assert timeline.frames == sum(p.timing.segment_frames for p in places) + sum(p.timing.tail for p in places)


def test_the_family_writes_the_timeline_and_one_timing_per_scene(tmp_path):
    words = tmp_path / "word_timings.json"
    words.write_text('{"seconds": 2.0, "words": []}')
    params = ScheduleParams(scenes=(*scenes(3, transition=0.5), *scenes(3, narrated=True)))
    out = tmp_path / "out"
    out.mkdir()
    paths = list(
        FilmScheduler.load(SPEC, Device()).run(
            Kind.SCHEDULE, params, {"word_timings": [words]}, out, SilentReport(), seed=0
        )
    )
    assert [path.name for path in paths] == ["timeline.json", "scene-001.json", "scene-002.json"]
    timeline = Timeline.model_validate_json(paths[0].read_bytes())
    assert timeline == compute_timeline(params, [2.0])
    assert SceneTiming.model_validate(json.loads(paths[2].read_text())) == timeline.scenes[1].timing


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"seconds": -1}', '{"seconds": "2"}'])
def test_word_timings_without_a_duration_are_refused(tmp_path, content):
    words = tmp_path / "word_timings.json"
    words.write_text(content)
    params = ScheduleParams(scenes=scenes(3, narrated=True))
    with pytest.raises(BadInput, match="word_timings"):
        list(FilmScheduler().run(Kind.SCHEDULE, params, {"word_timings": [words]}, tmp_path, SilentReport(), seed=0))


def test_a_missing_narration_is_refused(tmp_path):
    params = ScheduleParams(scenes=scenes(3, 3, narrated=True))
    with pytest.raises(BadInput, match="2 scenes are narrated, but 0"):
        list(FilmScheduler().run(Kind.SCHEDULE, params, {}, tmp_path, SilentReport(), seed=0))

"""What a plan takes is learned from what its steps took."""

import pytest

from engine.execution.estimates import TimingEstimator, forecast
from engine.execution.protocol import Slot, Slots
from engine.execution.run_events import StepDone
from engine.planning.plan import OutputRef, Plan, Step
from engine.storage.database import Database
from pipelines.base import Device, Kind, ModelSpec
from pipelines.step_params import NarrateParams, ScoreParams

VOICE = ModelSpec(name="voice", family="x:Y", kinds=(Kind.NARRATE,), seconds=7.0)
MUSIC = ModelSpec(name="music", family="x:Y", kinds=(Kind.SCORE,), seconds=3.0)
SLOTS = Slots((Slot("a", Device()), Slot("b", Device())))


def narration(number: int, letters: int) -> Step:
    return Step(f"narrate:{number}", Kind.NARRATE, VOICE, NarrateParams(text="x" * letters, narrator="Rachel"))


def done(step: Step, seconds: float) -> StepDone:
    return StepDone(0.0, step.id, str(step.kind), step.spec.name, "k", False, seconds, 500, ())


@pytest.fixture
def learned(tmp_path):
    with Database(tmp_path / "engine.sqlite") as jobs:
        yield TimingEstimator(jobs)


def test_before_anything_was_done_the_catalog_is_believed(learned):
    assert learned.estimate_seconds(narration(1, 100)) == 7.0


def test_what_was_done_counts_from_then_on_also_where_nothing_was_known(learned):
    long = narration(2, 200)
    assert learned.estimate(long) is None
    learned.record(narration(1, 100), done(narration(1, 100), 5.0))
    assert learned.estimate_seconds(long) == pytest.approx(10.0)
    learned.record(long, done(long, 40.0))
    learned.record(long, done(long, 40.0))
    assert learned.estimate_seconds(long) == pytest.approx(40.0)


def test_the_wall_clock_is_the_longest_chain_or_all_work_shared_by_the_slots(learned):
    voices = [narration(number, 1) for number in range(4)]
    music = Step(
        "score", Kind.SCORE, MUSIC, ScoreParams(), {"timeline": (OutputRef("narrate:0", "word_timings.json"),)}
    )
    assert forecast(Plan((voices[0], music)), {}, learned, SLOTS).seconds == 10.0
    assert forecast(Plan((*voices, music)), {}, learned, SLOTS).seconds == pytest.approx(31 / 2)

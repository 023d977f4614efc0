"""Stories and the work on them in the history's file."""

import pytest

from engine.server.jobs.credits import Credits
from engine.server.jobs.queue import HOPELESS, SUSPECT, Order
from engine.server.jobs.stories import Records
from engine.storage.database import Jobs
from engine.story.model import Scene, Story

STORY = Story(title="A snail", scenes=(Scene(prompt="A snail crosses the road"),))


@pytest.fixture
def jobs(tmp_path):
    with Jobs(tmp_path / "engine.sqlite") as jobs:
        yield jobs


@pytest.fixture
def records(jobs):
    return Records(jobs, Credits(jobs, 0, {}))


class Unlucky(Jobs):
    """A machine that stops in the middle of forgetting."""

    def forget_run(self, run_id: str) -> None:
        raise SystemExit


def test_a_story_is_deleted_as_a_whole_or_not_at_all(tmp_path):
    with Unlucky(tmp_path / "engine.sqlite") as jobs:
        records = Records(jobs, Credits(jobs, 0, {}))
        story_id = records.create("me", "story", STORY, Order("film")).id
        with pytest.raises(SystemExit):
            records.delete(story_id)
        assert records.get(story_id).told == STORY
        assert jobs.get_run(story_id).title == "A snail"


def test_a_webhook_does_not_wait_for_a_clock_that_was_set_back(jobs):
    now = [1_000_000.0]
    records = Records(jobs, Credits(jobs, 0, {}), clock=lambda: now[0])
    records.create("me", "story", STORY, Order("film"), webhook="https://hooks.example/")
    records.end(records.queue.take(), "done", webhook_body=lambda record: "{}")
    (delivery,) = records.outbox.due(9, longest=60)
    records.outbox.tried(delivery, sent=False, pause=60)
    assert records.outbox.due(9, longest=60) == []
    now[0] -= 86_400
    assert [one.id for one in records.outbox.due(9, longest=60)] == [delivery.id]


def test_work_during_which_the_server_died_waits_again_in_its_old_place(records):
    first, second = (records.create("me", "story", STORY, Order("film")).id for _ in range(2))
    assert records.queue.take().story == first
    assert records.queue.resume() == []
    assert [records.queue.take().story, records.queue.take().story] == [first, second]


def test_work_of_which_the_server_dies_again_and_again_comes_last_and_is_given_up(records):
    deadly, other = (records.create("me", "story", STORY, Order("film")).id for _ in range(2))
    for _ in range(SUSPECT):
        assert records.queue.take().story == deadly
        assert records.queue.resume() == []
    assert records.queue.take().story == other
    records.end(records.get(other).work, "done")
    for _ in range(HOPELESS - SUSPECT - 1):
        assert records.queue.take().story == deadly
        assert records.queue.resume() == []
    assert records.queue.take().story == deadly
    assert [work.story for work in records.queue.resume()] == [deadly]


def test_work_that_comes_on_or_is_stopped_on_purpose_is_not_suspected(records):
    records.create("me", "story", STORY, Order("film"))
    for number in range(2 * HOPELESS):
        work = records.queue.take()
        records.queue.progress(work, number)
        assert records.queue.resume() == []
    for _ in range(2 * HOPELESS):
        records.queue.put_back(records.queue.take())
        assert records.queue.resume() == []

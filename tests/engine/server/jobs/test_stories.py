"""Stored stories and the job queue."""

import pytest

from engine.server.jobs.credits import Credits
from engine.server.jobs.queue import CRASHES_BEFORE_DEMOTION, MAX_CRASHES, JobRequest
from engine.server.jobs.stories import Records
from engine.storage.database import Database
from engine.story.model import Scene, Story

STORY = Story(title="A snail", scenes=(Scene(prompt="A snail crosses the road"),))


@pytest.fixture
def database(tmp_path):
    with Database(tmp_path / "engine.sqlite") as database:
        yield database


@pytest.fixture
def records(database):
    return Records(database, Credits(database, 0, {}))


class Unlucky(Database):
    """A database that fails in the middle of a deletion."""

    def delete_run(self, run_id: str) -> None:
        raise SystemExit


def test_a_story_is_deleted_completely_or_not_at_all(tmp_path):
    with Unlucky(tmp_path / "engine.sqlite") as database:
        records = Records(database, Credits(database, 0, {}))
        story_id = records.create("me", "story", STORY, JobRequest("film")).id
        with pytest.raises(SystemExit):
            records.delete(story_id)
        assert records.get(story_id).story == STORY
        assert database.get_run(story_id).title == "A snail"


def test_a_webhook_is_due_after_the_clock_was_set_back(database):
    now = [1_000_000.0]
    records = Records(database, Credits(database, 0, {}), clock=lambda: now[0])
    records.create("me", "story", STORY, JobRequest("film"), webhook="https://hooks.example/")
    records.finish_job(records.queue.claim(), "done", webhook_body=lambda record: "{}")
    (delivery,) = records.outbox.list_due(9, max_delay=60)
    records.outbox.record_attempt(delivery, sent=False, retry_delay=60)
    assert records.outbox.list_due(9, max_delay=60) == []
    now[0] -= 86_400
    assert [one.id for one in records.outbox.list_due(9, max_delay=60)] == [delivery.id]


def test_a_job_interrupted_by_a_crash_returns_to_its_place_in_the_queue(records):
    first, second = (records.create("me", "story", STORY, JobRequest("film")).id for _ in range(2))
    assert records.queue.claim().story_id == first
    assert records.queue.requeue_interrupted() == []
    assert [records.queue.claim().story_id, records.queue.claim().story_id] == [first, second]


def test_a_job_that_crashes_the_server_repeatedly_runs_last_and_then_fails(records):
    deadly, other = (records.create("me", "story", STORY, JobRequest("film")).id for _ in range(2))
    for _ in range(CRASHES_BEFORE_DEMOTION):
        assert records.queue.claim().story_id == deadly
        assert records.queue.requeue_interrupted() == []
    assert records.queue.claim().story_id == other
    records.finish_job(records.get(other).job, "done")
    for _ in range(MAX_CRASHES - CRASHES_BEFORE_DEMOTION - 1):
        assert records.queue.claim().story_id == deadly
        assert records.queue.requeue_interrupted() == []
    assert records.queue.claim().story_id == deadly
    assert [work.story_id for work in records.queue.requeue_interrupted()] == [deadly]


def test_a_job_with_progress_or_a_requeued_job_counts_no_crash(records):
    records.create("me", "story", STORY, JobRequest("film"))
    for number in range(2 * MAX_CRASHES):
        work = records.queue.claim()
        records.queue.set_progress(work, number)
        assert records.queue.requeue_interrupted() == []
    for _ in range(2 * MAX_CRASHES):
        records.queue.requeue(records.queue.claim())
        assert records.queue.requeue_interrupted() == []

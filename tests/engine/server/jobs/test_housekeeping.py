"""Housekeeping: expired stories, and the schedule of the garbage collection."""

import time

import pytest

from engine.server.jobs.credits import Credits
from engine.server.jobs.garbage_collection import (
    GRACE_SECONDS,
    ROUNDING_SECONDS,
    SUPERSEDED_SECONDS,
    GarbageCollector,
)
from engine.server.jobs.housekeeping import Housekeeper
from engine.server.jobs.queue import JobRequest
from engine.server.jobs.stories import Records
from engine.storage.database import Database
from engine.story.model import Scene, Story

STORY = Story(title="A snail", scenes=(Scene(prompt="A snail crosses the road"),))


@pytest.fixture
def records(tmp_path):
    with Database(tmp_path / "engine.sqlite") as database:
        yield Records(database, Credits(database, 0, {}))


def ignore(*arguments):
    """Stand in for a callback that the test does not need."""
    return 0, 0


def test_an_expired_story_is_deleted_while_its_job_runs(records):
    expired = records.create("me", "story", STORY, JobRequest("film"), expires=time.time() - 1).id
    valid = records.create("me", "story", STORY, JobRequest("film"), expires=time.time() + 3600).id
    assert records.queue.claim().story_id == expired
    deleted = []

    def delete(story_id):
        deleted.append(story_id)
        records.delete(story_id)

    housekeeper = Housekeeper(records, delete, ignore, GarbageCollector(ignore), interval=0.01)
    housekeeper.start()
    deadline = time.monotonic() + 10
    while not deleted:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    housekeeper.stop()
    assert deleted == [expired]
    assert records.status_snapshot(valid) is not None


def test_garbage_is_collected_after_a_start_a_deletion_and_an_update():
    now, collections = [0.0], []
    collector = GarbageCollector(lambda grace: collections.append(now[0]) or (0, 0), clock=lambda: now[0])

    def collections_until(seconds):
        while now[0] < seconds:
            now[0] += ROUNDING_SECONDS
            collector.run_if_due()
        times = list(collections)
        collections.clear()
        return times

    assert collections_until(10 * GRACE_SECONDS) == [GRACE_SECONDS]
    collector.schedule_after_delete()
    started = now[0]
    collections_until(started + GRACE_SECONDS / 2)
    collector.schedule_after_delete()
    collector.schedule_after_update()
    assert collections_until(started + 2 * SUPERSEDED_SECONDS) == [
        started + GRACE_SECONDS,
        started + 1.5 * GRACE_SECONDS,
        started + GRACE_SECONDS / 2 + SUPERSEDED_SECONDS,
    ]


def test_housekeeping_goes_on_after_an_error(records):
    attempts = []

    def fail(grace):
        attempts.append(grace)
        raise OSError("no such file")

    collector = GarbageCollector(fail, clock=lambda: time.monotonic() * 1e6)
    housekeeper = Housekeeper(records, ignore, ignore, collector, interval=0.01)
    housekeeper.start()
    deadline = time.monotonic() + 10
    while len(attempts) < 2:
        collector.schedule_after_delete()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    housekeeper.stop()

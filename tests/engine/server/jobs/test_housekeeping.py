"""The house is kept while films are made."""

import time

import pytest

from engine.server.jobs.credits import Credits
from engine.server.jobs.housekeeping import GC_GRACE_SECONDS, INTERVAL_SECONDS, SUPERSEDED_GC_SECONDS, Housekeeper
from engine.server.jobs.queue import JobRequest
from engine.server.jobs.stories import Records
from engine.storage.database import Database
from engine.story.model import Scene, Story

STORY = Story(title="A snail", scenes=(Scene(prompt="A snail crosses the road"),))


@pytest.fixture
def records(tmp_path):
    with Database(tmp_path / "engine.sqlite") as jobs:
        yield Records(jobs, Credits(jobs, 0, {}))


def test_what_has_expired_is_deleted_while_other_work_runs(records):
    over = records.create("me", "story", STORY, JobRequest("film"), expires=time.time() - 1).id
    later = records.create("me", "story", STORY, JobRequest("film"), expires=time.time() + 3600).id
    assert records.queue.claim().story_id == over
    stopped = []

    def forget(story_id):
        stopped.append(story_id)
        records.delete(story_id)

    keeper = Housekeeper(records, lambda seconds: None, lambda grace: (0, 0), interval=0.01)
    keeper.start(forget)
    deadline = time.monotonic() + 10
    while not stopped:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    keeper.stop()
    assert stopped == [over]
    assert records.status_snapshot(later) is not None


def test_the_store_is_collected_when_nothing_can_be_about_to_use_what_was_forgotten(records):
    now, collected = [0.0], []
    keeper = Housekeeper(
        records, lambda seconds: None, lambda grace: collected.append(now[0]) or (0, 0), clock=lambda: now[0]
    )

    def until(seconds):
        while now[0] < seconds:
            now[0] += INTERVAL_SECONDS
            keeper.run_once()
        times = list(collected)
        collected.clear()
        return times

    assert until(10 * GC_GRACE_SECONDS) == [GC_GRACE_SECONDS]  # what an earlier server left
    keeper.schedule_gc_after_delete()
    begun = now[0]
    until(begun + GC_GRACE_SECONDS / 2)
    keeper.schedule_gc_after_delete()
    keeper.schedule_gc_after_update()
    assert until(begun + 2 * SUPERSEDED_GC_SECONDS) == [
        begun + GC_GRACE_SECONDS,
        begun + 1.5 * GC_GRACE_SECONDS,
        begun + GC_GRACE_SECONDS / 2 + SUPERSEDED_GC_SECONDS,
    ]


def test_one_bad_look_is_not_the_last(records):
    looks = []

    def collect(grace):
        looks.append(grace)
        raise OSError("no such file")

    keeper = Housekeeper(records, lambda seconds: None, collect, interval=0.01, clock=lambda: time.monotonic() * 1e6)
    keeper.start(lambda story_id: None)
    deadline = time.monotonic() + 10
    while len(looks) < 2:
        keeper.schedule_gc_after_delete()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    keeper.stop()

"""How work ends, whatever happens to it."""

import threading
import time

import pytest

from engine.execution.errors import RunFailed
from engine.execution.protocol import Failure
from engine.server.jobs.credits import Credits
from engine.server.jobs.handler import Outcome
from engine.server.jobs.notifications import Hub
from engine.server.jobs.queue import HOPELESS, Order
from engine.server.jobs.scheduler import GIVEN_UP, Scheduler, webhook_body
from engine.server.jobs.stories import Records
from engine.storage.database import Jobs, JobsError
from engine.story.model import Scene, Story

STORY = Story(title="A snail", scenes=(Scene(prompt="A snail crosses the road"),))


class Full(Records):
    """A history that takes no end of work as long as there is no room."""

    room = threading.Event()

    def end(self, *told, **more):
        if not self.room.is_set():
            raise JobsError("disk full")
        super().end(*told, **more)


class Doing:
    """Stands in for the worker: does what the test says with each story."""

    def __init__(self, do):
        self.do = lambda work, record, stop, changed: do(record)


@pytest.fixture
def at_work(tmp_path):
    begun = []

    def begin(do, kind=Records):
        jobs = Jobs(tmp_path / "engine.sqlite")
        records = kind(jobs, Credits(jobs, 0, {}))
        scheduler = Scheduler(Doing(do), records, Hub(), webhook_body("me"))
        scheduler.start()
        begun.append((scheduler, jobs))
        return records, scheduler

    yield begin
    for scheduler, jobs in begun:
        scheduler.stop()
        jobs.close()


def ended(records, story_id, seconds=10.0):
    """The work on a story when it has ended."""
    deadline = time.monotonic() + seconds
    while (work := records.get(story_id).work).state in ("queued", "running"):
        assert time.monotonic() < deadline, work
        time.sleep(0.02)
    return work


def test_work_whose_end_cannot_be_noted_is_done_when_there_is_room_again(at_work):
    done = []
    records, scheduler = at_work(lambda record: done.append(record.id) or Outcome(film="f" * 64), kind=Full)
    one = records.create("me", "story", STORY, Order("film")).id
    scheduler.wake()
    while not done:
        time.sleep(0.02)
    time.sleep(0.1)
    assert records.get(one).active
    records.room.set()
    assert ended(records, one).state == "done"
    assert (records.get(one).film, records.jobs.get_run(one).film) == ("f" * 64, "f" * 64)
    assert done == [one]


@pytest.mark.parametrize(
    ("error", "word", "message"),
    [
        (KeyError("role"), "internal_error", "the engine made a mistake; its log says which"),
        (RunFailed({"keyframe:1": Failure("DiskFull", "no room")}), "disk_full", "keyframe:1: no room"),
        (JobsError("/home/x/y cannot be used"), "backend_failed", "the history of this machine could not be"),
    ],
)
def test_what_went_wrong_is_said_and_the_queue_goes_on(at_work, error, word, message):
    def do(record):
        if record.title == "bad":
            raise error
        return Outcome()

    records, scheduler = at_work(do)
    bad = records.create("me", "story", STORY.model_copy(update={"title": "bad"}), Order("film")).id
    good = records.create("me", "story", STORY, Order("film")).id
    scheduler.wake()
    work = ended(records, bad)
    assert (work.state, work.word) == ("failed", word)
    assert work.message.startswith(message)
    assert ended(records, good).state == "done"


def test_what_the_server_died_of_too_often_fails_and_says_so(at_work, tmp_path):
    with Jobs(tmp_path / "engine.sqlite") as jobs:
        records = Records(jobs, Credits(jobs, 0, {}))
        deadly = records.create("me", "story", STORY, Order("film"), webhook="https://hooks.example/").id
        for _ in range(HOPELESS - 1):
            records.queue.take()
            records.queue.resume()
        records.queue.take()
    records, _ = at_work(lambda record: pytest.fail("it was tried again"))
    work = ended(records, deadly)
    assert (work.state, work.message) == ("failed", GIVEN_UP)
    (delivery,) = records.outbox.due(9, 0)
    assert '"fail"' in delivery.body


def test_work_on_a_story_that_was_deleted_is_over(at_work):
    def do(record):
        records.delete(record.id)
        records.jobs.refer(record.id, keys=["k"])

    records, scheduler = at_work(do)
    gone = records.create("me", "story", STORY, Order("film")).id
    scheduler.wake()
    deadline = time.monotonic() + 10
    while records.glance(gone) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert scheduler.alive()
    assert records.jobs.list_runs() == []

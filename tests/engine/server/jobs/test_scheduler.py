"""The scheduler stores the outcome of every job."""

import threading
import time

import pytest

from engine.execution.errors import RunFailed
from engine.execution.protocol import Failure
from engine.server.jobs.credits import Credits
from engine.server.jobs.handler import JobOutput
from engine.server.jobs.notifications import Notifier
from engine.server.jobs.queue import MAX_CRASHES, JobRequest
from engine.server.jobs.scheduler import GAVE_UP_MESSAGE, JobScheduler, make_webhook_body
from engine.server.jobs.stories import Records
from engine.storage.database import Database, DatabaseError
from engine.story.model import Scene, Story

STORY = Story(title="A snail", scenes=(Scene(prompt="A snail crosses the road"),))


class FullDatabaseRecords(Records):
    """Records that cannot store the result of a job while the disk is full."""

    room = threading.Event()

    def finish_job(self, *arguments, **options):
        if not self.room.is_set():
            raise DatabaseError("disk full")
        super().finish_job(*arguments, **options)


class StubHandler:
    """A handler that runs a function of the test on each record."""

    def __init__(self, do):
        self.handle = lambda job, record, stop, on_progress: do(record)


@pytest.fixture
def at_work(tmp_path):
    started = []

    def begin(do, kind=Records):
        database = Database(tmp_path / "engine.sqlite")
        records = kind(database, Credits(database, 0, {}))
        scheduler = JobScheduler(StubHandler(do), records, Notifier(), make_webhook_body("me"))
        scheduler.start()
        started.append((scheduler, database))
        return records, scheduler

    yield begin
    for scheduler, database in started:
        scheduler.stop()
        database.close()


def ended(records, story_id, seconds=10.0):
    """Return the latest job of a story after it has ended."""
    deadline = time.monotonic() + seconds
    while (job := records.get(story_id).job).state in ("queued", "running"):
        assert time.monotonic() < deadline, job
        time.sleep(0.02)
    return job


def test_a_job_result_is_stored_when_the_disk_has_space_again(at_work):
    done = []
    records, scheduler = at_work(
        lambda record: done.append(record.id) or JobOutput(film="f" * 64), kind=FullDatabaseRecords
    )
    one = records.create("me", "story", STORY, JobRequest("film")).id
    scheduler.wake()
    while not done:
        time.sleep(0.02)
    time.sleep(0.1)
    assert records.get(one).is_active
    records.room.set()
    assert ended(records, one).state == "done"
    assert (records.get(one).film, records.database.get_run(one).film) == ("f" * 64, "f" * 64)
    assert done == [one]


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (KeyError("role"), "internal_error", "internal server error; see the server log"),
        (RunFailed({"keyframe:1": Failure("DiskFull", "no room")}), "disk_full", "keyframe:1: no room"),
        (DatabaseError("/home/x/y cannot be used"), "backend_failed", "the database is unavailable"),
    ],
)
def test_a_failed_job_has_a_code_and_a_message_and_the_queue_continues(at_work, error, code, message):
    def do(record):
        if record.title == "bad":
            raise error
        return JobOutput()

    records, scheduler = at_work(do)
    bad = records.create("me", "story", STORY.model_copy(update={"title": "bad"}), JobRequest("film")).id
    good = records.create("me", "story", STORY, JobRequest("film")).id
    scheduler.wake()
    job = ended(records, bad)
    assert (job.state, job.code) == ("failed", code)
    assert job.message.startswith(message)
    assert ended(records, good).state == "done"


def test_a_job_that_crashed_the_server_too_often_fails(at_work, tmp_path):
    with Database(tmp_path / "engine.sqlite") as database:
        records = Records(database, Credits(database, 0, {}))
        deadly = records.create("me", "story", STORY, JobRequest("film"), webhook="https://hooks.example/").id
        for _ in range(MAX_CRASHES - 1):
            records.queue.claim()
            records.queue.requeue_interrupted()
        records.queue.claim()
    records, _ = at_work(lambda record: pytest.fail("it was tried again"))
    job = ended(records, deadly)
    assert (job.state, job.message) == ("failed", GAVE_UP_MESSAGE)
    (delivery,) = records.outbox.list_due(9, 0)
    assert '"fail"' in delivery.body


def test_the_job_of_a_deleted_story_ends(at_work):
    def do(record):
        records.delete(record.id)
        records.database.add_references(record.id, keys=["k"])

    records, scheduler = at_work(do)
    gone = records.create("me", "story", STORY, JobRequest("film")).id
    scheduler.wake()
    deadline = time.monotonic() + 10
    while records.status_snapshot(gone) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert scheduler.is_alive()
    assert records.database.list_runs() == []

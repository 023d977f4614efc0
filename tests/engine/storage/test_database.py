"""The history of runs and timings."""

import multiprocessing
import sqlite3
import subprocess
import sys
import threading

import pytest

from engine.storage.database import MAX_TIMINGS, Database, DatabaseError
from tests.fixtures.rooms import fill_disk, small_disk

DIGEST = "d" * 64


@pytest.fixture
def jobs(tmp_path):
    with Database(tmp_path / "deep" / "jobs.db") as jobs:
        yield jobs


def test_a_run_is_found_again_as_it_was_told(jobs):
    begun = jobs.start_run(
        "r1", title="Der Räuber 🙂", source="story.yaml", output_folder="films", story={"scenes": [1, "zwei"]}
    )
    assert begun.status == "running"
    jobs.finish_run("r1", "done", film=DIGEST, warnings=["no voice"])
    run = jobs.get_run("r1")
    assert (run.title, run.source, run.output_folder) == ("Der Räuber 🙂", "story.yaml", "films")
    assert (run.status, run.film, run.warnings, run.story) == ("done", DIGEST, ("no voice",), {"scenes": [1, "zwei"]})
    assert run.updated >= run.created


def test_an_unknown_run_is_a_key_error(jobs):
    with pytest.raises(KeyError):
        jobs.get_run("nobody")
    with pytest.raises(KeyError):
        jobs.finish_run("nobody", "done")
    with pytest.raises(KeyError):
        jobs.add_references("nobody", keys=["k"])
    jobs.delete_run("nobody")


def test_runs_are_listed_newest_first(tmp_path):
    times = iter(range(100))
    with Database(tmp_path / "jobs.db", clock=lambda: float(next(times))) as jobs:
        for number in range(4):
            jobs.start_run(f"r{number}", title="t", story={})
        assert [run.id for run in jobs.list_runs(3)] == ["r3", "r2", "r1"]


def test_any_run_is_found_by_how_its_id_begins(jobs):
    for run in ("ab%1", "ab%2", "abc3"):
        jobs.start_run(run, title="t", story={})
    with jobs.transaction():
        for number in range(1100):
            jobs.start_run(f"later-{number}", title="t", story={})
    assert [run.id for run in jobs.find_runs("abc")] == ["abc3"]
    assert {run.id for run in jobs.find_runs("ab%")} == {"ab%1", "ab%2"}
    assert len(jobs.find_runs("")) == 2
    assert jobs.find_runs("nobody") == []


def test_a_run_that_begins_again_forgets_how_it_ended(jobs):
    created = jobs.start_run("r1", title="one", story={}).created
    jobs.finish_run("r1", "failed", error="no room", warnings=["w"])
    again = jobs.start_run("r1", title="two", story={})
    assert (again.status, again.error, again.warnings, again.title) == ("running", "", (), "two")
    assert again.created == created


def test_a_run_whose_process_died_is_interrupted(tmp_path):
    code = (
        "import os, sys; from pathlib import Path; from engine.storage.database import Database\n"
        "jobs = Database(Path(sys.argv[1])); jobs.start_run('r1', title='t', story={}); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "jobs.db")], check=False)
    with Database(tmp_path / "jobs.db") as jobs:
        assert jobs.get_run("r1").status == "interrupted"
        assert jobs.list_runs()[0].status == "interrupted"
        assert jobs.start_run("r1", title="t", story={}).status == "running"


def test_what_runs_refer_to_is_live_until_the_last_of_them_is_forgotten(jobs):
    for run in ("r1", "r2"):
        jobs.start_run(run, title="t", story={})
        jobs.add_references(run, keys=["shared", run], digests=["picture"])
    jobs.finish_run("r1", "done", film=DIGEST)
    assert jobs.live_keys() == {"shared", "r1", "r2"}
    assert jobs.live_digests() == {"picture", DIGEST}
    jobs.delete_run("r1")
    assert jobs.live_keys() == {"shared", "r2"}
    assert jobs.live_digests() == {"picture"}
    jobs.delete_run("r2")
    assert jobs.live_keys() == jobs.live_digests() == frozenset()


def test_what_a_run_no_longer_refers_to_is_not_live(jobs):
    jobs.start_run("r1", title="t", story={})
    jobs.add_references("r1", keys=["old", "both"], digests=["picture"])
    jobs.add_references("r1", keys=["both", "new"], exclusive=True)
    assert jobs.live_keys() == {"both", "new"}
    assert jobs.live_digests() == frozenset()


def test_an_estimate_is_the_median_per_unit_of_work_and_the_most_memory(jobs):
    assert jobs.estimate("animate", "wan") is None
    for work, seconds, memory in ((10, 20, 500), (20, 40, 900), (10, 2000, 700)):
        jobs.add_timing("animate", "wan", work=work, seconds=seconds, peak_memory_mb=memory, size=work * 3)
    jobs.add_timing("animate", "other", work=1, seconds=1)
    estimate = jobs.estimate("animate", "wan", work=5)
    assert (estimate.seconds, estimate.peak_memory_mb, estimate.bytes, estimate.samples) == (10, 900, 15, 3)


def test_estimates_follow_the_recent_past(jobs):
    for number in range(MAX_TIMINGS + 20):
        jobs.add_timing("mix", "m", work=1, seconds=1 if number < 20 else 5)
    estimate = jobs.estimate("mix", "m")
    assert (estimate.seconds, estimate.samples) == (5, MAX_TIMINGS)


@pytest.mark.parametrize("work", [0, -1, float("nan")])
def test_no_work_is_no_sample(jobs, work):
    with pytest.raises(ValueError, match="work"):
        jobs.add_timing("mix", "m", work=work, seconds=1)


def test_a_damaged_history_says_what_to_do(tmp_path):
    path = tmp_path / "jobs.db"
    path.write_bytes(b"this is no database at all " * 100)
    with pytest.raises(DatabaseError, match="move it away"):
        Database(path)


def test_a_place_where_no_file_can_be_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DatabaseError, match="cannot use"):
        Database(tmp_path / "file" / "jobs.db")


def _write_many(path, name, count):
    with Database(path) as jobs:
        for number in range(count):
            jobs.start_run(f"{name}-{number}", title="t", story={})
            jobs.add_references(f"{name}-{number}", keys=[f"{name}-{number}"])


def test_processes_that_open_and_write_at_the_same_time_wait_for_each_other(tmp_path):
    path = tmp_path / "jobs.db"
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_write_many, args=(path, f"p{number}", 20)) for number in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    with Database(path) as jobs:
        assert len(jobs.live_keys()) == len(jobs.list_runs(1000)) == 60


def test_threads_share_one_connection(jobs):
    def write(name):
        for number in range(20):
            jobs.start_run(f"{name}-{number}", title="t", story={})

    threads = [threading.Thread(target=write, args=(f"t{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(jobs.list_runs(1000)) == 80
    assert all(run.status == "running" for run in jobs.list_runs(1000))


def test_what_went_wrong_is_told_also_when_the_database_has_ended_the_transaction_itself(jobs):
    jobs.start_run("r1", title="t", story={})
    with pytest.raises(sqlite3.IntegrityError), jobs.transaction() as connection:  # noqa: PT012
        connection.execute("DELETE FROM run_references")
        connection.execute("INSERT OR ROLLBACK INTO runs SELECT * FROM runs")
    jobs.start_run("r2", title="t", story={})
    assert {run.id for run in jobs.list_runs()} == {"r1", "r2"}


def test_a_full_disk_is_said_and_forgotten_when_there_is_room_again(tmp_path):
    with small_disk(tmp_path / "room", megabytes=1) as room, Database(room / "jobs.db") as jobs:
        jobs.start_run("r1", title="t", story={})
        fill_disk(room / "everything")
        with pytest.raises(DatabaseError, match="disk full"):  # noqa: PT012
            for number in range(9):
                jobs.start_run(f"s{number}", title="t" * 200_000, story={})
        assert jobs.get_run("r1").title == "t"
        (room / "everything").unlink()
        jobs.start_run("r2", title="t", story={})
        assert jobs.get_run("r2").status == "running"


def test_nobody_else_reads_the_history(tmp_path):
    with Database(tmp_path / "jobs.db") as jobs:
        jobs.start_run("r1", title="t", story={})
        assert {path.stat().st_mode & 0o777 for path in tmp_path.glob("jobs.db*")} == {0o600}
    (tmp_path / "jobs.db").chmod(0o640)
    Database(tmp_path / "jobs.db").close()
    assert (tmp_path / "jobs.db").stat().st_mode & 0o777 == 0o640

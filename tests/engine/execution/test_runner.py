"""A plan is brought about: nothing twice, nothing in vain, nothing lost."""

import itertools
import multiprocessing
import os
import random
import signal
import threading
import time
from pathlib import Path

import psutil
import pytest

from engine.execution import run_events
from engine.execution.devices import DevicePlacement
from engine.execution.inline import InlineExecutor
from engine.execution.local import LocalExecutor
from engine.execution.protocol import Failure, Slot, Slots
from engine.execution.runner import Runner
from engine.planning.plan import FamilyId, OutputRef, Plan, StoredInput
from engine.storage.artifact_store import ArtifactStore
from pipelines.base import Device
from tests.fixtures import families, rerun
from tests.fixtures.families import read_log, step
from tests.fixtures.rooms import fill_disk, small_disk

KILLS = int(os.environ.get("ENGINE_TEST_KILLS", "40"))
"""How often a run is killed at a random moment; the promise is tested with 1000."""


@pytest.fixture
def store(tmp_path):
    with ArtifactStore(tmp_path / "store") as store:
        yield store


@pytest.fixture
def log(tmp_path):
    return tmp_path / "log"


@pytest.fixture
def runner(store):
    return Runner(store, InlineExecutor())


@pytest.fixture
def local():
    executor = LocalExecutor(rerun.places(2))
    yield executor
    executor.stop()


def after(*names, of="text.txt"):
    return {"given": tuple(OutputRef(name, of) for name in names)}


def text(runner, result, step_id):
    return runner.store.path(result.actions[step_id].outputs[0].digest).read_text("utf-8")


def flip(path: Path) -> None:
    path.chmod(0o644)
    path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:])


# What is done, and what is recalled


def test_steps_read_what_the_steps_before_them_made(runner):
    plan = Plan((step("c", inputs=after("a", "b")), step("a", seed=1), step("b", seed=2)))
    result = runner.run(plan)
    assert result.ok
    assert text(runner, result, "c") == "c 0\ngiven text.txt: a 1\ngiven text.txt: b 2"


def test_a_second_run_recalls_everything(runner, log):
    plan = Plan((step("a", log=str(log)), step("b", inputs=after("a"), log=str(log))))
    first, second = runner.run(plan), runner.run(plan)
    assert read_log(log) == ["a", "b"]
    assert second.actions == first.actions
    assert (first.cached, second.cached) == (set(), {"a", "b"})


def test_only_what_is_wanted_and_what_it_needs_is_done(runner, log):
    plan = Plan(
        tuple(
            step(name, inputs=after(*needs), log=str(log))
            for name, needs in (("a", ""), ("b", "a"), ("c", "b"), ("d", "a"))
        )
    )
    assert runner.run(plan, ["b"]).actions.keys() == {"a", "b"}
    assert read_log(log) == ["a", "b"]


def chain(log, **changed):
    """a → b → c, and d beside; `changed` changes b."""
    return Plan((
        step("a", log=str(log)),
        step("b", inputs=after("a"), log=str(log), **changed),
        step("c", inputs=after("b"), log=str(log)),
        step("d", inputs=after("a"), log=str(log)),
    ))  # fmt: skip


@pytest.mark.parametrize("change", [{"text": "other"}, {"seed": 1}, {"take": 1}, {"model": {"revision": "2"}}])
def test_a_change_makes_anew_only_what_depends_on_it(runner, log, change):
    runner.run(chain(log))
    log.unlink()
    result = runner.run(chain(log, **change))
    expected = {"b", "c"} if change.keys() & {"text", "seed"} else {"b"}
    assert {step_id for step_id in result.actions if step_id not in result.cached} == expected
    assert len(read_log(log)) == len(expected)


def test_a_changed_step_that_yields_the_same_bytes_stops_the_change(runner, log):
    def plan(words):
        constant = step("a", families.Constant, text=words, log=str(log))
        return Plan((constant, step("b", inputs=after("a"), log=str(log))))

    runner.run(plan("one"))
    result = runner.run(plan("two"))
    assert read_log(log) == ["one", "b", "two"]
    assert result.cached == {"b"}


def test_a_new_version_of_a_family_is_a_change(store, log):
    plan = Plan((step("a", log=str(log)),))
    for version in ("1", "2", "1"):
        Runner(store, InlineExecutor(), family_id=lambda spec, version=version: FamilyId("echo", version)).run(plan)
    assert read_log(log) == ["a", "a"]


def test_a_pattern_takes_all_that_match_in_the_order_of_their_names_or_nothing(runner):
    plan = Plan((
        step("several", families.ManyOutputs, text="xyz"),
        step("all", inputs={"given": (OutputRef("several", "figure*"),)}),
        step("none", inputs={"given": (OutputRef("several", "layer*"),)}),
    ))  # fmt: skip
    result = runner.run(plan)
    names = [f"given figure-{number}.txt: {letter}" for number, letter in enumerate("xyz")]
    assert text(runner, result, "all") == "\n".join(["all 0", *names])
    assert text(runner, result, "none") == "none 0"


def test_what_one_source_gives_lies_together_under_its_own_names(runner):
    several = step("several", families.ManyOutputs, text="xyz")
    together = step("beside", families.SiblingReader, {"figures": (OutputRef("several", "[fl]*"),)})
    result = runner.run(Plan((several, together)))
    assert text(runner, result, "beside") == "xyz"


def test_what_two_sources_give_does_not_mix(runner):
    several = [step(name, families.ManyOutputs, text=name) for name in ("abc", "xyz")]
    both = step("both", inputs={"given": tuple(OutputRef(one.id, "figure-0.txt") for one in several)})
    result = runner.run(Plan((*several, both)))
    assert text(runner, result, "both") == "both 0\ngiven figure-0.txt: a\ngiven figure-0.txt: x"


def test_a_given_artifact_stands_in_for_a_step(runner):
    picture = runner.store.put_bytes(b"given", "whatever.png")
    result = runner.run(Plan((step("a", inputs={"given": (StoredInput(picture.digest, "mine.txt"),)}),)))
    assert text(runner, result, "a") == "a 0\ngiven mine.txt: given"


def test_what_is_there_can_be_asked_without_doing_anything(runner, log):
    runner.run(chain(log), ["b"])
    log.unlink()
    assert runner.get_cached(chain(log)).keys() == {"a", "b"}
    assert runner.get_cached(chain(log, text="other")).keys() == {"a"}
    assert read_log(log) == []


def test_the_same_work_under_two_names_is_done_once(store, local, log):
    plan = Plan(tuple(step(name, text="same", log=str(log), seconds=0.1) for name in "abcd"))
    result = Runner(store, local).run(plan)
    assert result.ok
    assert read_log(log) == ["same"]
    assert len({action.key for action in result.actions.values()}) == 1


def test_the_record_says_how_it_was_made(runner):
    credits_ = {
        "licence": "CC-BY-4.0",
        "credits": ("Somebody",),
        "options": {"steps": 4},
        "weights": {"model": {"repo": "hub/x", "revision": "1", "digest": "d"}},
        "revision": "abc",
    }
    plan = Plan((step("a"), step("b", families.Chatty, after("a"), seed=7, take=2, model=credits_)))
    made = runner.run(plan).actions
    record = made["b"].record
    told = {
        "step": "b",
        "kind": "enhance",
        "model": "chatty",
        "family": "chatty",
        "family_version": "1",
        "weights": {"model": {"repo": "hub/x", "revision": "1", "digest": "d"}},
        "revision": "abc",
    }
    assert told.items() <= record.items()
    assert (record["seed"], record["take"], record["params"]["text"]) == (7, 2, "b")
    assert record["inputs"] == {"given": [{"name": "text.txt", "digest": made["a"].outputs[0].digest}]}
    assert (record["licence"], record["credits"], record["options"]) == ("CC-BY-4.0", ["Somebody"], {"steps": 4})
    assert (record["facts"]["voice"], len(record["warnings"])) == ("Rachel", 1)
    assert record.keys() >= {"seconds", "peak_memory_mb", "libraries", "started", "platform", "device"}


# What is told


def test_what_happens_is_told_in_order(runner):
    told = []
    plan = Plan((step("a", families.Chatty), step("b", families.Failing, after("a")), step("c", inputs=after("b"))))
    runner.run(plan, on_event=told.append)
    assert [(type(event).__name__, getattr(event, "step", "")) for event in told] == [
        ("RunStarted", ""),
        ("StepStarted", "a"),
        ("StepProgress", "a"),
        ("StepWarning", "a"),
        ("StepProgress", "a"),
        ("StepDone", "a"),
        ("StepStarted", "b"),
        ("StepFailed", "b"),
        ("RunDone", ""),
    ]
    assert isinstance(told[-1], run_events.RunDone)
    assert (told[-1].executed, told[-1].cached, told[-1].failed, told[-1].pending) == (1, 0, 1, 1)


def test_the_warnings_of_recalled_work_are_told_again(runner):
    plan = Plan((step("a", families.Chatty),))
    runner.run(plan)
    told = []
    runner.run(plan, on_event=told.append)
    assert [type(event).__name__ for event in told] == ["RunStarted", "StepWarning", "StepDone", "RunDone"]
    assert told[1].message == "älter als gedacht – ok 🙂"
    assert told[2].cached
    assert told[2].seconds >= 0


def test_every_event_has_a_json_form(runner):
    import json

    told = []
    runner.run(Plan((step("a", families.Chatty), step("b", families.Failing))), on_event=told.append)
    for event in told:
        assert json.loads(json.dumps(event.to_json()))["event"] == type(event).__name__


# Failure


def test_a_failure_stops_only_what_depends_on_it_and_the_rest_is_kept(runner, log):
    def plan(family):
        return Plan((
            step("bad", family, log=str(log)),
            step("after", inputs=after("bad"), log=str(log)),
            step("a", log=str(log)),
            step("b", inputs=after("a"), log=str(log)),
        ))  # fmt: skip

    result = runner.run(plan(families.Failing))
    assert (result.failed.keys(), result.pending, result.actions.keys()) == ({"bad"}, {"after"}, {"a", "b"})
    assert not result.ok
    log.unlink()
    assert runner.run(plan(families.Echo)).cached == {"a", "b"}
    assert sorted(read_log(log)) == ["after", "bad"]


def test_what_is_in_flight_when_a_step_fails_is_finished_and_kept(store, local, log):
    plan = Plan((step("slow", log=str(log), seconds=0.4), step("bad", families.Failing)))
    assert Runner(store, local).run(plan).actions.keys() == {"slow"}
    assert Runner(store, local).run(plan).cached == {"slow"}


@pytest.mark.parametrize("family", [families.Failing, families.Refusing, families.MissingProgram])
def test_what_would_fail_again_is_not_tried_again(store, family):
    tried = Counting(InlineExecutor())
    assert not Runner(store, tried).run(Plan((step("a", family),))).ok
    assert tried.count == 1


def test_a_step_whose_worker_dies_is_tried_once_more(store, local, log):
    told = []
    plan = Plan((step("a", families.Killed, text="1", log=str(log)), step("b", inputs=after("a"))))
    result = Runner(store, local).run(plan, on_event=told.append)
    assert result.ok
    assert read_log(log) == ["1", "1"]
    assert [event.attempt for event in told if isinstance(event, run_events.StepStarted)] == [1, 2, 1]
    assert any("crashed" in event.message for event in told if isinstance(event, run_events.StepWarning))


def test_a_step_that_always_kills_its_worker_fails_and_others_do_not(store, local, log):
    plan = Plan((step("a", families.Killed, text="99", log=str(log)), step("b")))
    result = Runner(store, local).run(plan)
    assert (result.failed["a"].code, result.actions.keys()) == ("WorkerCrashed", {"b"})
    assert len(read_log(log)) == 2


def test_an_output_that_was_not_made_fails_what_needs_it(runner):
    result = runner.run(Plan((step("a"), step("b", inputs=after("a", of="image.png")))))
    assert result.failed == {"b": Failure("MissingOutput", "b needs image.png, which a did not produce")}


def test_a_given_artifact_that_is_not_there_fails_its_step(runner):
    result = runner.run(Plan((step("a", inputs={"given": (StoredInput("0" * 64, "x.png"),)}), step("b"))))
    assert (result.failed["a"].code, result.actions.keys()) == ("CorruptInput", {"b"})


def test_a_family_that_is_not_there_fails_its_step(runner):
    plan = Plan((step("a", model={"family": "pipelines.nowhere:Nothing"}), step("b", model={"family": "pipelines:No"})))
    assert {failure.code for failure in runner.run(plan).failed.values()} == {"Missing"}


def test_without_a_place_to_run_a_step_fails_rather_than_waits(store):
    nowhere = Nowhere()
    assert Runner(store, nowhere).run(Plan((step("a"),))).failed["a"].code == "NoDevice"


class Counting:
    """Counts what another executor is given."""

    def __init__(self, inner):
        self.inner, self.count = inner, 0

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def submit(self, task):
        self.count += 1
        self.inner.submit(task)


class Nowhere(InlineExecutor):
    """Has only a GPU, which work without need of one leaves alone."""

    def slots(self):
        return Slots((Slot("gpu", Device("cuda")),))


# Order


def test_a_model_stays_while_steps_for_it_are_on_their_way(store, log):
    """The GPU rather waits for a look at a picture than loads what comes next, and the painter a second time after it."""
    painter, mover = ({"name": name, "device": "gpu"} for name in ("painter", "mover"))
    plan = Plan((
        step("first", log=str(log), model=painter),
        step("look", inputs=after("first"), log=str(log), seconds=0.3),
        step("second", inputs=after("look"), log=str(log), model=painter),
        step("words", log=str(log), model=mover),
        step("last", inputs=after("second") | {"words": (OutputRef("words", "text.txt"),)}, log=str(log), model=mover),
    ))  # fmt: skip
    places = (DevicePlacement("cpu-0", Device("cpu"), 4096, {}), DevicePlacement("cuda-0", Device("cuda"), 4096, {}))
    executor = LocalExecutor(places)
    result = Runner(store, executor).run(plan)
    executor.stop()
    assert read_log(log) == ["first", "look", "second", "words", "last"]
    assert [result.actions[name].record["loaded"] for name in ("first", "second", "words", "last")] == [
        True, False, True, False,
    ]  # fmt: skip


def test_long_chains_begin_first_and_loaded_models_are_preferred_on_a_gpu(store, log):
    """One device slot: the models are swapped once, not at every step."""
    gpu = InlineExecutor(Device("cuda"))
    models = [{"name": name, "device": "gpu"} for name in ("one", "two")]
    plan = Plan(tuple(step(f"{number}-{number % 2}", log=str(log), model=models[number % 2]) for number in range(8)))
    Runner(store, gpu).run(plan)
    order = [name[-1] for name in read_log(log)]
    assert sum(a != b for a, b in itertools.pairwise(order)) == 1

    log.unlink()
    plan = Plan((
        step("short", log=str(log), seed=1),
        step("long", log=str(log), seed=1),
        step("longer", inputs=after("long"), log=str(log), seed=1),
    ))  # fmt: skip
    Runner(store, InlineExecutor()).run(plan)
    assert read_log(log)[0] == "long"


# Bytes at rest


def test_a_flipped_byte_is_found_and_only_that_step_is_made_again(runner, log):
    plan = chain(log)
    first = runner.run(plan)
    flip(runner.store.path(first.actions["b"].outputs[0].digest))
    log.unlink()
    again = Runner(ArtifactStore(runner.store.root), InlineExecutor()).run(plan)
    assert again.ok
    assert read_log(log) == ["b"]
    assert {name: action.outputs for name, action in again.actions.items()} == {
        name: action.outputs for name, action in first.actions.items()
    }
    assert runner.store.verify() == ()


# Cancel


def test_a_run_can_be_stopped_from_another_thread(store, local, log):
    stop, told = threading.Event(), []

    def watch(event):
        told.append(event)
        if isinstance(event, run_events.StepProgress):
            stop.set()

    plan = Plan(
        (step("a"), step("b", families.WaitingForProgram, after("a"), log=str(log)), step("c", inputs=after("b")))
    )
    begun = time.monotonic()
    result = Runner(store, local).run(plan, on_event=watch, stop=stop)
    assert time.monotonic() - begun < 30
    assert (result.cancelled, result.ok, result.actions.keys(), result.pending) == (True, False, {"a"}, {"b", "c"})
    assert told[-1].cancelled
    assert Runner(store, local).run(Plan((step("a"), step("x")))).cached == {"a"}
    for pid in log.read_text().split():
        assert gone(int(pid))
    store.close()
    assert [path for path in store.root.rglob("*") if path.is_file() and path.parent.name in {"locks", "tmp"}] == []


def test_an_interrupt_ends_the_work_and_leaves_the_store_clean(store, local, log):
    def interrupt(event):
        told.append(event)
        if isinstance(event, run_events.StepProgress):
            raise KeyboardInterrupt

    told = []
    plan = Plan((step("b", families.WaitingForProgram, log=str(log)),))
    with pytest.raises(KeyboardInterrupt):
        Runner(store, local).run(plan, on_event=interrupt)
    assert told[-1].cancelled
    assert all(gone(int(pid)) for pid in log.read_text().split())
    assert all(slot.free for slot in local.slots().all)
    assert list((store.root / "locks").iterdir()) == []
    lock = store.lock("0" * 64)
    lock.release()


def test_stopping_before_anything_began_does_nothing(runner, log):
    stop = threading.Event()
    stop.set()
    result = runner.run(Plan((step("a", log=str(log)),)), stop=stop)
    assert (result.cancelled, result.pending, read_log(log)) == (True, {"a"}, [])


# Several at once


def test_two_runs_of_one_runner_wait_for_each_other(runner, log):
    plan = Plan(tuple(step(name, log=str(log), seconds=0.02) for name in "abc"))
    results = []
    threads = [threading.Thread(target=lambda: results.append(runner.run(plan))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(len(result.cached) for result in results) == [0, 3, 3]
    assert len(read_log(log)) == 3


def test_processes_that_share_a_store_compute_each_key_once(tmp_path, log):
    processes = [start(tmp_path / "store", log, seconds=0.03) for _ in range(3)]
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert len(read_log(log)) == len(set(read_log(log))) == rerun.STEPS


# Killed


context = multiprocessing.get_context("forkserver" if hasattr(os, "fork") else "spawn")
context.set_forkserver_preload(["tests.fixtures.rerun"])


def start(root, log, executor="inline", seconds=0.002):
    process = context.Process(target=rerun.run, args=(root, log, executor, seconds))
    process.start()
    return process


def gone(pid: int, seconds: float = 5.0) -> bool:
    deadline = time.monotonic() + seconds
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def finished(store: ArtifactStore, plan: Plan) -> set[str]:
    """The steps of the plan that the store has, by a look that does nothing."""
    return {action.record["step"] for action in Runner(store, InlineExecutor()).get_cached(plan).values()}


@pytest.mark.parametrize(
    ("executor", "kills", "longest"), [("inline", KILLS, 0.25), ("local", max(4, KILLS // 10), 1.2)]
)
def test_whenever_a_run_is_killed_nothing_finished_is_lost_or_done_again(tmp_path, executor, kills, longest):
    chance = random.Random(20240607)
    killed = rounds = 0
    while killed < kills:
        rounds += 1
        root, log = tmp_path / f"store-{rounds}", tmp_path / f"log-{rounds}"
        plan, done, ended, seen = rerun.plan(log), set(), False, 0
        while not ended:
            process = start(root, log, executor)
            process.join(chance.uniform(0, longest))
            if process.exitcode is None and killed < kills:
                os.kill(process.pid, signal.SIGKILL)
            process.join(60)
            ended = process.exitcode == 0
            assert ended or process.exitcode == -signal.SIGKILL
            killed += not ended
            begun = read_log(log)
            again, seen = set(begun[seen:]), len(begun)
            assert not again & done, "finished work was done again"
            with ArtifactStore(root) as store:
                now = finished(store, plan)
                assert done <= now, "finished work was lost"
                assert store.verify() == ()
            done = now
        assert done == {one.id for one in plan}
        assert_clean(root)
    assert killed >= kills


def assert_clean(root: Path) -> None:
    """After the last process has swept, there are blobs and actions and nothing else."""
    deadline = time.monotonic() + 5
    with ArtifactStore(root) as store:
        store.remove_orphans()
        while any((root / "tmp").iterdir()) and time.monotonic() < deadline:  # a worker that has not noticed yet
            store.remove_orphans()
        assert [path for name in ("tmp", "locks") for path in (root / name).iterdir()] == []
        referred = {
            output.digest
            for path in (root / "actions").rglob("*.json")
            for output in store.get_cached(path.stem).outputs
        }
        assert {path.name for path in (root / "blobs").rglob("*") if path.is_file()} == referred


def test_when_the_engine_is_killed_its_workers_and_what_they_started_end(tmp_path, log):
    process = context.Process(target=rerun.wait_forever, args=(tmp_path / "store", log))
    process.start()
    deadline = time.monotonic() + 30
    while len(read_log(log)) == 0 or len(read_log(log)[0].split()) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    assert all(gone(int(pid)) for pid in read_log(log)[0].split())
    process.join()
    assert_clean(tmp_path / "store")


# Full disk


def test_on_a_full_disk_nothing_more_is_begun_and_with_room_it_goes_on(tmp_path, log):
    with small_disk(tmp_path / "room", megabytes=2) as room, ArtifactStore(room / "store") as store:
        runner = Runner(store, InlineExecutor())
        plan = chain(log)
        assert runner.run(plan, ["a"]).ok
        fill_disk(room / "fill")
        full = runner.run(plan)
        assert not full.ok
        assert {failure.code for failure in full.failed.values()} == {"DiskFull"}
        assert (len(full.failed), full.actions.keys()) == (1, {"a"})
        (room / "fill").unlink()
        again = runner.run(plan)
        assert (again.ok, again.cached) == (True, {"a"})
        assert store.verify() == ()

"""What every executor does, whatever lies between the runner and the model."""

import json
import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from engine.execution.devices import DevicePlacement
from engine.execution.forkserver import CAN_FORK
from engine.execution.inline import InlineExecutor
from engine.execution.local import LocalExecutor
from engine.execution.protocol import (
    FailureCode,
    Slots,
    Task,
    TaskProgress,
    TaskResult,
    TaskWarning,
    event_from_json,
    event_to_json,
)
from engine.execution.shared import ExecutorMultiplexer, ExecutorView
from pipelines.base import Device, Kind, MemoryMode, ModelSpec
from pipelines.models.pool import DESCRIPTIONS
from tests.fixtures import families
from tests.fixtures.families import read_log, spec


def places(count=1):
    return [
        DevicePlacement(f"cpu-{number}", Device("cpu", number), 4096, {"OMP_NUM_THREADS": "1"})
        for number in range(count)
    ]


class Alone(ExecutorView):
    """The only view of an executor."""

    def __init__(self):
        self.whole = LocalExecutor(places())
        super().__init__(ExecutorMultiplexer(self.whole))

    def stop(self):
        self.whole.stop()


class NotForked(LocalExecutor):
    """As where workers cannot be forked."""

    def _fork_worker(self, placement, log):
        return None


MAKERS = {
    "inline": InlineExecutor,
    "local": lambda: LocalExecutor(places()),
    "not forked": lambda: NotForked(places()),
    "shared": Alone,
}


@pytest.fixture(scope="module", params=MAKERS)
def executor(request):
    """One for all tests: no task leaves anything behind that the next one could feel."""
    executor = MAKERS[request.param]()
    executor.start()
    yield executor
    executor.stop()


@pytest.fixture(params=MAKERS)
def fresh(request):
    """One in which nothing is loaded."""
    executor = MAKERS[request.param]()
    executor.start()
    yield executor
    executor.stop()


@pytest.fixture
def local():
    executor = LocalExecutor(places(2))
    executor.start()
    yield executor
    executor.stop()


numbers = iter(range(10**6))


def task(tmp_path: Path, model: ModelSpec, inputs=None, seed=0, **params) -> Task:
    number = next(numbers)
    return Task(f"task-{number}", Kind.ENHANCE, model, params, inputs or {}, tmp_path / f"out-{number}", seed)


def do(executor, *tasks: Task, seconds: float = 30):
    """Everything that is said of these tasks, until the last has ended."""
    for one in tasks:
        executor.submit(one)
    return listen(executor, {one.id for one in tasks}, seconds)


def listen(executor, open_tasks: set[str], seconds: float = 30):
    heard, deadline = [], time.monotonic() + seconds
    while open_tasks:
        assert time.monotonic() < deadline, f"no end of {open_tasks} after {heard}"
        for event in executor.events(0.5):
            heard.append(event)
            if isinstance(event, TaskResult):
                open_tasks.remove(event.task_id)
    return heard


def outcome(executor, one: Task) -> TaskResult:
    *_, last = do(executor, one)
    assert isinstance(last, TaskResult)
    return last


def test_a_task_reads_its_inputs_and_writes_into_its_folder(executor, tmp_path):
    page = families.write(tmp_path / "page.txt", "日本語 – ünï 🙂")
    done = outcome(executor, task(tmp_path, spec(), {"page": [page]}, text="hé", seed=7))
    assert done.ok
    [(name, path)] = done.outputs
    assert (name, path.read_text("utf-8")) == ("text.txt", "hé 7\npage page.txt: 日本語 – ünï 🙂")


def test_the_record_tells_how_it_was_made(executor, tmp_path):
    done = outcome(executor, task(tmp_path, spec(requires=("pydantic",)), seconds=0.05))
    assert done.record["seconds"] >= 0.05
    assert done.record["load_seconds"] >= 0
    assert done.record["peak_memory_mb"] > 10
    assert done.record["device"]["kind"] == "cpu"
    assert set(done.record["libraries"]) == {"python", "pydantic"}


def test_progress_and_warnings_come_in_order_and_before_the_end(executor, tmp_path):
    one = task(tmp_path, spec(families.Chatty))
    *said, done = do(executor, one)
    assert said == [
        TaskProgress(one.id, 0.25, "a quarter"),
        TaskWarning(one.id, "älter als gedacht – ok 🙂"),
        TaskProgress(one.id, 1.0, "whole"),
    ]
    assert done.record["warnings"] == ["älter als gedacht – ok 🙂"]
    assert done.record["facts"] == {"voice": "Rachel", "rung": ["offload", 2]}


def test_a_huge_message_arrives_whole(executor, tmp_path):
    said, done = do(executor, task(tmp_path, spec(families.Huge)))
    assert len(said.message) == 3_000_000
    assert done.ok


@pytest.mark.parametrize(
    ("family", "type_", "field", "message"),
    [
        (families.Refusing, "BadInput", "text", "is too short Write more."),
        (families.MissingProgram, "Missing", "", "install it with: get thing"),
        (families.Unimportable, "Missing", "", "unimportable needs the module no_such_module_at_all"),
        (families.Failing, "KeyError", "", "failing failed at enhance (KeyError)"),
        (families.FullDisk, "DiskFull", "", "no disk space left"),
        (families.EscapingOutput, "RuntimeError", "", "escapingoutput failed at enhance (RuntimeError)"),
    ],
)
def test_a_failure_says_what_the_user_can_do_and_keeps_the_rest_for_the_log(
    executor, tmp_path, family, type_, field, message
):
    done = outcome(executor, task(tmp_path, spec(family)))
    assert (done.ok, done.crashed, done.outputs) == (False, False, ())
    assert (done.error.code, done.error.field, done.error.message) == (type_, field, message)
    assert not done.error.retryable
    assert "Traceback" in done.error.detail


def test_parameters_are_checked_before_anything_is_loaded(executor, tmp_path):
    wrong = outcome(executor, task(tmp_path, spec(families.MissingProgram), text=3))
    assert (wrong.error.code, wrong.error.field) == ("BadInput", "text")
    unknown = outcome(executor, task(tmp_path, spec(families.MissingProgram), volume=3))
    assert (unknown.error.code, unknown.error.field) == ("BadInput", "volume")


def test_a_kind_that_the_family_does_not_know_is_refused(executor, tmp_path):
    one = task(tmp_path, spec(kinds=("write",)))
    done = outcome(executor, Task(one.id, Kind.WRITE, one.spec, {}, {}, one.out))
    assert (done.error.code, done.error.field) == ("BadInput", "model")


def test_too_little_memory_unloads_everything_and_tries_again_in_a_clean_folder(executor, tmp_path):
    outcome(executor, task(tmp_path, spec()))
    *said, done = do(executor, task(tmp_path, spec(families.OutOfMemoryFirst), text="1", log=str(tmp_path / "log")))
    assert done.ok
    assert done.outputs[0][1].read_text() == "found []"
    assert [event.message for event in said] == done.record["warnings"]
    assert "out of memory" in done.record["warnings"][0]
    assert done.resident == ("outofmemoryfirst",)


def test_memory_that_runs_out_is_a_ladder(fresh, tmp_path):
    """One rung after the other is given up, each is told, and what helped is kept for the next step."""
    log = tmp_path / "log"
    *said, done = do(fresh, task(tmp_path, spec(families.MemorySaving), text="INT8", log=str(log)))
    assert done.ok
    assert done.outputs[0][1].read_text() == "INT8"
    assert read_log(log) == ["INT8"] * 4, "all speed, groups, tiles, quantized; it has no leaves"
    assert [one.message for one in said if isinstance(one, TaskWarning)] == done.record["warnings"]
    assert [message.partition("; ")[2] for message in done.record["warnings"]] == [
        f"retrying with {DESCRIPTIONS[rung]}"
        for rung in (MemoryMode.GROUP_OFFLOAD, MemoryMode.VAE_TILING, MemoryMode.INT8)
    ]
    assert done.record["memory_mode"] == MemoryMode.INT8
    assert done.record["memory_steps"] == [
        DESCRIPTIONS[rung] for rung in (MemoryMode.GROUP_OFFLOAD, MemoryMode.VAE_TILING, MemoryMode.INT8)
    ]
    again = outcome(fresh, task(tmp_path, spec(families.MemorySaving), text="INT8", log=str(log)))
    assert again.ok
    assert (len(read_log(log)), again.record["memory_steps"]) == (5, [])


def test_a_task_may_begin_on_a_rung(executor, tmp_path):
    """The family has no rung LEAVES: the next one is taken."""
    begun = replace(
        task(tmp_path, spec(families.MemorySaving, name="begun"), text="NONE", log=str(tmp_path / "log")),
        memory_mode=MemoryMode.LEAF_OFFLOAD,
    )
    assert outcome(executor, begun).outputs[0][1].read_text() == "INT8"


def test_the_last_rung_is_an_end(fresh, tmp_path):
    done = outcome(fresh, task(tmp_path, spec(families.AlwaysOutOfMemory), text="9", log=str(tmp_path / "log")))
    assert done.error is not None
    assert done.error.code == FailureCode.OUT_OF_MEMORY
    assert len(read_log(tmp_path / "log")) == 5


def test_too_little_memory_twice_may_be_tried_elsewhere(executor, tmp_path):
    done = outcome(executor, task(tmp_path, spec(families.OutOfMemoryFirst), text="9", log=str(tmp_path / "log")))
    assert (done.error.code, done.error.retryable) == ("OutOfMemory", True)
    assert outcome(executor, task(tmp_path, spec())).ok


def test_a_model_stays_loaded_and_is_known_to_be(executor, tmp_path):
    outcome(executor, task(tmp_path, spec()))
    assert any("echo" in slot.models for slot in executor.slots().all)


def test_ending_a_task_that_has_ended_is_harmless(executor, tmp_path):
    one = task(tmp_path, spec())
    outcome(executor, one)
    executor.cancel(one.id)
    executor.cancel("never heard of")
    assert outcome(executor, task(tmp_path, spec())).ok


def test_without_anything_to_do_nothing_happens(executor):
    begun = time.monotonic()
    assert list(executor.events(0.05)) == []
    assert time.monotonic() - begun < 5


def test_events_survive_their_json_form(executor, tmp_path):
    for family in (families.Chatty, families.Refusing):
        for event in do(executor, task(tmp_path, spec(family))):
            assert event_from_json(event_to_json(event)) == event


def test_a_task_survives_its_json_form(tmp_path):
    one = task(tmp_path, spec(options={"steps": 4}), {"page": (tmp_path / "a",)}, text="é")
    assert Task.from_json(one.to_json()) == one


def seen(done: TaskResult) -> dict:
    """What `families.EnvironmentReporter` saw."""
    return json.loads(done.outputs[0][1].read_text())


# What only a process between can promise


def test_what_a_model_prints_or_reads_does_not_disturb_the_protocol(tmp_path):
    local = LocalExecutor(places(), logs=tmp_path / "logs")
    assert outcome(local, task(tmp_path, spec(families.Printing))).ok
    local.stop()
    printed = (tmp_path / "logs" / "cpu-0.log").read_text("utf-8")
    assert all(text in printed for text in ("printed – ünï", "written to the first descriptor", "a program prints"))


def test_a_worker_that_dies_is_an_event_and_is_replaced(local, tmp_path):
    done = outcome(local, task(tmp_path, spec(families.Killed), text="1", log=str(tmp_path / "log")))
    assert (done.ok, done.crashed, done.error.retryable) == (False, True, True)
    assert "signal 9" in done.error.message
    assert outcome(local, task(tmp_path, spec(families.Killed), text="1", log=str(tmp_path / "log"))).ok


def test_a_worker_that_dies_between_two_tasks_is_replaced(local, tmp_path):
    done = outcome(local, task(tmp_path, spec(families.EnvironmentReporter)))
    os.kill(seen(done)["pid"], signal.SIGKILL)
    one = task(tmp_path, spec())
    again = outcome(local, one)
    assert again.ok or again.crashed  # lost if it had not been noticed yet
    assert outcome(local, task(tmp_path, spec())).ok


def test_cancel_ends_the_worker_and_all_that_it_started(local, tmp_path):
    one = task(tmp_path, spec(families.WaitingForProgram), log=str(tmp_path / "log"))
    local.submit(one)
    while not any(isinstance(event, TaskProgress) for event in local.events(5)):
        pass
    local.cancel(one.id)
    [done] = listen(local, {one.id})
    assert (done.error.code, done.crashed) == ("Cancelled", False)
    wait_for_the_end_of(int(pid) for pid in (tmp_path / "log").read_text().split())
    assert outcome(local, task(tmp_path, spec())).ok


def test_stop_leaves_no_process(tmp_path):
    before = set(threading.enumerate())
    executor = LocalExecutor(places(2))
    executor.submit(task(tmp_path, spec(families.WaitingForProgram), log=str(tmp_path / "log")))
    while not any(isinstance(event, TaskProgress) for event in executor.events(5)):
        pass
    executor.stop()
    wait_for_the_end_of(int(pid) for pid in (tmp_path / "log").read_text().split())
    assert set(threading.enumerate()) == before


@pytest.mark.skipif(not CAN_FORK, reason="workers are forked on Linux only")
def test_a_worker_is_forked_from_a_process_that_has_imported_what_it_needs_and_has_one_thread(local, tmp_path):
    outcome(local, task(tmp_path, spec()))
    nursery = psutil.Process(local._fork_server._process.pid)
    assert nursery.num_threads() == 1
    assert [child.pid for child in nursery.children()] == [local._workers["cpu-0"]._process.pid]
    assert any("cv2" in mapped.path for mapped in nursery.memory_maps())


@pytest.mark.skipif(not CAN_FORK, reason="workers are forked on Linux only")
def test_when_the_nursery_is_killed_workers_go_on_and_the_next_one_begins_all_the_same(local, tmp_path):
    first = seen(outcome(local, task(tmp_path, spec(families.EnvironmentReporter))))["pid"]
    os.kill(local._fork_server._process.pid, signal.SIGKILL)
    assert seen(outcome(local, task(tmp_path, spec(families.EnvironmentReporter))))["pid"] == first
    for number in range(2):
        assert outcome(
            local, task(tmp_path, spec(families.Killed), text="1", log=str(tmp_path / f"log-{number}"))
        ).crashed
        assert seen(outcome(local, task(tmp_path, spec(families.EnvironmentReporter))))["pid"] != first


def test_tasks_run_beside_each_other(local, tmp_path):
    model = spec(families.EnvironmentReporter)
    ends = [
        seen(event)
        for event in do(local, task(tmp_path, model), task(tmp_path, model))
        if isinstance(event, TaskResult)
    ]
    assert len({end["pid"] for end in ends}) == 2


def test_no_more_tasks_are_taken_than_there_are_slots(local, tmp_path):
    open_tasks = [task(tmp_path, spec(), seconds=0.5) for _ in range(2)]
    for one in open_tasks:
        local.submit(one)
    assert local.slots().free_for(spec()) == ()
    with pytest.raises(RuntimeError, match="no slot is free"):
        local.submit(task(tmp_path, spec()))
    listen(local, {one.id for one in open_tasks})
    assert len(local.slots().free_for(spec())) == 2


def test_a_task_goes_where_its_model_is_loaded(local, tmp_path):
    where, echo = spec(families.EnvironmentReporter), spec()
    do(local, task(tmp_path, echo), task(tmp_path, where))
    before = {slot.name: slot.models for slot in local.slots().all}
    assert sorted(before.values()) == [("echo",), ("environmentreporter",)]
    for _ in range(2):
        do(local, task(tmp_path, where))
        do(local, task(tmp_path, echo))
    assert {slot.name: slot.models for slot in local.slots().all} == before


def test_a_gpu_model_gets_the_slot_that_sees_the_gpu_and_nothing_else_does(tmp_path):
    """The slot's process sees the device; whether a device is there is not asked before a model asks."""
    gpu = DevicePlacement("cuda-0", Device("cuda", 0), 4096, {"CUDA_VISIBLE_DEVICES": "GPU-1234"})
    cpu = DevicePlacement("cpu-0", Device("cpu", 0), 4096, {"CUDA_VISIBLE_DEVICES": ""})
    local = LocalExecutor([cpu, gpu])
    large, small = (
        seen(outcome(local, task(tmp_path, spec(families.EnvironmentReporter, device=name)))) for name in ("gpu", "cpu")
    )
    local.stop()
    assert (large["device"], large["CUDA_VISIBLE_DEVICES"]) == ("cuda", "GPU-1234")
    assert (small["device"], small["CUDA_VISIBLE_DEVICES"]) == ("cpu", "")
    assert large["pid"] != small["pid"]


def test_without_a_gpu_its_models_run_on_the_cpu():
    cpu = InlineExecutor().slots()
    assert cpu.free_for(spec(device="gpu")) == cpu.all
    assert Slots(()).free_for(spec()) == ()


def wait_for_the_end_of(pids, seconds=5.0):
    """Killed processes may take a moment to be gone, and their parents one to take note."""
    import psutil

    deadline = time.monotonic() + seconds
    for pid in pids:
        while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < deadline, f"process {pid} is still there"
            time.sleep(0.01)


def test_logs_of_a_killed_process_go_when_the_next_one_starts(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    number = 2**22 + 1  # beyond any process
    left, other = tmp_path / f"engine-workers-{number}-abc", tmp_path / f"engine-workers-{os.getppid()}-abc"
    for folder in (left, other):
        folder.mkdir()
        (folder / "cpu-0.log").write_text("…")
    executor = LocalExecutor(places())
    try:
        assert outcome(executor, task(tmp_path, spec())).ok
        assert (left.exists(), other.exists()) == (False, True)
    finally:
        executor.stop()
    assert {folder.name for folder in tmp_path.glob("engine-workers-*")} == {other.name}


# What several runs that share one can rely on


@pytest.fixture
def shared():
    executor = LocalExecutor(places())
    yield ExecutorMultiplexer(executor)
    executor.stop()


def test_each_view_hears_of_its_own_tasks(shared, tmp_path):
    views = [shared.view() for _ in range(3)]
    tasks = [task(tmp_path, spec(), text=str(number)) for number in range(3)]
    for view, one in zip(views, tasks, strict=True):
        view.submit(one)
    for view, one in reversed(list(zip(views, tasks, strict=True))):
        heard = listen(view, {one.id})
        assert {event.task_id for event in heard} == {one.id}


def test_who_has_always_something_to_do_does_not_keep_others_away(shared, tmp_path):
    greedy, modest = shared.view(), shared.view()
    greedy.submit(task(tmp_path, spec(), seconds=0.2))
    assert not greedy.slots().free_for(spec())
    assert modest.slots().free_for(spec())
    mine = task(tmp_path, spec())
    modest.submit(mine)
    assert not modest.slots().free_for(spec()), "one task waits for each kind of place"
    done = []
    for _ in range(3):
        while not any(isinstance(event, TaskResult) for event in greedy.events(5)):
            pass
        done += [event.task_id for event in modest.events() if isinstance(event, TaskResult)]
        greedy.submit(task(tmp_path, spec(), seconds=0.2))
    assert done == [mine.id]


def test_a_task_that_waits_can_be_cancelled(shared, tmp_path):
    busy, view = shared.view(), shared.view()
    long, one = task(tmp_path, spec(families.WaitingForProgram), log=str(tmp_path / "log")), task(tmp_path, spec())
    busy.submit(long)
    view.submit(one)
    view.cancel(one.id)
    (done,) = view.events(5)
    assert (done.task_id, done.error.code) == (one.id, "Cancelled")
    assert not one.out.exists()
    busy.stop()
    assert outcome(view, task(tmp_path, spec())).ok, "whoever leaves gives its places back"


def test_views_in_threads_of_their_own(shared, tmp_path):
    ends = []

    def work(number):
        view = shared.view()
        ends.extend(outcome(view, task(tmp_path, spec(), text=f"{number}")).ok for _ in range(5))
        view.stop()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert ends == [True] * 20


def test_who_listens_all_the_time_lets_others_in(shared, tmp_path):
    over = threading.Event()
    busy = shared.view()

    def listen_on():
        while not over.is_set():
            list(busy.events(0.2))

    listener = threading.Thread(target=listen_on)
    listener.start()
    try:
        begun = time.monotonic()
        for _ in range(3):
            view = shared.view()
            view.submit(task(tmp_path, spec()))
            view.stop()
        assert time.monotonic() - begun < 3
    finally:
        over.set()
        listener.join()

"""What the engine itself costs: a step that does nothing, a recall, a run of which everything is recalled, a worker's
start.

The steps write one small file each, so what is measured is keys, locks, folders, messages, and files made durable.
"""

from __future__ import annotations

import itertools
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

from engine.execution.devices import cpu_placements
from engine.execution.inline import InlineExecutor
from engine.execution.local import LocalExecutor
from engine.execution.protocol import Executor
from engine.execution.run_events import RunEvent, StepDone, StepStarted
from engine.execution.runner import Runner
from engine.planning.plan import OutputRef, Plan, Step
from engine.storage.artifact_store import ArtifactStore
from pipelines.base import Device, Kind, ModelSpec, Params, Report

SCENES = 10
IMAGE_BYTES = 2_000_000
"""Bytes of what a step makes in the run that is recalled: a picture, a second of film."""


class NoOpParams(Params):
    number: int
    size: int = 0


class NoOpFamily:
    """Writes `size` bytes."""

    name: ClassVar[str] = "no-op"
    version: ClassVar[str] = "1"
    params: ClassVar[Mapping[Kind, type[Params]]] = {Kind.ENHANCE: NoOpParams}

    @classmethod
    def load(cls, spec: ModelSpec, device: Device) -> Self:
        return cls()

    def run(
        self, kind: Kind, params: Any, inputs: Mapping[str, Sequence[Path]], out: Path, report: Report, *, seed: int
    ) -> Iterable[Path]:
        path = out / "nothing"
        path.write_bytes(params.number.to_bytes(8, "big") * (1 + params.size // 8))
        return [path]

    def close(self) -> None:
        pass


SPEC = ModelSpec(name="nothing", family="scripts.benchmarks.core:NoOpFamily", kinds=(Kind.ENHANCE,))


def make_step(number: int, dependencies: Sequence[int] = (), size: int = 0) -> Step:
    inputs = {"before": tuple(OutputRef(str(need), "nothing") for need in dependencies)}
    return Step(str(number), Kind.ENHANCE, SPEC, NoOpParams(number=number, size=size), inputs)


def chain_plan(count: int) -> Plan:
    """Each step waits for the one before, so their times add up."""
    return Plan(tuple(make_step(number, [number - 1] if number else []) for number in range(count)))


def film_plan() -> Plan:
    """Sixty steps in the shape of a film: portraits, a chain of keyframes, and four steps on each, then all together."""
    steps = [make_step(number, size=IMAGE_BYTES) for number in range(5)]
    for scene in range(SCENES):
        first = 5 + scene * 5
        before = [first - 5] if scene else []
        steps.append(make_step(first, [0, 1, 2, *before], IMAGE_BYTES))
        steps += [make_step(first + part, [first + part - 1], IMAGE_BYTES) for part in range(1, 5)]
    parts = [9 + scene * 5 for scene in range(SCENES)]
    count = len(steps)
    steps += [
        make_step(count, parts, IMAGE_BYTES),
        make_step(count + 1, parts),
        make_step(count + 2, [count, count + 1]),
    ]
    steps += [make_step(count + 3, [count + 2], IMAGE_BYTES * 5), make_step(count + 4, [count + 3])]
    return Plan(tuple(steps))


def time_call(function: Callable[[], object]) -> float:
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def measure_steps(store: ArtifactStore, executor: Executor, count: int) -> list[float]:
    """Milliseconds from one finished step to the next one, after the first, which starts the worker."""
    ends: list[float] = []
    Runner(store, executor).run(chain_plan(count), on_event=lambda event: _record_time(event, ends))
    return [1000 * (after - before) for before, after in itertools.pairwise(ends)]


def _record_time(event: RunEvent, ends: list[float]) -> None:
    if isinstance(event, StepDone):
        ends.append(time.perf_counter())


def measure_worker_start(store: ArtifactStore) -> float:
    """Seconds from handing out the first task to its end."""
    times: list[float] = []

    def note(event: RunEvent) -> None:
        if isinstance(event, StepStarted | StepDone):
            times.append(time.perf_counter())

    executor = LocalExecutor(cpu_placements(1))
    Runner(store, executor).run(chain_plan(1), on_event=note)
    executor.stop()
    return times[1] - times[0]


def measure_fsync(folder: Path, count: int) -> list[float]:
    """Milliseconds to make one small file durable by hand: what this disk asks for, twice per step."""
    times = []
    for number in range(count):
        started = time.perf_counter()
        with (folder / "new").open("wb") as file:
            file.write(number.to_bytes(8, "big"))
            file.flush()
            os.fsync(file.fileno())
        (folder / "new").replace(folder / f"file-{number}")
        descriptor = os.open(folder, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
        times.append(1000 * (time.perf_counter() - started))
    return times


def main(argv: Sequence[str] = ()) -> None:
    """Print the table. The first argument is how many steps are done (default 100)."""
    count = int(argv[0]) if argv else 100
    with tempfile.TemporaryDirectory(prefix="engine-bench-") as folder:
        root = Path(folder)

        def store(name: str) -> ArtifactStore:
            return ArtifactStore(root / name)

        plain = measure_fsync(root, count)
        inline = measure_steps(store("inline"), InlineExecutor(), count)
        executor = LocalExecutor(cpu_placements(1))
        local = measure_steps(store("local"), executor, count)
        executor.stop()

        Runner(store("film"), InlineExecutor()).run(film_plan())
        film_store = store("film")
        cold = time_call(lambda: Runner(film_store, InlineExecutor()).run(film_plan()))
        time.sleep(0.2)
        Runner(film_store, InlineExecutor()).run(film_plan())
        warm = time_call(lambda: Runner(film_store, InlineExecutor()).run(film_plan()))

        held = sum(path.stat().st_size for path in (root / "film" / "blobs").rglob("*") if path.is_file())
        starts = [measure_worker_start(store(f"start-{number}")) for number in range(3)]
    rows = [
        ("a small file made durable by hand, median", statistics.median(plain), "ms"),
        ("no-op step, inline, median", statistics.median(inline), "ms"),
        ("no-op step, local, median", statistics.median(local), "ms"),
        ("no-op step, local, 95 of 100 below", statistics.quantiles(local, n=20)[-1], "ms"),
        ("first task of a worker, its start included", 1000 * statistics.median(starts), "ms"),
        (f"{len(film_plan())} steps recalled, {held >> 20} MB hashed anew", 1000 * cold, "ms"),
        (f"{len(film_plan())} steps recalled, hashed before", 1000 * warm, "ms"),
        ("one recall, hashed before", 1000 * warm / len(film_plan()), "ms"),
    ]
    for what, value, unit in rows:
        print(f"{what:<48} {value:9.2f} {unit}")


if __name__ == "__main__":
    main(sys.argv[1:])

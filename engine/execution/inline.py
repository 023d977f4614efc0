"""Does each task at once, in this process: for debugging, with a debugger attached if need be."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from engine.execution.protocol import MISSING, Done, Event, Failure, Slot, Slots, Task
from engine.execution.worker import run_task
from pipelines.base import Device
from pipelines.models.pool import Pool


class InlineExecutor:
    """One slot, free again when its events have been heard. `submit` returns when the task has ended, so there is never
    anything to cancel; a task that ends its process ends this one."""

    def __init__(self, device: Device | None = None, budget_mb: int = 4096) -> None:
        self._pool = Pool(device or Device(), budget_mb)
        self._happened: deque[Event] = deque()

    def start(self) -> None:
        """Nothing to do."""

    def slots(self) -> Slots:
        return Slots((Slot("inline", self._pool.device, not self._happened, self._pool.resident()),))

    def submit(self, task: Task) -> None:
        if self._happened:
            raise RuntimeError(f"no slot is free for {task.spec.name}")
        if task.spec.env is not None:
            message = f"{task.spec.name} has an interpreter of its own, for which it needs a worker process"
            self._happened.append(Done(task.id, error=Failure(MISSING, message)))
            return
        self._happened.append(run_task(task, self._pool, self._happened.append))

    def events(self, wait: float = 0.0) -> Iterator[Event]:
        while self._happened:
            yield self._happened.popleft()

    def cancel(self, task_id: str) -> None:
        """Nothing to do."""

    def stop(self) -> None:
        self._pool.evict_all()

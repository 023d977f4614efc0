"""Does each task at once, in this process: for debugging, with a debugger attached if need be."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from engine.execution.protocol import MISSING, Failure, Slot, Slots, Task, TaskEvent, TaskResult
from engine.execution.worker import run_task
from pipelines.base import Device
from pipelines.models.pool import Pool


class InlineExecutor:
    """One slot, free again when its events have been heard. `submit` returns when the task has ended, so there is never
    anything to cancel; a task that ends its process ends this one."""

    def __init__(self, device: Device | None = None, budget_mb: int = 4096) -> None:
        self._pool = Pool(device or Device(), budget_mb)
        self._events: deque[TaskEvent] = deque()

    def start(self) -> None:
        """Nothing to do."""

    def slots(self) -> Slots:
        return Slots((Slot("inline", self._pool.device, not self._events, self._pool.resident()),))

    def submit(self, task: Task) -> None:
        if self._events:
            raise RuntimeError(f"no slot is free for {task.spec.name}")
        if task.spec.env is not None:
            message = f"{task.spec.name} has an interpreter of its own, for which it needs a worker process"
            self._events.append(TaskResult(task.id, error=Failure(MISSING, message)))
            return
        self._events.append(run_task(task, self._pool, self._events.append))

    def events(self, timeout: float = 0.0) -> Iterator[TaskEvent]:
        while self._events:
            yield self._events.popleft()

    def cancel(self, task_id: str) -> None:
        """Nothing to do."""

    def stop(self) -> None:
        self._pool.evict_all()

"""An executor that runs each task in this process, for debuggers and text moderation."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from engine.execution.protocol import Failure, FailureCode, Slot, Slots, Task, TaskEvent, TaskResult
from engine.execution.worker import run_task
from pipelines.base import Device
from pipelines.models.pool import Pool


class InlineExecutor:
    """One slot, free again when its events have been read.

    `submit` returns when the task has ended, so `cancel` does nothing. A task that crashes its process crashes this
    one."""

    def __init__(self, device: Device | None = None, budget_mb: int = 4096) -> None:
        self._pool = Pool(device or Device(), budget_mb)
        self._events: deque[TaskEvent] = deque()

    def start(self) -> None:
        """Do nothing: there is no process to start."""

    def slots(self) -> Slots:
        return Slots((Slot("inline", self._pool.device, not self._events, self._pool.resident()),))

    def submit(self, task: Task) -> None:
        if self._events:
            raise RuntimeError(f"no slot is free for {task.spec.name}")
        if task.spec.env is not None:
            message = f"{task.spec.name} runs in an isolated environment, which needs a worker process"
            self._events.append(TaskResult(task.id, error=Failure(FailureCode.MISSING, message)))
            return
        self._events.append(run_task(task, self._pool, self._events.append))

    def events(self, timeout: float = 0.0) -> Iterator[TaskEvent]:
        while self._events:
            yield self._events.popleft()

    def cancel(self, task_id: str) -> None:
        """Do nothing: every submitted task has ended."""

    def stop(self) -> None:
        self._pool.evict_all()

"""One executor for several concurrent runs. Each run has a view that receives the events of its own tasks."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import replace

from engine.execution.protocol import Executor, Failure, FailureCode, Slots, Task, TaskEvent, TaskResult

TIME_SLICE_SECONDS = 0.02
"""Seconds that one of several views waits for events before the next may."""


class ExecutorMultiplexer:
    """Creates views of `executor` and owns it. Thread-safe, with one view per thread."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._lock, self._entry_lock = threading.Lock(), threading.Lock()
        self._views: list[ExecutorView] = []
        self._owners: dict[str, ExecutorView] = {}
        self._queued: deque[Task] = deque()

    def view(self) -> ExecutorView:
        """Return a new view, valid until it is stopped."""
        view = ExecutorView(self)
        with self._locked():
            self._views.append(view)
        return view

    def slots(self) -> Slots:
        """Return the slots; they may have changed when this returns."""
        return self._executor.slots()

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock. The entry lock lets waiting threads go before a thread that polls in a loop."""
        with self._entry_lock:
            self._lock.acquire()
        try:
            yield
        finally:
            self._lock.release()

    def _detach(self, view: ExecutorView) -> None:
        with self._locked():
            self._views.remove(view)
            for task_id in [task_id for task_id, owner in self._owners.items() if owner is view]:
                self._drop_task(task_id)

    def _slots_for(self, view: ExecutorView) -> Slots:
        """Return the slots of a view. A busy slot counts as free if the view has no task on that kind of device.

        The view can then queue one task, so that another run with many tasks does not block it."""
        with self._locked():
            slots = self._executor.slots()
            own_device_kinds = {self._needs_device_slot(task, slots) for task in view.tasks.values()}
            return Slots(
                tuple(
                    slot if slot.free or (slot.device.kind != "cpu") in own_device_kinds else replace(slot, free=True)
                    for slot in slots.all
                )
            )

    def _submit(self, view: ExecutorView, task: Task) -> None:
        with self._locked():
            self._owners[task.id] = view
            view.tasks[task.id] = task
            self._queued.append(task)
            self._start_queued()

    def _start_queued(self) -> None:
        for task in tuple(self._queued):
            if self._executor.slots().free_for(task.spec):
                self._queued.remove(task)
                self._executor.submit(task)

    def _cancel(self, task_id: str) -> None:
        with self._locked():
            if task_id in self._owners:
                owner = self._owners[task_id]
                self._drop_task(task_id)
                owner.pending_events.append(TaskResult(task_id, error=Failure(FailureCode.CANCELLED, "cancelled")))

    def _drop_task(self, task_id: str) -> None:
        """Cancel a task and discard its remaining events."""
        task = self._owners.pop(task_id).tasks.pop(task_id)
        if task in self._queued:
            self._queued.remove(task)
        else:
            self._executor.cancel(task_id)
            self._start_queued()

    def _poll(self, seconds: float) -> None:
        with self._locked():
            for event in self._executor.events(seconds if len(self._views) == 1 else min(seconds, TIME_SLICE_SECONDS)):
                owner = self._owners.get(event.task_id)
                if owner is None:
                    continue
                owner.pending_events.append(event)
                if isinstance(event, TaskResult):
                    del self._owners[event.task_id], owner.tasks[event.task_id]
            self._start_queued()

    @staticmethod
    def _needs_device_slot(task: Task, slots: Slots) -> bool:
        return task.spec.device != "cpu" and any(slot.device.kind != "cpu" for slot in slots.all)


class ExecutorView:
    """An `Executor` on a shared executor."""

    def __init__(self, multiplexer: ExecutorMultiplexer) -> None:
        self._multiplexer = multiplexer
        self.tasks: dict[str, Task] = {}
        self.pending_events: deque[TaskEvent] = deque()

    def start(self) -> None:
        """Do nothing: the owner has started the shared executor."""

    def slots(self) -> Slots:
        return self._multiplexer._slots_for(self)

    def submit(self, task: Task) -> None:
        self._multiplexer._submit(self, task)

    def events(self, timeout: float = 0.0) -> Iterator[TaskEvent]:
        deadline = time.monotonic() + timeout
        while not self.pending_events:
            remaining = deadline - time.monotonic()
            self._multiplexer._poll(max(remaining, 0.0))
            if remaining <= 0:
                break
            time.sleep(0)  # let other threads poll
        while self.pending_events:
            yield self.pending_events.popleft()

    def cancel(self, task_id: str) -> None:
        self._multiplexer._cancel(task_id)

    def stop(self) -> None:
        """Cancel the tasks of this view; the shared executor keeps running."""
        self._multiplexer._detach(self)

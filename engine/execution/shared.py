"""One executor for several runs at the same time: each run has a view of it, and what happens is told to whose task it is."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import replace

from engine.execution.protocol import CANCELLED, Executor, Failure, Slots, Task, TaskEvent, TaskResult

TIME_SLICE_SECONDS = 0.02
"""Seconds for which one of several views listens before another may."""


class ExecutorMultiplexer:
    """Gives views of `executor`, which is used by nothing else. Safe from several threads, one view per thread."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._lock, self._entry_lock = threading.Lock(), threading.Lock()
        self._views: list[ExecutorView] = []
        self._owners: dict[str, ExecutorView] = {}
        self._queued: deque[Task] = deque()

    def view(self) -> ExecutorView:
        """An executor of one's own, until it is stopped."""
        view = ExecutorView(self)
        with self._locked():
            self._views.append(view)
        return view

    def slots(self) -> Slots:
        """What is free now, or was a moment ago."""
        return self._executor.slots()

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Whoever listens does so again and again: who waits must come before him."""
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
        """Besides what is free: who has no task on a kind of place yet may queue one for it, so that a run which always has
        something to do does not keep all others away."""
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
                owner.pending_events.append(TaskResult(task_id, error=Failure(CANCELLED, "cancelled")))

    def _drop_task(self, task_id: str) -> None:
        """Whatever is still said of this task is heard by nobody."""
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
    """An `Executor` over a shared one."""

    def __init__(self, multiplexer: ExecutorMultiplexer) -> None:
        self._multiplexer = multiplexer
        self.tasks: dict[str, Task] = {}
        self.pending_events: deque[TaskEvent] = deque()

    def start(self) -> None:
        """Who shares the executor has started it."""

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
            time.sleep(0)  # others may listen
        while self.pending_events:
            yield self.pending_events.popleft()

    def cancel(self, task_id: str) -> None:
        self._multiplexer._cancel(task_id)

    def stop(self) -> None:
        """End what was submitted here; the shared executor goes on."""
        self._multiplexer._detach(self)

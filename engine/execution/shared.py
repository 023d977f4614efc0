"""One executor for several runs at the same time: each run has a view of it, and what happens is told to whose task it is."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import replace

from engine.execution.protocol import CANCELLED, Done, Event, Executor, Failure, Slots, Task

SLICE = 0.02
"""Seconds for which one of several views listens before another may."""


class Shared:
    """Gives views of `executor`, which is used by nothing else. Safe from several threads, one view per thread."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._using, self._next = threading.Lock(), threading.Lock()
        self._views: list[View] = []
        self._owners: dict[str, View] = {}
        self._waiting: deque[Task] = deque()

    def view(self) -> View:
        """An executor of one's own, until it is stopped."""
        view = View(self)
        with self._turn():
            self._views.append(view)
        return view

    def slots(self) -> Slots:
        """What is free now, or was a moment ago."""
        return self._executor.slots()

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        """Whoever listens does so again and again: who waits must come before him."""
        with self._next:
            self._using.acquire()
        try:
            yield
        finally:
            self._using.release()

    def _leave(self, view: View) -> None:
        with self._turn():
            self._views.remove(view)
            for task_id in [task_id for task_id, owner in self._owners.items() if owner is view]:
                self._end(task_id)

    def _slots_of(self, view: View) -> Slots:
        """Besides what is free: who has no task on a kind of place yet may queue one for it, so that a run which always has
        something to do does not keep all others away."""
        with self._turn():
            slots = self._executor.slots()
            mine = {self._is_for_device(task, slots) for task in view.tasks.values()}
            return Slots(
                tuple(
                    slot if slot.free or (slot.device.kind != "cpu") in mine else replace(slot, free=True)
                    for slot in slots.all
                )
            )

    def _submit(self, view: View, task: Task) -> None:
        with self._turn():
            self._owners[task.id] = view
            view.tasks[task.id] = task
            self._waiting.append(task)
            self._start_waiting()

    def _start_waiting(self) -> None:
        for task in tuple(self._waiting):
            if self._executor.slots().fitting(task.spec):
                self._waiting.remove(task)
                self._executor.submit(task)

    def _cancel(self, task_id: str) -> None:
        with self._turn():
            if task_id in self._owners:
                owner = self._owners[task_id]
                self._end(task_id)
                owner.happened.append(Done(task_id, error=Failure(CANCELLED, "cancelled")))

    def _end(self, task_id: str) -> None:
        """Whatever is still said of this task is heard by nobody."""
        task = self._owners.pop(task_id).tasks.pop(task_id)
        if task in self._waiting:
            self._waiting.remove(task)
        else:
            self._executor.cancel(task_id)
            self._start_waiting()

    def _listen(self, seconds: float) -> None:
        with self._turn():
            for event in self._executor.events(seconds if len(self._views) == 1 else min(seconds, SLICE)):
                owner = self._owners.get(event.task_id)
                if owner is None:
                    continue
                owner.happened.append(event)
                if isinstance(event, Done):
                    del self._owners[event.task_id], owner.tasks[event.task_id]
            self._start_waiting()

    @staticmethod
    def _is_for_device(task: Task, slots: Slots) -> bool:
        return task.spec.device != "cpu" and any(slot.device.kind != "cpu" for slot in slots.all)


class View:
    """An `Executor` over a shared one."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self.tasks: dict[str, Task] = {}
        self.happened: deque[Event] = deque()

    def start(self) -> None:
        """Who shares the executor has started it."""

    def slots(self) -> Slots:
        return self._shared._slots_of(self)

    def submit(self, task: Task) -> None:
        self._shared._submit(self, task)

    def events(self, wait: float = 0.0) -> Iterator[Event]:
        deadline = time.monotonic() + wait
        while not self.happened:
            rest = deadline - time.monotonic()
            self._shared._listen(max(rest, 0.0))
            if rest <= 0:
                break
            time.sleep(0)  # others may listen
        while self.happened:
            yield self.happened.popleft()

    def cancel(self, task_id: str) -> None:
        self._shared._cancel(task_id)

    def stop(self) -> None:
        """End what was submitted here; the shared executor goes on."""
        self._shared._leave(self)

"""How a run looks on a terminal: live lines with what is being done and how long it will take, plain lines in a file or a pipe,
or one JSON object per event."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Protocol, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from engine.execution.errors import explained
from engine.execution.estimates import Forecast
from engine.execution.run_events import (
    Event,
    RunDone,
    RunStarted,
    StepDone,
    StepFailed,
    StepProgress,
    StepStarted,
    StepWarned,
)


class View(Protocol):
    """Shows one run after another."""

    def __enter__(self) -> View: ...
    def __exit__(self, *_: object) -> None: ...
    def __call__(self, event: Event) -> None: ...

    def expect(self, forecast: Forecast) -> None:
        """What the next run will take."""

    def say(self, message: str) -> None:
        """A line that stays."""


class JsonView:
    """One JSON object per line: every event as it happens, then what is said at the end as `message`."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout

    def __enter__(self) -> JsonView:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __call__(self, event: Event) -> None:
        self._write(event.to_json())

    def expect(self, forecast: Forecast) -> None:
        self._write({"event": "Forecast", "seconds": round(forecast.seconds, 1), "steps": len(forecast.rows)})

    def say(self, message: str) -> None:
        self._write({"event": "Message", "message": message})

    def _write(self, content: object) -> None:
        print(json.dumps(content, ensure_ascii=False, default=str), file=self._out, flush=True)


class Remaining:
    """How long a run will still take: the seconds expected of the steps that are left, shared by the slots, corrected by how the
    steps so far compared with what was expected of them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._expected: dict[str, float] = {}
        self._fractions: dict[str, float] = {}
        self._slots, self._took, self._promised = 1.0, 0.0, 0.0

    def expect(self, forecast: Forecast) -> None:
        self._expected = {row.step.id: row.seconds for row in forecast.rows if not row.cached}
        work = sum(self._expected.values())
        self._slots = max(1.0, work / forecast.seconds) if forecast.seconds > 0 else 1.0
        self._fractions, self._took, self._promised = {}, 0.0, 0.0

    def progress(self, step: str, fraction: float) -> None:
        self._fractions[step] = min(max(fraction, 0.0), 1.0)

    def done(self, step: str, seconds: float) -> None:
        promised = self._expected.pop(step, None)
        if promised is not None:
            self._took += seconds
            self._promised += promised

    def seconds(self) -> float:
        """Seconds from now."""
        pace = self._took / self._promised if self._promised > 1.0 else 1.0
        left = sum(seconds * (1.0 - self._fractions.get(step, 0.0)) for step, seconds in self._expected.items())
        return left * pace / self._slots


class PlainView:
    """One line per finished step, for logs and pipes."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._remaining = Remaining()
        self._total = self._number = self._recalled = 0

    def __enter__(self) -> PlainView:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def expect(self, forecast: Forecast) -> None:
        self._remaining.expect(forecast)

    def say(self, message: str) -> None:
        print(message, file=self._out, flush=True)

    def __call__(self, event: Event) -> None:
        match event:
            case RunStarted(steps=steps):
                self._total, self._number, self._recalled = len(steps), 0, 0
            case StepDone(recalled=True):
                self._number += 1
                self._recalled += 1
            case StepDone(step=step, model=model, seconds=seconds):
                self._number += 1
                self._remaining.done(step, seconds)
                left = f", about {duration(self._remaining.seconds())} left" if self._number < self._total else ""
                self.say(f"[{self._number}/{self._total}] {step} by {model} in {seconds:.1f} s{left}")
            case StepWarned(step=step, message=message):
                self.say(f"note: {step}: {message}")
            case StepFailed(step=step, error=error):
                self.say(f"failed: {explained(step, error)}")
            case RunDone() if self._recalled:
                self.say(f"{self._recalled} of {self._total} steps were recalled, nothing was made twice")
            case _:
                pass


class LiveView:
    """A bar, the steps in the making, and the time that is left."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._remaining = Remaining()
        self._total = self._number = self._recalled = 0
        self._running: dict[str, tuple[str, Spinner]] = {}
        self._live = Live(console=console, refresh_per_second=8, transient=True, get_renderable=self._picture)

    def __enter__(self) -> LiveView:
        self._live.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.__exit__(None, None, None)

    def expect(self, forecast: Forecast) -> None:
        self._remaining.expect(forecast)

    def say(self, message: str) -> None:
        self._console.print(Text(message))

    def __call__(self, event: Event) -> None:
        match event:
            case RunStarted(steps=steps):
                self._total, self._number, self._recalled = len(steps), 0, 0
            case StepStarted(step=step, model=model):
                self._running[step] = (f"{step} by {model}", Spinner("dots"))
            case StepProgress(step=step, fraction=fraction, model=model, message=message):
                self._remaining.progress(step, fraction)
                what = f"{step} by {model} {fraction:.0%} {message}".rstrip()
                self._running[step] = (what, self._running.get(step, ("", Spinner("dots")))[1])
            case StepDone(step=step, recalled=recalled, seconds=seconds):
                self._number += 1
                self._recalled += recalled
                self._running.pop(step, None)
                if not recalled:
                    self._remaining.done(step, seconds)
                    self._console.print(Text.assemble(("✓ ", "green"), step, (f"  {seconds:.1f} s", "dim")))
            case StepWarned(step=step, message=message):
                self._console.print(Text.assemble(("! ", "yellow"), f"{step}: {message}"))
            case StepFailed(step=step, error=error):
                self._running.pop(step, None)
                self._console.print(Text.assemble(("✗ ", "red"), explained(step, error)))
            case RunDone():
                self._running.clear()
                if self._recalled:
                    self._console.print(Text(f"  {self._recalled} of {self._total} steps recalled", "dim"))
            case _:
                pass

    def _picture(self) -> Group:
        head = Table.grid(padding=(0, 1))
        left = self._remaining.seconds()
        rest = f"about {duration(left)} left" if left > 0 else ""
        head.add_row(
            ProgressBar(max(self._total, 1), self._number, width=36), f"{self._number}/{self._total}", Text(rest, "dim")
        )
        lines = Table.grid(padding=(0, 1))
        for text, spinner in self._running.values():
            lines.add_row(spinner, Text(text, overflow="ellipsis", no_wrap=True))
        return Group(head, lines)


def view(*, as_json: bool) -> View:
    """The view that fits: JSON when asked for, live on a terminal, plain lines elsewhere."""
    if as_json:
        return JsonView()
    console = Console()
    return LiveView(console) if console.is_terminal else PlainView()


def duration(seconds: float) -> str:
    """`8 s`, `2 min 10 s`, `1 h 5 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"

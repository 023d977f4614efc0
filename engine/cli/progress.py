"""Progress output of a run: live display on a terminal, plain lines in files and pipes, or JSON objects."""

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

from engine.execution.errors import describe_failure
from engine.execution.estimates import Forecast
from engine.execution.run_events import (
    RunDone,
    RunEvent,
    RunStarted,
    StepDone,
    StepFailed,
    StepProgress,
    StepStarted,
    StepWarning,
)


class ProgressView(Protocol):
    """Prints the events of one run after another."""

    def __enter__(self) -> ProgressView: ...
    def __exit__(self, *_: object) -> None: ...
    def __call__(self, event: RunEvent) -> None: ...

    def set_forecast(self, forecast: Forecast) -> None:
        """Set the expected steps and seconds of the next run."""

    def print_message(self, message: str) -> None:
        """Print one permanent line."""


class JsonView:
    """One JSON object per line: each event as it happens, and other text as a `Message` event."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout

    def __enter__(self) -> JsonView:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __call__(self, event: RunEvent) -> None:
        self._write(event.to_json())

    def set_forecast(self, forecast: Forecast) -> None:
        self._write({"event": "Forecast", "seconds": round(forecast.seconds, 1), "steps": len(forecast.rows)})

    def print_message(self, message: str) -> None:
        self._write({"event": "Message", "message": message})

    def _write(self, content: object) -> None:
        print(json.dumps(content, ensure_ascii=False, default=str), file=self._out, flush=True)


class RemainingTimeEstimator:
    """Estimate of the time that a run still needs.

    The expected seconds of the remaining steps, divided by the number of slots and scaled by actual over expected time
    of the steps that are done.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._expected: dict[str, float] = {}
        self._fractions: dict[str, float] = {}
        self._slots, self._actual_total, self._expected_total = 1.0, 0.0, 0.0

    def set_forecast(self, forecast: Forecast) -> None:
        self._expected = {row.step.id: row.seconds for row in forecast.rows if not row.cached}
        work = sum(self._expected.values())
        self._slots = max(1.0, work / forecast.seconds) if forecast.seconds > 0 else 1.0
        self._fractions, self._actual_total, self._expected_total = {}, 0.0, 0.0

    def update_progress(self, step: str, fraction: float) -> None:
        self._fractions[step] = min(max(fraction, 0.0), 1.0)

    def record_step(self, step: str, seconds: float) -> None:
        expected = self._expected.pop(step, None)
        if expected is not None:
            self._actual_total += seconds
            self._expected_total += expected

    def remaining_seconds(self) -> float:
        """Return the estimated seconds until the run ends."""
        pace = self._actual_total / self._expected_total if self._expected_total > 1.0 else 1.0
        left = sum(seconds * (1.0 - self._fractions.get(step, 0.0)) for step, seconds in self._expected.items())
        return left * pace / self._slots


class PlainView:
    """One line per executed step, for logs and pipes."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._remaining = RemainingTimeEstimator()
        self._total = self._done_count = self._cached_count = 0

    def __enter__(self) -> PlainView:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def set_forecast(self, forecast: Forecast) -> None:
        self._remaining.set_forecast(forecast)

    def print_message(self, message: str) -> None:
        print(message, file=self._out, flush=True)

    def __call__(self, event: RunEvent) -> None:
        match event:
            case RunStarted(steps=steps):
                self._total, self._done_count, self._cached_count = len(steps), 0, 0
            case StepDone(cached=True):
                self._done_count += 1
                self._cached_count += 1
            case StepDone(step=step, model=model, seconds=seconds):
                self._done_count += 1
                self._remaining.record_step(step, seconds)
                left = (
                    f", about {format_duration(self._remaining.remaining_seconds())} left"
                    if self._done_count < self._total
                    else ""
                )
                self.print_message(f"[{self._done_count}/{self._total}] {step} by {model} in {seconds:.1f} s{left}")
            case StepWarning(step=step, message=message):
                self.print_message(f"note: {step}: {message}")
            case StepFailed(step=step, error=error):
                self.print_message(f"failed: {describe_failure(step, error)}")
            case RunDone() if self._cached_count:
                self.print_message(f"{self._cached_count} of {self._total} steps reused from cache")
            case _:
                pass


class LiveView:
    """Progress bar, running steps and remaining time."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._remaining = RemainingTimeEstimator()
        self._total = self._done_count = self._cached_count = 0
        self._running: dict[str, tuple[str, Spinner]] = {}
        self._live = Live(console=console, refresh_per_second=8, transient=True, get_renderable=self._render)

    def __enter__(self) -> LiveView:
        self._live.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.__exit__(None, None, None)

    def set_forecast(self, forecast: Forecast) -> None:
        self._remaining.set_forecast(forecast)

    def print_message(self, message: str) -> None:
        self._console.print(Text(message))

    def __call__(self, event: RunEvent) -> None:
        match event:
            case RunStarted(steps=steps):
                self._total, self._done_count, self._cached_count = len(steps), 0, 0
            case StepStarted(step=step, model=model):
                self._running[step] = (f"{step} by {model}", Spinner("dots"))
            case StepProgress(step=step, fraction=fraction, model=model, message=message):
                self._remaining.update_progress(step, fraction)
                what = f"{step} by {model} {fraction:.0%} {message}".rstrip()
                self._running[step] = (what, self._running.get(step, ("", Spinner("dots")))[1])
            case StepDone(step=step, cached=cached, seconds=seconds):
                self._done_count += 1
                self._cached_count += cached
                self._running.pop(step, None)
                if not cached:
                    self._remaining.record_step(step, seconds)
                    self._console.print(Text.assemble(("✓ ", "green"), step, (f"  {seconds:.1f} s", "dim")))
            case StepWarning(step=step, message=message):
                self._console.print(Text.assemble(("! ", "yellow"), f"{step}: {message}"))
            case StepFailed(step=step, error=error):
                self._running.pop(step, None)
                self._console.print(Text.assemble(("✗ ", "red"), describe_failure(step, error)))
            case RunDone():
                self._running.clear()
                if self._cached_count:
                    self._console.print(Text(f"  {self._cached_count} of {self._total} steps reused from cache", "dim"))
            case _:
                pass

    def _render(self) -> Group:
        head = Table.grid(padding=(0, 1))
        left = self._remaining.remaining_seconds()
        rest = f"about {format_duration(left)} left" if left > 0 else ""
        head.add_row(
            ProgressBar(max(self._total, 1), self._done_count, width=36),
            f"{self._done_count}/{self._total}",
            Text(rest, "dim"),
        )
        lines = Table.grid(padding=(0, 1))
        for text, spinner in self._running.values():
            lines.add_row(spinner, Text(text, overflow="ellipsis", no_wrap=True))
        return Group(head, lines)


def create_view(*, as_json: bool) -> ProgressView:
    """Return a JSON view if `as_json`, a live display on a terminal, plain lines elsewhere."""
    if as_json:
        return JsonView()
    console = Console()
    return LiveView(console) if console.is_terminal else PlainView()


def format_duration(seconds: float) -> str:
    """Return a duration as `8 s`, `2 min 10 s` or `1 h 5 min`."""
    total = round(seconds)
    if total < 60:
        return f"{total} s"
    if total < 3600:
        return f"{total // 60} min {total % 60} s"
    return f"{total // 3600} h {total % 3600 // 60} min"

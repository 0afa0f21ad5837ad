"""The progress of a long job, on stderr: a bar on a terminal, log lines elsewhere."""

from __future__ import annotations

import contextlib
import datetime as dt
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, Task, TextColumn
from rich.progress import Progress as Bars
from rich.text import Text

from simsearch.callbacks import Log, Progress, no_log, no_progress
from simsearch.output.render import duration_label, size_label

_LOG_EVERY_SECONDS = 10
_PATIENCE_SECONDS = 2


@contextmanager
def progress_on_stderr(*, quiet: bool) -> Iterator[Progress]:
    """Give a progress callback that reports on stderr."""
    console = Console(stderr=True)
    if quiet:
        yield no_progress
    elif console.is_terminal:
        with _bars(console) as bars:
            yield _BarProgress(bars)
    else:
        yield _LogProgress(log)


def patient(progress: Progress) -> Progress:
    """Return a progress that shows a stage only if it lasts longer than two seconds."""
    started: dict[str, float] = {}
    shown: set[str] = set()

    def report(stage: str, done: int, total: int, unit: str) -> None:
        now = time.monotonic()
        is_long = now - started.setdefault(stage, now) >= _PATIENCE_SECONDS
        if stage in shown or (is_long and done < total):
            shown.add(stage)
            progress(stage, done, total, unit)

    return report


@contextmanager
def waiting_for(what: str, *, quiet: bool) -> Iterator[None]:
    """Show on a terminal what is being waited for, while it lasts."""
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield
        return
    with console.status(what):
        yield


def log(line: str) -> None:
    """Write a line with its time (UTC) to stderr."""
    now = dt.datetime.now(dt.UTC)
    with contextlib.suppress(OSError):  # nobody reads it any more: the job continues
        print(f"{now:%Y-%m-%dT%H:%M:%SZ} {line}", file=sys.stderr, flush=True)


def log_of_a_job(*, quiet: bool) -> Log:
    """Return what logs the first and last line of a job; nothing on a terminal."""
    if quiet or Console(stderr=True).is_terminal:
        return no_log
    return log


class _BarProgress:
    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._tasks: dict[str, Task] = {}

    def __call__(self, stage: str, done: int, total: int, unit: str) -> None:
        if stage not in self._tasks:
            number = self._bars.add_task(stage.capitalize(), total=total, unit=unit)
            self._tasks[stage] = self._bars.tasks[-1]
            assert self._tasks[stage].id == number  # noqa: S101 - rich appends tasks in order
        self._bars.update(self._tasks[stage].id, completed=done, total=total)


class _LogProgress:
    """A line when a stage starts, every few seconds, and when it ends."""

    def __init__(self, write: Log) -> None:
        self._write = write
        self._stage = ""
        self._started = self._last = 0.0
        self._first = 0  # done before this run

    def __call__(self, stage: str, done: int, total: int, unit: str) -> None:
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._started, self._last, self._first = stage, now, now, done
            self._write(f"{stage} {amount_label(total, unit)}")
        elif done >= total or now - self._last >= _LOG_EVERY_SECONDS:
            self._last = now
            seconds = now - self._started
            rate = (done - self._first) / seconds if seconds > 0 else 0.0
            self._write(_progress_line(stage, done, total, unit, rate))


def _progress_line(stage: str, done: int, total: int, unit: str, rate: float) -> str:
    share = f"{done / total:.0%}" if total else "100%"
    line = f"{stage} {_done_of(done, total, unit)} ({share})"
    line += f", {amount_label(round(rate), unit)}/s"
    left = f", {duration_label((total - done) / rate)} left" if rate and done < total else ""
    return line + left


def amount_label(amount: int, unit: str) -> str:
    """Return an amount with its unit, bytes in larger units."""
    return size_label(amount) if unit == "bytes" else f"{amount:,} {unit}"


def _done_of(done: int, total: int, unit: str) -> str:
    first = size_label(done) if unit == "bytes" else f"{done:,}"
    return f"{first} of {amount_label(total, unit)}"


class _Amount(ProgressColumn):
    """Done of total, the rate and the time left."""

    def render(self, task: Task) -> Text:
        unit = task.fields["unit"]
        done, total = int(task.completed), int(task.total or 0)
        parts = [_done_of(done, total, unit)]
        rate = task.finished_speed or task.speed
        if rate:
            parts.append(f"{amount_label(round(rate), unit)}/s")
        if task.finished:
            parts.append(duration_label(task.finished_time or 0))
        elif task.time_remaining is not None:
            parts.append(f"{duration_label(task.time_remaining)} left")
        return Text("  ".join(parts))


def _bars(console: Console) -> Bars:
    columns = (TextColumn("{task.description:<9}"), BarColumn(24), _Amount())
    # Chunks take seconds each on a small machine: average the rate over minutes.
    return Bars(*columns, console=console, speed_estimate_period=120)

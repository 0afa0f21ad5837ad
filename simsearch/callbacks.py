"""Callbacks by which a long job reports its progress and its notices."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int, str], None]
"""Called with the stage, how much of it is done, out of how much, and the unit of both."""

Log = Callable[[str], None]
"""Called with a line for a person: a notice, or which process the job is waiting for."""


def no_log(line: str) -> None:
    """Ignore the line."""


def no_progress(stage: str, done: int, total: int, unit: str) -> None:
    """Ignore the progress."""

"""What a long job tells whoever watches it."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int, str], None]
"""Called with the stage, how much of it is done, of how much, and the unit counted."""


Log = Callable[[str], None]
"""Called with a line that a person should see: a notice, who is waited for."""


def no_log(line: str) -> None:
    """Tell nobody."""


def no_progress(stage: str, done: int, total: int, unit: str) -> None:
    """Show nothing."""

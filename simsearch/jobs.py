"""What a long job tells whoever watches it."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int, str], None]
"""Called with the stage, how much of it is done, of how much, and the unit counted."""


def no_progress(stage: str, done: int, total: int, unit: str) -> None:
    """Show nothing."""

"""Generations are removed, and what killed builds left behind."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

from simsearch.callbacks import Log, no_log
from simsearch.errors import ArgumentError, IndexReadError
from simsearch.index.directory import GENERATIONS
from simsearch.index.generations.listing import by_rank
from simsearch.index.generations.writing import locked_for_writing

BUILDING, REMOVING = ".building-", ".removing-"
"""Start of the name of a folder that is being filled, or removed: hidden, so not a generation."""


def prune(index: Path, keep: int, *, wait: float = 0, say: Log = no_log) -> list[str]:
    """Remove the last generations in rank; return their names.

    Args:
        index: the folder.
        keep: how many to keep, including the current one.
        wait: how many seconds to wait for another process that is writing.
        say: called with a line that names the process waited for.

    Raises:
        ArgumentError: `keep` is less than 1.
        ForeignFolderError: it is the demo index.
        IndexReadError: there is no index, or it is not known which generation is current.
        IndexBusyError: another process is writing.
        PublishError: a write failed; the current generation is untouched.
    """
    check_keep(keep)
    with locked_for_writing(index, wait, say):
        clear_leftovers(index)
        return _prune(index, keep)


def check_keep(keep: int) -> None:
    """Refuse to keep less than one generation.

    Raises:
        ArgumentError: `keep` is less than 1.
    """
    if keep < 1:
        raise ArgumentError("keep", keep, "1 or more")


def prune_if_possible(index: Path, keep: int) -> None:
    """Remove what can be removed; a later build tries the rest again."""
    with contextlib.suppress(OSError, IndexReadError):
        _prune(index, keep)


def clear_leftovers(index: Path) -> None:
    """Remove the folders that killed or failed builds left behind."""
    for path in (index / GENERATIONS).iterdir():
        if path.name.startswith((BUILDING, REMOVING)):
            shutil.rmtree(path, ignore_errors=True)


def _prune(index: Path, keep: int) -> list[str]:
    """Remove generations, each hidden first, so that nobody ever sees a part of one."""
    removed = by_rank(index)[keep:]
    for name in removed:
        hidden = index / GENERATIONS / f"{REMOVING}{name}"
        (index / GENERATIONS / name).rename(hidden)
        shutil.rmtree(hidden)
    return removed

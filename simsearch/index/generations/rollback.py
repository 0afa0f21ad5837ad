"""An earlier generation becomes current again."""

from __future__ import annotations

from pathlib import Path

from simsearch.callbacks import Log, Progress, no_log, no_progress
from simsearch.errors import GenerationError
from simsearch.index.generations.listing import generation_names, named, previous_of
from simsearch.index.generations.pointer import current, switch_to
from simsearch.index.generations.writing import locked_for_writing
from simsearch.index.verify import verify_generation


def roll_back(
    index: Path,
    name: str = "",
    *,
    wait: float = 0,
    say: Log = no_log,
    progress: Progress = no_progress,
) -> str:
    """Verify another generation and make it current; return its name.

    Args:
        index: the folder.
        name: which one, as `named` takes it; if empty, the one that was current before.
        wait: how many seconds to wait for another process that is writing.
        say: called with a line that names the process waited for.
        progress: called after every few thousand studies that are verified.

    Raises:
        GenerationError: there is no earlier generation.
        GenerationNameError: there is none of this name.
        IndexReadError, VerificationError: it is damaged; the current one stays.
        ForeignFolderError: it is the demo index.
        IndexBusyError: another process is writing.
        PublishError: a write failed; the current one stays.
    """
    with locked_for_writing(index, wait, say):
        name = named(index, name) if name else _earlier(index)
        verify_generation(index, name, progress)
        switch_to(index, name)
    return name


def _earlier(index: Path) -> str:
    """Return the generation that was current before the current one, or else an older one.

    Where the pointer is damaged, the youngest.
    """
    now = current(index)
    others = [each for each in generation_names(index) if each != now]
    before = previous_of(index, now)
    if before in others:
        return before
    older = [each for each in others if not now or _time_of(each) < _time_of(now)]
    if not older:
        raise GenerationError(index, others)
    return older[0]


def _time_of(name: str) -> str:
    return name.partition("-")[0]

"""The generation that is served: a newer one takes its place once it is published."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from simsearch.errors import SimsearchError
from simsearch.index.directory import pointed
from simsearch.index.opened import OpenedIndex, opened_index
from simsearch.search.answer import ask
from simsearch.search.facets import facet_counts
from simsearch.search.question import Question

_log = logging.getLogger("simsearch.web")


class _Held:
    """An opened generation, how many use it, and whether it is to be closed after the last."""

    def __init__(self, opened: OpenedIndex) -> None:
        self.opened = opened
        self.users = 0
        self.is_retired = False


class CurrentIndex:
    """The index that is served, opened; threads may share it.

    Args:
        path: the folder of the index; None as in `opened_index`.

    Raises:
        IndexReadError: as `opened_index`.
    """

    def __init__(self, path: Path | None) -> None:
        self._lock = Lock()
        self._held = _Held(opened_index(path))
        self._told = ""
        self.path = self._held.opened.path
        """The folder of the index."""

    @property
    def generation(self) -> str:
        """The name of the generation that answers."""
        return self._held.opened.facts.generation

    @contextmanager
    def use(self) -> Iterator[OpenedIndex]:
        """Give the current generation; it stays open until the block ends."""
        with self._lock:
            held = self._held
            held.users += 1
        try:
            yield held.opened
        finally:
            with self._lock:
                held.users -= 1
                is_last = held.is_retired and not held.users
            if is_last:
                held.opened.close()

    def refresh(self) -> bool:
        """Open the generation that is published now, if it is another; report whether it was.

        One that cannot be opened is logged once, and the one that answers stays.
        """
        try:
            if pointed(self.path) == self.generation:
                return False
            opened = opened_index(self.path)
        except SimsearchError as error:
            if str(error) != self._told:  # once, not with every look
                _log.warning("the new generation cannot be opened: %s", error)
            self._told = str(error)
            return False
        self._told = ""
        _warm(opened)
        with self._lock:
            before, self._held = self._held, _Held(opened)
            before.is_retired = True
            is_unused = not before.users
        if is_unused:
            before.opened.close()
        _log.info("now serving generation %s", opened.facts.generation)
        return True

    def warm(self) -> None:
        """Ask the current generation a question before anybody does."""
        with self.use() as opened:
            _warm(opened)

    def close(self) -> None:
        """Close the files."""
        self._held.opened.close()


def _warm(opened: OpenedIndex) -> None:
    """Ask a question, so that nobody waits for what is computed once."""
    with contextlib.suppress(SimsearchError):
        facet_counts(opened)
        for study in opened.store.studies(list(range(min(3, opened.n_studies)))):
            ask(opened, Question(studies=(study.nct_id,)))

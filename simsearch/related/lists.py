"""Related lists in memory: those of a batch of studies, and those of all studies of a run."""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

from simsearch.search.nearest import SIMILARITY_DECIMALS

SCALE = 10**SIMILARITY_DECIMALS
"""Similarities are rounded, so lists store them as whole numbers of this many parts."""

_COMPARED = 1 << 22  # neighbours compared at a time

Ints = npt.NDArray[np.int64]


class Lists(msgspec.Struct, frozen=True):
    """The neighbours of n studies, nearest first."""

    rows: npt.NDArray[np.int32]
    """(n, k) rows of the index; -1 where a list has fewer than k neighbours."""
    parts: npt.NDArray[np.int32]
    """(n, k) similarities in parts of `SCALE`; 0 where there is no neighbour."""

    @classmethod
    def empty(cls, n: int, k: int) -> Lists:
        """Return n lists without neighbours."""
        return cls(np.full((n, k), -1, dtype=np.int32), np.zeros((n, k), dtype=np.int32))


class HeldLists:
    """The lists of a run, looked up by the row of their study.

    Args:
        n_studies: the number of studies of the index.
        k: the number of neighbours of each study.
    """

    def __init__(self, n_studies: int, k: int) -> None:
        self._k = k
        self._lists = Lists.empty(1, k)
        self._n = 1
        self._place = np.zeros(n_studies, dtype=np.int32)  # 0 is an empty list

    def make_room(self, rows: Ints) -> None:
        """Add empty lists for these studies, for `put` to fill."""
        n, held = self._n, len(self._lists.rows)
        self._n = n + len(rows)
        self._place[rows] = n + np.arange(len(rows))
        if self._n <= held:
            return
        before = self._lists  # growing by a quarter copies each list four times at most
        self._lists = Lists.empty(max(self._n, held + held // 4), self._k)
        self._lists.rows[:n] = before.rows[:n]
        self._lists.parts[:n] = before.parts[:n]

    def put(self, rows: Ints, lists: Lists) -> None:
        """Store the lists of these studies, for which `make_room` was called."""
        place = self._place[rows]
        self._lists.rows[place] = lists.rows
        self._lists.parts[place] = lists.parts

    def empty(self, rows: Ints) -> None:
        """Empty the lists of these studies, for which `make_room` was called."""
        self.put(rows, Lists.empty(len(rows), self._k))

    def of(self, rows: Ints) -> Lists:
        """Return the lists of these studies; a list that was not computed is empty."""
        place = self._place[rows]
        return Lists(self._lists.rows[place], self._lists.parts[place])

    def contain(self, rows: npt.NDArray[np.integer], neighbours: Ints) -> npt.NDArray[np.bool_]:
        """Return (n,) whether the list of each study in `rows` contains its entry in `neighbours`.

        Args:
            rows: (n,) rows of studies.
            neighbours: (n,) rows of studies.
        """
        step = max(1, _COMPARED // self._k)
        found = np.zeros(len(rows), dtype=np.bool_)
        for start in range(0, len(rows), step):
            part = slice(start, start + step)
            lists = self._lists.rows[self._place[rows[part]]]
            found[part] = (lists == neighbours[part, np.newaxis]).any(axis=1)
        return found

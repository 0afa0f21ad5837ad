"""The rows of a file of related lists: each study's neighbours by rank, and which are mutual."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from simsearch.index.opened import OpenedIndex
from simsearch.related.files import COLUMNS, TITLE_COLUMNS, Table
from simsearch.related.lists import SCALE, HeldLists, Ints

_ROWS = 200_000  # in a table


class Tables:
    """Lists as tables; counts what it has yielded.

    Args:
        index: the index.
        lists: the lists to write, and those of their neighbours.
        k: the number of neighbours of each study.
        with_titles: whether to add title and status of both studies.
    """

    def __init__(self, index: OpenedIndex, lists: HeldLists, k: int, *, with_titles: bool) -> None:
        self._k = k
        self._store = index.store
        self._lists = lists
        self._ids = np.array(index.store.nct_ids(), dtype="U11")
        self._with_titles = with_titles
        self.names = (*COLUMNS, *TITLE_COLUMNS) if with_titles else COLUMNS
        """The names of the columns."""
        self.n_rows = self.n_short = self.n_mutual = 0

    def of(self, rows: Ints) -> Iterator[Table]:
        """Yield the lists of these studies, some hundred thousand rows at a time."""
        step = max(1, _ROWS // self._k)
        for start in range(0, len(rows), step):
            yield self._table(rows[start : start + step])

    def _table(self, rows: Ints) -> Table:
        lists = self._lists.of(rows)
        place, rank = np.nonzero(lists.rows >= 0)
        query, neighbour = rows[place], lists.rows[place, rank]
        mutual = self._lists.contain(neighbour, query)
        self.n_rows += len(query)
        self.n_short += int((lists.rows[:, -1] < 0).sum())
        self.n_mutual += int(mutual.sum())
        columns: dict[str, Any] = {
            "nct_id": self._ids[query],
            "rank": (rank + 1).astype(np.int32),
            "neighbour_id": self._ids[neighbour],
            "similarity": lists.parts[place, rank] / SCALE,
            "mutual": mutual,
        }
        if self._with_titles:
            shown = self._titles(np.union1d(query, neighbour))
            values = [
                [*shown[one], *shown[other]] for one, other in zip(query, neighbour, strict=True)
            ]
            columns |= {
                name: [each[at] for each in values] for at, name in enumerate(TITLE_COLUMNS)
            }
        return Table(columns)

    def _titles(self, rows: Ints) -> dict[int, tuple[str, str]]:
        """Return row → title and status."""
        studies = self._store.studies(rows.tolist())
        return {
            row: (study.title, study.status)
            for row, study in zip(rows.tolist(), studies, strict=True)
        }

"""The related list of every study, in memory: neighbours, similarities, percentiles, mutuals."""

from __future__ import annotations

import os
from contextlib import closing

import msgspec
import numpy as np
import numpy.typing as npt

from simsearch.callbacks import Progress
from simsearch.index.opened import OpenedIndex
from simsearch.related.batch_search import BatchSearch, batch_size
from simsearch.related.lists import SCALE, HeldLists, Ints
from simsearch.related.memory import batches_at_once
from simsearch.related.run import computed
from simsearch.search.nearest import learned_percentiles, percentiles
from simsearch.vectors import SIGNALS

_BLOCK = 4096  # studies whose neighbours are looked at together


class RelatedBlock(msgspec.Struct, frozen=True):
    """The lists of some studies, a row a neighbour."""

    query: Ints
    """(n,) rows of the query studies, ascending; a study without neighbours is not there."""
    rank: npt.NDArray[np.int32]
    """(n,) from 1."""
    neighbour: Ints
    """(n,) rows of the neighbours."""
    similarity: npt.NDArray[np.float64]
    percentile: npt.NDArray[np.float64]
    mutual: npt.NDArray[np.bool_]

    def pairs(self) -> list[tuple[int, int, float]]:
        """Return query, neighbour and similarity of each row."""
        return list(
            zip(
                self.query.tolist(), self.neighbour.tolist(), self.similarity.tolist(),
                strict=True,
            )
        )  # fmt: skip


class RelatedLists:
    """The lists of all studies of an index, exactly as a query for each finds them.

    Args:
        index: the index.
        k: the number of neighbours of each study.
        threads: batches computed at once; 0 for the number of cores.
        progress: called after every batch.
    """

    def __init__(self, index: OpenedIndex, k: int, threads: int, progress: Progress) -> None:
        self._index = index
        search = BatchSearch(index, k)
        self._is_learned = search.ranking == "learned"
        self.listed = search.listed
        """(n,) the rows of the studies that have a list."""
        self._lists = HeldLists(index.n_studies, k)
        self._lists.make_room(self.listed)
        at_once = batches_at_once(
            search, len(self.listed), threads or os.cpu_count() or 1, is_all=True
        )
        step = batch_size(k)
        batches = [self.listed[at : at + step] for at in range(0, len(self.listed), step)]
        done = 0
        with closing(computed(search, batches, at_once)) as found:
            for batch, lists in zip(batches, found, strict=True):
                self._lists.put(batch, lists)
                done += len(batch)
                progress("related", done, len(self.listed), "studies")
        shares = [search.batch(batch).shares for batch in batches]
        self._shares = np.zeros((index.n_studies, len(SIGNALS)))
        if shares:
            self._shares[self.listed] = np.concatenate(shares)

    @property
    def n_rows(self) -> int:
        """The number of rows of all lists."""
        return int((self._lists.of(self.listed).rows >= 0).sum())

    def blocks(self, size: int = _BLOCK) -> list[Ints]:
        """Return all rows of the index, in blocks of this size."""
        rows = np.arange(self._index.n_studies)
        return [rows[at : at + size] for at in range(0, len(rows), size)]

    def block(self, rows: Ints) -> RelatedBlock:
        """Return the lists of these studies."""
        lists = self._lists.of(rows)
        place, rank = np.nonzero(lists.rows >= 0)
        query, neighbour = rows[place], lists.rows[place, rank].astype(np.int64)
        similarity = lists.parts[place, rank] / SCALE
        return RelatedBlock(
            query,
            (rank + 1).astype(np.int32),
            neighbour,
            similarity,
            self._percentiles(query, similarity),
            self._lists.contain(neighbour, query),
        )

    def _percentiles(
        self, query: Ints, similarity: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        """Return (n,) percentiles; queries that lack the same signals have the same scale."""
        if self._is_learned:
            return learned_percentiles(self._index, similarity).round(3)
        found = np.zeros(len(query))
        patterns, which = np.unique(self._shares[query], axis=0, return_inverse=True)
        for number, pattern in enumerate(patterns):
            of_it = which.ravel() == number
            shares = dict(zip(SIGNALS, pattern.tolist(), strict=True))
            found[of_it] = percentiles(self._index, similarity[of_it], shares)
        return found.round(3)

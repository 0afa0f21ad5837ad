"""The related list of every study, in memory: neighbours, similarities, percentiles, mutuals."""

from __future__ import annotations

import os
from contextlib import closing

import msgspec
import numpy as np
import numpy.typing as npt

from simsearch.callbacks import Progress
from simsearch.index.opened import OpenedIndex
from simsearch.related.affected import Changed, kept_lists
from simsearch.related.batch_search import BatchSearch, batch_size
from simsearch.related.coarse_int8 import Floats
from simsearch.related.lists import SCALE, HeldLists, Ints
from simsearch.related.memory import batches_at_once
from simsearch.related.reach import REACH, SPARE, WITHOUT_END
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

    def pairs(self) -> Ints:
        """Return (n, 2) query and neighbour of each row."""
        return np.column_stack([self.query, self.neighbour])


class Before(msgspec.Struct, frozen=True):
    """The lists of an earlier generation of the same fit, and what has changed since."""

    lists: HeldLists
    """By rows of now."""
    reach: Floats
    """(n_studies, 5) their reach."""
    changed: Changed


class RelatedLists:
    """The lists of all studies of an index, exactly as a query for each finds them.

    Args:
        index: the index.
        k: the number of neighbours of each study.
        threads: batches computed at once; 0 for the number of cores.
        progress: called after every batch.
        before: what is known of them; None computes all.
        with_reach: find their reach too, for `before` of a later generation.
    """

    def __init__(
        self, index: OpenedIndex, k: int, threads: int, progress: Progress, *,
        before: Before | None = None, with_reach: bool = False,
    ) -> None:  # fmt: skip
        self._index = index
        search = BatchSearch(index, k, spare=SPARE if with_reach else 0)
        self._is_learned = search.ranking == "learned"
        self.listed = search.listed
        """(n,) the rows of the studies that have a list."""
        self.reach = np.full((index.n_studies, len(REACH)), WITHOUT_END)
        """(n_studies, 5) the reach of the lists, where it was asked for."""
        wanted = self.listed
        if before and search.candidates:
            wanted = self._kept(before)
        else:
            self._lists = HeldLists(index.n_studies, k)
            self._lists.make_room(self.listed)
        self.n_computed = len(wanted)
        """Lists that were computed."""
        self._compute(search, wanted, threads, progress)
        self._shares = np.zeros((index.n_studies, len(SIGNALS)))
        if not self._is_learned:  # whose percentiles depend on them
            for at in range(0, len(self.listed), _BLOCK):
                batch = self.listed[at : at + _BLOCK]
                self._shares[batch] = search.batch(batch).shares

    def _kept(self, before: Before) -> Ints:
        """Take over the lists that are as they were; return the rows of the others."""
        kept = kept_lists(self._index, before.lists, before.reach, before.changed)
        self._lists, self.reach = before.lists, kept.reach
        others = np.flatnonzero(~kept.is_kept)
        self.reach[others] = WITHOUT_END
        self._lists.empty(others)
        return np.intersect1d(others, self.listed)

    def _compute(self, search: BatchSearch, rows: Ints, threads: int, progress: Progress) -> None:
        at_once = batches_at_once(
            search, len(self.listed), threads or os.cpu_count() or 1, is_all=True
        )
        step, done = batch_size(search.k), 0
        batches = [rows[at : at + step] for at in range(0, len(rows), step)]
        with closing(computed(search.lists_and_reach, batches, at_once)) as found:
            for batch, (lists, reach) in zip(batches, found, strict=True):
                self._lists.put(batch, lists)
                self.reach[batch] = reach
                done += len(batch)
                progress("related", done, len(rows), "studies")

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

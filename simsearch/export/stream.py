"""What an export sends: the rows of all tables, block by block, with a digest of each study's."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from simsearch.callbacks import Progress
from simsearch.export.lists import Before, RelatedLists
from simsearch.export.reasons import reason_lines
from simsearch.export.rows import (
    Generation,
    TermIds,
    digest,
    digest_row,
    embedding_digests,
    related_rows,
    study_rows,
)
from simsearch.index.opened import OpenedIndex
from simsearch.related.lists import Ints
from simsearch.related.reach import REACH

RECORD, EMBEDDING, LIST = range(3)
"""The kinds of digests: columns of `Stream.digests` and of the table `row_digest`."""

NO_REACH = np.full((1, len(REACH)), np.nan, dtype=np.float32)
"""(1, 5) the reach that is known where nothing is."""

Put = Callable[[str, list[bytes]], None]
"""Takes rows of the table of this name."""

_REASONS_AT_ONCE = 256  # lists
_PACKED_AT_ONCE = 4096  # studies


class Stream:
    """The rows of an export of an index: first `compute` its lists, then put the rows.

    Args:
        index: the index.
        wanted: what is exported of it.
        threads: batches of lists computed at once; 0 for the number of cores.
        progress: called after every batch.
    """

    def __init__(
        self, index: OpenedIndex, wanted: Generation, threads: int, progress: Progress
    ) -> None:
        self._index = index
        self._wanted = wanted
        self._threads = threads
        self._progress = progress
        self.nct_ids = [nct_id.encode() for nct_id in index.store.nct_ids()]
        """The NCT IDs of all studies, by row."""
        self.digests = np.zeros((index.n_studies, 3), dtype=np.int64)
        """(n_studies, 3) of record, embedding and list; of lists once they are computed."""
        for start in range(0, index.n_studies, _PACKED_AT_ONCE):
            packed = index.store.packed(start, start + _PACKED_AT_ONCE)
            self.digests[start : start + len(packed), RECORD] = [digest(each) for each in packed]
        self.digests[:, EMBEDDING] = list(embedding_digests(index))
        self.n_written = [0, 0, 0]
        """Records, embeddings and lists sent."""

    def compute(self, before: Before | None = None) -> None:
        """Compute all lists, or those that can have changed."""
        self._lists = RelatedLists(
            self._index, self._wanted.k, self._threads, self._progress, before=before,
            with_reach=True,
        )  # fmt: skip
        for block in self._lists.blocks():
            self.digests[block, LIST] = self._list_digests(block)

    @property
    def n_computed(self) -> int:
        """How many lists were computed."""
        return self._lists.n_computed

    @property
    def counts(self) -> dict[str, int]:
        """Table → its number of rows, for those that a whole export can be checked by."""
        n = self._index.n_studies
        return {
            "study": n, "study_embedding": n, "row_digest": n, "related": self._lists.n_rows,
        }  # fmt: skip

    def records(self, terms: TermIds, put: Put, known: npt.NDArray[np.int64]) -> None:
        """Put the records and embeddings that have another digest than is known.

        Args:
            terms: the ids of the terms.
            put: takes rows of a table.
            known: (n_studies, 3) digests.
        """
        differs = self.digests != known
        done = 0
        for block in self._lists.blocks():
            chosen = block[differs[block, RECORD]]
            records = list(study_rows(self._index, chosen))
            put("study", [each.study for each in records])
            put("site", [each.sites for each in records if each.sites])
            put("other_number", [each.other_numbers for each in records if each.other_numbers])
            self.n_written[RECORD] += len(chosen)
            chosen = block[differs[block, EMBEDDING]]
            put("study_embedding", list(terms.embedding_rows(self._index, self.nct_ids, chosen)))
            self.n_written[EMBEDDING] += len(chosen)
            done += len(block)
            self._progress("loading studies", done, self._index.n_studies, "studies")

    def related(
        self, put: Put, known: npt.NDArray[np.int64], reach: npt.NDArray[np.float32]
    ) -> None:
        """Put the lists that have another digest than is known, and all digests that differ.

        Args:
            put: takes rows of a table.
            known: (n_studies, 3) digests.
            reach: (n_studies, 5) reach of lists, as known.
        """
        differs = self.digests != known
        self._put_lists(np.flatnonzero(differs[:, LIST]), put)
        its = self._lists.reach.astype(np.float32)
        rows = np.flatnonzero(differs.any(axis=1) | (its != reach).any(axis=1)).tolist()
        put(
            "row_digest",
            [
                digest_row(self.nct_ids[row], self.digests[row].tolist(), its[row].tolist())
                for row in rows
            ],
        )

    def _list_digests(self, rows: Ints) -> list[int]:
        """Return digests of lists: who is there, how near, and what was said of all of them.

        The percentiles are in it: where the ranking is linear they can move though the fit stays.
        """
        found = self._lists.block(rows)
        fit = self._wanted.fit.encode()
        said = self.digests[:, : EMBEDDING + 1]
        starts = np.searchsorted(found.query, rows)
        ends = np.searchsorted(found.query, rows, side="right")
        digests = []
        for row, start, end in zip(rows.tolist(), starts.tolist(), ends.tolist(), strict=True):
            part = slice(start, end)
            ids = b"".join([self.nct_ids[each] for each in found.neighbour[part].tolist()])
            digests.append(
                digest(
                    fit, ids, found.similarity[part].tobytes(), found.percentile[part].tobytes(),
                    found.mutual[part].tobytes(), said[row].tobytes(),
                    said[found.neighbour[part]].tobytes(),
                )
            )  # fmt: skip
        return digests

    def _put_lists(self, rows: Ints, put: Put) -> None:
        blocks = [rows[at : at + _REASONS_AT_ONCE] for at in range(0, len(rows), _REASONS_AT_ONCE)]
        found = [self._lists.block(block) for block in blocks]
        lines: Iterator[list[str] | None] = iter([None] * len(blocks))
        if self._wanted.with_reasons:
            lines = iter(reason_lines(self._index, [each.pairs() for each in found]))
        done = 0
        for block, each, of_each in zip(blocks, found, lines, strict=True):
            put("related", list(related_rows(self.nct_ids, each, of_each).values()))
            done += len(block)
            self._progress("loading lists", done, len(rows), "studies")
        self.n_written[LIST] = len(rows)

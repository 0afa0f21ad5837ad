"""What an export sends: the rows of all tables, block by block, with a digest of each study's."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from simsearch.callbacks import Progress
from simsearch.export.lists import RelatedLists
from simsearch.export.reasons import reason_lines
from simsearch.export.rows import (
    Generation,
    TermIds,
    digest,
    digest_row,
    related_rows,
    study_rows,
)
from simsearch.index.opened import OpenedIndex
from simsearch.related.lists import Ints

RECORD, EMBEDDING, LIST = range(3)
"""The kinds of digests: columns of `Stream.digests` and of the table `row_digest`."""

Put = Callable[[str, list[bytes]], None]
"""Takes rows of the table of this name."""

_REASONS_AT_ONCE = 256  # lists


class Stream:
    """The rows of an export of an index. Its lists are computed at once.

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
        self._progress = progress
        self.nct_ids = [nct_id.encode() for nct_id in index.store.nct_ids()]
        """The NCT IDs of all studies, by row."""
        self.digests = np.zeros((index.n_studies, 3), dtype=np.int64)
        """(n_studies, 3) of record, embedding and list, once they have been sent."""
        self.n_written = [0, 0, 0]
        """Records, embeddings and lists sent."""
        self._lists = RelatedLists(index, wanted.k, threads, progress)

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
        done = 0
        for block in self._lists.blocks():
            records = list(study_rows(self._index, block))
            vectors = list(terms.embedding_rows(self._index, self.nct_ids, block))
            self.digests[block, RECORD] = [each.digest for each in records]
            self.digests[block, EMBEDDING] = [digest(row) for row in vectors]
            differs = self.digests[block] != known[block]
            chosen = np.flatnonzero(differs[:, RECORD]).tolist()
            put("study", [records[at].study for at in chosen])
            put("site", [sites for at in chosen if (sites := records[at].sites)])
            put("other_number", [rows for at in chosen if (rows := records[at].other_numbers)])
            self.n_written[RECORD] += len(chosen)
            chosen = np.flatnonzero(differs[:, EMBEDDING]).tolist()
            put("study_embedding", [vectors[at] for at in chosen])
            self.n_written[EMBEDDING] += len(chosen)
            done += len(block)
            self._progress("loading studies", done, self._index.n_studies, "studies")

    def related(self, put: Put, known: npt.NDArray[np.int64]) -> None:
        """Put the lists that have another digest than is known, and all digests that differ.

        Args:
            put: takes rows of a table.
            known: (n_studies, 3) digests.
        """
        for block in self._lists.blocks():
            self.digests[block, LIST] = self._list_digests(block)
        differs = self.digests != known
        self._put_lists(np.flatnonzero(differs[:, LIST]), put)
        rows = np.flatnonzero(differs.any(axis=1)).tolist()
        put(
            "row_digest",
            [digest_row(self.nct_ids[row], self.digests[row].tolist()) for row in rows],
        )

    def _list_digests(self, rows: Ints) -> list[int]:
        """Return digests of lists: who is there, how near, and what was said of all of them."""
        found = self._lists.block(rows)
        said = self.digests[:, : EMBEDDING + 1]
        starts = np.searchsorted(found.query, rows)
        ends = np.searchsorted(found.query, rows, side="right")
        digests = []
        for row, start, end in zip(rows.tolist(), starts.tolist(), ends.tolist(), strict=True):
            part = slice(start, end)
            ids = b"".join([self.nct_ids[each] for each in found.neighbour[part].tolist()])
            digests.append(
                digest(
                    ids, found.similarity[part].tobytes(), found.mutual[part].tobytes(),
                    said[row].tobytes(), said[found.neighbour[part]].tobytes(),
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

"""The studies that an evaluation ranks: those of an index and judged ones that it lacks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property

import numpy as np
import numpy.typing as npt

from simsearch.encode.fields import has_words, whole_text
from simsearch.files import batches
from simsearch.index.opened import OpenedIndex
from simsearch.study import Study

Rows = npt.NDArray[np.int64]
"""(n,) rows of a corpus."""

_BATCH = 8192  # studies read at once


class Corpus:
    """The studies of an index, in row order, followed by `extra` studies that it lacks.

    Args:
        index: the index.
        extra: further studies, in any order; those that the index has are ignored.
    """

    def __init__(self, index: OpenedIndex, extra: Iterable[Study] = ()) -> None:
        self.index = index
        self.n_indexed = index.n_studies
        lacking = {each.nct_id: each for each in extra if index.store.row_of(each.nct_id) is None}
        self.extra = [lacking[nct_id] for nct_id in sorted(lacking)]
        self.ids = [*index.store.nct_ids(), *(study.nct_id for study in self.extra)]
        self._extra_rows = {
            name: self.n_indexed + place
            for place, study in enumerate(self.extra)
            for name in (*study.aliases, study.nct_id)
        }

    def __len__(self) -> int:
        return len(self.ids)

    def row_of(self, nct_id: str) -> int | None:
        """Return the row of a study by its NCT ID or an alias; None if it is not here."""
        row = self.index.store.row_of(nct_id)
        return self._extra_rows.get(nct_id) if row is None else row

    def studies(self, rows: Iterable[int]) -> list[Study]:
        """Return the studies of these rows, in the same order."""
        numbers = [int(row) for row in rows]
        indexed = [row for row in numbers if row < self.n_indexed]
        found = dict(zip(indexed, self.index.store.studies(indexed), strict=True))
        return [found[row] if row in found else self.extra[row - self.n_indexed] for row in numbers]

    def texts(self, text_of: Callable[[Study], str], rows: Iterable[int]) -> list[str]:
        """Return a text of the study of each of these rows, read in batches to save memory."""
        return [text_of(study) for batch in batches(rows, _BATCH) for study in self.studies(batch)]

    @cached_property
    def whole_texts(self) -> list[str]:
        """The whole text of every study, which the baselines read."""
        return self.texts(whole_text, range(len(self)))

    @cached_property
    def has_text(self) -> npt.NDArray[np.bool_]:
        """(n,) whether a study has a text. Withheld studies have none, and are never ranked."""
        extra = [has_words([whole_text(study)]) for study in self.extra]
        return np.concatenate([self.index.has_text, np.array(extra, dtype=np.bool_)])

    @cached_property
    def searchable(self) -> Rows:
        """The rows of the index that have a text, in the order of NCT IDs."""
        return np.flatnonzero(self.has_text[: self.n_indexed])

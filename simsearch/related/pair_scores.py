"""Similarities of pairs of a query study and another study, and the parts they are made of.

Single precision is enough to sort out most pairs; those that remain are scored in double
precision, exactly as a single query scores them.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from simsearch.encode.fields import FIELDS
from simsearch.index.opened import OpenedIndex
from simsearch.related.coarse_int8 import Floats, Ints, floats
from simsearch.vectors import SIGNALS, pair_cosines, weights_for

SINGLE_ERROR = 5e-6
"""More than the error of a similarity in single precision."""

_PAIRS = 4096  # scored at a time


class QueryBatch(msgspec.Struct, frozen=True):
    """A batch of n query studies."""

    rows: Ints
    """(n,) rows of the index."""
    vectors: dict[str, npt.NDArray[np.float32]]
    """Field → (n, dimension), unit rows, or zero where a study lacks the field."""
    terms: csr_array
    """(n, n_terms) term weights."""
    shares: npt.NDArray[np.float64]
    """(n, n_signals) share of each signal in the similarity, in the order of `SIGNALS`."""

    def share(self, signal: str) -> npt.NDArray[np.float64]:
        """Return (n,) the share of a signal in the similarities of each query."""
        return self.shares[:, SIGNALS.index(signal)]

    @property
    def most_of_others(self) -> npt.NDArray[np.float64]:
        """(n,) the most that the signals other than text and terms can add."""
        return 1 - self.share("text") - self.share("lexical")


class PairScores:
    """Scores pairs of a query, by its number in a batch, and a row of the index.

    Threads may share one.

    Args:
        index: the index.
        weights: signal name → weight.
    """

    def __init__(self, index: OpenedIndex, weights: Mapping[str, float]) -> None:
        self._weights = weights
        self.stored = {field: index.stored(field) for field in FIELDS}
        """Field → (n_studies, dimension) float16."""
        self.terms = index.lexical.matrix()
        """(n_studies, n_terms) term weights."""

    def batch(self, rows: Ints) -> QueryBatch:
        """Return these studies as queries."""
        vectors = {field: floats(self.stored[field][rows]) for field in FIELDS}
        terms = self.terms[rows]
        present = np.stack(
            [*(vectors[field].any(axis=1) for field in FIELDS), np.diff(terms.indptr) > 0], axis=1
        )
        patterns, which = np.unique(present, axis=0, return_inverse=True)
        shares = np.array([self._shares(pattern) for pattern in patterns])
        return QueryBatch(rows, vectors, terms, shares[which.ravel()])

    def _shares(self, present: npt.NDArray[np.bool_]) -> list[float]:
        """Return (n_signals,) the shares for a query that has these signals."""
        has = dict(zip(SIGNALS, map(bool, present), strict=True))
        return list(weights_for(self._weights, has).values())

    def cosines(self, queries: QueryBatch, field: str, at: Ints, rows: Ints) -> Floats:
        """Return (n,) single-precision cosines of a field.

        Args:
            queries: the batch.
            field: the field.
            at: (n,) numbers of queries in the batch.
            rows: (n,) rows of the index.
        """
        found = np.empty(len(at), dtype=np.float32)
        for part in _parts(len(at)):
            stored = floats(self.stored[field][rows[part]])
            found[part] = np.einsum("ij,ij->i", queries.vectors[field][at[part]], stored)
        return found

    def text_and_terms(self, queries: QueryBatch, at: Ints, rows: Ints, text: Floats) -> Floats:
        """Return (n,) what text and terms add to similarities, given the cosines of the texts."""
        found = queries.share("text")[at] * text
        found += queries.share("lexical")[at] * self._products(queries, at, rows)
        return found

    def others(self, queries: QueryBatch, at: Ints, rows: Ints) -> Floats:
        """Return (n,) what the signals other than text and terms add to similarities."""
        found = np.zeros(len(at))
        for field in list(FIELDS)[1:]:
            found += queries.share(field)[at] * self.cosines(queries, field, at, rows)
        return found

    def similarity(self, queries: QueryBatch, at: Ints, rows: Ints) -> npt.NDArray[np.float64]:
        """Return (n,) similarities in double precision, before rounding."""
        found = np.zeros(len(at))
        for part in _parts(len(at)):
            added = [
                pair_cosines(
                    queries.share(field)[at[part], np.newaxis] * queries.vectors[field][at[part]],
                    self.stored[field][rows[part]],
                )
                for field in FIELDS
            ]
            terms = queries.terms[at[part]].astype(np.float64)
            products = terms.multiply(self.terms[rows[part]].astype(np.float64)).sum(axis=1)
            added.append(queries.share("lexical")[at[part]] * np.asarray(products).ravel())
            found[part] = np.sum(added, axis=0)
        return found

    def _products(self, queries: QueryBatch, at: Ints, rows: Ints) -> Floats:
        """Return (n,) single-precision products of term weights."""
        found = np.empty(len(at), dtype=np.float32)
        for part in _parts(len(at)):
            products = queries.terms[at[part]].multiply(self.terms[rows[part]])
            found[part] = np.asarray(products.sum(axis=1)).ravel()
        return found


def _parts(n: int) -> list[slice]:
    return [slice(start, start + _PAIRS) for start in range(0, n, _PAIRS)]

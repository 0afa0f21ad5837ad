"""BM25 weights of terms, and sparse rows of them.

The weights are those of Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and
Beyond" (2009), with an idf from a term's share of the studies, smoothed by one.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

MAX_TERMS = 64
"""How many terms of a study are kept, those of the greatest weight: more do not rank better."""

# BM25's parameters: how soon repeating a term stops adding weight, and how much long texts are
# damped.
_K1, _B = 1.2, 0.75


class TermWeights(msgspec.Struct, frozen=True):
    """A sparse row: (n,) int64 term numbers, ascending, and their (n,) float64 weights."""

    terms: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float64]

    def __bool__(self) -> bool:
        return len(self.terms) > 0


NO_TERMS = TermWeights(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float64))
"""The empty row."""


def idf(n_with: npt.NDArray[np.int64], n_studies: int) -> npt.NDArray[np.float64]:
    """Return (n_terms,) the idf of terms that occur in so many studies of a corpus."""
    found: npt.NDArray[np.float64] = np.log((1 + n_studies) / (1 + n_with))
    return found


def bm25(
    counts: npt.NDArray[np.integer],
    length: npt.NDArray[np.integer] | int,
    idfs: npt.NDArray[np.float64],
    mean_length: float,
) -> npt.NDArray[np.float64]:
    """Return (n,) BM25's weights of the terms of a text.

    Args:
        counts: (n,) how often each term occurs in the text.
        length: the number of terms in the text, repetitions included.
        idfs: (n,) the idf of each term.
        mean_length: the mean length of the texts of the corpus.
    """
    damping = _K1 * (1 - _B + _B * length / mean_length)
    weights: npt.NDArray[np.float64] = idfs * counts * (_K1 + 1) / (counts + damping)
    return weights


def unit_row(terms: npt.NDArray[np.int64], weights: npt.NDArray[np.float64]) -> TermWeights:
    """Return the unit row of the `MAX_TERMS` greatest weights; of equal ones the first terms.

    Args:
        terms: (n,) term numbers, ascending.
        weights: (n,) their weights; terms of weight 0 are left out.
    """
    strongest = np.sort(np.lexsort((terms, -weights))[:MAX_TERMS])
    strongest = strongest[weights[strongest] > 0]
    row = TermWeights(terms[strongest], weights[strongest])
    length = np.sqrt(np.square(row.weights).sum())
    return TermWeights(row.terms, row.weights / length) if length > 0 else NO_TERMS


def combined(rows: Sequence[tuple[float, TermWeights]]) -> TermWeights:
    """Return the sum of rows, each multiplied by its factor."""
    if len(rows) == 1:
        ((factor, row),) = rows
        return TermWeights(row.terms, factor * row.weights)
    terms, places = np.unique(
        np.concatenate([row.terms for _, row in rows] or [NO_TERMS.terms]), return_inverse=True
    )
    weights = np.concatenate([factor * row.weights for factor, row in rows] or [NO_TERMS.weights])
    return TermWeights(terms, np.bincount(places, weights, minlength=len(terms)).astype(np.float64))


def products(rows: Sequence[TermWeights], others: Sequence[TermWeights]) -> npt.NDArray[np.float64]:
    """Return (n_rows, n_others) the product of every row with every other: cosines if unit."""
    terms = np.unique(np.concatenate([row.terms for row in others]))
    if not len(terms):
        return np.zeros((len(rows), len(others)))
    right = _dense(others, terms)
    # numpy multiplies an array with itself several times as fast.
    left = right if rows is others else _dense(rows, terms)
    found: npt.NDArray[np.float64] = left @ right.T
    return found


def _dense(rows: Sequence[TermWeights], terms: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return (n_rows, n_terms) the weights of these terms, given in ascending order."""
    dense = np.zeros((len(rows), len(terms)))
    numbers = np.repeat(np.arange(len(rows)), [len(row.terms) for row in rows])
    named = np.concatenate([row.terms for row in rows])
    places = np.searchsorted(terms, named).clip(max=len(terms) - 1)
    known = terms[places] == named
    dense[numbers[known], places[known]] = np.concatenate([row.weights for row in rows])[known]
    return dense

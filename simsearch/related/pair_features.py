"""The learned ranking of many pairs of different query studies, all at once.

What `second_stage` computes for one query and many others, here for pairs: the same features by
other sums, so that a similarity is the same but for rounding in the last digits.
"""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from simsearch.encode.fields import FIELDS
from simsearch.index.opened import OpenedIndex
from simsearch.index.profiles import TERM_FIELDS
from simsearch.search.features import FEATURES, Floats, Ints, of_traits
from simsearch.search.second_stage import chance_of, joined, packaged_net, scores
from simsearch.vectors import DEFAULT_WEIGHTS, SIGNALS, weights_for

_N_FIELDS = len(TERM_FIELDS)
_BLOCK = 8192  # pairs


class Pairs(msgspec.Struct, frozen=True):
    """n pairs of a query study and another, with the scales of the query study."""

    queries: Ints
    """(n,) rows of the query studies."""
    rows: Ints
    """(n,) rows of the others."""
    tenth_text: Floats
    """(n,) the tenth greatest cosine of the query study by text."""
    tenth_terms: Floats


def pair_similarities(index: OpenedIndex, pairs: Pairs, terms: csr_array) -> Floats:
    """Return (n,) similarities by the learned ranking.

    Args:
        index: where the studies are; it serves that ranking.
        pairs: the pairs.
        terms: (n_studies, n_terms) the term weights of all studies.
    """
    idf = index.lexical.idf.astype(np.float64)
    parts = [np.zeros(0)]
    for start in range(0, len(pairs.rows), _BLOCK):
        block = slice(start, start + _BLOCK)
        one = Pairs(
            pairs.queries[block], pairs.rows[block], pairs.tenth_text[block],
            pairs.tenth_terms[block],
        )  # fmt: skip
        parts.append(_of_block(index, one, terms, idf))
    return np.concatenate(parts)


def _of_block(index: OpenedIndex, pairs: Pairs, terms: csr_array, idf: Floats) -> Floats:
    words = np.asarray(terms[pairs.queries].multiply(terms[pairs.rows]).sum(axis=1)).ravel()
    columns, fields = _of_vectors(index, pairs)
    columns += [pairs.tenth_text, words, pairs.tenth_terms]
    columns += _of_terms(index, pairs, terms, idf)
    columns += of_traits(index.profiles.traits(pairs.queries), index.profiles.traits(pairs.rows))
    table = np.empty((len(pairs.rows), len(FEATURES)))
    for place, column in enumerate(columns):
        table[:, place] = column
    present = np.stack([*fields, np.diff(terms[pairs.queries].indptr) > 0], axis=1)
    patterns, which = np.unique(present, axis=0, return_inverse=True)
    has = (dict(zip(SIGNALS, map(bool, each), strict=True)) for each in patterns)
    shares = np.array([list(weights_for(DEFAULT_WEIGHTS, each).values()) for each in has])
    signals = np.stack(
        [*(np.nan_to_num(columns[2 * place]) for place in range(len(FIELDS))), words]
    )
    sums = (shares[which.ravel()] * signals.T).sum(axis=1)
    return joined(chance_of(scores(table, packaged_net())), sums)


def _of_vectors(
    index: OpenedIndex, pairs: Pairs
) -> tuple[list[Floats], list[npt.NDArray[np.bool_]]]:
    """Return what the vectors give, and which query studies have each field."""
    columns: list[Floats] = []
    present: list[npt.NDArray[np.bool_]] = []
    for place, field in enumerate(FIELDS):
        stored = index.stored(field)
        mine = stored[pairs.queries].astype(np.float64)
        theirs = stored[pairs.rows].astype(np.float64)
        found = np.vecdot(mine, theirs)
        present.append(np.asarray(mine.any(axis=1)))
        if field != "text":
            found[~(theirs.any(axis=1) & present[-1])] = np.nan
        columns += [found, found - mine @ index.profiles.means[place]]
    return columns, present


def _of_terms(index: OpenedIndex, pairs: Pairs, terms: csr_array, idf: Floats) -> list[Floats]:
    """Return what the terms of fields give."""
    known, words = _ones(terms[pairs.queries]), _ones(terms[pairs.rows])
    cosines, mine, its = [], [], []
    for of_query, of_other in zip(
        _profiles(index, pairs.queries, idf), _profiles(index, pairs.rows, idf), strict=True
    ):
        lengths = np.sqrt(of_query.power(2).sum(axis=1))
        squares = of_other.power(2)
        whole = squares.sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):  # 0 / 0: the field is empty
            cosines.append(_products(of_query, of_other) / lengths / np.sqrt(whole))
            mine.append(_products(of_query.power(2), words) / lengths**2)
            its.append(_products(known, squares) / whole)
    return [*cosines, *mine, *its]


def _products(left: csr_array, right: csr_array) -> Floats:
    """Return (n,) the product of each row with the same row."""
    found: Floats = np.asarray(left.multiply(right).sum(axis=1), dtype=np.float64).ravel()
    return found


def _ones(rows: csr_array) -> csr_array:
    """Return which terms rows have, as ones."""
    return csr_array((np.ones(len(rows.indices)), rows.indices, rows.indptr), shape=rows.shape)


def _profiles(index: OpenedIndex, rows: Ints, idf: Floats) -> list[csr_array]:
    """Return (n, n_terms) the idf of the terms of some studies, for each field of a profile."""
    terms, lengths = index.profiles.terms(rows)
    whole = csr_array(
        (idf[terms], terms, np.concatenate([[0], np.cumsum(lengths)])),
        shape=(len(lengths), len(idf)),
    )
    return [whole[field::_N_FIELDS] for field in range(_N_FIELDS)]

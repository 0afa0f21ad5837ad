"""Decisions → a score for every study of an index: the studies to screen first.

Each included study pulls. A study's pull is a mix of its greatest similarity to an included one
and of its mean similarity to all: the mean alone serves a review of one subject, but drowns the
smaller of two. Excluded studies push away what is like them. docs/reviews.md has the measurements
by which the mix was chosen.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from simsearch.index.opened import OpenedIndex
from simsearch.index.terms import combined
from simsearch.search.nearest import SIMILARITY_DECIMALS
from simsearch.vectors import DEFAULT_WEIGHTS, SIGNALS, by_similarity, greatest, weights_for

Matrix = npt.NDArray[np.float32]

RANKING = "pull-1"
"""The name of the ranking; another one gives other lists for the same folder."""

GREATEST_SHARE = 0.35
"""The share of the greatest similarity in a pull; that of the mean is the rest."""

PUSH = 0.3
"""How much of the similarity to excluded studies is subtracted."""

PUSHING = 10
"""So many excluded studies, those most like a study, push it; fewer push less."""

MAX_EXCLUDED = 500
"""Of more excluded studies only those most like the included ones push."""

_ALL_PAIRS = 4_000_000  # so many pairs of studies are compared without choosing candidates
_CANDIDATES = 2_000  # by text, and as many by terms, where there are more
_SPREAD = 64  # so many included studies stand for all when candidates are chosen by text
_BLOCK = 8192


class Scores(msgspec.Struct, frozen=True):
    """Scored rows, best first."""

    rows: npt.NDArray[np.int64]
    """(n,)"""
    scores: npt.NDArray[np.float64]
    """(n,) comparable within one list only."""
    nearest: npt.NDArray[np.int64]
    """(n,) the row of the included study that each is most like."""
    similarity: npt.NDArray[np.float64]
    """(n,) the similarity to that one, the weighted sum of signals."""


def scored(
    index: OpenedIndex,
    included: Sequence[int],
    excluded: Sequence[int] = (),
    among: npt.NDArray[np.int64] | None = None,
) -> Scores:
    """Return the studies of an index by the decisions of a review, those decided left out.

    Args:
        index: the index.
        included: rows of studies with a text; at least one.
        excluded: rows of studies with a text.
        among: the rows to score; by default all of a small index, otherwise those nearest by text
            or terms, some thousands.
    """
    rows = np.flatnonzero(index.has_text) if among is None else among
    rows = rows[~np.isin(rows, [*included, *excluded])]
    if among is None and len(included) * len(rows) > _ALL_PAIRS:
        rows = candidates(index, included, rows)
    similar = similarities(index, included, rows)
    score = pull(similar)
    if pushing := _most_like(index, included, excluded):
        score = score - push(similarities(index, pushing, rows))
    score = score.round(SIMILARITY_DECIMALS)
    order = by_similarity(rows, score)
    at = similar.argmax(axis=0)[order]
    return Scores(
        rows[order],
        score[order],
        np.array(included, dtype=np.int64)[at],
        similar[at, order].astype(np.float64).round(SIMILARITY_DECIMALS),
    )


def pull(similar: Matrix) -> npt.NDArray[np.float64]:
    """Return (n,) how much (n_included, n) similarities to included studies pull."""
    greatest_one: npt.NDArray[np.float64] = similar.max(axis=0).astype(np.float64)
    mean: npt.NDArray[np.float64] = similar.mean(axis=0, dtype=np.float64)
    return GREATEST_SHARE * greatest_one + (1 - GREATEST_SHARE) * mean


def push(similar: Matrix) -> npt.NDArray[np.float64]:
    """Return (n,) what (n_excluded, n) similarities to excluded studies subtract."""
    n = min(PUSHING, len(similar))
    nearest = np.partition(similar, len(similar) - n, axis=0)[len(similar) - n :]
    pushed: npt.NDArray[np.float64] = PUSH / PUSHING * nearest.sum(axis=0, dtype=np.float64)
    return pushed


def similarities(index: OpenedIndex, queries: Sequence[int], rows: npt.NDArray[np.int64]) -> Matrix:
    """Return (n_queries, n_rows) float32, similarities of studies of an index.

    Args:
        index: the index.
        queries: rows of query studies; the weight of a field that one lacks moves.
        rows: rows of the studies compared with them.
    """
    numbers = np.array(queries, dtype=np.int64)
    vectors = {
        field: index.rows(field, numbers).astype(np.float32)
        for field in SIGNALS
        if field != "lexical" and DEFAULT_WEIGHTS[field]
    }
    terms = index.remember("term weights of all studies", index.lexical.matrix)
    asked = terms[numbers]
    shares = [
        weights_for(
            DEFAULT_WEIGHTS,
            {
                **dict.fromkeys(SIGNALS, False),
                **{field: bool(held[n].any()) for field, held in vectors.items()},
                "lexical": bool(asked.indptr[n + 1] > asked.indptr[n]),
            },
        )
        for n in range(len(numbers))
    ]
    found = np.empty((len(numbers), len(rows)), dtype=np.float32)
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        share = np.array([[each["lexical"]] for each in shares], dtype=np.float32)
        part = share * (asked @ terms[block].T).toarray()
        for field, held in vectors.items():
            share = np.array([[each[field]] for each in shares], dtype=np.float32)
            part += (share * held) @ index.rows(field, block).astype(np.float32).T
        found[:, start : start + _BLOCK] = part
    return found


def candidates(
    index: OpenedIndex, included: Sequence[int], rows: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Return those of some rows that are worth scoring, ascending.

    They are the nearest by text and the nearest by terms. By text, a few included studies that
    lie far apart stand for all of them.
    """
    numbers = np.array(included, dtype=np.int64)
    by_text = _by_text(index, included, rows)
    mean = combined([(1 / len(numbers), index.lexical.row(row)) for row in numbers.tolist()])
    by_terms = index.lexical.signal(mean)[rows]
    n = min(_CANDIDATES, len(rows))
    places = np.unique(np.concatenate([greatest(by_text, n), greatest(by_terms, n)]))
    chosen: npt.NDArray[np.int64] = rows[places]
    return chosen


def _by_text(
    index: OpenedIndex, included: Sequence[int], rows: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Return (n,) the pull of included studies, by the vectors of the whole texts alone."""
    vectors = index.rows("text", np.array(included, dtype=np.int64)).astype(np.float32)
    asked = vectors[_spread(vectors, _SPREAD)]
    blocks = np.array_split(rows, max(1, len(rows) // _BLOCK))
    return np.concatenate(
        [pull(asked @ index.rows("text", block).astype(np.float32).T) for block in blocks]
    )


def _spread(vectors: Matrix, n: int) -> npt.NDArray[np.int64]:
    """Return up to n rows of unit vectors, each far from those before it; ties by row."""
    chosen = [0]
    nearest = vectors @ vectors[0]
    while len(chosen) < min(n, len(vectors)):
        chosen.append(int(nearest.argmin()))
        nearest = np.maximum(nearest, vectors @ vectors[chosen[-1]])
    return np.array(chosen, dtype=np.int64)


def _most_like(index: OpenedIndex, included: Sequence[int], excluded: Sequence[int]) -> list[int]:
    """Return the excluded rows that push: those most like the included ones, ascending."""
    rows = np.array(sorted(set(excluded)), dtype=np.int64)
    rows = rows[index.has_text[rows]] if len(rows) else rows
    if len(rows) > MAX_EXCLUDED:
        score = _by_text(index, included, rows).round(SIMILARITY_DECIMALS)
        rows = np.sort(rows[by_similarity(rows, score)[:MAX_EXCLUDED]])
    found: list[int] = rows.tolist()
    return found

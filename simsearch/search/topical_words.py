"""Which words say what a study is about: those whose studies resemble one another.

Studies that say *cyclosporine* are alike; studies that say *side*, *decreased* or *benefit* are
about anything. The measure is the mean cosine of the whole texts of a word's studies, against that
of random pairs of studies: no list of words can be complete, and none fits every index.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from simsearch.encode.fields import FIELDS
from simsearch.index.opened import OpenedIndex

LEAST_COHERENCE = 0.12
"""From here on a word says what a study is about (docs/experiments.md)."""

_SAMPLE = 64  # of a word's studies
_TOO_FEW = 5  # studies that say nothing about a word


def topical_in(index: OpenedIndex) -> Callable[[str], bool]:
    """Return what tells whether the studies of an index with a term are about the same things."""
    known = _known(index)

    def is_topical(term: str) -> bool:
        if (found := known.get(term)) is None:
            found = known[term] = _coherence(index, term)
        return found >= LEAST_COHERENCE

    return is_topical


def coherence(index: OpenedIndex, term: str) -> float:
    """Return how alike the studies of a term are: 0 as random pairs, 1 for the same text."""
    known = _known(index)
    if term not in known:
        known[term] = _coherence(index, term)
    return known[term]


def _known(index: OpenedIndex) -> dict[str, float]:
    return index.remember("coherence of terms", dict[str, float])


def _coherence(index: OpenedIndex, term: str) -> float:
    rows = index.lexical.studies_with(term)
    if len(rows) < _TOO_FEW:
        return 1.0
    vectors = index.rows("text", rows[:: -(-len(rows) // _SAMPLE)]).astype(np.float64)
    n, total = len(vectors), vectors.sum(axis=0)
    among_them = (total @ total - n) / (n * (n - 1))
    at_random = index.remember("cosine at random", lambda: _cosine_at_random(index))
    return float((among_them - at_random) / (1 - at_random))


def _cosine_at_random(index: OpenedIndex) -> float:
    column = list(FIELDS).index("text")
    return float(index.pairs[:, column].mean(dtype=np.float64)) if len(index.pairs) else 0.0

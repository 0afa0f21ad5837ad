"""Which related lists can have changed since an earlier generation; see `reach`.

Cosines and similarities here have small errors; what is near a limit counts as changed, so that
the lists that are left are exactly those that would be computed again.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from simsearch.index.opened import OpenedIndex
from simsearch.related.coarse_int8 import Floats, Ints, floats
from simsearch.related.lists import SCALE, HeldLists
from simsearch.related.pair_features import Pairs, pair_similarities
from simsearch.related.reach import MARGIN, REACH, WITHOUT_END

_BLOCK = 4096  # lists looked at together,
_MOST_PAIRS = 1 << 24  # but no more than make so many pairs with the changed studies

Flags = npt.NDArray[np.bool_]


class Changed(msgspec.Struct, frozen=True):
    """m studies that have changed, are new, or are gone."""

    rows: Ints
    """(m,) their rows; -1 for one that is gone."""
    text: npt.NDArray[np.float16]
    """(m, dimension) their vectors by text of before; zeros for a new one."""
    terms: csr_array
    """(m, n_terms) float32 their term weights of before, by the terms of this index."""


def term_rows(entries: Sequence[tuple[int, int, float]], n: int, n_terms: int) -> csr_array:
    """Return (n, n_terms) float32 term weights, given places, terms and weights."""
    places, terms, weights = zip(*entries, strict=True) if entries else ((), (), ())
    values = np.array(weights, dtype=np.float32)
    numbers = (np.array(each, dtype=np.int64) for each in (places, terms))
    return csr_array((values, tuple(numbers)), shape=(n, n_terms))


class Kept(msgspec.Struct, frozen=True):
    """What is left of the lists of before."""

    is_kept: Flags
    """(n_studies,) whether the list of a study is as it was."""
    reach: Floats
    """(n_studies, 5) the reach of those lists: the room that is left in it has become less."""


def kept_lists(index: OpenedIndex, lists: HeldLists, reach: Floats, changed: Changed) -> Kept:
    """Return which lists cannot have changed.

    Args:
        index: the index of now.
        lists: the lists of before, by rows of now; a neighbour that is gone is -1.
        reach: (n_studies, 5) their reach; `WITHOUT_END` for a study that had no list.
        changed: what has changed.
    """
    n = index.n_studies
    here = changed.rows >= 0
    is_kept = reach[:, 0] > WITHOUT_END[0]
    is_kept[changed.rows[here]] = False
    reach = reach.copy()
    looked = _Looked(index, changed)
    queries: list[Ints] = []
    others: list[Ints] = []
    step = max(1, min(_BLOCK, _MOST_PAIRS // max(1, len(changed.rows))))
    for start in range(0, n, step):
        rows = np.arange(start, min(start + step, n))
        found = looked.near(rows, reach[rows])
        neighbours = lists.of(rows).rows
        is_kept[rows] &= (neighbours >= 0).all(axis=1) & ~found.rescales
        is_kept[rows] &= ~np.isin(neighbours, changed.rows[here]).any(axis=1)
        reach[rows, REACH.index("spare")] -= found.n_moved
        is_kept[rows] &= (found.n_moved == 0) | (reach[rows, REACH.index("spare")] >= 0)
        at, which = np.nonzero(found.is_near & is_kept[rows][:, np.newaxis])
        queries.append(rows[at])
        others.append(changed.rows[here][which])
    entering = _entering(
        looked.matrix, index, lists, reach, np.concatenate(queries), np.concatenate(others)
    )
    is_kept[entering] = False
    return Kept(is_kept, reach)


def _entering(
    terms: csr_array, index: OpenedIndex, lists: HeldLists, reach: Floats, queries: Ints,
    others: Ints,
) -> Ints:  # fmt: skip
    """Return the studies into whose list one of the others may come."""
    tenth_text, tenth_terms = (
        reach[queries, REACH.index(name)] + MARGIN for name in ("tenth_text", "tenth_terms")
    )
    pairs = Pairs(queries, others, tenth_text, tenth_terms)
    similarity = pair_similarities(index, pairs, terms)
    last = lists.of(queries).parts[:, -1] / SCALE
    return np.unique(queries[similarity >= last - 10 * MARGIN])


class _Near(msgspec.Struct, frozen=True):
    """What is near to n studies."""

    is_near: Flags
    """(n, m) whether a changed study, as it is now, is within reach."""
    n_moved: Ints
    """(n,) how many changed studies were or are within reach, and their place has changed."""
    rescales: Flags
    """(n,) whether one of them comes or goes among the ten nearest."""


class _Looked:
    """Compares studies with the changed ones, as they are and as they were."""

    def __init__(self, index: OpenedIndex, changed: Changed) -> None:
        self._here = changed.rows >= 0
        rows = changed.rows[self._here]
        self.matrix = index.lexical.matrix()
        self._stored = index.stored("text")
        text = np.zeros_like(changed.text)
        text[self._here] = self._stored[rows]
        places = np.flatnonzero(self._here), np.arange(len(rows))
        chosen = csr_array(
            (np.ones(len(rows), dtype=np.float32), places), shape=(len(text), len(rows))
        )
        terms = chosen @ self.matrix[rows]
        self._text = floats(text), floats(changed.text)
        self._terms = terms, changed.terms
        self._has_moved = (
            (text != changed.text).any(axis=1),
            abs(terms - changed.terms).sum(axis=1) > 0,
        )

    def near(self, rows: Ints, reach: Floats) -> _Near:
        """Return which changed studies are near to those with these rows."""
        vectors, terms = floats(self._stored[rows]), self.matrix[rows]
        by_text = [vectors @ each.T for each in self._text]
        by_terms = [(terms @ each.T).toarray() for each in self._terms]
        is_near = np.zeros((len(rows), len(self._here)), dtype=np.bool_)
        moved, rescales = is_near.copy(), np.zeros(len(rows), dtype=np.bool_)
        for name, cosines, has_moved in zip(
            ("text", "terms"), (by_text, by_terms), self._has_moved, strict=True
        ):
            limit = reach[:, REACH.index(name), np.newaxis] - 2 * MARGIN
            tenth = reach[:, REACH.index(f"tenth_{name}"), np.newaxis] - MARGIN
            nearest = np.maximum(*cosines)
            is_near |= cosines[0] >= limit
            moved |= (nearest >= limit) & has_moved
            rescales |= ((nearest >= tenth) & has_moved).any(axis=1)
        return _Near(is_near[:, self._here], moved.sum(axis=1), rescales)

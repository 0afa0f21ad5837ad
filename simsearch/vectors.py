"""Unit rows, cosines, and the weights of a similarity, in plain numpy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce
from numbers import Real
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from simsearch.errors import ArgumentError

DEFAULT_WEIGHTS: Mapping[str, float] = MappingProxyType(
    {"text": 0.35, "conditions": 0.1, "interventions": 0.0, "lexical": 0.55}
)
"""Signal → its default weight in the similarity (DECISIONS.md says how they were found).

Interventions are part of the whole text and of the terms already; as a signal of their own they
count only in a question that gives them a weight.
"""

SIGNALS = tuple(DEFAULT_WEIGHTS)
"""The signals, in the order of the columns of the random pairs: the dense fields, then terms."""

_STRIDE = 64  # of the sample from which `greatest` estimates its threshold


def unit_rows(rows: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Return `rows` scaled to length 1; rows of zeros stay zero.

    Args:
        rows: (n, dim), any float.

    Returns:
        (n, dim) float32, unit or all-zero rows; the argument is not changed.
    """
    array = np.asarray(rows, dtype=np.float32)
    lengths = np.linalg.norm(array, axis=1, keepdims=True)
    scaled = np.zeros_like(array)
    np.divide(array, lengths, out=scaled, where=lengths > 0)
    return scaled


def cosines(
    query: npt.NDArray[np.floating], rows: npt.NDArray[np.floating]
) -> npt.NDArray[np.float64]:
    """Return the cosine of a query with every row.

    Args:
        query: (dim,), any float.
        rows: (n, dim), any float, unit or zero rows.

    Returns:
        (n,) float64, summed in double precision, so that a value does not depend on which
        other rows were computed with it.
    """
    products: npt.NDArray[np.float64] = np.vecdot(rows.astype(np.float64), query.astype(np.float64))
    return products


def pair_cosines(
    left: npt.NDArray[np.floating], right: npt.NDArray[np.floating]
) -> npt.NDArray[np.float64]:
    """Return the cosine of each row of `left` with the same row of `right`.

    Args:
        left: (n, dim), any float, unit or zero rows.
        right: likewise.

    Returns:
        (n,) float64, summed in double precision, as in `cosines`.
    """
    products: npt.NDArray[np.float64] = np.einsum(
        "ij,ij->i", left.astype(np.float64), right.astype(np.float64)
    )
    return products


def weights_for(weights: Mapping[str, float], present: Mapping[str, bool]) -> dict[str, float]:
    """Return the share of each signal in the similarity; the shares add up to 1.

    The weight of a signal that the query lacks goes to the others, in proportion to theirs.

    Args:
        weights: signal → weight, 0 or more; a signal without one weighs 0.
        present: signal → whether the query has it; its keys are all signals.

    Raises:
        ArgumentError: a weight is negative, not finite or of an unknown signal, or no signal
            that is present has a weight.
    """
    for name, weight in weights.items():
        if name not in present:
            raise ArgumentError(f"weight {name}", weight, f"one of {', '.join(present)}")
        if not (isinstance(weight, Real) and np.isfinite(weight) and weight >= 0):
            raise ArgumentError(f"weight {name}", weight, "a number of 0 or more")
    kept = {name: float(weights.get(name, 0)) if has else 0.0 for name, has in present.items()}
    whole = sum(kept.values())
    if not (whole and np.isfinite(whole)):
        raise ArgumentError("weights", dict(weights), "positive for a field that the query has")
    return {name: weight / whole for name, weight in kept.items()}


def greatest(
    values: npt.NDArray[np.float64], n: int, among: npt.NDArray[np.int64] | None = None
) -> npt.NDArray[np.int64]:
    """Return (n,) the positions of the n greatest values, in any order.

    A threshold estimated from a sample, which about four times n values exceed, spares sorting
    the others.

    Args:
        values: (m,) the values, m ≥ n.
        n: how many positions to return.
        among: the positions to choose from, at least n; None for all.
    """
    if among is not None:
        return among[greatest(values[among], n)]
    sample = values[::_STRIDE]
    rank = min(4 * n // _STRIDE + 1, len(sample))
    threshold = np.partition(sample, -rank)[-rank]
    places = np.flatnonzero(values > threshold)
    if len(places) < n:
        places = np.arange(len(values))
    return places[np.argpartition(-values[places], n - 1)[:n]]


def total(arrays: Iterable[npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
    """Return the sum of one or more arrays, added in their order."""
    return reduce(np.add, arrays)


def by_similarity(
    rows: npt.NDArray[np.integer], similarity: npt.NDArray[np.floating]
) -> npt.NDArray[np.int64]:
    """Return (n,) the places of rows from the most similar to the least, equal ones by NCT ID.

    Rows are numbered in the order of NCT IDs.
    """
    return np.lexsort((rows, -similarity))

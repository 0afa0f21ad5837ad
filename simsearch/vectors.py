"""Unit rows and weighted sums of cosines, in plain numpy. Cosine lives here alone."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from simsearch.errors import ArgumentError

DEFAULT_WEIGHTS: Mapping[str, float] = MappingProxyType(
    {"text": 0.5, "conditions": 0.1, "interventions": 0.05, "lexical": 0.35}
)
"""Best on both judged sets of a grid in steps of .05; the table is in DECISIONS.md."""


_STRIDE = 64  # of the sample that tells which values are great


def unit_rows(rows: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Return `rows` scaled to length 1; rows of zeros stay zero.

    Args:
        rows: (n, dim), any float.

    Returns:
        (n, dim) float32, unit or all-zero rows; the argument is left alone.
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
        (n,) float64, summed in double precision so that a value does not depend on
        which other rows it was computed with.
    """
    products: npt.NDArray[np.float64] = np.einsum(
        "ij,j->i", rows.astype(np.float64), query.astype(np.float64)
    )
    return products


def weights_for(weights: Mapping[str, float], present: Mapping[str, bool]) -> dict[str, float]:
    """Return the share of each signal in the similarity, summing to 1.

    The weight of a field that the query study lacks moves to the others, in proportion.

    Args:
        weights: signal name → weight, any non-negative numbers.
        present: signal name → whether the query study has that field.

    Raises:
        ArgumentError: a weight is negative, not finite or of an unknown signal, or
            nothing is left to weigh.
    """
    for name, weight in weights.items():
        if name not in present:
            raise ArgumentError(f"weight {name}", weight, f"one of {', '.join(present)}")
        if not (np.isfinite(weight) and weight >= 0):
            raise ArgumentError(f"weight {name}", weight, "a number of 0 or more")
    kept = {name: float(weights.get(name, 0)) if has else 0.0 for name, has in present.items()}
    total = sum(kept.values())
    if not (total and np.isfinite(total)):
        raise ArgumentError("weights", dict(weights), "positive for a field that the query has")
    return {name: weight / total for name, weight in kept.items()}


def greatest(values: npt.NDArray[np.float64], n: int) -> npt.NDArray[np.int64]:
    """Return the places of the n greatest of (at least n) values, in any order.

    A sample tells a value that some four times n exceed, so that the others are never sorted.
    """
    sample = values[::_STRIDE]
    rank = min(4 * n // _STRIDE + 1, len(sample))
    threshold = np.partition(sample, -rank)[-rank]
    places = np.flatnonzero(values > threshold)
    if len(places) < n:
        places = np.arange(len(values))
    return places[np.argpartition(-values[places], n - 1)[:n]]

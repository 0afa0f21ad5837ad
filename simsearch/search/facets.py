"""How many studies each value of a filter would leave, beside the filters already set."""

from __future__ import annotations

from functools import partial
from types import MappingProxyType

import msgspec
import numpy as np

from simsearch.index.opened import OpenedIndex
from simsearch.search.filters import NO_FILTERS, Filters, allowed_rows

FACETS = ("status", "phase", "study_type", "intervention_type", "country")
"""The filters whose values are counted; `has_results` is too."""

Counts = MappingProxyType[str, dict[str, int]]
"""Filter → value → how many studies would pass."""


def facet_counts(index: OpenedIndex, filters: Filters = NO_FILTERS) -> Counts:
    """Return how many studies pass with each value of a filter, all other filters as they are.

    Values that no study would pass with are left out. `has_results` has the values `true` and
    `false`.

    Raises:
        ArgumentError, FilterError, NctIdError: as `allowed_rows`.
    """
    return index.remember(("facet counts", filters), lambda: _counted(index, filters))


def _counted(index: OpenedIndex, filters: Filters) -> Counts:
    store = index.store
    found: dict[str, dict[str, int]] = {}
    for kind in FACETS:
        values, numbers, rows = index.remember(("facet", kind), partial(store.facet_rows, kind))
        passing = _passing(index, msgspec.structs.replace(filters, **{kind: ()}))
        counts = np.bincount(numbers[passing[rows]], minlength=len(values))
        found[kind] = {value: int(n) for value, n in zip(values, counts, strict=True) if n}
    passing = _passing(index, msgspec.structs.replace(filters, has_results=None))
    found["has_results"] = {
        name: int(passing[store.rows_with_results(has_results=name == "true")].sum())
        for name in ("true", "false")
    }
    return MappingProxyType(found)


def _passing(index: OpenedIndex, filters: Filters) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    store = index.store
    return index.remember(filters, lambda: allowed_rows(store, filters)) & index.has_text

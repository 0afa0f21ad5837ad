"""Which studies register an intervention or a condition that query studies register too.

Each study has *keys*: the words of its names, registered other names and MeSH terms, whatever
their order, number, case, dose and form. Two studies share one if they have a key in common. A
MeSH term counts for a study only where its own registered words support it: the registry guesses
them (hepatitis A for hepatitis C).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from simsearch.errors import NothingToCompareError
from simsearch.index.opened import OpenedIndex
from simsearch.search.filters import Filters, allowed_rows
from simsearch.search.names import condition_keys, intervention_keys
from simsearch.search.stop_words import KINDS_OF_CANCER
from simsearch.study import Study

Key = frozenset[str]
Rows = npt.NDArray[np.int64]

_KEYS_OF: Mapping[str, Callable[[Study], frozenset[Key]]] = MappingProxyType(
    {"intervention": intervention_keys, "condition": condition_keys}
)
_COLUMNS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "intervention": ("interventions", "intervention_mesh"),
        "condition": ("conditions", "condition_mesh"),
    }
)
"""The columns of the store that have what a study must share."""

# Spellings of a word differ in vowels (tumour, haemorrhage) and in these.
_LOOSE = MappingProxyType({"s": "[sz]", "z": "[sz]", "f": "(?:f|ph)", "m": "m+"})
_VOWELS = r"[aeiouyæœ\W_]*"


def kinds_shared(filters: Filters) -> tuple[str, ...]:
    """Return what a neighbour must share with the query: `intervention`, `condition`, or both."""
    return tuple(kind for kind in _KEYS_OF if getattr(filters, f"same_{kind}"))


def rows_sharing(index: OpenedIndex, studies: Sequence[Study], filters: Filters) -> Rows | None:
    """Return (n,) the rows that pass filters and share what they ask for, in ascending order.

    None where the filters ask for nothing that is shared.

    Args:
        index: where to look.
        studies: the query studies; sharing with one of them is enough.
        filters: what a neighbour must be.

    Raises:
        NothingToCompareError: no query study registers an intervention (or a condition).
        FilterError: as `allowed_rows`.
    """
    kinds = kinds_shared(filters)
    if not kinds:
        return None
    store = index.store
    passing = index.remember(filters, lambda: allowed_rows(store, filters))
    for kind in kinds:
        keys = frozenset().union(*map(_KEYS_OF[kind], studies))
        if not keys:
            raise NothingToCompareError(
                "the query", f"no study in it registers {_A[kind]} that another could share"
            )
        found = _rows_with(index, kind, keys)
        shared = np.zeros(index.n_studies, dtype=np.bool_)
        shared[found] = True
        passing = passing & shared
    return np.flatnonzero(passing)


_A = MappingProxyType({"intervention": "an intervention", "condition": "a condition"})


class Sharing:
    """The keys of all studies of an index, for the many queries of a run; threads may share one.

    Args:
        index: the index.
        filters: what a neighbour must be; they ask for something that is shared.
    """

    def __init__(self, index: OpenedIndex, filters: Filters) -> None:
        self._passing = allowed_rows(index.store, filters)
        self._keys: dict[str, list[frozenset[Key]]] = {}
        self._rows: dict[str, dict[Key, list[int]]] = {}
        for kind in kinds_shared(filters):
            keys = [_KEYS_OF[kind](study) for study in _all_studies(index)]
            with_key: dict[Key, list[int]] = {}
            for row, its in enumerate(keys):
                for key in its:
                    with_key.setdefault(key, []).append(row)
            self._keys[kind], self._rows[kind] = keys, with_key

    def rows(self, row: int) -> Rows:
        """Return (n,) the rows that may be neighbours of the study with this row, ascending."""
        passing = self._passing
        for kind, keys in self._keys.items():
            shared = np.zeros(len(passing), dtype=np.bool_)
            for key in keys[row]:
                shared[self._rows[kind][key]] = True
            passing = passing & shared
        return np.flatnonzero(passing)


def _all_studies(index: OpenedIndex) -> Iterable[Study]:
    step = 2000
    for start in range(0, index.n_studies, step):
        yield from index.store.studies(range(start, min(start + step, index.n_studies)))


def _rows_with(index: OpenedIndex, kind: str, keys: frozenset[Key]) -> list[int]:
    """Return the rows of the studies with one of several keys.

    Records that may have one are found by the letters of its words, and then read.
    """
    pattern = _loose_pattern(keys)
    columns = index.store.columns(_COLUMNS[kind])
    rows = [row for row, text in enumerate(columns) if pattern.search(text)]
    keys_of = _KEYS_OF[kind]
    studies = index.store.studies(rows)
    return [
        row for row, study in zip(rows, studies, strict=True) if not keys.isdisjoint(keys_of(study))
    ]


def _loose_pattern(keys: frozenset[Key]) -> re.Pattern[str]:
    """Return a pattern that is in every record that has one of the keys."""
    words = {max(key - {"cancer"} or key, key=lambda term: (len(term), term)) for key in keys}
    if "cancer" in words:
        words |= KINDS_OF_CANCER
    return re.compile("|".join(map(_loosely, sorted(words))), re.IGNORECASE)


@lru_cache(maxsize=2**12)
def _loosely(term: str) -> str:
    stem = term.removesuffix("s") if term.endswith("is") else term  # varicosis of varicose
    letters = [letter for letter in stem if letter not in "aeiouyæœ"] or list(stem)
    return _VOWELS.join(_LOOSE.get(each, re.escape(each)) for each in letters)

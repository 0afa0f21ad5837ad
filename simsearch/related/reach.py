"""What of an index could change a related list: how near another study must come to matter.

A list is the best of its candidates, which are the nearest by text and by terms. So a study that
is near by neither cannot change it, nor can one that ranks after its last. To know that later,
a few more studies than the candidates are scored (the spare ones): as long as fewer than that
come near or go away, the candidates in the list stay, and those that follow are known to rank
after it.
"""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

from simsearch.related.coarse_int8 import Floats, Ints

SPARE = 16
"""Studies looked for beyond the candidates of a query, by text and by terms."""

REACH = ("text", "terms", "tenth_text", "tenth_terms", "spare")
"""Columns of an array of reaches, a row a list.

`text`, `terms`: studies with a cosine below both cannot change the list. `tenth_text`,
`tenth_terms`: a study that comes or goes at this cosine or above changes the scale of the whole
list. `spare`: as many may come or go within reach, as long as they rank after the last.
"""

WITHOUT_END = (-2.0, -2.0, -2.0, -2.0, 0.0)
"""The reach of a list that any change may change."""

MARGIN = 1e-5
"""More than the error of a cosine in single precision, or of a similarity computed from it."""

_TENTH = 10


class ByText(msgspec.Struct, frozen=True):
    """The studies nearest to a query by text."""

    columns: Ints
    """(n,) places among the studies that are searched, with spare ones."""
    cosines: Floats
    """(n,) single-precision cosines."""
    lasts: Floats
    """(3,) the cosines of the last safe one, of the last candidate, and of the last spare one."""

    def of(self, columns: Ints) -> Floats:
        """Return (m,) the cosines of some columns, -2 of those that are not near."""
        order = np.argsort(self.columns)
        places = np.searchsorted(self.columns, columns, sorter=order).clip(max=len(order) - 1)
        found = order[places]
        return np.where(self.columns[found] == columns, self.cosines[found], -2.0)


class Searched(msgspec.Struct, frozen=True):
    """What was searched for one list: m studies, its candidates and spare ones.

    `text` and `terms` are (m,) cosines, or less where a study was not found that way.
    """

    text: Floats
    terms: Floats
    similarity: npt.NDArray[np.float64]
    is_candidate: npt.NDArray[np.bool_]
    lasts_by_text: Floats
    """(3,) the cosines of the last safe one, of the last candidate, and of the last spare one."""
    lasts_by_terms: Floats
    depth: int
    """How many candidates each of the two gives, the study itself among them."""


def reach_of(searched: Searched, best: Ints, k: int) -> tuple[float, ...]:
    """Return the reach of a list, in the order of `REACH`.

    Args:
        searched: what was searched for it.
        best: (n,) the places of its neighbours among the searched, nearest first.
        k: how many neighbours were wanted.
    """
    safe_text, _, text = searched.lasts_by_text.tolist()
    safe_terms, _, terms = searched.lasts_by_terms.tolist()
    if len(best) < k or terms <= 0 or not np.isfinite(text):
        return WITHOUT_END
    rest = searched.similarity[~searched.is_candidate]
    is_safe = searched.text[best] > safe_text + 2 * MARGIN
    is_safe |= searched.terms[best] > safe_terms + 2 * MARGIN
    spare = 0.0
    if is_safe.all() and rest.max(initial=-1) < searched.similarity[best[-1]]:
        by_text = _room(searched, searched.text, text, safe_text)
        spare = min(by_text, _room(searched, searched.terms, terms, safe_terms))
    return (
        text + MARGIN, terms + MARGIN,
        _tenth(searched.text) - MARGIN, _tenth(searched.terms) - MARGIN,
        max(0.0, spare),
    )  # fmt: skip


def _room(searched: Searched, cosines: Floats, last: float, safe: float) -> float:
    """Return how many studies may come or go until that can matter.

    Too many gone, and a study that was not searched is a candidate; too many come, and a safe
    candidate is none.
    """
    # The study itself is among those that are found.
    n_within = 1 + int((cosines > last + 2 * MARGIN).sum())
    n_safe = 1 + int((cosines > safe - 2 * MARGIN).sum())
    return min(n_within - searched.depth, searched.depth - n_safe)


def _tenth(cosines: Floats) -> float:
    return float(np.partition(cosines, -_TENTH)[-_TENTH]) if len(cosines) >= _TENTH else -2.0

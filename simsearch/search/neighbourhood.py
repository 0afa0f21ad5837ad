"""Where studies lie to one another, in two dimensions: classical multidimensional scaling.

Torgerson 1952, of the distances sqrt(2 - 2 s) of exact similarities s. Nothing is random: the sign
of an axis is fixed by its longest coordinate, the first one of equals, so that the same studies
lie the same way on every machine.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from simsearch.index.opened import OpenedIndex
from simsearch.search.diversify import between

_DECIMALS = 4


class Neighbourhood(msgspec.Struct, frozen=True):
    """Places of studies, and how far they can be trusted."""

    nct_ids: tuple[str, ...]
    places: tuple[tuple[float, float], ...]
    """Of each study; distances are about sqrt(2 - 2 similarity)."""
    stress: float
    """Kruskal's stress-1: 0 keeps all distances, above .2 many are wrong."""


def neighbourhood(index: OpenedIndex, nct_ids: Sequence[str]) -> Neighbourhood:
    """Return where some studies of an index lie to one another.

    Args:
        index: where they are.
        nct_ids: their NCT IDs; those without a text lie in the middle.

    Raises:
        NctIdError, UnknownStudyError: no such ID, or not in this index.
    """
    rows = np.array([index.row_of(each) for each in nct_ids], dtype=np.int64)
    if not len(rows):
        return Neighbourhood((), (), 0.0)
    distances = np.sqrt((2 - 2 * between(index, rows, rows)).clip(min=0))
    np.fill_diagonal(distances, 0)
    places = scaled(distances)
    return Neighbourhood(
        tuple(nct_ids),
        tuple((float(x), float(y)) for x, y in places),
        round(stress(distances, places), 3),
    )


def scaled(distances: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return (n, 2) places whose distances are nearest to those given, an (n, n) matrix."""
    n = len(distances)
    centre = np.eye(n) - 1 / n
    products = -0.5 * centre @ (distances**2) @ centre
    values, vectors = np.linalg.eigh(products)
    places = np.zeros((n, 2))
    for axis in range(min(2, n)):
        along = vectors[:, -1 - axis] * np.sqrt(max(values[-1 - axis], 0.0))
        longest = int(np.argmax(np.abs(along).round(_DECIMALS)))
        places[:, axis] = -along if along[longest] < 0 else along
    rounded: npt.NDArray[np.float64] = places.round(_DECIMALS) + 0.0  # no -0
    return rounded


def stress(distances: npt.NDArray[np.float64], places: npt.NDArray[np.float64]) -> float:
    """Return Kruskal's stress-1 of places: how far their distances are from those given."""
    shown = np.linalg.norm(places[:, None] - places[None], axis=-1)
    total = float((distances**2).sum())
    return float(np.sqrt(((distances - shown) ** 2).sum() / total)) if total else 0.0

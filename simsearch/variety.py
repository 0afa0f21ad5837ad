"""A list that is not ten times the same: near-duplicates folded, sponsors grouped, variety.

Each takes more of the ranked studies than are asked for and chooses among them, so that
k come back whenever there are k to choose.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from simsearch.errors import ArgumentError
from simsearch.fields import FIELDS
from simsearch.filters import NO_FILTERS, Filters
from simsearch.lexical import products
from simsearch.parts import QueryPart
from simsearch.reasons import are_sisters, mentions
from simsearch.search import MAX_K, SIMILARITY_DECIMALS, Index, Neighbour
from simsearch.study import Study
from simsearch.vectors import DEFAULT_WEIGHTS

DIVERSE = 0.7
"""Default of maximal marginal relevance: how much nearness counts against novelty."""

NEAR_DUPLICATE = 0.95
"""Similarity of two studies from which one is folded under the other."""

NEAR_DUPLICATE_OF_SPONSOR = 0.9
"""Likewise where both are of the same sponsor, or one names none: others write like protocols."""

SISTER = 0.75
"""Likewise where both are of the same sponsor, condition and intervention."""

MAX_VARIED = 200
"""The most neighbours of a varied list: each is compared with every other."""

_POOL_PER_K = 5
_LEAST_POOL = 50


class Variety(msgspec.Struct, frozen=True):
    """How a list is varied.

    `diverse` is the weight of nearness in maximal marginal relevance, 0 to 1, or None for
    plain ranking; `fold` puts near-duplicates under the best of them; `by_sponsor` shows the
    best study of each sponsor, its others under it.
    """

    diverse: float | None = None
    fold: bool = False
    by_sponsor: bool = False

    def __bool__(self) -> bool:
        return self != PLAIN


PLAIN = Variety()


def varied(
    index: Index,
    parts: Sequence[QueryPart],
    k: int,
    variety: Variety,
    weights: Mapping[str, float] = DEFAULT_WEIGHTS,
    filters: Filters = NO_FILTERS,
) -> list[Neighbour]:
    """Return k neighbours, varied: grouped and folded first, then chosen for diversity.

    Diversity is Carbonell and Goldstein, "The Use of MMR, Diversity-Based Reranking" (1998):
    each next study has the greatest λ · similarity to the query - (1 - λ) · similarity to the
    nearest one chosen before. Similarities shown stay those to the query.

    Raises:
        ArgumentError, FilterError: as `Index.nearest`; or k is more than `MAX_VARIED`, or λ is
            not from 0 to 1.
    """
    if not 1 <= k <= MAX_VARIED:
        raise ArgumentError("k", k, f"from 1 to {MAX_VARIED} with --diverse, --fold or --group-by")
    if variety.diverse is not None and not 0 <= variety.diverse <= 1:
        raise ArgumentError("diverse", variety.diverse, "from 0 to 1")
    pool = max(_LEAST_POOL, _POOL_PER_K * k)
    while True:
        found = index.nearest(parts, min(pool, MAX_K), weights, filters)
        leaders = _leaders(index, found, variety)
        if len(leaders) >= k or len(found) < pool or pool >= MAX_K:
            break
        pool *= 2
    if variety.diverse is not None:
        leaders = _diverse(index, leaders[: max(_LEAST_POOL, _POOL_PER_K * k)], k, variety.diverse)
    return [
        msgspec.structs.replace(each, rank=rank) for rank, each in enumerate(leaders[:k], start=1)
    ]


def pairwise(index: Index, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return (n, n) the similarity of studies to each other, by the signals that both have."""
    total = np.zeros((len(rows), len(rows)))
    shares = np.zeros_like(total)
    for field in FIELDS:
        vectors = index.rows(field, rows).astype(np.float64)
        has = vectors.any(axis=1)
        total += DEFAULT_WEIGHTS[field] * (vectors @ vectors.T)
        shares += DEFAULT_WEIGHTS[field] * np.outer(has, has)
    total += DEFAULT_WEIGHTS["lexical"] * products(
        [index.lexical.row(row) for row in rows.tolist()]
    )
    shares += DEFAULT_WEIGHTS["lexical"]
    similarity: npt.NDArray[np.float64] = (total / shares).round(SIMILARITY_DECIMALS)
    return similarity


def _leaders(index: Index, found: Sequence[Neighbour], variety: Variety) -> list[Neighbour]:
    """Return the neighbours that stand for themselves, those like them folded under them."""
    if not found or not (variety.fold or variety.by_sponsor):
        return list(found)
    belongs: list[Callable[[int, int], bool]] = []
    if variety.by_sponsor:
        belongs.append(
            lambda one, other: found[one].study.sponsor == found[other].study.sponsor != ""
        )
    if variety.fold:
        alike = pairwise(index, _rows(index, found))
        belongs.append(
            lambda one, other: _is_double(found[one].study, found[other].study, alike[one, other])
        )
    under: dict[int, list[Study]] = {}
    for at in range(len(found)):
        leader = next((each for each in under if any(test(each, at) for test in belongs)), None)
        if leader is None:
            under[at] = []
        else:
            under[leader].append(found[at].study)
    return [
        msgspec.structs.replace(found[at], folded=tuple(studies)) for at, studies in under.items()
    ]


def _diverse(index: Index, found: Sequence[Neighbour], k: int, nearness: float) -> list[Neighbour]:
    if not found:
        return []
    alike = pairwise(index, _rows(index, found))
    similarity = np.array([each.similarity for each in found])
    chosen: list[int] = []
    closest = np.zeros(len(found))
    while len(chosen) < min(k, len(found)):
        gain = nearness * similarity - (1 - nearness) * closest
        gain[chosen] = -np.inf
        best = int(np.argmax(gain))  # of equals the nearer one, which stands first
        chosen.append(best)
        closest = np.maximum(closest, alike[best])
    return [found[at] for at in chosen]


def _rows(index: Index, found: Sequence[Neighbour]) -> npt.NDArray[np.int64]:
    return np.array([index.row_of(each.study.nct_id) for each in found], dtype=np.int64)


def _is_double(one: Study, other: Study, similarity: float) -> bool:
    """Tell a re-registration, an extension or a sister trial from a study of its own."""
    differ = one.sponsor and other.sponsor and one.sponsor != other.sponsor
    return (
        similarity >= (NEAR_DUPLICATE if differ else NEAR_DUPLICATE_OF_SPONSOR)
        or mentions(one, other)
        or mentions(other, one)
        or (similarity >= SISTER and are_sisters(one, other))
    )

"""A list that is not ten times the same: near-duplicates folded, sponsors grouped, variety.

Each takes more of the ranked studies than are asked for and chooses among them, so that
k come back whenever there are k to choose.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
_BLOCK = 256  # studies compared at once with those that stand for themselves


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


def between(
    index: Index, rows: npt.NDArray[np.int64], others: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Return (n_rows, n_others) the similarity of studies to others, by the signals of both."""
    if np.array_equal(rows, others):
        rows = others  # numpy multiplies an array with itself several times as fast
    total = np.zeros((len(rows), len(others)))
    shares = np.zeros_like(total)
    for field in FIELDS:
        right = index.rows(field, others).astype(np.float64)
        left = right if rows is others else index.rows(field, rows).astype(np.float64)
        total += DEFAULT_WEIGHTS[field] * (left @ right.T)
        shares += DEFAULT_WEIGHTS[field] * np.outer(left.any(axis=1), right.any(axis=1))
    right_terms = [index.lexical.row(row) for row in others.tolist()]
    left_terms = right_terms
    if rows is not others:
        left_terms = [index.lexical.row(row) for row in rows.tolist()]
    total += DEFAULT_WEIGHTS["lexical"] * products(left_terms, right_terms)
    shares += DEFAULT_WEIGHTS["lexical"]
    similarity: npt.NDArray[np.float64] = (total / shares).round(SIMILARITY_DECIMALS)
    return similarity


def _leaders(index: Index, found: Sequence[Neighbour], variety: Variety) -> list[Neighbour]:
    """Return the neighbours that stand for themselves, those like them folded under them."""
    if not (variety.fold or variety.by_sponsor):
        return list(found)
    under: dict[int, list[Study]] = {}
    rows = _rows(index, found)
    for start in range(0, len(found), _BLOCK):
        block = np.arange(start, min(start + _BLOCK, len(found)))
        compared = [*under, *block.tolist()]  # what any of the block may stand under
        place = {at: number for number, at in enumerate(compared)}
        alike = between(index, rows[compared], rows[block]) if variety.fold else None
        for at in block.tolist():
            study = found[at].study
            for leader in under:
                other = found[leader].study
                if variety.by_sponsor and other.sponsor == study.sponsor != "":
                    break
                if alike is not None and _is_double(other, study, alike[place[leader], at - start]):
                    break
            else:
                under[at] = []
                continue
            under[leader].append(study)
    return [
        msgspec.structs.replace(found[at], folded=tuple(studies)) for at, studies in under.items()
    ]


def _diverse(index: Index, found: Sequence[Neighbour], k: int, nearness: float) -> list[Neighbour]:
    if not found:
        return []
    rows = _rows(index, found)
    alike = between(index, rows, rows)
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

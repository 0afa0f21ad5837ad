"""Answers that are not ten times the same: near-duplicates folded, sponsors grouped, diversity.

Each takes more of the ranked studies than are asked for and chooses among them, so that
k come back whenever there are k to choose.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from simsearch.encode.fields import FIELDS
from simsearch.index.opened import OpenedIndex
from simsearch.index.terms import products
from simsearch.search.filters import Filters
from simsearch.search.nearest import MAX_K, SIMILARITY_DECIMALS, nearest
from simsearch.search.neighbour import Neighbour
from simsearch.search.query_parts import QueryPart
from simsearch.search.question import Question
from simsearch.search.registrations import registrations, same_registration
from simsearch.search.relations import are_sisters, mentions
from simsearch.study import Study
from simsearch.vectors import DEFAULT_WEIGHTS

NEAR_DUPLICATE = 0.95
"""Two studies of at least this similarity are folded, one under the other."""

NEAR_DUPLICATE_OF_SPONSOR = 0.9
"""The same where both have one sponsor, or one has none: others write similar protocols."""

SISTER = 0.75
"""The same where both have one sponsor, and a condition and an intervention in common."""

_POOL_PER_K = 5
_LEAST_POOL = 50
_BLOCK = 256  # studies compared at once with the leaders


def diversified(
    index: OpenedIndex,
    parts: Sequence[QueryPart],
    question: Question,
    filters: Filters,
    among: npt.NDArray[np.int64] | None = None,
) -> list[Neighbour]:
    """Return the neighbours that a question asks for: folded and grouped, then diversified.

    Diversity is Carbonell and Goldstein, "The Use of MMR, Diversity-Based Reranking" (1998):
    each next study has the greatest λ · similarity to the query - (1 - λ) · similarity to the
    nearest one chosen before. The similarities shown stay those to the query.

    Raises:
        ArgumentError, FilterError: as `nearest`.
    """
    k = question.k
    pool = max(_LEAST_POOL, _POOL_PER_K * k)
    while True:
        found = nearest(
            index, parts, min(pool, MAX_K), question.weights, filters, question.ranking, among
        )
        leaders = _leaders(index, found, question)
        if len(leaders) >= k or len(found) < pool or pool >= MAX_K:
            break
        pool *= 2
    if question.diverse is not None:
        leaders = _diverse(index, leaders[: max(_LEAST_POOL, _POOL_PER_K * k)], k, question.diverse)
    return [
        msgspec.structs.replace(each, rank=rank) for rank, each in enumerate(leaders[:k], start=1)
    ]


def between(
    index: OpenedIndex, rows: npt.NDArray[np.int64], others: npt.NDArray[np.int64]
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


def _leaders(index: OpenedIndex, found: Sequence[Neighbour], question: Question) -> list[Neighbour]:
    """Return the leading neighbours, with the studies like them folded under them."""
    if not (question.fold or question.group_by):
        return list(found)
    under: dict[int, list[Study]] = {}
    rows = _rows(index, found)
    known = registrations(index, rows.tolist(), [each.study for each in found])
    for start in range(0, len(found), _BLOCK):
        block = np.arange(start, min(start + _BLOCK, len(found)))
        compared = [
            *under,
            *block.tolist(),
        ]  # the leaders that any of the block may be folded under
        place = {at: number for number, at in enumerate(compared)}
        alike = between(index, rows[compared], rows[block]) if question.fold else None
        for at in block.tolist():
            study = found[at].study
            for leader in under:
                other = found[leader].study
                if question.group_by and other.sponsor == study.sponsor != "":
                    break
                if alike is not None and (
                    _is_double(other, study, alike[place[leader], at - start])
                    or same_registration(known[leader], known[at])
                ):
                    break
            else:
                under[at] = []
                continue
            under[leader].append(study)
    return [
        msgspec.structs.replace(found[at], folded=tuple(studies)) for at, studies in under.items()
    ]


def _diverse(
    index: OpenedIndex, found: Sequence[Neighbour], k: int, nearness: float
) -> list[Neighbour]:
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
        best = int(np.argmax(gain))  # of equals the nearer one, which comes first
        chosen.append(best)
        closest = np.maximum(closest, alike[best])
    return [found[at] for at in chosen]


def _rows(index: OpenedIndex, found: Sequence[Neighbour]) -> npt.NDArray[np.int64]:
    return np.array([index.row_of(each.study.nct_id) for each in found], dtype=np.int64)


def _is_double(one: Study, other: Study, similarity: float) -> bool:
    """Report whether a study is a re-registration, an extension or a sister trial of another."""
    differ = one.sponsor and other.sponsor and one.sponsor != other.sponsor
    return (
        similarity >= (NEAR_DUPLICATE if differ else NEAR_DUPLICATE_OF_SPONSOR)
        or mentions(one, other)
        or mentions(other, one)
        or (similarity >= SISTER and are_sisters(one, other))
    )

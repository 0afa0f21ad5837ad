"""The studies nearest to the parts of a query.

Retrieve, then score: the nearest studies by the vector of the whole text (FAISS) and those by
their terms are the candidates, and each is scored exactly with every signal. A signal is a
cosine: of one dense field, or of the term weights. The similarity is the weighted sum of the
signals. Equal similarities are ranked by NCT ID, everywhere: see `by_similarity`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec
import numpy as np
import numpy.typing as npt

from simsearch.encode.fields import FIELDS
from simsearch.errors import ArgumentError, IndexCorruptError
from simsearch.index.opened import OpenedIndex
from simsearch.index.terms import NO_TERMS
from simsearch.search.filters import NO_FILTERS, Filters, allowed_rows
from simsearch.search.neighbour import Neighbour
from simsearch.search.query_parts import Mix, QueryPart, lexical_signal, mixes
from simsearch.search.second_stage import Ranking, is_served, similarities
from simsearch.vectors import (
    DEFAULT_WEIGHTS,
    SIGNALS,
    by_similarity,
    cosines,
    greatest,
    total,
)

MAX_K = 10_000
"""The most neighbours that one query may ask for."""

SIMILARITY_DECIMALS = 6
"""Similarities are rounded to this many decimals *before* ranking.

Stored rows have 16-bit floats, so further digits are noise; rounding makes equal
things equal, and ties are then broken by NCT ID on every machine.
"""

AWAY_SHARE = 0.5
"""The share of the similarity to the studies to keep away from that is subtracted."""

FEW = 2000
"""Where no more studies than this pass the filters, all are scored."""

# Candidates of each of the two retrievals: this many, or this many times k where that is more.
# Measured on 46,289 studies (docs/experiments.md): they hold .999 of the ten best of scoring all.
_MIN_CANDIDATES = 200
_CANDIDATES_PER_K = 10

_BLOCK = 8192  # rows unpacked at once


class Scored(msgspec.Struct, frozen=True):
    """Rows of an index, best first, with (n,) similarities and (n,) cosines by signal."""

    rows: npt.NDArray[np.int64]
    similarity: npt.NDArray[np.float64]
    nearness: npt.NDArray[np.float64]
    """(n,) the similarity before anything is subtracted for studies to keep away from."""
    signals: dict[str, npt.NDArray[np.float64]]
    shares: dict[str, float]
    """Signal → its share in the weighted sum."""
    is_learned: bool = False
    """Whether the similarity is that of the learned ranking."""


def nearest(
    index: OpenedIndex,
    parts: Sequence[QueryPart],
    k: int,
    weights: Mapping[str, float] = DEFAULT_WEIGHTS,
    filters: Filters = NO_FILTERS,
    ranking: Ranking = "learned",
    among: npt.NDArray[np.int64] | None = None,
) -> list[Neighbour]:
    """Return the k studies nearest to the parts of a query, none of which is among them.

    Args:
        index: where to look.
        parts: at least one that is not `away`.
        k: 1 to `MAX_K`.
        weights: signal name → weight.
        filters: what a neighbour must be.
        ranking: `learned` where the net can answer (see `is_served`), else `linear`.
        among: (n,) the rows to rank, in ascending order; None ranks every study that passes.

    Raises:
        ArgumentError: k or a weight is out of its range.
        FilterError: a value that no study can have.
    """
    if not 1 <= k <= MAX_K:
        raise ArgumentError("k", k, f"from 1 to {MAX_K:,}")
    scored = ranked(index, parts, k, weights, filters, ranking, among)
    if scored.is_learned:
        shown = learned_percentiles(index, scored.similarity)
    else:
        shown = percentiles(index, scored.nearness, scored.shares)
    studies = index.store.studies(scored.rows.tolist())
    return [
        Neighbour(
            at + 1,
            study,
            float(scored.similarity[at]),
            {
                name: min(round(float(values[at]), SIMILARITY_DECIMALS), 1.0)
                for name, values in scored.signals.items()
            },
            round(float(shown[at]), 3),
        )
        for at, study in enumerate(studies)
    ]


def ranked(
    index: OpenedIndex,
    parts: Sequence[QueryPart],
    k: int,
    weights: Mapping[str, float] = DEFAULT_WEIGHTS,
    filters: Filters = NO_FILTERS,
    ranking: Ranking = "learned",
    among: npt.NDArray[np.int64] | None = None,
) -> Scored:
    """Return the k rows nearest to the parts of a query (see `nearest`)."""
    _check_numbers(index, *(vector for part in parts for vector in part.vectors.values()))
    near, away = mixes(parts, weights)
    allowed = _allowed(index, filters) if filters else None
    if among is None:
        rows, lexical = _candidates(index, near, k, weights, allowed, exact=away is not None)
    else:
        rows, lexical = among, lexical_signal(index, near)
    for own in (row for part in parts for row in part.rows):
        rows = rows[rows != own]
    rows = rows[index.has_text[rows]]
    whole = allowed is None and among is None  # so the nearest of the index are among the rows
    if ranking == "learned" and is_served(index, parts, weights):
        similarity = rounded(similarities(index, parts, rows, lexical, hold_nearest=whole))
        _check_numbers(index, similarity)
        places = by_similarity(rows, similarity)[:k]
        best = _scored(index, rows[places], near, None, lexical)
        similarity = similarity[places]
        best = msgspec.structs.replace(
            best, similarity=similarity, nearness=similarity, is_learned=True
        )
    else:
        scored = _scored(index, rows, near, away, lexical)
        best = _cut(scored, by_similarity(rows, scored.similarity)[:k])
    return msgspec.structs.replace(best, signals=_shown(index, best, parts))


def exhaustive(
    index: OpenedIndex,
    parts: Sequence[QueryPart],
    weights: Mapping[str, float] = DEFAULT_WEIGHTS,
) -> npt.NDArray[np.float64]:
    """Return (n_studies,) the similarity of every study, -inf for those without a text."""
    near, away = mixes(parts, weights)
    rows = np.flatnonzero(index.has_text)
    similarity = np.full(index.n_studies, -np.inf)
    scored = _scored(index, rows, near, away, lexical_signal(index, near))
    similarity[rows] = scored.similarity
    return similarity


def signals(
    index: OpenedIndex, part: QueryPart, rows: npt.NDArray[np.int64]
) -> dict[str, npt.NDArray[np.float64]]:
    """Return signal → (n,) the cosine of one part of a query with each of these rows."""
    concepts = () if part.concepts is None else ((1.0, part.concepts),)
    terms = NO_TERMS if concepts else part.terms
    alone = Mix(dict.fromkeys(SIGNALS, 1.0), dict(part.vectors), terms, concepts)
    return _added(index, rows, alone, lexical_signal(index, alone))


def percentiles(
    index: OpenedIndex, similarity: npt.NDArray[np.float64], shares: Mapping[str, float]
) -> npt.NDArray[np.float64]:
    """Return the share of random pairs of studies, in per cent, that each value exceeds.

    Args:
        index: whose studies the pairs are of.
        similarity: (n,) similarities.
        shares: signal name → its share in them.
    """
    weights = tuple(shares[name] for name in SIGNALS)
    pairs = index.pairs
    of_pairs = index.remember(
        ("similarities of random pairs", weights),
        lambda: np.sort((pairs @ np.array(weights)).round(SIMILARITY_DECIMALS)),
    )
    return _share_below(of_pairs, similarity)


def learned_percentiles(
    index: OpenedIndex, similarity: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return the same for (n,) similarities of the learned ranking."""
    return _share_below(index.learned_pairs, similarity)


def _share_below(
    of_pairs: npt.NDArray[np.floating], values: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return the share of pairs, in ascending order, that each value exceeds, in per cent."""
    scale = 100 / max(1, len(of_pairs))
    highest = 100 - scale / 2  # no sample says that nothing could be nearer
    found: npt.NDArray[np.float64] = np.minimum(np.searchsorted(of_pairs, values) * scale, highest)
    return found


def candidate_depth(k: int) -> int:
    """Return how many candidates each of the two retrievals contributes for k neighbours."""
    return max(_MIN_CANDIDATES, _CANDIDATES_PER_K * k)


def rounded(similarity: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return similarities as they are ranked and shown."""
    return similarity.clip(max=1.0).round(SIMILARITY_DECIMALS)


def _allowed(index: OpenedIndex, filters: Filters) -> npt.NDArray[np.bool_]:
    store = index.store
    return index.remember(filters, lambda: allowed_rows(store, filters))


def _candidates(
    index: OpenedIndex,
    near: Mix,
    k: int,
    weights: Mapping[str, float],
    allowed: npt.NDArray[np.bool_] | None,
    *,
    exact: bool,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return the rows to score, in order, and (n_studies,) the lexical signal.

    The nearest by the whole text and by the terms hold the answer for the default weights;
    for others, which may set both aside, and where `exact` is asked for, every study that
    passes is scored. Rows are gathered from mapped files in order, which is faster.
    """
    passing = None if allowed is None else np.flatnonzero(allowed)
    depth = candidate_depth(k)
    n_passing = index.n_studies if passing is None else len(passing)
    if exact or dict(weights) != dict(DEFAULT_WEIGHTS) or n_passing <= max(FEW, depth):
        rows = np.arange(index.n_studies) if passing is None else passing
        return rows, lexical_signal(index, near)
    # FAISS releases the interpreter while it scans: the terms are looked up meanwhile.
    query = near.vectors["text"].astype(np.float32)
    with ThreadPoolExecutor(1) as beside:
        by_text = beside.submit(index.text.nearest, query, depth, allowed)
        lexical = lexical_signal(index, near)
        by_terms = greatest(lexical, depth, passing)
        lists = [by_terms, by_text.result()[0]] if query.any() else [by_terms]
    return np.unique(np.concatenate(lists)), lexical


def _scored(
    index: OpenedIndex,
    rows: npt.NDArray[np.int64],
    near: Mix,
    away: Mix | None,
    lexical: npt.NDArray[np.float64],
) -> Scored:
    added = _added(index, rows, near, lexical)
    similarity = nearness = total(added.values())
    by_signal = {
        name: values / near.shares[name] for name, values in added.items() if near.shares[name]
    }
    if away:
        subtracted = _added(index, rows, away, lexical_signal(index, away))
        by_signal["away"] = -AWAY_SHARE * total(subtracted.values())
        similarity = similarity + by_signal["away"]
    _check_numbers(index, similarity)
    return Scored(rows, rounded(similarity), rounded(nearness), by_signal, near.shares)


def _added(
    index: OpenedIndex,
    rows: npt.NDArray[np.int64],
    mix: Mix,
    lexical: npt.NDArray[np.float64],
) -> dict[str, npt.NDArray[np.float64]]:
    """Return signal → (n,) what it adds to the similarity of each row."""
    blocks = np.array_split(rows, max(1, len(rows) // _BLOCK))
    dense = {
        field: np.concatenate([cosines(vector, index.rows(field, block)) for block in blocks])
        for field, vector in mix.vectors.items()
        if mix.shares[field]
    }
    return {**dense, "lexical": lexical[rows]}


def _shown(
    index: OpenedIndex, best: Scored, parts: Sequence[QueryPart]
) -> dict[str, npt.NDArray[np.float64]]:
    """Return the signals of scored rows, including those that the parts have and that weigh 0."""
    found = dict(best.signals)
    for field in FIELDS:
        vectors = [part.vectors[field] for part in parts if not part.away]
        present = [vector for vector in vectors if vector.any()]
        if field not in found and present:
            mean = np.asarray(np.mean(present, axis=0, dtype=np.float64))
            found[field] = cosines(mean, index.rows(field, best.rows))
    return {name: found[name] for name in (*SIGNALS, "away") if name in found}


def _cut(scored: Scored, places: npt.NDArray[np.int64]) -> Scored:
    return Scored(
        scored.rows[places],
        scored.similarity[places],
        scored.nearness[places],
        {name: values[places] for name, values in scored.signals.items()},
        scored.shares,
    )


def _check_numbers(index: OpenedIndex, *arrays: npt.NDArray[np.floating]) -> None:
    if not all(np.isfinite(array).all() for array in arrays):
        raise IndexCorruptError(
            index.generation.path, "it holds vectors that are not numbers (see index verify)"
        )

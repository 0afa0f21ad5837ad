"""What can be said of an index's neighbours without judgements.

Hubness: whether few studies are neighbours of many, and many of none (Radovanović,
Nanopoulos and Ivanović 2010). Agreement of the two-stage answer with scoring every
study. The share of neighbours that nearly repeat the query study's text.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np
import numpy.typing as npt

from simsearch.callbacks import Progress, no_progress
from simsearch.encode.fields import whole_text
from simsearch.errors import ArgumentError
from simsearch.evaluation.rankers import Corpus, Similarities
from simsearch.evaluation.scoring import top_places
from simsearch.search.nearest import nearest
from simsearch.search.query_parts import study_part

K = 10
NEAR_DUPLICATE = 0.8
"""Least share of words in common (of all words of two texts) of a near-duplicate."""


class Neighbourhoods(msgspec.Struct, frozen=True):
    """Facts of the ten nearest of some query studies; `chance_…` for neighbours by lot."""

    n_queries: int
    n_studies: int
    k: int
    skewness: float
    """Of the number of times that a study is among the k nearest of the query studies."""
    chance_skewness: float
    nobody_share: float
    """Share of studies that are among the k nearest of no query study."""
    chance_nobody_share: float
    largest_hub: int
    """How often the commonest neighbour is one."""
    agreement: float
    """Share of the exhaustive top k that the index's own answer holds, averaged."""
    n_disagreeing: int
    near_duplicate_share: float
    """Share of the neighbours that nearly repeat the words of the query study."""


def neighbourhoods(
    corpus: Corpus,
    similarities: Similarities,
    weights: Mapping[str, float],
    n_queries: int,
    seed: int = 0,
    progress: Progress = no_progress,
) -> Neighbourhoods:
    """Ask an index for the neighbours of a sample of its studies, both ways.

    Args:
        corpus: the studies; only those of the index are asked about.
        similarities: exhaustive similarities.
        weights: signal name → weight.
        n_queries: how many query studies are drawn, of those that have a signal that weighs;
            all of them where there are fewer.
        seed: of the draw.
        progress: called after each query study.

    Raises:
        ArgumentError: no study has a signal that weighs.
    """
    rows = corpus.searchable
    asked = rows  # all of them have a text
    if not weights.get("text"):
        asked = rows[[similarities.compares(row, weights) for row in rows.tolist()]]
    if not len(asked):
        raise ArgumentError("weights", dict(weights), "positive for a field that a study has")
    drawn = np.random.default_rng(seed).choice(asked, min(n_queries, len(asked)), replace=False)
    occurrences = np.zeros(len(corpus), dtype=np.int64)
    overlaps, repeats = [], []
    for done, row in enumerate(np.sort(drawn).tolist()):
        progress("sampling", done, len(drawn), "queries")
        others = rows[rows != row]
        best = others[top_places(similarities.between(row, others, weights), K)]
        occurrences[best] += 1
        answer = nearest(corpus.index, [study_part(corpus.index, row)], K, weights)
        answered = {neighbour.study.nct_id for neighbour in answer}
        overlaps.append(np.mean([corpus.ids[each] in answered for each in best]))
        query, *texts = (set(whole_text(each).lower().split()) for each in corpus.studies(
            [row, *best]))  # fmt: skip
        repeats += [_shared(query, text) for text in texts]
    progress("sampling", len(drawn), len(drawn), "queries")
    k = min(K, len(rows) - 1)
    chance = k / (len(rows) - 1)
    spread = np.sqrt(len(drawn) * chance * (1 - chance))
    return Neighbourhoods(
        n_queries=len(drawn),
        n_studies=len(rows),
        k=k,
        skewness=skewness(occurrences[rows]),
        chance_skewness=float((1 - 2 * chance) / spread) if spread else 0.0,
        nobody_share=float((occurrences[rows] == 0).mean()),
        chance_nobody_share=float((1 - chance) ** len(drawn)),
        largest_hub=int(occurrences.max()),
        agreement=float(np.mean(overlaps)),
        n_disagreeing=int(sum(overlap < 1 for overlap in overlaps)),
        near_duplicate_share=float(np.mean([each >= NEAR_DUPLICATE for each in repeats])),
    )


def skewness(counts: npt.NDArray[np.int64]) -> float:
    """Return the third standardised moment; 0 where all counts are equal."""
    deviations = counts - counts.mean()
    spread = np.sqrt((deviations**2).mean())
    return float((deviations**3).mean() / spread**3) if spread else 0.0


def _shared(words: set[str], others: set[str]) -> float:
    """Return the share of words in common among all words of two texts."""
    either = words | others
    return len(words & others) / len(either) if either else 0.0

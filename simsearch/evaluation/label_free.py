"""What the neighbours of an index show without judgements.

- Agreement: how far the neighbours that a query finds are those of scoring every study.
- Hubness: whether few studies are neighbours of many, and many of none (Radovanović, Nanopoulos
  and Ivanović 2010).
- Near-duplicates: how many neighbours nearly repeat the query study's text.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np
import numpy.typing as npt

from simsearch.callbacks import Progress, no_progress
from simsearch.encode.fields import whole_text
from simsearch.errors import ArgumentError
from simsearch.evaluation.corpus import Corpus, Rows
from simsearch.evaluation.rankers import Similarities
from simsearch.evaluation.scoring import top_places
from simsearch.search.nearest import nearest
from simsearch.search.query_parts import study_part

K = 10
NEAR_DUPLICATE = 0.8
"""The least share of words in common (of all distinct words of two texts) of near-duplicates."""


class Neighbourhoods(msgspec.Struct, frozen=True):
    """Figures of the nearest of sampled query studies; `chance_…` for neighbours at random."""

    n_queries: int
    n_studies: int
    k: int
    """How many of the nearest are looked at: 10, or all others of a smaller index."""
    skewness: float
    """Skewness of how often a study is among the k nearest of the query studies."""
    chance_skewness: float
    nobody_share: float
    """Share of studies that are among the k nearest of no query study."""
    chance_nobody_share: float
    largest_hub: int
    """How often the most frequent neighbour is among the k nearest."""
    agreement: float
    """Mean share of the k nearest by exhaustive scoring that a query finds."""
    n_disagreeing: int
    """How many query studies have an agreement below 1."""
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
    """Sample studies of an index and find the neighbours of each, with and without retrieval.

    Args:
        corpus: the studies; only those of the index are sampled and ranked.
        similarities: exhaustive similarities.
        weights: signal name → weight.
        n_queries: how many query studies to sample, of those with a signal of positive weight;
            all of them where there are fewer.
        seed: of the sample.
        progress: called before each query study.

    Raises:
        ArgumentError: no study has a signal of positive weight.
    """
    rows = corpus.searchable
    sample = _sample(corpus, similarities, weights, n_queries, seed)
    occurrences = np.zeros(len(corpus), dtype=np.int64)
    overlaps, repeated = [], []
    for done, row in enumerate(sample):
        progress("sampling", done, len(sample), "queries")
        others = rows[rows != row]
        best = others[top_places(similarities.between(row, others, weights), K)]
        occurrences[best] += 1
        overlaps.append(_share_found(corpus, row, best, weights))
        repeated += [share >= NEAR_DUPLICATE for share in _words_in_common(corpus, row, best)]
    progress("sampling", len(sample), len(sample), "queries")
    k = min(K, len(rows) - 1)
    chance = k / (len(rows) - 1)
    spread = np.sqrt(len(sample) * chance * (1 - chance))
    return Neighbourhoods(
        n_queries=len(sample),
        n_studies=len(rows),
        k=k,
        skewness=skewness(occurrences[rows]),
        chance_skewness=float((1 - 2 * chance) / spread) if spread else 0.0,
        nobody_share=float((occurrences[rows] == 0).mean()),
        chance_nobody_share=float((1 - chance) ** len(sample)),
        largest_hub=int(occurrences.max()),
        agreement=float(np.mean(overlaps)),
        n_disagreeing=sum(overlap < 1 for overlap in overlaps),
        near_duplicate_share=float(np.mean(repeated)),
    )


def skewness(counts: npt.NDArray[np.int64]) -> float:
    """Return the third standardised moment of (n,) counts; 0 if all are equal."""
    from scipy import stats

    return float(stats.skew(counts)) if np.ptp(counts) else 0.0


def _sample(
    corpus: Corpus,
    similarities: Similarities,
    weights: Mapping[str, float],
    n_queries: int,
    seed: int,
) -> list[int]:
    """Return the rows of query studies drawn at random, in order."""
    rows = corpus.searchable
    if not weights.get("text"):  # which all of them have
        rows = rows[[similarities.can_compare(row, weights) for row in rows.tolist()]]
    if not len(rows):
        raise ArgumentError("weights", dict(weights), "positive for a field that a study has")
    drawn = np.random.default_rng(seed).choice(rows, min(n_queries, len(rows)), replace=False)
    sample: list[int] = np.sort(drawn).tolist()
    return sample


def _share_found(corpus: Corpus, row: int, best: Rows, weights: Mapping[str, float]) -> float:
    """Return the share of the best rows that a query for the study of `row` finds."""
    found = nearest(corpus.index, [study_part(corpus.index, row)], K, weights)
    ids = {neighbour.study.nct_id for neighbour in found}
    return float(np.mean([corpus.ids[each] in ids for each in best]))


def _words_in_common(corpus: Corpus, row: int, others: Rows) -> list[float]:
    """Return, for each other study, the share of words in common of all words of both texts."""
    query, *texts = (
        set(whole_text(study).lower().split()) for study in corpus.studies([row, *others])
    )
    return [len(query & text) / len(query | text) for text in texts]

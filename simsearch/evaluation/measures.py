"""Measures of a ranking against judgements, their ceilings and what chance would give.

Pure functions of two arrays. A *ranking* is the grade of each ranked study, best rank
first, 0 where nothing is known; *judged* are the grades of all judged studies, in any
order, whether the ranking holds them or not. A grade above 0 is relevant, and is the
gain of nDCG, as in trec_eval. A query without a relevant study scores 0 everywhere:
whoever averages leaves it out first.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
import numpy.typing as npt

Grades = npt.NDArray[np.float64]

BOOTSTRAP_SAMPLES = 5000
_BLOCK = 1_000_000  # drawn numbers held at once


def precision_at(ranking: Grades, k: int) -> float:
    """Return the share of relevant studies in the first k places, taken or not."""
    return float((ranking[:k] > 0).sum() / k)


def recall_at(ranking: Grades, judged: Grades, k: int) -> float:
    """Return the share of the relevant studies that stand in the first k places."""
    n_relevant = int((judged > 0).sum())
    return float((ranking[:k] > 0).sum() / n_relevant) if n_relevant else 0.0


def ndcg_at(ranking: Grades, judged: Grades, k: int) -> float:
    """Return the discounted gain of the first k places over that of the best order.

    Järvelin and Kekäläinen 2002, with the grade itself as gain and a discount of
    log2(1 + rank).
    """
    best = _dcg(np.sort(judged)[::-1], k)
    return _dcg(ranking, k) / best if best else 0.0


def reciprocal_rank(ranking: Grades) -> float:
    """Return 1 over the rank of the first relevant study, or 0."""
    places = np.flatnonzero(ranking > 0)
    return float(1 / (1 + places[0])) if len(places) else 0.0


def best_precision_at(judged: Grades, k: int) -> float:
    """Return the highest precision that any order reaches."""
    return float(min((judged > 0).sum(), k) / k)


def best_recall_at(judged: Grades, k: int) -> float:
    """Return the highest recall that any order reaches."""
    n_relevant = int((judged > 0).sum())
    return min(n_relevant, k) / n_relevant if n_relevant else 0.0


def chance_precision_at(judged: Grades, n_ranked: int, k: int) -> float:
    """Return the mean precision over all orders of n_ranked studies, the judged among them."""
    return float((judged > 0).sum() / n_ranked * min(k, n_ranked) / k)


def chance_recall_at(judged: Grades, n_ranked: int, k: int) -> float:
    """Return the mean recall over all orders."""
    return min(k, n_ranked) / n_ranked if (judged > 0).any() else 0.0


def chance_ndcg_at(judged: Grades, n_ranked: int, k: int) -> float:
    """Return the mean nDCG over all orders: each place has the mean gain."""
    best = _dcg(np.sort(judged)[::-1], k)
    mean_gain = judged.clip(min=0).sum() / n_ranked
    return _dcg(np.full(min(k, n_ranked), mean_gain), k) / best if best else 0.0


def chance_reciprocal_rank(judged: Grades, n_ranked: int) -> float:
    """Return the mean reciprocal rank over all orders.

    The first of R relevant studies among n stands at rank r with the chance
    R / (n - r + 1) once none has come before.
    """
    n_relevant = int((judged > 0).sum())
    if not n_relevant:
        return 0.0
    ranks = np.arange(1, n_ranked - n_relevant + 2)
    here = n_relevant / (n_ranked - ranks + 1)
    none_before = np.concatenate([[1.0], np.cumprod(1 - here)[:-1]])
    return float((none_before * here / ranks).sum())


class Measure(msgspec.Struct, frozen=True):
    """A measure by its name, with its ceiling and its mean over random orders."""

    name: str
    value: Callable[[Grades, Grades], float]
    """(ranking, judged) → value."""
    ceiling: Callable[[Grades], float]
    """judged → the highest value of any order."""
    chance: Callable[[Grades, int], float]
    """(judged, number of ranked studies) → the mean over all orders."""


def _ndcg(k: int) -> Measure:
    return Measure(
        f"nDCG@{k}",
        lambda ranking, judged: ndcg_at(ranking, judged, k),
        lambda judged: float((judged > 0).any()),
        lambda judged, n: chance_ndcg_at(judged, n, k),
    )


def _recall(k: int) -> Measure:
    return Measure(
        f"R@{k}",
        lambda ranking, judged: recall_at(ranking, judged, k),
        lambda judged: best_recall_at(judged, k),
        lambda judged, n: chance_recall_at(judged, n, k),
    )


def _precision(k: int) -> Measure:
    return Measure(
        f"P@{k}",
        lambda ranking, _: precision_at(ranking, k),
        lambda judged: best_precision_at(judged, k),
        lambda judged, n: chance_precision_at(judged, n, k),
    )


_RECIPROCAL_RANK = Measure(
    "MRR",
    lambda ranking, _: reciprocal_rank(ranking),
    lambda judged: float((judged > 0).any()),
    chance_reciprocal_rank,
)

GROUP_MEASURES = (_ndcg(10), _recall(10), _recall(100), _RECIPROCAL_RANK)
"""Of rankings of the whole corpus; the first is the main one."""

QREL_MEASURES = (_ndcg(5), *map(_precision, (1, 2, 5)), *map(_recall, (1, 2, 5)))
"""Of rankings of judged candidates, as the Trial2Vec paper reports them."""


class Estimate(msgspec.Struct, frozen=True):
    """A mean and its 95 % interval."""

    mean: float
    low: float
    high: float


def bootstrap_interval(
    values: Grades, seed: int = 0, n: int = BOOTSTRAP_SAMPLES
) -> tuple[float, float]:
    """Return the 95 % interval of the mean of `values`, drawn again n times.

    Args:
        values: (m,) one value a group or query; for a paired difference, the differences.
        seed: of the draws; the same seed and m draw the same groups.
        n: how many samples are drawn.

    Returns:
        The percentiles 2.5 and 97.5; not a number where there is no value.
    """
    return _percentiles(_resampled_means(values[:, np.newaxis], seed, n)[:, 0])


def ratio_interval(
    above: Grades, below: Grades, seed: int = 0, n: int = BOOTSTRAP_SAMPLES
) -> tuple[float, float]:
    """Return the 95 % interval of the ratio of two means over the same groups or queries."""
    means = _resampled_means(np.stack([above, below], axis=1), seed, n)
    with np.errstate(divide="ignore", invalid="ignore"):
        return _percentiles(means[:, 0] / means[:, 1])


def estimate(values: Grades, seed: int = 0) -> Estimate:
    """Return the mean of (m,) values with its interval; not a number where m is 0."""
    mean = float(values.mean()) if len(values) else float("nan")
    return Estimate(mean, *bootstrap_interval(values, seed))


def _resampled_means(values: Grades, seed: int, n: int) -> Grades:
    """Return (n, columns) means of (m, columns) values over n samples of m rows."""
    if not len(values):
        return np.full((n, values.shape[1]), np.nan)
    random = np.random.default_rng(seed)
    at_once = max(1, _BLOCK // len(values))
    parts = []
    for start in range(0, n, at_once):
        drawn = random.integers(0, len(values), (min(at_once, n - start), len(values)))
        parts.append(values[drawn].mean(axis=1))
    return np.concatenate(parts)


def _percentiles(means: Grades) -> tuple[float, float]:
    known = means[np.isfinite(means)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)


def _dcg(grades: Grades, k: int) -> float:
    gains = grades[:k].clip(min=0)
    return float((gains / np.log2(np.arange(2, len(gains) + 2))).sum())

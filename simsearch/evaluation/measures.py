"""Measures of a ranking against judgements, with their ceilings and their means at random.

Pure functions of two arrays. A *ranking* holds the grade of each ranked study, best rank first, 0
where nothing is known; *judged* holds the grades of all judged studies, in any order, whether they
are ranked or not. A grade above 0 is relevant, and is the gain in nDCG, as in trec_eval. A query
without a relevant study gets 0 in every measure: leave it out of an average.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
import numpy.typing as npt

Grades = npt.NDArray[np.float64]
"""(n,) grades of studies."""


def precision_at(ranking: Grades, k: int) -> float:
    """Return the share of relevant studies in the first k places, empty places included."""
    return float((ranking[:k] > 0).sum() / k)


def recall_at(ranking: Grades, judged: Grades, k: int) -> float:
    """Return the share of the relevant studies that are in the first k places."""
    n_relevant = int((judged > 0).sum())
    return float((ranking[:k] > 0).sum() / n_relevant) if n_relevant else 0.0


def ndcg_at(ranking: Grades, judged: Grades, k: int) -> float:
    """Return the discounted gain of the first k places, divided by that of the best order.

    Järvelin and Kekäläinen 2002; the grade itself is the gain, the discount is log2(1 + rank).
    """
    best = _dcg(np.sort(judged)[::-1], k)
    return _dcg(ranking, k) / best if best else 0.0


def reciprocal_rank(ranking: Grades) -> float:
    """Return 1 / rank of the first relevant study, or 0 if there is none."""
    places = np.flatnonzero(ranking > 0)
    return float(1 / (1 + places[0])) if len(places) else 0.0


def best_precision_at(judged: Grades, k: int) -> float:
    """Return the highest precision that any order can reach."""
    return float(min((judged > 0).sum(), k) / k)


def best_recall_at(judged: Grades, k: int) -> float:
    """Return the highest recall that any order can reach."""
    n_relevant = int((judged > 0).sum())
    return min(n_relevant, k) / n_relevant if n_relevant else 0.0


def chance_precision_at(judged: Grades, n_ranked: int, k: int) -> float:
    """Return the mean precision over all orders of n_ranked studies, including the judged ones."""
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

    If none of R relevant studies among n is above rank r, one of them is at rank r with
    probability R / (n - r + 1).
    """
    n_relevant = int((judged > 0).sum())
    if not n_relevant:
        return 0.0
    ranks = np.arange(1, n_ranked - n_relevant + 2)
    here = n_relevant / (n_ranked - ranks + 1)
    none_before = np.concatenate([[1.0], np.cumprod(1 - here)[:-1]])
    return float((none_before * here / ranks).sum())


class Measure(msgspec.Struct, frozen=True):
    """A measure with its name, its ceiling and its mean over random orders."""

    name: str
    value: Callable[[Grades, Grades], float]
    """(ranking, judged) → the value."""
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
"""For rankings of the whole index; the first is the main one."""

QREL_MEASURES = (_ndcg(5), *map(_precision, (1, 2, 5)), *map(_recall, (1, 2, 5)))
"""For rankings of judged candidates, as in the Trial2Vec paper; the first is the main one."""

CLEARLY_RELATED = 2
"""The grade of graded pools (0 to 3) from which a study is clearly related."""


def _gains(grades: Grades) -> Grades:
    """Return 2^grade - 1, which counts a study of grade 3 seven times one of grade 1."""
    gains: Grades = 2.0 ** grades.clip(min=0) - 1
    return gains


def _clear(grades: Grades) -> Grades:
    return (grades >= CLEARLY_RELATED).astype(np.float64)


GRADED_MEASURES = (
    Measure(
        "nDCG@10",
        lambda ranking, judged: ndcg_at(_gains(ranking), _gains(judged), 10),
        lambda judged: float((judged > 0).any()),
        lambda judged, n: chance_ndcg_at(_gains(judged), n, 10),
    ),
    Measure(
        "P@10",
        lambda ranking, _: precision_at(_clear(ranking), 10),
        lambda judged: best_precision_at(_clear(judged), 10),
        lambda judged, n: chance_precision_at(_clear(judged), n, 10),
    ),
)
"""For graded pools: gain 2^grade - 1, precision at grade 2 or more; the first is the main one."""


def _dcg(grades: Grades, k: int) -> float:
    gains = grades[:k].clip(min=0)
    return float((gains / np.log2(np.arange(2, len(gains) + 2))).sum())

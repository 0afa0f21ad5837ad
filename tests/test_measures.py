"""Measures against those of trec_eval; ceilings and chance against all orders."""

import itertools
import math

import ir_measures
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ir_measures import RR, P, Qrel, R, ScoredDoc, nDCG

from simsearch.evaluation.measures import (
    GROUP_MEASURES,
    QREL_MEASURES,
    ndcg_at,
    precision_at,
    recall_at,
    reciprocal_rank,
)
from simsearch.evaluation.scoring import graded_ranking

OURS = {measure.name: measure for measure in (*GROUP_MEASURES, *QREL_MEASURES)}
THEIRS = {
    "nDCG@10": nDCG @ 10, "R@10": R @ 10, "R@100": R @ 100, "MRR": RR, "nDCG@5": nDCG @ 5,
    "P@1": P @ 1, "P@2": P @ 2, "P@5": P @ 5, "R@1": R @ 1, "R@2": R @ 2, "R@5": R @ 5,
}  # fmt: skip


def grades(*values: float) -> np.ndarray:
    return np.array(values, dtype=float)


def trec(places: range, scores: list[float], judged: dict[int, int]) -> dict[str, float]:
    """Return trec_eval's values; it breaks ties by name, backwards, so names count down."""
    name = {place: f"d{999 - place}" for place in range(300)}
    qrels = [Qrel("q", name[place], grade) for place, grade in judged.items()]
    run = [ScoredDoc("q", name[place], scores[place]) for place in places]
    found = ir_measures.iter_calc(list(THEIRS.values()), qrels, run)
    values = {str(each.measure): each.value for each in found}
    return {ours: values[str(theirs)] for ours, theirs in THEIRS.items()}


def ours(places: range, scores: list[float], judged: dict[int, int]) -> dict[str, float]:
    rows = np.array(places, dtype=np.int64)
    ranking = graded_ranking(grades(*(scores[place] for place in places)), rows, judged)
    known = grades(*judged.values())
    return {name: measure.value(ranking, known) for name, measure in OURS.items()}


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_every_measure_is_trec_evals(data):
    """Scores are few whole numbers, so that many tie; some judged studies are not ranked."""
    n = data.draw(st.integers(1, 150))
    scores = data.draw(st.lists(st.integers(0, 5).map(float), min_size=n, max_size=n))
    judged = data.draw(
        st.dictionaries(st.integers(0, n + 20), st.integers(-1, 3), min_size=1, max_size=20)
    )
    assert ours(range(n), scores, judged) == pytest.approx(trec(range(n), scores, judged))


def test_an_empty_run_scores_nothing_as_in_trec_eval():
    expected = trec(range(0), [], {1: 1})
    assert ours(range(0), [], {1: 1}) == expected == dict.fromkeys(OURS, 0.0)


def test_a_query_without_relevant_studies_scores_nothing_as_in_trec_eval():
    expected = trec(range(3), [3, 2, 1], {0: 0, 2: 0})
    assert ours(range(3), [3, 2, 1], {0: 0, 2: 0}) == expected == dict.fromkeys(OURS, 0.0)


def test_a_worked_example():
    """Relevant at ranks 2 and 4 of three relevant."""
    ranking, judged = grades(0, 1, 0, 1, 0), grades(1, 1, 1, 0)
    assert precision_at(ranking, 5) == 2 / 5
    assert recall_at(ranking, judged, 2) == 1 / 3
    assert reciprocal_rank(ranking) == 1 / 2
    best = 1 + 1 / math.log2(3) + 1 / 2
    assert ndcg_at(ranking, judged, 5) == pytest.approx(
        (1 / math.log2(3) + 1 / math.log2(5)) / best
    )


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("judged", [(1, 1, 0), (2, 0, 1, 1), (1,), (1, 1, 1, 1, 1, 1)])
def test_ceiling_is_the_best_and_chance_the_mean_of_all_orders(name, judged):
    """Six studies, those judged among them: 720 orders."""
    measure, known = OURS[name], grades(*judged)
    pool = [*judged, *[0] * (6 - len(judged))]
    values = [measure.value(grades(*order), known) for order in itertools.permutations(pool)]
    assert measure.ceiling(known) == pytest.approx(max(values))
    assert measure.chance(known, 6) == pytest.approx(np.mean(values))


@pytest.mark.parametrize("name", OURS)
def test_nothing_relevant_has_neither_ceiling_nor_chance(name):
    assert OURS[name].ceiling(grades(0, 0)) == OURS[name].chance(grades(0, 0), 10) == 0

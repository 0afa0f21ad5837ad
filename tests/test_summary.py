"""Several judged sets in one figure: means over sets, and choices checked on the other half."""

import numpy as np
import pytest

from simsearch.evaluation.corpus import Corpus
from simsearch.evaluation.intervals import mean_of_sets
from simsearch.evaluation.judged import Qrels
from simsearch.evaluation.measures import GRADED_MEASURES
from simsearch.evaluation.selection import select_qrels
from simsearch.evaluation.summary import split_halves


def test_sets_weigh_alike_however_many_queries_they_have():
    small, large = np.array([0.0, 1.0]), np.full(98, 0.9)
    assert mean_of_sets([small, large]).mean == pytest.approx(0.7)


def test_a_mean_of_sets_without_spread_has_no_interval():
    found = mean_of_sets([np.full(5, 0.25), np.full(3, 0.75)])
    assert (found.mean, found.low, found.high) == (0.5, 0.5, 0.5)


def test_a_real_gain_holds_on_the_other_half():
    chance = np.random.default_rng(1)
    base = chance.uniform(0.3, 0.5, 40)
    sets = [{"ours": base + 0.2, "worse": base - 0.1, "bm25": base, "tfidf": base - 0.2}]
    found = split_halves(sets, ["ours", "worse", "bm25", "tfidf"], ["bm25", "tfidf"])
    assert found.chosen == {"ours": 200}
    assert found.gain.mean == pytest.approx(0.2, abs=0.02)
    assert found.gain.low > 0.1


def test_a_choice_for_its_luck_gains_nothing_on_the_other_half():
    chance = np.random.default_rng(2)
    names = [f"lucky-{n}" for n in range(20)]
    noise = {name: chance.normal(0.5, 0.2, 60) for name in [*names, "bm25"]}
    noise = {name: values - values.mean() + 0.5 for name, values in noise.items()}
    found = split_halves([noise], [*names, "bm25"], ["bm25"])
    assert len(found.chosen) > 5
    assert found.gain.mean < 0.02


def test_grades_of_pools_gain_two_to_the_grade_less_one():
    ndcg, precision = GRADED_MEASURES
    ranking, judged = np.array([1.0, 3.0, 0.0]), np.array([3.0, 1.0, 0.0, 2.0])
    best = 7 + 3 / np.log2(3) + 1 / 2
    assert ndcg.value(ranking, judged) == pytest.approx((1 + 7 / np.log2(3)) / best)
    assert precision.value(ranking, judged) == 0.1
    assert precision.ceiling(judged) == 0.2


def test_a_set_of_grades_to_three_is_measured_as_pools(six):
    pools = Qrels("pools", {"NCT00000101": {"NCT00000102": 3, "NCT00000103": 1}})
    pairs = Qrels("pairs", {"NCT00000101": {"NCT00000102": 1, "NCT00000103": 0}})
    names = [
        [measure.name for measure in select_qrels(each, Corpus(six), complete=False).measures]
        for each in (pools, pairs)
    ]
    assert names == [["nDCG@10", "P@10"], ["nDCG@5", "P@1", "P@2", "P@5", "R@1", "R@2", "R@5"]]

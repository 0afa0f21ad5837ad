"""What the neighbours of an index show without judgements."""

import numpy as np
import pytest
from conftest import SIX, record

from simsearch.errors import ArgumentError
from simsearch.evaluation.corpus import Corpus
from simsearch.evaluation.label_free import neighbourhoods, skewness
from simsearch.evaluation.rankers import Similarities
from simsearch.index.opened import opened_index
from simsearch.vectors import DEFAULT_WEIGHTS, by_similarity


@pytest.fixture
def corpus(six) -> Corpus:
    return Corpus(six)


def test_skewness_is_the_third_standardised_moment():
    """Mean 1, deviations -1, -1, -1, 3: the third moment 6 over 3 to the power of 1.5."""
    assert skewness(np.array([0, 0, 0, 4])) == pytest.approx(6 / 3**1.5)
    assert skewness(np.array([2, 2])) == 0


def test_a_small_index_agrees_with_itself_and_has_no_hub(corpus):
    """Each of six studies is among the five others of every study."""
    found = neighbourhoods(corpus, Similarities(corpus), DEFAULT_WEIGHTS, n_queries=100)
    assert (found.n_queries, found.k) == (6, 5)
    assert (found.agreement, found.n_disagreeing) == (1, 0)
    assert (found.skewness, found.nobody_share, found.largest_hub) == (0, 0, 5)


class Reversed(Similarities):
    """The least similar study first."""

    def between(self, row, rows, weights):
        best = by_similarity(rows, super().between(row, rows, weights))
        reversed_ = np.empty(len(rows))
        reversed_[best] = np.arange(len(rows))
        return reversed_


def test_disagreement_of_a_query_with_exhaustive_scoring_is_counted(build):
    """The ten nearest of 20 other studies, and the ten furthest."""
    records = [record(f"NCT{n:08}", f"Iron pills, dose {n}") for n in range(101, 122)]
    corpus = Corpus(opened_index(build(records).index))
    found = neighbourhoods(corpus, Reversed(corpus), DEFAULT_WEIGHTS, n_queries=7)
    assert (found.agreement, found.n_disagreeing) == (0, 7)


def test_neighbours_that_repeat_the_query_study_are_counted(build):
    """Two of four studies say the same: one in three neighbours of each of the two."""
    twin = ("Iron pills for anemia", ["Anemia"], [("DRUG", "Iron")], "Adults take iron.")
    records = [record("NCT00000101", *twin), record("NCT00000102", *twin), *SIX[4:]]
    corpus = Corpus(opened_index(build(records).index))
    found = neighbourhoods(corpus, Similarities(corpus), DEFAULT_WEIGHTS, n_queries=4)
    assert found.near_duplicate_share == pytest.approx(2 / 12)


def test_only_studies_with_a_signal_of_positive_weight_are_sampled(corpus):
    """One of the six has no interventions."""
    alone = {**dict.fromkeys(DEFAULT_WEIGHTS, 0.0), "interventions": 1.0}
    found = neighbourhoods(corpus, Similarities(corpus), alone, n_queries=100)
    assert (found.n_queries, found.n_studies) == (5, 6)


def test_a_sample_is_refused_if_no_study_has_the_only_signal(build):
    alone = {**dict.fromkeys(DEFAULT_WEIGHTS, 0.0), "interventions": 1.0}
    corpus = Corpus(opened_index(build([SIX[5], record("NCT00000107", "Knees")]).index))
    with pytest.raises(ArgumentError, match="positive for a field that a study has"):
        neighbourhoods(corpus, Similarities(corpus), alone, n_queries=100)

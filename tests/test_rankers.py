"""Our own ranking, of studies in the index and outside it."""

import numpy as np
import pytest
from asking import similar_to_study
from conftest import SIX, WordEncoder, record
from judging import studies

from simsearch.errors import RecipeError
from simsearch.evaluation.corpus import Corpus
from simsearch.evaluation.rankers import LINEAR, OurRanker, Similarities, our_systems
from simsearch.index.opened import opened_index
from simsearch.vectors import DEFAULT_WEIGHTS


@pytest.fixture
def corpus(six) -> Corpus:
    return Corpus(six)


def test_exhaustive_similarities_are_those_of_a_query(corpus, six):
    for row, nct_id in enumerate(corpus.ids):
        rows = np.delete(np.arange(6), row)
        found = Similarities(corpus).between(row, rows, DEFAULT_WEIGHTS)
        answer = {each.study.nct_id: each.similarity for each in similar_to_study(six, nct_id)}
        assert [answer[corpus.ids[each]] for each in rows] == pytest.approx(found.tolist())


def test_a_study_outside_the_index_is_as_similar_as_one_inside(build, write, encoder):
    """The sixth study, indexed and not; 16-bit rows differ from 32-bit ones a little.

    By the encoded fields: how rare a term is depends on the studies that the index holds.
    """
    dense = {**DEFAULT_WEIGHTS, "lexical": 0.0}
    whole = Corpus(opened_index(build().index))
    inside = Similarities(whole).between(5, np.arange(5), dense)
    without = Corpus(opened_index(build(SIX[:5], allow_shrink=True).index), studies(write, SIX[5:]))
    similarities = Similarities(without, encoder)
    assert without.row_of("NCT00000106") == 5
    outside = similarities.between(5, np.arange(5), dense)
    assert outside == pytest.approx(inside, abs=2e-3)
    back = [similarities.between(row, np.array([5]), dense)[0] for row in range(4)]
    forth = [Similarities(whole).between(row, np.array([5]), dense)[0] for row in range(4)]
    assert back == pytest.approx(forth, abs=2e-3)


def test_another_encoder_is_refused_for_studies_outside_the_index(six, write):
    other = WordEncoder()
    other.fingerprint = "other words"
    corpus = Corpus(six, studies(write, [record("NCT00000200", "Iron")]))
    with pytest.raises(RecipeError):
        Similarities(corpus, other).between(6, np.arange(6), DEFAULT_WEIGHTS)


def test_a_query_without_the_only_signal_gives_zeros(corpus):
    (name,) = set(DEFAULT_WEIGHTS) & {"interventions"}
    ranker = OurRanker("only", Similarities(corpus), {name: 1.0})
    assert ranker.scores(5, np.arange(5)).tolist() == [0] * 5  # the sixth has no intervention
    assert ranker.scores(0, np.arange(5)).any()


def test_each_signal_is_ranked_alone_and_left_out():
    systems = our_systems(DEFAULT_WEIGHTS)
    assert next(iter(systems)) == LINEAR
    for name in DEFAULT_WEIGHTS:
        assert systems[f"only-{name}"] == {name: 1}
        if DEFAULT_WEIGHTS[name]:
            assert systems[f"without-{name}"] == {**DEFAULT_WEIGHTS, name: 0}
    assert "default-weights" not in systems
    assert "default-weights" in our_systems({**DEFAULT_WEIGHTS, "text": 0.2})

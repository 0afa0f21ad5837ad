"""The baselines: TF-IDF, BM25 and the encoder on one text."""

import numpy as np
import pytest
from conftest import SIX, record

from simsearch.evaluation.baselines import BASELINES, baseline
from simsearch.evaluation.corpus import Corpus
from simsearch.index.opened import opened_index


@pytest.fixture
def corpus(six) -> Corpus:
    return Corpus(six)


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_ranks_a_similar_study_first(corpus, encoder, name):
    ranker = baseline(name, corpus, encoder)
    ranker.prepare(np.arange(6))
    scores = ranker.scores(4, np.arange(6))
    assert np.argsort(-scores, kind="stable")[:2].tolist() == [4, 5]
    assert ranker.is_baseline


def test_tf_idf_is_the_cosine_computed_by_hand(build):
    """Words of one study each weigh the more; one word in common of two."""
    records = [record("NCT00000101", "Iron pills"), record("NCT00000102", "Iron drops")]
    corpus = Corpus(opened_index(build(records).index))
    rare = np.log(3 / 2) + 1  # scikit-learn's idf of a word in one of two texts; of both: 1
    score = baseline("tfidf", corpus, None).scores(0, np.array([1]))[0]
    assert score == pytest.approx(1 / (1 + rare**2))


def test_bm25_is_lucenes_formula(build):
    """Texts of two words: the length norm is 1, and only the word in common scores."""
    records = [record("NCT00000101", "Iron pills"), record("NCT00000102", "Iron drops")]
    corpus = Corpus(opened_index(build(records).index))
    idf = np.log(1 + (2 - 2 + 0.5) / (2 + 0.5))
    score = baseline("bm25", corpus, None).scores(0, np.array([1]))[0]
    assert score == pytest.approx(idf * 1 / (1 + 1.5), rel=1e-5)


def test_a_baseline_encodes_each_distinct_text_once_and_no_others(build, encoder):
    corpus = Corpus(opened_index(build([*SIX, record("NCT00000107", "Knee surgery")]).index))
    encoder.encoded.clear()
    ranker = baseline("encoder-title", corpus, encoder)
    ranker.prepare(np.array([4, 5, 6]))
    ranker.scores(4, np.array([5, 6]))
    assert sorted(encoder.encoded) == ["Knee surgery", "Knee surgery in children"]

"""How cases are ranked, and averaged to the values of a ranker."""

import numpy as np
import pytest
from conftest import SIX, record
from judging import APLASIA, KNEE, TableRanker, studies

from simsearch.evaluation.corpus import Corpus
from simsearch.evaluation.judged import Groups, Qrels
from simsearch.evaluation.scoring import evaluate, top_places
from simsearch.evaluation.selection import select_groups, select_qrels
from simsearch.index.opened import opened_index


@pytest.fixture
def corpus(six) -> Corpus:
    return Corpus(six)


def values(selection, corpus, ranker) -> dict[str, list[float]]:
    """Return measure → the value of each case."""
    found = evaluate(selection, corpus, [ranker])
    names = [measure.name for measure in selection.measures]
    return dict(zip(names, found.values[ranker.name].T.tolist(), strict=True))


def test_the_query_study_is_not_in_its_own_ranking(corpus):
    selection = select_groups(Groups("g", {"A": KNEE}), corpus)
    table = TableRanker({4: [0, 0, 0, 0, 9, 1], 5: [0, 0, 0, 0, 1, 9]})
    assert values(selection, corpus, table)["MRR"] == [1, 1]


def test_equal_scores_are_ranked_by_nct_id(corpus):
    selection = select_groups(Groups("g", {"A": ("NCT00000103", "NCT00000104")}), corpus)
    table = TableRanker({2: [5, 5, 5, 5, 5, 5], 3: [5, 5, 5, 5, 5, 5]})
    assert values(selection, corpus, table)["MRR"] == [1 / 3, 1 / 3]


def test_equal_scores_of_candidates_are_ranked_by_nct_id_in_the_index_or_not(six, write):
    """NCT00000100 is not in the index, and comes before those that are."""
    corpus = Corpus(six, studies(write, [record("NCT00000100", "Iron pills")]))
    qrels = Qrels("q", {"NCT00000105": {"NCT00000101": 0, "NCT00000100": 1}})
    selection = select_qrels(qrels, corpus, complete=True)
    assert values(selection, corpus, TableRanker({4: [5] * 7}))["P@1"] == [1]


def test_a_study_without_text_is_never_ranked(build):
    corpus = Corpus(opened_index(build([*SIX, record("NCT00000001")]).index))
    assert corpus.ids[0] == "NCT00000001"
    selection = select_groups(Groups("g", {"A": KNEE}), corpus)
    table = TableRanker({5: [9, 0, 0, 0, 0, 0, 1], 6: [9, 0, 0, 0, 0, 1, 0]})
    found = evaluate(selection, corpus, [table])
    assert found.values["table"][:, 3].tolist() == [1, 1]
    chance_of_five = np.mean([1, 1 / 2, 1 / 3, 1 / 4, 1 / 5])
    assert found.chance[:, 3] == pytest.approx([chance_of_five] * 2)


def test_each_group_has_the_same_weight(corpus):
    """Three queries answered at once, two not among the first: the mean of 1 and 1/5."""
    selection = select_groups(Groups("g", {"A": APLASIA, "B": KNEE}), corpus)
    near = [9, 9, 9, 5, 0, 0]
    table = TableRanker(dict.fromkeys(range(6), near))
    found = evaluate(selection, corpus, [table])
    assert found.estimates(found.values["table"])[3].mean == pytest.approx((1 + 1 / 5) / 2)


def test_a_study_in_two_groups_has_different_relevant_studies_in_each(corpus):
    groups = {"A": ("NCT00000101", "NCT00000102"), "B": ("NCT00000101", "NCT00000106")}
    table = TableRanker({row: [6, 5, 4, 3, 2, 1] for row in range(6)})
    found = values(select_groups(Groups("g", groups), corpus), corpus, table)
    assert found["MRR"] == [1, 1, 1 / 5, 1]


def test_a_difference_compares_the_same_queries(corpus):
    selection = select_groups(Groups("g", {"A": APLASIA, "B": KNEE}), corpus)
    better = TableRanker({row: [9, 9, 9, 0, 5, 5] for row in range(6)})
    worse = TableRanker({row: [9, 9, 9, 5, 0, 0] for row in range(6)}, "worse")
    found = evaluate(selection, corpus, [better, worse])
    difference = found.difference("worse", "table")[3]
    assert difference.mean == pytest.approx((0 + (1 / 5 - 1 / 4)) / 2)
    assert difference.low <= difference.mean <= difference.high


def test_the_first_places_are_the_highest_scores_with_ties_in_order():
    scores = np.array([1.0, 3, 2, 3, 2, 2])
    assert top_places(scores, 4).tolist() == [1, 3, 2, 4]
    assert top_places(scores, 9).tolist() == [1, 3, 2, 4, 5, 0]

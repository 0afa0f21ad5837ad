"""Which cases of a judged set an index allows, and what is left out."""

import pytest
from conftest import SIX, record
from judging import ABSENT, APLASIA

from simsearch.evaluation.corpus import Corpus
from simsearch.evaluation.judged import Groups, Qrels
from simsearch.evaluation.selection import (
    CANDIDATES_MISSING,
    FEW_CANDIDATES,
    FEW_MEMBERS,
    NO_TEXT,
    NOT_INDEXED,
    NOTHING_RELEVANT,
    NOTHING_RELEVANT_HERE,
    select_groups,
    select_qrels,
)
from simsearch.index.opened import opened_index


@pytest.fixture
def corpus(six) -> Corpus:
    return Corpus(six)


def test_each_member_of_a_group_is_a_query_for_the_others(corpus):
    selection = select_groups(Groups("g", {"A": APLASIA}), corpus)
    assert [(case.query, set(case.grades)) for case in selection.cases] == [
        ("NCT00000101", {1, 2}), ("NCT00000102", {0, 2}), ("NCT00000103", {0, 1}),
    ]  # fmt: skip


def test_members_that_cannot_be_queries_are_counted_by_reason(build):
    corpus = Corpus(opened_index(build([*SIX, record("NCT00000107")]).index))
    groups = {"A": (*APLASIA, ABSENT, "NCT00000107"), "B": ("NCT00000105", ABSENT), "C": (ABSENT,)}
    selection = select_groups(Groups("g", groups), corpus)
    assert [case.query for case in selection.cases] == list(APLASIA)
    assert selection.left_out == {NOT_INDEXED: 3, NO_TEXT: 1, FEW_MEMBERS: 1}


def test_a_member_named_by_an_obsolete_number_counts_once(corpus):
    named = ("NCT00000101", "NCT00000901", "NCT00000102")
    selection = select_groups(Groups("g", {"A": named}), corpus)
    assert [case.query for case in selection.cases] == ["NCT00000101", "NCT00000102"]


def test_qrels_with_all_candidates_present_are_separate_from_those_with_some(corpus):
    qrels = Qrels("q", {
        "NCT00000101": {"NCT00000102": 1, "NCT00000105": 0},
        "NCT00000102": {"NCT00000101": 1, "NCT00000105": 0, ABSENT: 1},
        "NCT00000103": {"NCT00000101": 0, "NCT00000105": 0, ABSENT: 1},
        "NCT00000104": {"NCT00000101": 1, ABSENT: 0},
        "NCT00000105": {"NCT00000106": 0},
        ABSENT: {"NCT00000106": 1},
    })  # fmt: skip
    complete = select_qrels(qrels, corpus, complete=True)
    assert [case.query for case in complete.cases] == ["NCT00000101"]
    assert complete.left_out == {CANDIDATES_MISSING: 3, NOTHING_RELEVANT: 1, NOT_INDEXED: 1}
    some = select_qrels(qrels, corpus, complete=False)
    assert [case.query for case in some.cases] == ["NCT00000101", "NCT00000102"]
    assert some.left_out == {
        NOTHING_RELEVANT_HERE: 1, FEW_CANDIDATES: 1, NOTHING_RELEVANT: 1, NOT_INDEXED: 1,
    }  # fmt: skip


def test_a_query_among_its_own_candidates_is_not_ranked(corpus):
    judged = {"NCT00000101": 1, "NCT00000102": 1, "NCT00000105": 0}
    (case,) = select_qrels(Qrels("q", {"NCT00000101": judged}), corpus, complete=True).cases
    assert case.candidates == (1, 4)

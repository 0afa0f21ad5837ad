"""A whole evaluation: which systems, which judged sets, on which studies."""

import pytest
from conftest import SIX, record
from judging import KNEE, studies

from simsearch.errors import ArgumentError
from simsearch.evaluation.comparison import Comparison, judged_records, needs_encoder, system_names
from simsearch.evaluation.judged import Groups, Qrels
from simsearch.evaluation.selection import FEW_MEMBERS, NOT_INDEXED


def test_only_systems_that_encode_need_an_encoder():
    assert needs_encoder(system_names())
    assert not needs_encoder(system_names(baselines=False))
    assert not needs_encoder(["tfidf", "bm25"])


def test_an_unknown_system_is_refused_with_a_list_of_the_known(six):
    with pytest.raises(ArgumentError, match="one of simsearch, linear, only-text"):
        Comparison(six, ["bm26"])
    with pytest.raises(ArgumentError, match="one of simsearch, linear, only-text"):
        Comparison(six, ["bm25"]).trec_run(Groups("g", {}), "bm26")


def test_groups_rank_only_the_index_and_qrels_the_records_too(six, write, encoder):
    extra = studies(write, [record("NCT00000100", "Knee surgery in adults")])
    comparison = Comparison(six, system_names(), encoder=encoder, plain=encoder)
    groups = Groups("g", {"A": KNEE, "B": ("NCT00000100", "NCT00000105")})
    qrels = Qrels("q", {"NCT00000100": {"NCT00000105": 1, "NCT00000104": 0}})
    report = comparison.run([groups], [qrels], extra)
    grouped, complete, some = (evaluation for evaluation, _ in report.evaluations)
    assert grouped.selection.left_out == {NOT_INDEXED: 1, FEW_MEMBERS: 1}
    assert [case.query for case in complete.selection.cases] == ["NCT00000100"]
    for system in ("simsearch", "tfidf", "bm25", "encoder-title"):
        assert complete.values[system].tolist() == some.values[system].tolist()
        assert complete.values[system][0, 0] == 1  # the knee comes before the iron


def test_only_judged_records_that_the_index_lacks_are_used(six, write):
    path = write([*SIX, record("NCT00000100", "Iron"), record("NCT00000200", "Iron")], "more.jsonl")
    qrels = Qrels("q", {"NCT00000100": {"NCT00000101": 1}})
    assert [each.nct_id for each in judged_records([path], [qrels], six)] == ["NCT00000100"]

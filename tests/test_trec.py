"""Rankings as TREC runs, read by trec_eval."""

import ir_measures
import numpy as np
import pytest
from ir_measures import RR, Qrel, R, nDCG
from judging import APLASIA, KNEE, TableRanker

from simsearch.evaluation.corpus import Corpus
from simsearch.evaluation.judged import Groups
from simsearch.evaluation.scoring import evaluate
from simsearch.evaluation.selection import select_groups
from simsearch.evaluation.trec import is_trec_run, trec_run


@pytest.fixture
def corpus(six) -> Corpus:
    return Corpus(six)


def test_trec_eval_finds_our_values_in_a_run_of_groups(corpus):
    """trec_eval reads the run; its many ties must keep our order."""
    random = np.random.default_rng(3)
    table = TableRanker({row: random.integers(0, 3, 6).tolist() for row in range(6)})
    selection = select_groups(Groups("g", {"A": APLASIA, "B": KNEE}), corpus)
    found = evaluate(selection, corpus, [table])
    qrels = [
        Qrel(case.query, corpus.ids[row], 1) for case in selection.cases for row in case.grades
    ]
    run = ir_measures.read_trec_run("".join(trec_run(selection, corpus, table)))
    by_query = {case.query: place for place, case in enumerate(selection.cases)}
    columns = {"nDCG@10": 0, "R@10": 1, "RR": 3}
    compared = list(ir_measures.iter_calc([nDCG @ 10, R @ 10, RR], qrels, run))
    assert len(compared) == 3 * 5
    for each in compared:
        ours = found.values["table"][by_query[each.query_id], columns[str(each.measure)]]
        assert ours == pytest.approx(each.value)


@pytest.mark.parametrize(
    ("text", "is_run"),
    [
        ("NCT00000101 Q0 NCT00000102 1 0.5 simsearch\n", True),
        ("NCT00000101 Q0 NCT00000102 1 nan simsearch\n", False),
        ("NCT00000101 Q0 NCT00000102 first 0.5 simsearch\n", False),
        ("NCT00000101 0 NCT00000102 1\n", False),
        ("", False),
    ],
)
def test_a_run_is_recognised_by_its_first_line(tmp_path, text, is_run):
    (tmp_path / "file").write_text(text)
    assert is_trec_run(tmp_path / "file") == is_run


def test_a_missing_file_is_not_a_run(tmp_path):
    assert not is_trec_run(tmp_path / "none")

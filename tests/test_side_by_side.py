"""Several indexes on the same judged sets: paired differences, and what is not compared."""

import csv
import json
import sys
from io import StringIO

import numpy as np
import pytest
from conftest import SIX, WORDS, WordEncoder
from judging import APLASIA, KNEE

from simsearch import build_index, read_studies
from simsearch.cli.main import main
from simsearch.errors import ArgumentError, JudgedSetError
from simsearch.evaluation.judged import read_groups, read_qrels
from simsearch.evaluation.side_by_side import DIFFERS, side_by_side
from simsearch.vectors import unit_rows


class Backwards(WordEncoder):
    """Tells apart what the studies of one disease have in common: their texts look unlike."""

    fingerprint = "only what differs"

    def encode(self, texts):
        words = [set(text.lower().replace(".", " ").split()) for text in texts]
        telling = [word for word in WORDS if word not in {"aplasia", "knee", "surgery"}]
        return unit_rows([
            [*(word in each for word in telling), *[0] * (self.dimension - len(telling) - 1), 0.1]
            for each in words
        ])  # fmt: skip


@pytest.fixture
def folders(tmp_path, write):
    """Two indexes of the six studies, of two encoders; and a third with one study less."""

    def built(name, encoder, records=SIX):
        build_index(read_studies(write(records)), tmp_path / name / "index", encoder)
        return tmp_path / name / "index"

    return [
        built("words", WordEncoder()), built("back", Backwards()),
        built("fewer", WordEncoder(), [each for each in SIX if each is not SIX[1]]),
    ]  # fmt: skip


@pytest.fixture
def groups(tmp_path):
    lines = [f"A\t{each}\n" for each in APLASIA] + [f"K\t{each}\n" for each in KNEE]
    (tmp_path / "groups.tsv").write_text("".join(lines))
    return read_groups(tmp_path / "groups.tsv")


@pytest.fixture
def qrels(tmp_path):
    (tmp_path / "qrels.tsv").write_text(
        "NCT00000101\tNCT00000102\t3\nNCT00000101\tNCT00000104\t0\n"
        "NCT00000105\tNCT00000106\t3\nNCT00000105\tNCT00000104\t0\n"
    )
    return read_qrels(tmp_path / "qrels.tsv")


def test_each_index_has_the_figures_that_it_has_alone(folders, groups):
    report = side_by_side(folders[:2], [groups], system="only-text")
    ((evaluation, _),) = report.evaluations
    assert evaluation.systems == ["words/index", "back/index"]
    for folder, name in zip(folders, evaluation.systems, strict=False):
        ((alone, _),) = side_by_side([folder], [groups], system="only-text").evaluations
        assert np.array_equal(alone.values["index"], evaluation.values[name])


def test_the_better_index_is_told_with_a_paired_interval(folders, groups):
    """nDCG@10 of the words is 1 for every study: those of a disease share its name."""
    ((found, _),) = side_by_side(folders[:2], [groups], system="only-text").evaluations
    first, second = (found.unit_means(found.values[name])[:, 0] for name in found.systems)
    assert first.tolist() == [1.0, 1.0]
    less = found.difference("back/index", "words/index")[0]
    assert less.mean == pytest.approx(np.mean(second - first))
    assert less.low <= less.mean <= less.high < 0


def test_a_query_whose_judged_studies_differ_is_not_compared(folders, groups):
    """The third index lacks a study of the first group."""
    ((found, _),) = side_by_side([folders[0], folders[2]], [groups]).evaluations
    assert {case.unit for case in found.selection.cases} == {"K"}
    assert found.selection.left_out[DIFFERS] == 3


def test_graded_pools_say_what_is_unjudged_with_each_index(folders, qrels):
    found = side_by_side(folders[:2], (), [qrels], system="linear").evaluations[0][0]
    assert found.unjudged.keys() == {"words/index", "back/index"}
    assert all(values.shape == (2,) for values in found.unjudged.values())


def test_no_query_in_common_is_an_error(folders, groups, tmp_path):
    (tmp_path / "a.tsv").write_text("".join(f"A\t{each}\n" for each in APLASIA))
    with pytest.raises(JudgedSetError, match="no query has the same judged studies in every"):
        side_by_side([folders[0], folders[2]], [read_groups(tmp_path / "a.tsv")])


def test_an_index_beside_itself_is_refused_however_it_is_spelled(folders, groups, monkeypatch):
    monkeypatch.chdir(folders[0].parent)
    for spelled in (folders[0], folders[0].relative_to(folders[0].parent)):
        with pytest.raises(ArgumentError, match="another index than the others"):
            side_by_side([folders[0], spelled], [groups])


def test_a_baseline_compares_no_indexes(folders, groups):
    with pytest.raises(ArgumentError, match=r"one of simsearch, linear.*to compare indexes"):
        side_by_side(folders[:2], [groups], system="bm25")


@pytest.fixture
def command(folders, groups, qrels, tmp_path, monkeypatch, capsys):
    """Run the command on the first two indexes; return stdout, or stderr if it fails."""

    def _run(*words: str, exit_code: int = 0) -> str:
        named = [str(tmp_path / word) if word.endswith(".tsv") else word for word in words]
        beside = ("--index", str(folders[0]), "--against", str(folders[1]))
        monkeypatch.setattr(sys, "argv", ["simsearch", "evaluate", *beside, *named])
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            main()
        shown = capsys.readouterr()
        assert (caught.value.code or 0) == exit_code, shown.err
        return shown.err if exit_code else shown.out

    return _run


def test_the_table_has_an_index_a_line_and_its_difference(command):
    shown = command("--groups", "groups.tsv", "--qrels", "qrels.tsv", "--system", "only-text")
    assert "by only-text of each index" in shown
    assert "nDCG@10 less words/index's" in shown
    assert "All 2 sets: the mean of their nDCG@10" in shown
    assert "back/index: 6 studies" in shown
    assert "model words" in shown
    assert "Without judgements" not in shown


def test_json_and_csv_have_the_indexes_as_systems(command):
    found = json.loads(command("--groups", "groups.tsv", "-f", "json"))
    assert list(found["beside"]) == ["words/index", "back/index"]
    systems = [each["name"] for each in found["judged_sets"][0]["systems"]]
    assert systems == ["words/index", "back/index"]
    lines = csv.DictReader(StringIO(command("--groups", "groups.tsv", "-f", "csv")))
    assert {"words/index", "back/index"} <= {line["system"] for line in lines}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "--against goes with --groups or --qrels"),
        (("--groups", "groups.tsv", "--system", "linear", "--system", "simsearch"), "one --system"),
        (("--groups", "groups.tsv", "--leave-one-out"), "--leave-one-out does not go with"),
        (("--groups", "groups.tsv", "--save", "run"), "--save does not go with --against"),
        (("--qrels", "qrels.tsv", "--pool", "to-read"), "--pool does not go with --against"),
        (("--groups", "groups.tsv", "--model", "x"), "--model does not go with --against"),
    ],
)
def test_what_does_not_go_together_is_refused(command, words, message):
    assert message in " ".join(command(*words, exit_code=2).split())


def test_a_folder_without_an_index_is_named(command, tmp_path):
    shown = command("--against", str(tmp_path), "--groups", "groups.tsv", exit_code=1)
    assert "does not hold an index" in shown

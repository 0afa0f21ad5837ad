"""Each study of a group left out in turn, and simulated screening: figures counted by hand."""

import math

import numpy as np
import pytest
from conftest import SIX
from typer.testing import CliRunner

from simsearch.cli.main import app
from simsearch.evaluation.corpus import Corpus
from simsearch.evaluation.judged import Groups
from simsearch.evaluation.leave_one_out import SYSTEMS, leave_one_out, places, usable
from simsearch.evaluation.screening import simulated

GROUPS = Groups(
    "by hand",
    {
        "aplasia": ("NCT00000101", "NCT00000102", "NCT00000103"),
        "knee": ("NCT00000105", "NCT00000106"),
        "alone": ("NCT00000104", "NCT00000999"),
    },
)


def mean(matrix):
    return matrix.mean(axis=0)


def test_a_place_is_counted_among_all_but_the_others_of_the_group():
    searchable = np.arange(5)
    matrix = np.array([[1.0, 0.2, 0.9, 0.3, 0.1], [0.2, 1.0, 0.8, 0.3, 0.4]])
    # The second asks for row 0: 2 (.8), 4 (.4) and 3 (.3) come before it (.2).
    # The first asks for row 1: 2 (.9) and 3 (.3) come before it (.2).
    assert places(matrix, [0, 1], searchable, mean) == (4, 3)


def test_equal_scores_go_by_row():
    matrix = np.array([[1.0, 0.5, 0.5], [0.5, 1.0, 0.5]])
    assert places(matrix, [0, 2], np.arange(3), mean) == (2, 2)


def test_groups_with_fewer_than_two_studies_here_are_left_out(six):
    assert usable(Corpus(six), GROUPS) == {"aplasia": [0, 1, 2], "knee": [4, 5]}


def test_every_system_is_measured_on_the_same_studies(six):
    (found,) = leave_one_out(Corpus(six), [GROUPS]).sets
    assert [each.system for each in found.systems] == list(SYSTEMS)
    assert {each.n_studies for each in found.systems} == {5}
    first = found.systems[0]
    assert first.by_group["knee"] == (1, 1)
    logs = [sum(map(math.log, each)) / len(each) for each in first.by_group.values()]
    assert first.log_mean.mean == pytest.approx(sum(logs) / len(logs))
    assert first.against is None
    assert found.systems[1].against is not None


def test_screening_finds_the_later_half_of_a_group(six):
    run = simulated(Corpus(six), [4, 5], learning=True)
    assert run.places == (1,)
    assert run.stops == {}


def test_the_command_prints_places_screening_and_rules(build, tmp_path, monkeypatch):
    build(SIX)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "groups.tsv").write_text("knee\tNCT00000105\nknee\tNCT00000106\n")
    words = ["evaluate", "--groups", "groups.tsv", "--leave-one-out", "--quiet"]
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 0
    for name in (*SYSTEMS, "learning", "fixed", "WSS@95", "knee"):
        assert name in done.output
    for form in ("json", "csv", "markdown"):
        assert CliRunner().invoke(app, [*words, "-f", form], catch_exceptions=False).exit_code == 0
    assert CliRunner().invoke(app, ["evaluate", "--leave-one-out"]).exit_code == 2

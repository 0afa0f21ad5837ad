"""A study in full: every part of its page, what the index lacks, and its related list."""

from __future__ import annotations

import json
import sys

import pytest
from conftest import SIX
from designs import TRIALS, detailed

from simsearch.cli import main as cli
from simsearch.errors import ArgumentError, UnknownStudyError
from simsearch.facts import Facts
from simsearch.index.opened import OpenedIndex, opened_index
from simsearch.output.formats import View, write
from simsearch.search.index import Index
from simsearch.search.show import Shown, show

FORMATS = ("table", "markdown", "html")


@pytest.fixture
def trials(build) -> OpenedIndex:
    """An opened index of the trials, and of the six others."""
    return opened_index(build([*TRIALS, *SIX]).index)


def shown(study: Shown, name: str, **view: object) -> str:
    return "".join(write("study", study, name, View(**view)))


@pytest.mark.parametrize("name", FORMATS)
def test_every_part_of_the_record_is_there(trials, name):
    text = shown(show(trials, "NCT203", 2), name)
    for part in (
        "Pills twice a day for aplasia", "NCT00000203", "Terminated", "slow accrual", "60 (actual)",
        "2020-06 (actual)", "Adults with aplasia: ", "randomised", "double-blind",
        "participant, investigator", "placebo comparator", "Overall survival (OS)", "6 months",
        "Written informed consent", "Iron overload", "18 years or more", "Lyon", "France",
        "A Hospital", "Related studies",
    ):  # fmt: skip
        assert part in text, part


@pytest.mark.parametrize("name", FORMATS)
def test_an_index_without_details_names_what_it_lacks(build, name):
    index = opened_index(build([*TRIALS, *SIX], details="none").index)
    text = " ".join(shown(show(index, "NCT203", 2), name).split())
    assert "does not keep why stopped, design, arms" in text
    assert "rebuild it with --details full" in text
    assert "slow accrual" not in text


def test_a_brief_index_lacks_the_long_texts_only(build):
    index = opened_index(build([*TRIALS, *SIX], details="brief").index)
    study = show(index, "NCT203", 0)
    assert study.lacks == ("detailed description", "eligibility criteria")
    text = shown(study, "table")
    assert "slow accrual" in text
    assert "Criteria: not given" not in text


def test_a_whole_index_lacks_nothing(trials):
    assert show(trials, "NCT203", 0).lacks == ()
    assert "does not keep" not in shown(show(trials, "NCT106", 0), "table")


def test_no_related_list_where_none_is_asked_for(trials):
    study = show(trials, "NCT203", 0)
    assert study.related is None
    assert "Related studies" not in shown(study, "table")


def test_the_related_list_is_that_of_a_query(trials):
    from asking import asked

    related = show(trials, "NCT203", 3).related
    assert [each.nct_id for each in related] == [
        each.nct_id for each in asked(trials, "NCT203", k=3)
    ]


def test_an_obsolete_number_shows_the_study_that_replaced_it(trials):
    assert show(trials, "NCT00000901", 0).study.nct_id == "NCT00000102"


def test_an_unknown_study_or_a_wrong_k_is_refused(trials):
    with pytest.raises(UnknownStudyError):
        show(trials, "NCT999")
    with pytest.raises(ArgumentError):
        show(trials, "NCT203", -1)


def test_the_json_has_all_facts_by_name(trials):
    shape = json.loads(shown(show(trials, "NCT203", 1), "json"))
    assert shape["schema"] == "simsearch.study/1"
    assert set(shape["study"]["facts"]) == set(Facts.__struct_fields__)
    assert shape["study"]["facts"]["arms"][0]["interventions"] == ["Pills"]
    assert len(shape["related"]["neighbours"]) == 1
    assert shape == show(trials, "NCT203", 1).to_dict()


@pytest.mark.parametrize("width", [50, 80, 100, 140])
def test_no_line_is_wider_than_the_terminal(trials, width):
    lines = shown(show(trials, "NCT203", 2), "table", width=width).splitlines()
    assert max(map(len, lines)) <= width


def test_markup_from_records_is_escaped(build):
    hostile = "<script>alert(1)</script>"
    odd = detailed(301, hostile, outcomes=[hostile], criteria=f"* {hostile}", why=hostile)
    index = opened_index(build([odd, *SIX]).index)
    page = shown(show(index, "NCT301", 2), "html")
    assert "<script" not in page
    assert "style=" not in page
    assert "<script" not in show(index, "NCT301", 2)._repr_html_()


def test_the_facade_shows_it_in_a_notebook(build):
    index = Index(opened_index(build([*TRIALS, *SIX]).index))
    study = index.show("NCT203", k=2)
    assert "slow accrual" in study._repr_html_()
    assert repr(study) == "<study NCT00000203 'Pills twice a day for aplasia', 2 related>"


def test_the_command_writes_a_page(build, monkeypatch, tmp_path, capsys):
    build([*TRIALS, *SIX])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["simsearch", "show", "nct203", "-k", "2", "-o", "s.html"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert (ended.value.code or 0, capsys.readouterr().out) == (0, "")
    assert (tmp_path / "s.html").read_text().startswith("<!DOCTYPE html>")

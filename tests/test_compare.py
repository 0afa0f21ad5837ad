"""Designs side by side: who is compared, what counts for the benchmark, and how it is shown."""

from __future__ import annotations

import csv
import io
import json
import sys

import pytest
from conftest import SIX, record
from designs import TRIALS, detailed
from openpyxl import load_workbook

from simsearch.cli import main as cli
from simsearch.errors import ArgumentError, UnknownStudyError
from simsearch.index.opened import OpenedIndex, opened_index
from simsearch.output.formats import View, write, write_binary
from simsearch.search.compare import Comparison, compare
from simsearch.search.index import Index
from simsearch.search.question import Question


@pytest.fixture
def trials(build) -> OpenedIndex:
    """An opened index of the trials, and of the six others."""
    return opened_index(build([*TRIALS, *SIX]).index)


def compared(index: OpenedIndex, *studies: str, **options: object) -> Comparison:
    question = {name: options.pop(name) for name in list(options) if name in ("k", "filters")}
    return compare(index, Question(studies=studies, **question), groups=False, **options)


def shown(comparison: Comparison, name: str, **view: object) -> str:
    return "".join(write("comparison", comparison, name, View(**view)))


def test_the_query_comes_first_and_the_nearest_follow(trials):
    comparison = compared(trials, "NCT201", k=3)
    assert [each.nct_id for each in comparison.asked] == ["NCT00000201"]
    assert [each.rank for each in comparison.studies] == [1, 2, 3]
    assert comparison.designs[0].comparators == ("placebo",)


def test_far_neighbours_are_shown_and_left_out_of_the_benchmark(trials):
    comparison = compared(trials, "NCT201", k=10)
    far = {each.study.nct_id for each in comparison.studies if not each.is_close}
    assert comparison.n_far == len(far) > 0
    assert comparison.benchmark.n == len(comparison) - len(far)
    counted = {nct_id for each in comparison.benchmark.measures for nct_id, _ in each.values}
    assert not counted & far
    assert "NCT00000201" not in counted


def test_several_studies_alone_are_compared_with_each_other(trials):
    comparison = compared(trials, "NCT201", "NCT203", alone=True)
    assert [each.design.nct_id for each in comparison.studies] == ["NCT00000201", "NCT00000203"]
    assert (comparison.asked, comparison.named, comparison.benchmark.n) == ((), True, 2)


def test_studies_named_by_the_user_take_the_place_of_the_nearest_and_all_count(trials):
    comparison = compared(trials, "NCT201", others=("NCT105", "NCT202"))
    assert {each.design.nct_id for each in comparison.studies} == {"NCT00000105", "NCT00000202"}
    assert (comparison.n_far, comparison.benchmark.n) == (0, 2)
    assert comparison.studies[0].design.nct_id == "NCT00000202"  # the nearer one
    assert comparison.studies[0].relation


def test_a_named_study_that_is_the_query_is_not_compared_with_itself(trials):
    comparison = compared(trials, "NCT201", others=("NCT201", "NCT202"))
    assert [each.design.nct_id for each in comparison.studies] == ["NCT00000202"]


def test_filters_beside_named_studies_are_refused(trials):
    from simsearch.search.filters import Filters

    with pytest.raises(ArgumentError, match="without filters"):
        compared(trials, "NCT201", others=("NCT202",), filters=Filters(phase="2"))


def test_an_unknown_study_among_the_named_ones_is_refused(trials):
    with pytest.raises(UnknownStudyError, match="NCT00000999"):
        compared(trials, "NCT201", others=("NCT999",))


def test_a_draft_has_its_own_facts(trials, encoder):
    study = trials.study("NCT201")
    draft = type(study)(
        title="Pills for aplasia", nct_id="", facts=study.facts, conditions=("Aplasia",)
    )
    question = Question(drafts=draft, k=3)
    comparison = compare(trials, question, groups=False, load_encoder=lambda: encoder)
    assert comparison.asked[0].comparators == ("placebo",)
    assert "draft" in shown(comparison, "table")


def test_outcomes_in_other_words_are_one_row(trials):
    comparison = compare(trials, Question(studies="NCT201", k=5))
    survival = next(each for each in comparison.topics.outcomes if "urvival" in each.label)
    assert len(survival.nct_ids) == 1 + sum(each.is_close for each in comparison.studies)


def test_a_country_that_was_renamed_counts_once(build):
    old = detailed(301, "Pills for aplasia", countries=["Korea, Republic of", "South Korea"])
    index = opened_index(build([old, *SIX]).index)
    (design,) = [each.design for each in compared(index, "NCT301", "NCT101", alone=True).studies][
        :1
    ]
    assert (design.n_sites, design.n_countries) == (2, 1)


def test_an_index_without_details_says_so_and_what_to_do(build):
    index = opened_index(build([*TRIALS, *SIX], details="none").index)
    comparison = compared(index, "NCT201", k=3)
    assert all(not each.has_facts for each in comparison.designs)
    for name in ("table", "markdown", "html"):
        assert "rebuild it with --details full" in " ".join(shown(comparison, name).split())


def test_a_study_without_facts_is_not_given_in_every_cell(trials):
    comparison = compared(trials, "NCT201", "NCT106", alone=True)
    lines = shown(comparison, "markdown").splitlines()
    row = next(each for each in lines if "NCT00000106" in each)
    assert row.count("not given") >= 5


def test_a_study_without_an_enrollment_is_not_given(trials):
    text = shown(compared(trials, "NCT206", "NCT201", alone=True), "table", width=80)
    assert "participants not given" in text


def test_a_duration_below_zero_is_shown_as_registered_and_not_counted(trials):
    comparison = compared(trials, "NCT205", "NCT201", alone=True)
    assert "-5 (as registered)" in shown(comparison, "markdown")
    assert "1 left out, below zero, as registered" in shown(comparison, "markdown")


def test_a_million_participants_are_written_and_drawn(build):
    many = [detailed(300 + n, "Pills for aplasia", enrollment=count)
            for n, count in enumerate((10, 20, 30, 1_000_000))]  # fmt: skip
    index = opened_index(build([*many, *SIX]).index)
    comparison = compared(index, "NCT300", "NCT301", "NCT302", "NCT303", alone=True)
    page = shown(comparison, "html")
    assert "1,000,000" in page
    assert "logarithmic scale" in page


def test_ages_in_months_are_shown_as_registered_and_counted_in_years(trials):
    comparison = compared(trials, "NCT204", "NCT201", "NCT202", alone=True)
    assert "6 months or more" in shown(comparison, "markdown")
    assert comparison.benchmark.measure("minimum age").least == 0.5


def test_two_studies_have_no_median_and_the_text_says_so(trials):
    text = shown(compared(trials, "NCT201", "NCT202", alone=True), "table")
    assert "too few for medians and shares" in text
    assert "n/a" in text


def test_where_the_query_stands_is_said_in_words(trials):
    comparison = compared(trials, "NCT201", others=("NCT202", "NCT203", "NCT204"))
    text = shown(comparison, "table")
    stands = "20 participants (planned): less than any of 3 trials, phase 2 (actual)"
    assert f"{stands}, which have 40 or more" in text


def test_the_csv_has_a_row_a_study_and_is_safe_in_a_spreadsheet(build):
    odd = detailed(301, "=1+1", enrollment=5)
    index = opened_index(build([odd, *TRIALS, *SIX]).index)
    rows = list(csv.DictReader(io.StringIO(shown(compared(index, "NCT301", k=2), "csv"))))
    assert [each["role"] for each in rows] == ["query", "neighbour", "neighbour"]
    assert rows[0]["title"] == "'=1+1"
    assert rows[1]["primary_outcomes"].endswith("[6 months]")


def test_the_json_has_every_part(trials):
    shape = json.loads(shown(compared(trials, "NCT201", k=3), "json"))
    assert shape["schema"] == "simsearch.comparison/1"
    assert shape["studies"][0]["role"] == "query"
    assert shape["benchmark"]["n"] == shape["n_close"]
    assert shape["topics"] is None
    assert shape == compared(trials, "NCT201", k=3).to_dict()


def test_the_workbook_opens_and_holds_no_formula(build):
    odd = detailed(301, "=1+1", enrollment=5)
    index = opened_index(build([odd, *TRIALS, *SIX]).index)
    comparison = compare(index, Question(studies="NCT301", k=3))
    data = b"".join(write_binary("comparison", comparison, "excel", View()))
    book = load_workbook(io.BytesIO(data))
    assert book.sheetnames == [
        "Studies", "Benchmark", "Shares", "Primary outcomes", "Inclusion", "Exclusion", "About",
    ]  # fmt: skip
    assert all(cell.data_type != "f" for sheet in book for row in sheet for cell in row)
    assert book["Studies"].max_row == 5
    assert book["Studies"]["D2"].value == "'=1+1"


HOSTILE = "<script>alert(1)</script>|`x`"


@pytest.fixture
def hostile(build) -> Comparison:
    """A comparison whose records hold markup in every text."""
    odd = [
        detailed(300 + n, HOSTILE, outcomes=[HOSTILE], why=HOSTILE, status="TERMINATED",
                 criteria=f"Inclusion Criteria:\n* {HOSTILE}")
        for n in range(3)
    ]  # fmt: skip
    index = opened_index(build([*odd, *SIX]).index)
    question = Question(studies=("NCT300", "NCT301", "NCT302"))
    return compare(index, question, alone=True)


def test_markup_from_records_is_escaped_in_html(hostile):
    page = shown(hostile, "html")
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "style=" not in page


def test_markup_from_records_stays_in_its_cell_in_markdown(hostile):
    lines = [each for each in shown(hostile, "markdown").splitlines() if each.startswith("| [NCT")]
    assert len(lines) == 3
    assert len({each.replace("\\|", "").count("|") for each in lines}) == 1


def test_a_notebook_shows_escaped_tables(hostile):
    assert "<script" not in hostile._repr_html_()
    assert "Benchmark" in hostile._repr_html_()
    assert "NCT00000300" in repr(hostile)


def test_the_page_needs_nothing_beside_it_and_is_the_same_every_time(trials):
    others = ("NCT202", "NCT203", "NCT204")
    page = shown(compared(trials, "NCT201", others=others), "html")
    assert page == shown(compared(trials, "NCT201", others=others), "html")
    for word in ("src=", "<link", "@import", "url(", "<script"):
        assert word not in page
    assert page.count("<svg") == page.count("<desc>") > 3


def test_the_facade_takes_filters_words_and_a_data_frame(build):
    pytest.importorskip("pandas")
    index = Index(opened_index(build([*TRIALS, *SIX]).index))
    frame = index.compare("NCT201", k=3, groups=False, status="completed").to_pandas()
    assert list(frame["role"]) == ["query", "neighbour", "neighbour", "neighbour"]
    assert "NCT00000203" not in set(frame["nct_id"])
    assert len(index.compare(["NCT201", "NCT202"], groups=False)) == 2
    assert len(index.compare(["NCT201", "NCT202"], k=3, groups=False)) == 3
    with_ = index.compare("NCT201", with_="NCT105", groups=False)
    assert [each.design.nct_id for each in with_.studies] == ["NCT00000105"]


def test_narrow_terminals_get_lines_in_place_of_columns(trials):
    comparison = compared(trials, "NCT201", k=4)
    for width in (60, 80, 100, 140):
        lines = shown(comparison, "table", width=width).splitlines()
        assert max(map(len, lines)) <= width


@pytest.fixture
def run(monkeypatch, capsys, tmp_path, build):
    """Run a command in a folder with an index of the trials; return exit code, out and err."""
    build([*TRIALS, *SIX])
    monkeypatch.chdir(tmp_path)

    def _run(line: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["simsearch", *line.split()])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        return (caught.value.code or 0, *capsys.readouterr())

    return _run


def test_the_ending_of_a_file_decides_the_format(run, tmp_path):
    for name, start in (("c.html", b"<!DOCTYPE html>"), ("c.xlsx", b"PK"), ("c.md", b"# Designs")):
        assert run(f"compare NCT201 --no-groups -k 3 -o {name}") == (0, "", "")
        assert (tmp_path / name).read_bytes().startswith(start)


def test_a_workbook_on_standard_output_is_refused(run):
    code, out, err = run("compare NCT201 -f excel")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "name it with -o" in err


def test_a_workbook_without_its_library_says_what_to_install(run, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    code, _, err = run("compare NCT201 --no-groups -o c.xlsx")
    assert (code, err.count("\n")) == (1, 1)
    assert "simsearch[excel]" in err
    assert not (tmp_path / "c.xlsx").exists()


def test_a_question_about_nothing_is_refused(run):
    code, _, err = run("compare")
    assert (code, err.count("\n")) == (2, 1)
    assert "give an NCT_ID" in err


def test_no_model_is_loaded_without_groups(run, monkeypatch):
    monkeypatch.setattr("simsearch.design.embedding.MiniLM", None)
    assert run("compare NCT201 --no-groups -k 3")[0] == 0
    assert run("compare NCT201 -k 3 -f csv")[0] == 0


def test_studies_that_are_observational_have_no_comparator(build):
    seen = record("NCT00000400", "Seen for aplasia", ["Aplasia"])
    seen["protocolSection"]["designModule"]["studyType"] = "OBSERVATIONAL"
    index = opened_index(build([seen, *TRIALS, *SIX]).index)
    text = shown(compared(index, "NCT400", "NCT201", alone=True), "markdown")
    assert "n/a" in next(each for each in text.splitlines() if "NCT00000400" in each)

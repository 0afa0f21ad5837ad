"""Answers as table, Markdown, CSV, JSON, JSON Lines and IDs."""

import csv
import io
import json

import msgspec
import pytest
from asking import similar_to_study, study_parts, written
from conftest import SIX, record

from simsearch.index.opened import opened_index
from simsearch.output.render import duration_label, size_label
from simsearch.search import answer as answer_module
from simsearch.search.answer import Answer
from simsearch.search.filters import NO_FILTERS, Filters
from simsearch.search.nearest import nearest
from simsearch.search.question import Query
from simsearch.search.reasons import explain
from simsearch.search.shape import percentile_label
from simsearch.study import phase_label, status_label
from simsearch.vectors import DEFAULT_WEIGHTS

LONG = "A very long title of a study that goes on and on, " * 12


def answered(index, query, nct_id="NCT00000101"):
    neighbours = similar_to_study(index, nct_id)
    parts = study_parts(index, [nct_id])
    return answer_of(index, query, parts, neighbours)


def answer_of(index, query, parts, neighbours):
    reasons = explain(index, parts, query.studies, neighbours, DEFAULT_WEIGHTS)
    neighbours = [
        msgspec.structs.replace(each, reason=reason)
        for each, reason in zip(neighbours, reasons, strict=True)
    ]
    return Answer(query, neighbours, index.facts, weights=DEFAULT_WEIGHTS, filters=NO_FILTERS)


def changed(answer, **parts):
    """Return an answer with other parts."""
    kept = {name: getattr(answer, name) for name in ("query", "neighbours", "facts")}
    rest = {"weights": answer.weights, "filters": answer.filters}
    return Answer(**(kept | rest | parts))


@pytest.fixture
def answer(six):
    return answered(six, Query((six.study("NCT00000101"),)))


@pytest.fixture
def awkward(build):
    """An answer with a long title, markup, commas, quotes and a line that looks like code."""
    titles = [LONG, 'Pills, "drops" | [bold]iron[/bold] *and* <b>', "=1+1 β-thalassemia ≥ 2"]
    records = [
        record(f"NCT0000020{n}", title, ["Aplasia"], [("DRUG", "Pills"), ("", "Iron | drops")])
        for n, title in enumerate(titles)
    ]
    index = opened_index(build([*SIX, *records]).index)
    return answered(index, Query(texts=("pills",)))


def csv_of(answer, **view):
    return list(csv.DictReader(io.StringIO(written(answer, "csv", **view))))


def test_the_table_shows_query_neighbours_and_index(answer):
    text = written(answer, "table", width=100, color=False)
    lines = text.splitlines()
    assert lines[0] == "NCT00000101  Pills for aplasia"
    assert lines[1] == "Completed · phase 2 · Aplasia · Pills"
    assert lines[3].split() == [
        "#", "NCT", "ID", "Title", "Status", "Phase", "Similarity", "Pctl."
    ]  # fmt: skip
    assert lines[5].split()[:5] == ["1", "NCT00000102", "Drops", "for", "aplasia"]
    assert lines[6] == "    same condition: Aplasia"
    (marrow,) = [line.split() for line in lines if "NCT00000103" in line]
    assert marrow[-4:-2] == ["Recruiting", "1/2"]
    assert "6 studies, records to 2021-05-06, built 20" in " ".join(lines[-2:])
    assert max(map(len, lines)) <= 100
    assert "\x1b" not in text


def test_a_pipe_loses_nothing_to_the_width(awkward):
    text = written(awkward, "table", width=None, color=False)
    assert LONG.strip() in text
    assert "…" not in text
    assert "[bold]iron[/bold]" in text
    assert all(line == line.rstrip() for line in text.splitlines())


def test_a_title_without_end_takes_no_column_away(build):
    endless = "Pills " * 15_000
    index = opened_index(build([*SIX, record("NCT00000200", endless, ["Aplasia"])]).index)
    answer = answered(index, Query((index.study("NCT00000101"),)))
    lines = written(answer, "table", width=None, color=False).splitlines()
    for each in answer.neighbours:
        (line,) = [line for line in lines if each.study.nct_id in line]
        assert line.split()[0] == str(each.rank)
        assert f" {each.similarity:.3f} " in line
        assert len(line) < 1100
    assert endless.strip() in written(answer, "csv")


@pytest.mark.parametrize("width", [72, 80, 100, 140])
def test_a_terminal_shows_two_lines_of_a_title_within_its_width(awkward, width):
    text = written(awkward, "table", width=width, color=False, quiet=True)
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    assert 0 < text.count("very") < 12
    assert "…" in text
    assert len(lines) <= 2 + 4 * 8


@pytest.mark.parametrize("width", [80, 100, 120, None])
def test_a_reason_has_the_width_of_the_table_to_itself(answer, width):
    """Ninety characters and more fit in two lines at 80, under the NCT ID."""
    names = ("Pure red cell aplasia", "Refractory anemia", "Iron deficiency", "Thalassemia")
    first = answer[0]
    reason = msgspec.structs.replace(first.reason, relation="same condition", conditions=names)
    one = changed(answer, neighbours=[msgspec.structs.replace(first, reason=reason)])
    lines = written(one, "table", width=width, color=False, quiet=True).splitlines()[3:]
    assert " ".join(line.strip() for line in lines) == reason.line
    assert len(lines) == (2 if width == 80 else 1)
    assert {line[: line.index(line.strip())] for line in lines} == {" " * 4}


def test_a_reason_is_dim_on_a_terminal(answer):
    text = written(answer, "table", width=100, color=True)
    assert "\x1b[2msame condition: Aplasia" in text


def test_a_phone_gets_a_list_that_fits(awkward):
    text = written(awkward, "table", width=40, color=False)
    assert max(map(len, text.splitlines())) <= 40
    assert "1. NCT0000" in text


def test_quiet_leaves_the_neighbours_alone(answer):
    text = written(answer, "table", width=None, color=False, quiet=True)
    assert len(text.splitlines()) == 2 + 2 * 5
    assert "Index" not in text


def test_colour_has_codes_and_links(answer):
    text = written(answer, "table", width=100, color=True)
    assert "\x1b[" in text
    assert "https://clinicaltrials.gov/study/NCT00000102" in text


def test_json_holds_query_neighbours_and_index(answer):
    shape = json.loads(written(answer, "json"))
    assert shape["schema"] == "simsearch.answer/1"
    assert shape["query"]["kind"] == "study"
    assert shape["query"]["nct_id"] == "NCT00000101"
    first = shape["neighbours"][0]
    assert first["nct_id"] == "NCT00000102"
    assert first["rank"] == 1
    assert set(first["signals"]) == {"text", "conditions", "interventions", "lexical"}
    assert first["reason"]["conditions"] == ["Aplasia"]
    assert first["reason"]["line"].endswith(": Aplasia")
    assert first["interventions"] == [{"type": "DRUG", "name": "Drops"}]
    assert first["url"].endswith("/NCT00000102")
    index = shape["index"]
    assert index["generation"] == answer.facts.generation
    assert index["records_date"] == "2021-05-06"
    assert index["recipe"]["model"] == "words"
    assert index["demo"] is False


def test_json_lines_hold_one_neighbour_each(answer):
    lines = [json.loads(line) for line in written(answer, "jsonl").splitlines()]
    assert [line["rank"] for line in lines] == [1, 2, 3, 4, 5]
    assert {line["query"] for line in lines} == {"NCT00000101"}
    whole = json.loads(written(answer, "json"))
    for line, neighbour in zip(lines, whole["neighbours"], strict=True):
        assert neighbour.items() <= line.items()


def test_csv_reads_back_whole(awkward):
    rows = csv_of(awkward)
    by_id = {row["nct_id"]: row for row in rows}
    assert by_id["NCT00000200"]["title"] == LONG.strip()
    assert by_id["NCT00000201"]["title"] == 'Pills, "drops" | [bold]iron[/bold] *and* <b>'
    assert by_id["NCT00000103"]["phases"] == "PHASE1|PHASE2"
    assert by_id["NCT00000103"]["interventions"] == "PROCEDURE: Marrow"
    assert float(rows[0]["similarity"]) >= float(rows[-1]["similarity"])


def test_markdown_cells_stay_cells(awkward):
    text = written(awkward, "markdown")
    rows = [line for line in text.splitlines() if line.startswith("| ")][1:]
    assert len(rows) == 8
    for row in rows:
        assert row.replace("\\|", "").count("|") == 9
    assert "\\*and\\*" in text
    assert "\\<b\\>" in text


def test_ids_are_bare(answer):
    assert written(answer, "ids").splitlines() == [each.study.nct_id for each in answer.neighbours]


@pytest.mark.parametrize(
    ("phases", "label"),
    [((), ""), (("NA",), "n/a"), (("PHASE1", "PHASE2"), "1/2"), (("EARLY_PHASE1",), "early 1"),
     (("PHASE9",), "9")],
)  # fmt: skip
def test_phases_read_as_people_write_them(phases, label):
    assert phase_label(phases) == label


@pytest.mark.parametrize(
    ("status", "label"),
    [("", ""), ("RECRUITING", "Recruiting"), ("ACTIVE_NOT_RECRUITING", "Active, not recruiting"),
     ("SOMETHING_NEW", "Something new")],
)  # fmt: skip
def test_statuses_read_as_people_write_them(status, label):
    assert status_label(status) == label


def test_sizes_and_durations():
    assert [size_label(n) for n in (5, 1500, 2_500_000, 3 * 10**12)] == [
        "5 bytes", "1.5 kB", "2.5 MB", "3.0 TB"
    ]  # fmt: skip
    assert [duration_label(s) for s in (0.44, 12.2, 185, 7810)] == [
        "0.4 s", "12 s", "3 min 5 s", "2 h 10 min"
    ]  # fmt: skip


def test_explain_says_all_of_the_reason(answer):
    text = written(answer, "table", explain=True, width=None, color=False)
    for piece in (
        "conditions in common: Aplasia",
        "words in common: ",
        "weighted sum made of: text",
    ):
        assert piece in text, piece


def test_explain_says_all_of_the_reason_in_a_markdown_cell(awkward):
    table = written(awkward, "table", explain=True, width=None, color=False)
    text = written(awkward, "markdown", explain=True)
    rows = [line for line in text.splitlines() if line.startswith("| ")][1:]
    assert len(rows) == 8
    for row in rows:
        assert row.replace("\\|", "").count("|") == 9
        for line in row.rsplit(" | ", 1)[1].removesuffix(" |").split("<br>"):
            assert line.replace("\\", "") in table
    assert "<br>weighted sum made of: text" in text


def test_explain_adds_columns_to_csv(answer):
    added = [
        "relation", "conditions_in_common", "interventions_in_common", "purpose_in_common",
        "population_in_common", "near_in_meaning", "words_in_common", "weighted_sum_made_of",
    ]  # fmt: skip
    plain, rows = csv_of(answer), csv_of(answer, explain=True)
    assert list(rows[0]) == [*plain[0], *added]
    for row, reason in zip(rows, (each.reason for each in answer), strict=True):
        assert row["relation"] == reason.relation
        assert row["conditions_in_common"] == "|".join(reason.conditions)
        assert row["words_in_common"].count("|") == max(len(reason.terms) - 1, 0)
    assert rows[0]["weighted_sum_made_of"].startswith("text ")
    assert rows[0]["weighted_sum_made_of"].count(" %|") == 2
    none = changed(answer, neighbours=[])
    assert written(none, "csv", explain=True).rstrip().split(",")[-len(added) :] == added


def test_a_similarity_of_nothing_is_made_of_nothing(six):
    query = Query((six.study("NCT00000101"),), unlike=(six.study("NCT00000105"),))
    parts = [*study_parts(six, ["NCT101"]), *study_parts(six, ["NCT105"], away=True)]
    neighbours = nearest(six, parts, 10)
    answer = answer_of(six, query, parts, neighbours)
    n_alike = sum(each.similarity > 0 for each in neighbours)
    assert 0 < n_alike < len(neighbours)
    for each in answer:
        assert bool(each.reason.shares) == (each.similarity > 0)
    for name in ("table", "markdown"):
        assert written(answer, name, explain=True).count("weighted sum made of") == n_alike
    rows = csv_of(answer, explain=True)
    assert sum(bool(row["weighted_sum_made_of"]) for row in rows) == n_alike


def test_poor_neighbours_are_said_to_be_poor(answer):
    """In six studies every neighbour is one of few pairs."""
    far = msgspec.structs.replace(answer.neighbours[0], percentile=40.0)
    near = msgspec.structs.replace(answer.neighbours[0], percentile=99.9)
    for percentiles, said in (
        ([far], "None of these studies is close"),
        ([near, far], "1 of these 2 studies is close"),
        ([near], ""),
    ):
        some = changed(answer, neighbours=percentiles)
        text = written(some, "table", width=100, color=False)
        assert said in text
        assert ("at least one random pair in 100 is as similar" in text) == bool(said)


def test_in_a_large_index_a_neighbour_must_be_nearer_to_be_close(answer, monkeypatch):
    near = msgspec.structs.replace(answer.neighbours[0], percentile=99.5)
    one = changed(answer, neighbours=[near])
    assert json.loads(written(one, "json"))["close_percentile"] == 99.0
    assert one.n_close == 1
    monkeypatch.setattr(answer_module, "_FEW_STUDIES", 6)
    assert json.loads(written(one, "json"))["close_percentile"] == 99.8
    assert one.n_close == 0
    assert "one random pair in 500" in written(one, "table", width=100, color=False)


def test_an_answer_without_neighbours_says_why(answer):
    none = changed(answer, neighbours=[])
    assert "There is no other study." in written(none, "table", width=100, color=False)
    filtered = changed(none, filters=Filters(phase=("4",)))
    assert "No study passes the filters." in written(filtered, "table", width=100, color=False)
    assert json.loads(written(filtered, "json"))["filters"] == {"phase": ["4"]}


def test_a_percentile_is_never_rounded_up():
    assert [percentile_label(each) for each in (99.9996, 100.0, 87.126)] == [
        "99.99", "100.00", "87.12"
    ]  # fmt: skip


def test_folded_studies_stand_under_their_best(answer):
    first = msgspec.structs.replace(
        answer.neighbours[0], folded=(answer.neighbours[1].study, answer.neighbours[2].study)
    )
    neighbours = [first, answer.neighbours[3]]
    folded = changed(answer, neighbours=neighbours)
    text = written(folded, "table", width=None, color=False)
    second, third = (each.study.nct_id for each in answer.neighbours[1:3])
    assert f"with 2 more: {second}, {third}" in text
    assert json.loads(written(folded, "json"))["neighbours"][0]["folded"] == [second, third]
    for explain_ in (False, True):
        shown = written(folded, "markdown", explain=explain_)
        assert f"<br>with 2 more: {second}, {third} |\n" in shown
        rows = csv_of(folded, explain=explain_)
        assert [row["folded"] for row in rows] == [f"{second}|{third}", ""]
    assert written(folded, "ids").split() == [each.study.nct_id for each in neighbours]


def test_markdown_has_the_percentile(answer):
    lines = written(answer, "markdown").splitlines()
    head, _, *rows = [line.strip("| ").split(" | ") for line in lines if line.startswith("|")]
    shown = [row[head.index("Pctl.")] for row in rows]
    assert shown == [percentile_label(each.percentile) for each in answer.neighbours]


def test_a_line_of_json_names_all_that_was_asked_with(six, answer):
    draft = msgspec.structs.replace(six.study("NCT102"), nct_id="")
    several = Query((six.study("NCT101"), draft), ("iron pills",), n_drafts=1)
    for query, said in (
        (several, "NCT00000101 draft iron pills"),
        (Query((draft,), n_drafts=1), "draft"),
        (Query(texts=("iron pills",)), "iron pills"),
    ):
        lines = written(changed(answer, query=query), "jsonl").splitlines()
        assert {json.loads(line)["query"] for line in lines} == {said}


def test_a_query_of_several_names_them_all(six, answer):
    both = Query((six.study("NCT101"), six.study("NCT102")), ("pills",), (six.study("NCT105"),))
    several = changed(answer, query=both)
    text = written(several, "table", width=100, color=False)
    for piece in ("NCT00000101  Pills", "NCT00000102  Drops", "Text  pills", "unlike NCT00000105"):
        assert piece in text, piece
    shape = json.loads(written(several, "json"))["query"]
    assert shape["kind"] == "several"
    assert [each["nct_id"] for each in shape["studies"]] == ["NCT00000101", "NCT00000102"]
    assert [each["nct_id"] for each in shape["unlike"]] == ["NCT00000105"]
    assert "unlike NCT00000105" in written(several, "markdown")


def test_the_percentile_beside_not_is_said_to_be_of_what_was_before(six, answer):
    note = "Pctl. is of the similarity before --not takes its part off."
    unlike = Query((six.study("NCT101"),), unlike=(six.study("NCT105"),))
    away = changed(answer, query=unlike)
    assert written(away, "table", width=100, color=False).splitlines().count(note) == 1
    assert written(away, "markdown").splitlines().count(note) == 1
    assert note not in written(away, "table", width=100, color=False, quiet=True)
    assert note not in written(answer, "table", width=100, color=False)

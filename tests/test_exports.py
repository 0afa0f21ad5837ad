"""Exports, read back by the readers of the tools that they are for, with hostile records too."""

from __future__ import annotations

import csv
import io
import json

import msgspec
import pytest
import rispy
from asking import asked, written
from conftest import SIX, record

from simsearch.diff.changes import compare
from simsearch.diff.watch import watched_change
from simsearch.facts import Facts, OtherNumber
from simsearch.output.diff import Bulletin
from simsearch.output.formats import View, write
from simsearch.records.id_files import ids_in_file
from simsearch.search.answer import Answer
from simsearch.search.filters import NO_FILTERS
from simsearch.search.question import Query
from simsearch.study import Intervention, Study
from simsearch.vectors import DEFAULT_WEIGHTS

EVIL = (
    "Iron\nER  - \nTY  - JOUR\r\nTI  - false\u2028AN  - NCT00000999\x0b} @book{x, title={y}} "
    '\\end{document} 50% & $5 #1 a_b ~ ^ "quoted", <b>; \u202egnp'
)
FACTS = Facts(
    first_posted_date="2019-03-04",
    other_numbers=(OtherNumber("2012-003157-29", "EudraCT"), OtherNumber("ABC-1")),
)


@pytest.fixture
def answer(six):
    return asked(six, "NCT00000101", k=2)


def with_study(answer: Answer, study: Study) -> Answer:
    """Return an answer whose query and first neighbour are this study."""
    first = msgspec.structs.replace(answer[0], study=study)
    return Answer(
        Query((study,)), [first, *answer[1:]], answer.facts,
        weights=DEFAULT_WEIGHTS, filters=NO_FILTERS,
    )  # fmt: skip


@pytest.fixture
def evil(answer):
    study = Study(
        nct_id="NCT00000777", title=EVIL, acronym=EVIL, summary=EVIL, conditions=(EVIL, "Anemia"),
        keywords=(EVIL,), interventions=(Intervention(EVIL, "DRUG"),), sponsor=f"=1+1 {EVIL}",
        outcomes=(EVIL,), start_date="2018-06", facts=FACTS,
    )  # fmt: skip
    return with_study(answer, study)


def bib_entries(text: str) -> dict[str, dict[str, str]]:
    """Return key → fields of BibTeX, read as BibTeX does: by counting braces, escaped ones too."""
    entries: dict[str, dict[str, str]] = {}
    depth, start, key, name = 0, 0, "", ""
    for at, character in enumerate(text):
        if character == "{":
            depth += 1
            if depth == 1:
                assert text[start:at].strip() == "@misc"
                key = text[at + 1 : text.index(",", at)]
                entries[key] = {}
                start = text.index(",", at) + 1
            elif depth == 2:
                name, start = text[start:at].strip().removesuffix("=").strip(), at + 1
        elif character == "}":
            depth -= 1
            assert depth >= 0
            if depth == 1:
                entries[key][name] = text[start:at]
                start = text.index("\n", at)
            elif depth == 0:
                start = at + 1
    assert depth == 0
    return entries


def test_ris_has_each_neighbour_with_its_number_and_why_it_is_one(answer):
    first, second = rispy.loads(written(answer, "ris"))
    assert first["type_of_reference"] == "DBASE"
    assert first["accession_number"] == first["note"] == "NCT00000102"  # AN and M1
    assert first["title"] == "Drops for aplasia"
    assert first["abstract"].startswith("Adults with aplasia take drops. Conditions: Aplasia.")
    assert first["keywords"] == ["Aplasia", "Drops", "blood"]
    assert first["publisher"] == "A Hospital"
    assert first["urls"] == ["https://clinicaltrials.gov/study/NCT00000102"]
    assert first["date"] == "2019/06"
    assert first["name_of_database"] == "ClinicalTrials.gov"
    near, why, registered, source = first["notes"]
    similarity = f"{answer[0].similarity:.3f}"
    assert near.startswith(f"Neighbour 1 of NCT00000101: similarity {similarity}, percentile ")
    assert why == f"Reason: {answer[0].reason.line}"
    assert registered == "Registered: Completed, phase 2, 30 participants, start 2019-06"
    assert source.startswith(
        f"Source: ClinicalTrials.gov, records to {answer.facts.records_date}; index "
    )
    assert second["accession_number"] == answer[1].nct_id


def test_ris_has_the_other_numbers_and_the_date_of_registration(answer):
    known = msgspec.structs.replace(answer[0].study, facts=FACTS)
    first, _ = rispy.loads(written(with_study(answer, known), "ris"))
    assert first["custom1"] == "EudraCT 2012-003157-29; ABC-1"
    assert first["date"] == "2019/03/04"
    assert first["year"] == "2019"


def test_hostile_records_cannot_break_ris(evil):
    text = written(evil, "ris")
    assert len(text.splitlines()) == len(text.split("\n")) - 1  # no other line break
    entries = rispy.loads(text)
    assert [each["accession_number"] for each in entries] == ["NCT00000777", evil[1].nct_id]
    assert entries[0]["title"].startswith("Iron ER - TY - JOUR TI - false AN - NCT00000999 }")


def test_ris_read_as_a_list_of_ids_has_the_neighbours_alone(evil, tmp_path):
    path = tmp_path / "related.ris"
    path.write_text(written(evil, "ris"))
    assert ids_in_file(path) == ["NCT00000777", evil[1].nct_id]


def test_bibtex_has_each_neighbour_under_its_number(answer):
    entries = bib_entries(written(answer, "bibtex"))
    assert list(entries) == ["NCT00000102", answer[1].nct_id]
    fields = entries["NCT00000102"]
    assert fields["title"] == "{Drops for aplasia}"
    assert fields["author"] == "{A Hospital}"
    assert fields["year"] == "2019"
    assert fields["url"] == "https://clinicaltrials.gov/study/NCT00000102"
    assert fields["note"].startswith("Neighbour 1 of NCT00000101: similarity ")


def test_hostile_records_cannot_break_bibtex(evil):
    entries = bib_entries(written(evil, "bibtex"))
    assert list(entries) == ["NCT00000777", evil[1].nct_id]
    title = entries["NCT00000777"]["title"]
    assert title.startswith("{Iron ER - TY")
    assert r"{\textbraceright} @book{\textbraceleft}x" in title
    assert (
        r"{\textbackslash}end{\textbraceleft}document{\textbraceright} 50\% \& \$5 \#1 a\_b"
        in title
    )


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_the_csv_for_asreview_has_the_query_study_included_and_neighbours_open(answer):
    query, first, _ = rows_of(written(answer, "asreview"))
    assert list(query)[:7] == [
        "title", "abstract", "authors", "keywords", "url", "doi", "included"
    ]  # fmt: skip
    assert (query["nct_id"], query["included"]) == ("NCT00000101", "1")
    assert (first["nct_id"], first["included"], first["doi"]) == ("NCT00000102", "", "")
    assert first["keywords"] == "Aplasia;Drops;blood"
    assert first["authors"] == "A Hospital"


def test_the_csv_for_asreview_runs_no_formula_unless_asked_for(evil):
    assert rows_of(written(evil, "asreview"))[0]["authors"].startswith("'=1+1 Iron")
    assert rows_of(written(evil, "asreview", raw=True))[0]["authors"].startswith("=1+1 Iron")


@pytest.mark.parametrize("bom", [False, True])
def test_asreviews_own_reader_takes_the_csv(evil, tmp_path, bom):
    loader = pytest.importorskip(
        "asreview.data.loader",
        reason="needs the package asreview (pip install asreview: 30 packages, rispy 0.9)",
        exc_type=ImportError,
    )
    path = tmp_path / "related.csv"
    path.write_text(written(evil, "asreview", bom=bom), encoding="utf-8")
    query, first, second = loader.load_records(path, dataset_id="here")
    assert [each.included for each in (query, first, second)] == [1, None, None]
    assert query.title.startswith("Iron ER - TY - JOUR")
    assert second.title == evil[1].title
    assert second.url == evil[1].study.url
    assert second.keywords[0] in evil[1].study.conditions
    assert second.authors == ["A Hospital"]
    assert second.year == 2019


def test_asreviews_own_reader_takes_the_ris(evil, tmp_path):
    loader = pytest.importorskip(
        "asreview.data.loader",
        reason="needs the package asreview (pip install asreview: 30 packages, rispy 0.9)",
        exc_type=ImportError,
    )
    path = tmp_path / "related.ris"
    path.write_text(written(evil, "ris"), encoding="utf-8")
    first, second = loader.load_records(path, dataset_id="here")
    assert first.title.startswith("Iron ER - TY - JOUR")
    assert second.abstract.startswith(evil[1].study.summary)


@pytest.fixture
def updated(build):
    """The six, and then a new trial, and one that has changed."""
    build()
    new = record("NCT00000107", "New pills for aplasia", ["Aplasia"], [("DRUG", "Pills")],
                 "Adults with aplasia take new pills.")  # fmt: skip
    knee = record("NCT00000105", "Knee surgery", ["Knee"], [("PROCEDURE", "Surgery")],
                  "Surgery of the knee.", updated="2021-05-07", status="TERMINATED")  # fmt: skip
    with compare(build([*SIX[:4], knee, SIX[5], new]).index) as both:
        yield both


def diffed(bulletin, name):
    return "".join(write("diff", bulletin, name, View()))


def test_a_diff_exports_what_was_added_or_changed(updated):
    bulletin = Bulletin(updated)
    changed, added = rispy.loads(diffed(bulletin, "ris"))
    assert (changed["accession_number"], added["accession_number"]) == (
        "NCT00000105", "NCT00000107"
    )  # fmt: skip
    assert changed["notes"][0].endswith(": Completed → Terminated")
    assert added["notes"][0].startswith("Added since ")
    assert [each["included"] for each in rows_of(diffed(bulletin, "asreview"))] == ["", ""]
    assert list(bib_entries(diffed(bulletin, "bibtex"))) == ["NCT00000105", "NCT00000107"]


def test_a_diff_of_watched_studies_is_a_review_update(updated):
    watched = tuple(watched_change(updated, each, 3) for each in ("NCT00000101", "NCT00000102"))
    bulletin = Bulletin(updated, watched, 3)
    rows = rows_of(diffed(bulletin, "asreview"))
    assert [(each["nct_id"], each["included"]) for each in rows] == [
        ("NCT00000101", "1"), ("NCT00000102", "1"), ("NCT00000107", "")
    ]  # fmt: skip
    (new,) = rispy.loads(diffed(bulletin, "ris"))
    assert new["accession_number"] == "NCT00000107"
    assert new["notes"][0].startswith("Neighbour 1 of NCT00000101: similarity ")
    assert "Reason: same condition: Aplasia" in new["notes"]


def test_a_draft_and_words_are_exported_too(build, encoder):
    from simsearch.index.opened import opened_index
    from simsearch.search.answer import ask
    from simsearch.search.question import Question

    index = opened_index(build().index)
    draft = Study(nct_id="", title="Pills for anemia", conditions=("Anemia",))
    question = Question(drafts=(draft,), texts=("iron\npills",), k=2)
    answer = ask(index, question, load_encoder=lambda: encoder)
    query, *neighbours = rows_of(written(answer, "asreview"))
    assert (query["title"], query["nct_id"], query["included"]) == ("Pills for anemia", "", "1")
    assert len(neighbours) == 2
    first, _ = rispy.loads(written(answer, "ris"))
    assert first["notes"][0].startswith("Neighbour 1 of draft iron pills: similarity ")
    json.loads(written(answer, "json"))


def test_a_comparison_is_exported_too(six):
    from simsearch.search.compare import compare as compared
    from simsearch.search.question import Question

    found = compared(six, Question(studies=("NCT00000101",), k=2), groups=False)
    first, second = rispy.loads("".join(write("comparison", found, "ris", View())))
    assert first["accession_number"] == "NCT00000102"
    assert first["notes"][0].startswith("Neighbour 1 of NCT00000101: similarity ")
    assert first["notes"][1].startswith("Reason: same condition")
    assert second["accession_number"] == found.studies[1].study.nct_id
    rows = rows_of("".join(write("comparison", found, "asreview", View())))
    assert [each["included"] for each in rows] == ["1", "", ""]
    text = "".join(write("comparison", found, "bibtex", View()))
    assert list(bib_entries(text)) == [each["nct_id"] for each in rows[1:]]


def test_the_command_exports_the_facts_that_the_index_keeps(build, monkeypatch, capsys, tmp_path):
    import sys

    from simsearch.cli import main as cli

    first = {**SIX[1], "protocolSection": {**SIX[1]["protocolSection"]}}
    first["protocolSection"]["identificationModule"] = {
        "nctId": "NCT00000102", "briefTitle": "Drops for aplasia",
        "secondaryIdInfos": [{"id": "EudraCT 2012-003157-29"}],
    }  # fmt: skip
    build([SIX[0], first, *SIX[2:]])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["simsearch", "query", "NCT101", "-k", "1", "-f", "ris"])
    with pytest.raises(SystemExit):
        cli.main()
    (entry,) = rispy.loads(capsys.readouterr().out)
    assert entry["custom1"] == "EudraCT 2012-003157-29"

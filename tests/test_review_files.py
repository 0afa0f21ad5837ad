"""What comes into a review from screening tools, and what goes out: exports and the report."""

import csv
import io
import json

import pytest
import rispy
from conftest import SIX
from typer.testing import CliRunner

from simsearch.cli.main import app
from simsearch.errors import ImportedDecisionsError
from simsearch.output.formats import View, write
from simsearch.review import SUPPLEMENT
from simsearch.review.decided import decided
from simsearch.review.folder import begin_review
from simsearch.review.imports import read_decisions
from simsearch.review.upcoming import asked_of, upcoming

PILLS, DROPS, MARROW, IRON, KNEE = (f"NCT0000010{n}" for n in range(1, 6))
BOTH = {DROPS: "include", KNEE: "exclude"}

FILES = {
    "ASReview, CSV": (
        "record_id,title,abstract,url,included,asreview_ranking\n"
        f"1,Drops,x,https://clinicaltrials.gov/study/{DROPS},1,1\n"
        f"2,Knee,x,https://clinicaltrials.gov/study/{KNEE},0,2\n"
        f"3,Iron,x,https://clinicaltrials.gov/study/{IRON},,3\n"
    ),
    "ASReview 2, CSV": (
        "title,url,asreview_label,asreview_time,asreview_note\n"
        f"Drops,https://clinicaltrials.gov/study/{DROPS},1,2026-01-01 10:00:00,\n"
        f"Knee,https://clinicaltrials.gov/study/{KNEE},0,2026-01-01 10:00:09,\n"
        f"Iron,https://clinicaltrials.gov/study/{IRON},,,\n"
    ),
    "ASReview, RIS": (
        f"TY  - DBASE\nAN  - {DROPS}\nTI  - Drops\nN1  - ASReview_relevant\nER  - \n\n"
        f"TY  - DBASE\nAN  - {KNEE}\nN1  - ASReview_irrelevant\nER  - \n\n"
        f"TY  - DBASE\nAN  - {IRON}\nN1  - ASReview_not_seen\nER  - \n"
    ),
    "Rayyan, CSV": (
        "key,title,year,month,day,journal,issn,volume,issue,pages,authors,url,language,publisher,"
        "location,abstract,notes\n"
        f"rayyan-1,Drops,2019,,,,,,,,,https://clinicaltrials.gov/study/{DROPS},,,,x,"
        '"RAYYAN-INCLUSION: {""Ann""=>""Included"", ""Bob""=>""Included""}"\n'
        f"rayyan-2,Knee,2019,,,,,,,,,https://clinicaltrials.gov/study/{KNEE},,,,x,"
        '"RAYYAN-INCLUSION: {""Ann""=>""Excluded""} | RAYYAN-EXCLUSION-REASONS: no drug"\n'
        f"rayyan-3,Iron,2019,,,,,,,,,https://clinicaltrials.gov/study/{IRON},,,,x,\n"
    ),
    "Rayyan, RIS": (
        f"TY  - JOUR\nID  - rayyan-1\nUR  - https://clinicaltrials.gov/study/{DROPS}\n"
        'N1  - RAYYAN-INCLUSION: {"Ann"=>"Included"}\nER  - \n\n'
        f"TY  - JOUR\nID  - rayyan-2\nUR  - https://clinicaltrials.gov/study/{KNEE}\n"
        'N1  - RAYYAN-INCLUSION: {"Ann"=>"Excluded"}\nER  - \n\n'
        f"TY  - JOUR\nID  - rayyan-3\nUR  - https://clinicaltrials.gov/study/{IRON}\nER  - \n"
    ),
    "Rayyan, CSV with labels, reasons and notes of people": (
        "key,title,year,month,day,journal,issn,volume,issue,pages,authors,keywords,url,language,"
        "publisher,location,abstract,notes,pubmed_id,pmc_id\n"
        f"rayyan-11,Drops,2019,,,,,,,,A Hospital,,https://clinicaltrials.gov/study/{DROPS},,,,x,"
        '" RAYYAN-INCLUSION: {""Ann""=>""Included"",""Bob""=>""Included""} | RAYYAN-LABELS: drug,'
        'children | USER-NOTES: {""Bob""=>[""Excluded? no"", ""see the protocol""]}",31000001,\n'
        f"rayyan-12,Knee,2019,,,,,,,,A Clinic,,https://clinicaltrials.gov/study/{KNEE},,,,x,"
        '"RAYYAN-INCLUSION: {""Ann""=>""Excluded"",""Bob""=>""Excluded""} | '
        'RAYYAN-EXCLUSION-REASONS: wrong population,no drug",,\n'
        f"rayyan-13,Iron,2019,,,,,,,,,,https://clinicaltrials.gov/study/{IRON},,,,x, ,,\n"
    ),
    "of one's own": f"nct_id,decision\n{DROPS},include\nnct105,exclude\n{IRON},\n",
    "of one's own, with semicolons": f"NCT Number;Decision\n{DROPS};1\n{KNEE};0\n{IRON};\n",
}
COVIDENCE = (
    "Title,Authors,Abstract,Published Year,Published Month,Journal,Volume,Issue,Pages,"
    "Accession Number,DOI,Ref,Covidence #,Study,Notes,Tags\n"
    f"Drops,A Hospital,x,2019,,,,,,{DROPS},,,#1,A Hospital 2019,,\n"
    f"Knee,A Hospital,x,2019,,,,,,{KNEE},,,#2,A Hospital 2019,Exclusion Reason: drug,\n"
)
COVIDENCE_RIS = (
    f"TY  - JOUR\nT1  - Drops\nA1  - A Hospital\nY1  - 2019\nID  - #12345678\nU1  - 12345678\n"
    f"UR  - https://clinicaltrials.gov/study/{DROPS}\nER  - \n\n"
    f"TY  - JOUR\nT1  - Knee\nAN  - {KNEE}\nID  - #2\nER  - \n"
)


@pytest.fixture
def file(tmp_path):
    def written(content, name="file"):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return written


@pytest.mark.parametrize("tool", FILES)
def test_decisions_of_each_tool(file, tool):
    found = read_decisions(file(FILES[tool]))
    assert found.verdicts == BOTH
    assert found.n_undecided_yet == 1


@pytest.mark.parametrize("content", [COVIDENCE, COVIDENCE_RIS], ids=["CSV", "RIS"])
def test_a_file_of_covidence_has_one_decision_that_is_given_with_it(file, content):
    path = file(content)
    assert read_decisions(path, "exclude").verdicts == dict.fromkeys(BOTH, "exclude")
    with pytest.raises(ImportedDecisionsError, match="give --as include, exclude or undecided"):
        read_decisions(path)


def test_maybe_is_undecided(file):
    found = read_decisions(file(FILES["Rayyan, CSV"].replace('""Excluded""', '""Maybe""')))
    assert found.verdicts == {DROPS: "include", KNEE: "undecided"}


PROBLEMS = {
    "no column of numbers": ("title,included\nDrops,1\n", ["line 1: no column holds NCT IDs"]),
    "no number": ("nct_id,included\n,1\n", ["line 2: it has no NCT ID"]),
    "a mistyped number": ("nct_id,included\nNCT0000010Z,1\n", ["line 2: 'NCT0000010Z' is not"]),
    "another registry": (
        "nct_id,included\nISRCTN12345678,1\n",
        ["line 2: ISRCTN12345678 is a number of ISRCTN"],
    ),
    "an odd decision": (f"nct_id,included\n{DROPS},7\n", ["line 2: '7' is no decision"]),
    "two decisions": (
        f"nct_id,included\n{DROPS},1\n{KNEE},1\n{DROPS},0\n",
        [f"line 4: {DROPS} is decided as exclude here and as include in line 2"],
    ),
    "reviewers who disagree": (
        (f'url,notes\nhttps://clinicaltrials.gov/study/{DROPS},"RAYYAN-INCLUSION: '
        '{""Ann""=>""Included"", ""Bob""=>""Excluded""}"\n'),
        ["line 2: the reviewers decided differently (Ann: included, Bob: excluded)"],
    ),
    "after a cell of two lines": (
        f'nct_id,title,included\n{DROPS},"a\nb",1\n,x,1\n', ["line 4: it has no NCT ID"]
    ),
    "another encoding": (
        f"nct_id,title,included\n{DROPS},Bäder,1\n".encode("cp1252"),
        ["line 2: it is not UTF-8 text"],
    ),
    "UTF-16": ("nct_id,included\n".encode("utf-16"), ["it is UTF-16 text: save it as UTF-8"]),
    "RIS without a number": (
        "TY  - DBASE\nTI  - Drops\nN1  - ASReview_relevant\nER  - \n", ["line 1: it has no NCT ID"]
    ),
    "several": (
        "nct_id,included\nx,1\n,1\n", ["line 2: 'x' is not an NCT ID", "line 3: it has no NCT ID"]
    ),
    "nothing": ("", ["it is empty"]),
    "only a header": ("nct_id,included\n", ["it has no row"]),
}  # fmt: skip


@pytest.mark.parametrize("case", PROBLEMS)
def test_a_bad_file_is_told_line_by_line(file, case):
    content, expected = PROBLEMS[case]
    with pytest.raises(ImportedDecisionsError) as caught:
        read_decisions(file(content))
    problems = caught.value.problems
    assert len(problems) == len(expected)
    assert all(map(str.startswith, problems, expected))


@pytest.fixture
def cli(tmp_path, build, monkeypatch):
    build(SIX)
    monkeypatch.chdir(tmp_path)

    def run(*words):
        return CliRunner().invoke(app, ["review", *words])

    run("new", "rv", "--included", "NCT101", "--question", "Drops | or pills?")
    return run


def test_the_command_imports_a_file_or_nothing_of_it(cli, file, tmp_path):
    assert "Decided  2" in cli("import", "rv", str(file(FILES["ASReview, CSV"], "a.csv"))).output
    lines = (tmp_path / "rv" / "decisions.jsonl").read_text().splitlines()
    assert [json.loads(line)["by"] for line in lines[1:]] == ["a.csv", "a.csv"]
    before = (tmp_path / "rv" / "decisions.jsonl").read_bytes()
    done = cli("import", "rv", str(file(f"nct_id,included\n{IRON},1\nx,1\n,0\n", "b.csv")))
    assert done.exit_code == 1
    assert "b.csv: line 3: 'x' is not an NCT ID" in done.output
    assert "b.csv: line 4: it has no NCT ID" in done.output
    assert (tmp_path / "rv" / "decisions.jsonl").read_bytes() == before


def test_a_cell_may_be_as_long_as_a_whole_text(file):
    text = f'nct_id,decision,text\n{DROPS},include,"{"x" * 200_000}"\n'
    assert read_decisions(file(text, "x.csv")).verdicts.keys() == {DROPS}


def test_a_line_without_columns_is_named_in_short(file):
    with pytest.raises(ImportedDecisionsError) as caught:
        read_decisions(file("[" * 200_000, "x.csv"))
    assert len(str(caught.value)) < 300


def test_a_single_problem_is_told_once(cli, file):
    done = cli("import", "rv", str(file("nct_id,included\nx,1\n", "b.csv")))
    assert "b.csv: line 2: 'x' is not an NCT ID" in str(done.exception)  # which `main` prints
    assert "NCT ID" not in done.output


@pytest.fixture
def whole(tmp_path, six):
    review = begin_review(tmp_path / "rv", {PILLS: "include"}, by="a test", question="Drops | or?")
    review.note_asked(asked_of(upcoming(six, review, 4)))
    review.decide({DROPS: "include", KNEE: "exclude"}, by="Ann")
    review.decide({IRON: "undecided"}, by="Bob")
    return decided(six, review)


def written(whole, form):
    return "".join(write("review", whole, form, View()))


def test_an_export_comes_back_as_it_went(whole, file):
    found = read_decisions(file(written(whole, "csv")))
    assert found.verdicts == {PILLS: "include", IRON: "undecided", **BOTH}


def test_asreview_gets_the_decisions_as_labels(whole):
    rows = list(csv.DictReader(io.StringIO(written(whole, "asreview"))))
    assert {row["nct_id"]: row["included"] for row in rows} == {
        PILLS: "1", DROPS: "1", KNEE: "0", IRON: "",
    }  # fmt: skip


def test_ris_has_the_decision_as_a_note(whole):
    entries = rispy.loads(written(whole, "ris"))
    notes = {each["accession_number"]: each["notes"] for each in entries}
    assert notes[DROPS][0].startswith("Decision: include on ")
    assert notes[KNEE][0].endswith(" by Ann")


def test_ids_are_the_included_ones(whole):
    assert written(whole, "ids").splitlines() == [PILLS, DROPS]


def test_the_report_counts_as_prisma_asks(whole):
    report = "".join(write("report", whole, "markdown", View()))
    for row in (
        "| Studies known before, included | 1 |",
        "| Studies in the register searched (ClinicalTrials.gov, this index) | 6 |",
        "| Studies identified from the register (listed) | 4 |",
        "| Studies screened | 2 |",
        "| Studies excluded | 1 |",
        "| Studies set aside as undecided | 1 |",
        "| Studies newly included | 1 |",
        "| Studies included in all | 2 |",
    ):
        assert row in report
    assert SUPPLEMENT in report
    assert r"Drops \| or?" in report
    assert whole.status.facts.generation in report


def test_the_report_as_json_has_the_same_counts(whole):
    shape = json.loads("".join(write("report", whole, "json", View())))
    assert shape["counts"]["Studies screened"] == 2
    assert {each["nct_id"]: each["decision"] for each in shape["studies"]} == {
        PILLS: "include", IRON: "undecided", **BOTH,
    }  # fmt: skip

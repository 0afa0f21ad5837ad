"""Known studies are left out, and what filters leave out is said."""

import csv
import io

import pytest
from asking import asked, written
from conftest import SIX, record

from simsearch.errors import ArgumentError, NctIdError, SourceError
from simsearch.files import spreadsheet_safe
from simsearch.index.opened import opened_index
from simsearch.records.id_files import ids_in_file
from simsearch.search.filters import Filters


def ids(answer):
    return [each.nct_id for each in answer]


def test_an_excluded_study_is_left_out_and_the_others_keep_their_order(six):
    every = ids(asked(six, "NCT101"))
    known = [every[0], every[2], "NCT99999999"]
    answer = asked(six, "NCT101", filters=Filters(exclude=known))
    assert ids(answer) == [each for each in every if each not in known]
    assert [each.rank for each in answer] == list(range(1, len(answer) + 1))


def test_an_obsolete_number_excludes_the_study_that_it_became(six):
    assert "NCT00000102" not in ids(asked(six, "NCT101", filters=Filters(exclude="NCT901")))


def test_what_is_excluded_must_be_an_nct_id(six):
    with pytest.raises(NctIdError):
        asked(six, "NCT101", filters=Filters(exclude="NCT0000010O"))


def test_keeping_away_from_a_near_study_is_advised_against(six):
    (note,) = asked(six, "NCT101", unlike="NCT102").notes
    assert note.startswith("NCT00000102 is among the 10 nearest")
    assert "exclude it" in note
    assert asked(six, "NCT101", unlike="NCT105", k=1).notes == ()


TEXT = "seen before: NCT00000102 and nct00000103\n# a remark\nNCT101\n"
CSV = "rank,nct_id,title\n1,NCT00000102,like NCT00000109\n2,NCT00000103,x\n"
SITE_CSV = "NCT Number,Study Title\nNCT00000102,see NCT00000109\n"
RIS = "TY  - UNPB\nAN  - NCT00000102\nTI  - Extension of NCT00000109\nER  - \n"


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (TEXT, ["NCT00000102", "NCT00000103", "NCT00000101"]),
        ("\ufeff" + CSV, ["NCT00000102", "NCT00000103"]),
        (CSV.replace(",", ";"), ["NCT00000102", "NCT00000103"]),
        (SITE_CSV, ["NCT00000102"]),
        (RIS, ["NCT00000102"]),
    ],
)
def test_ids_are_found_in_the_files_that_people_keep_them_in(tmp_path, content, found):
    path = tmp_path / "known"
    path.write_text(content, encoding="utf-8")
    assert ids_in_file(path) == found


def test_a_cell_may_be_as_long_as_a_whole_text(tmp_path):
    path = tmp_path / "long.csv"
    path.write_text(f'nct_id,text\nNCT00000102,"{"x" * 200_000} NCT00000103"\n')
    assert ids_in_file(path) == ["NCT00000102"]


def test_a_file_without_an_id_or_without_an_end_is_refused(tmp_path, monkeypatch):
    (tmp_path / "none.txt").write_text("nothing here\n")
    with pytest.raises(SourceError, match="has no NCT ID"):
        ids_in_file(tmp_path / "none.txt")
    with pytest.raises(SourceError, match="not a file of NCT IDs"):
        ids_in_file("/dev/zero")
    with pytest.raises(SourceError, match="No such file"):
        ids_in_file(tmp_path / "absent.txt")


@pytest.fixture
def partly(build):
    """The six, and two studies whose records have neither country nor status."""
    silent = [record(f"NCT0000020{n}", "Pills for aplasia", ["Aplasia"], status="") for n in (1, 2)]
    for each in silent:
        del each["protocolSection"]["contactsLocationsModule"]
    return opened_index(build([*SIX, *silent]).index)


def test_what_filters_leave_out_for_want_of_a_record_is_said_and_can_be_kept(partly):
    answer = asked(partly, "NCT101", filters=Filters(country="France"))
    assert answer.notes == ("left out because their records do not say: country 2 of 8 studies",)
    kept = asked(partly, "NCT101", filters=Filters(country="France", or_unknown=True))
    assert kept.notes == ()
    assert {"NCT00000201", "NCT00000202"} <= set(ids(kept)) - set(ids(answer))


def test_a_least_percentile_leaves_out_what_is_below(six):
    every = asked(six, "NCT101")
    least = every[1].percentile
    near = [each.nct_id for each in every if each.percentile >= least]
    assert 0 < len(near) < len(every)
    assert ids(asked(six, "NCT101", min_percentile=least)) == near
    with pytest.raises(ArgumentError, match="from 0 to 100"):
        asked(six, "NCT101", min_percentile=101)


def test_several_texts_and_drafts_count_like_several_studies(six, encoder):
    from simsearch.search.answer import ask
    from simsearch.search.question import Question

    drafts = [six.study("NCT101"), six.study("NCT105")]
    both = Question(texts=["iron", "knee"], drafts=drafts)
    answer = ask(six, both, load_encoder=lambda: encoder)
    assert answer.query.texts == ("iron", "knee")
    assert answer.query.n_drafts == 2
    one = ask(six, Question(texts="iron", drafts=drafts[:1]), load_encoder=lambda: encoder)
    assert ids(answer) != ids(one)


@pytest.mark.parametrize("title", ["=1+1", "+1", "-2+3", "@SUM(A1)", " =1", "\t=1"])
def test_no_spreadsheet_runs_what_a_title_says(build, title):
    index = opened_index(build([*SIX, record("NCT00000107", title, ["Aplasia"])]).index)
    answer = asked(index, "NCT101")
    rows = list(csv.DictReader(io.StringIO(written(answer, "csv"))))
    shown = {row["nct_id"]: row["title"] for row in rows}["NCT00000107"]
    assert shown == spreadsheet_safe(index.study("NCT107").title)
    assert shown.startswith("'")
    raw = list(csv.DictReader(io.StringIO(written(answer, "csv", raw=True))))
    assert index.study("NCT107").title in {row["title"] for row in raw}


def test_numbers_and_plain_texts_stay_and_a_mark_for_excel_is_written_on_request(six):
    assert [spreadsheet_safe(each) for each in (-1.5, "a-b", "", None)] == [-1.5, "a-b", "", None]
    answer = asked(six, "NCT101")
    plain, marked = written(answer, "csv"), written(answer, "csv", bom=True)
    assert marked == "\ufeff" + plain


def test_a_csv_says_what_was_asked(six):
    rows = csv.DictReader(io.StringIO(written(asked(six, "NCT101", "NCT102"), "csv")))
    assert {row["query"] for row in rows} == {"NCT00000101 NCT00000102"}

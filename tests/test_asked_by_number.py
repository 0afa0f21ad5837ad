"""Studies are found by their numbers in other registries, and known again by them."""

from __future__ import annotations

import sys

import pytest
from asking import asked
from conftest import SIX

import simsearch
from simsearch.cli import main as cli
from simsearch.diff.changes import compare
from simsearch.diff.watch import watched_change
from simsearch.errors import NctIdError, SharedNumberError, UnknownNumberError
from simsearch.facts import Facts, OtherNumber
from simsearch.index.opened import opened_index
from simsearch.records.id_files import ids_in_file
from simsearch.search.filters import Filters
from simsearch.study import Study

PILLS, DROPS, MARROW, IRON, KNEE, CHILDREN = SIX


def numbered(each, *numbers, own="", title=""):
    """Return a record with numbers elsewhere."""
    changed = {**each, "protocolSection": dict(each["protocolSection"])}
    identification = dict(changed["protocolSection"]["identificationModule"])
    identification |= {"briefTitle": title} if title else {}
    identification["orgStudyIdInfo"] = {"id": own}
    identification["secondaryIdInfos"] = [{"id": number} for number in numbers]
    changed["protocolSection"]["identificationModule"] = identification
    return changed


NUMBERED = [
    numbered(PILLS, "2012-003157-29", "ISRCTN12345678", own="ABC-1"),
    numbered(DROPS, "EudraCT: 2012-003157-29", own="ABC-1"),
    numbered(MARROW, "NCT00000104", own="NL14089.075.06"),
    numbered(IRON, "NCT00000103", "R01HL037597"),
    numbered(KNEE, "ChiCTR-TRC-10001234"),
    numbered(CHILDREN, "2023-508524-35-00"),
]


@pytest.fixture
def index(build):
    return opened_index(build(NUMBERED).index)


@pytest.mark.parametrize(
    ("number", "nct_id"),
    [
        ("ISRCTN12345678", "NCT00000101"),
        ("isrctn: 12345678", "NCT00000101"),
        ("NL14089.075.06", "NCT00000103"),
        ("nl 14089 075 06", "NCT00000103"),
        ("ChiCTR10001234", "NCT00000105"),
        ("2023-508524-35", "NCT00000106"),
        ("EU CT 2023-508524-35-01", "NCT00000106"),
    ],
)
def test_a_number_in_any_spelling_is_its_study(index, number, nct_id):
    assert index.study(number).nct_id == nct_id
    assert index.holds(number)
    answer = asked(index, number, k=1)
    assert [study.nct_id for study in answer.query.studies] == [nct_id]
    assert answer.notes == (f"{number} is a number of {nct_id}",)


def test_an_nct_id_is_never_looked_up_among_the_numbers(index):
    assert index.study("NCT00000104").nct_id == "NCT00000104"
    assert asked(index, "NCT00000104", k=1).notes == ()


@pytest.mark.parametrize("number", ["2012-003157-29", "ABC-1", "abc 1"])
def test_a_number_of_several_studies_says_so_and_lists_them(index, number):
    with pytest.raises(SharedNumberError) as caught:
        index.study(number)
    assert caught.value.studies == ["NCT00000101", "NCT00000102"]
    assert str(caught.value).startswith(
        f"{number} is a number of 2 studies, NCT00000101, NCT00000102: "
    )
    assert index.holds(number)


def test_a_number_of_a_registry_that_no_study_has_is_told_from_a_typing_error(index):
    with pytest.raises(UnknownNumberError, match="has the number DRKS00021199"):
        index.study("drks 00021199")
    with pytest.raises(NctIdError, match="'ABC-9' is neither an NCT ID nor a number of a study"):
        index.study("ABC-9")
    assert not index.holds("DRKS00021199")


@pytest.mark.parametrize("text", ["R01HL037597", "C", "1", "-", "aplasia"])
def test_grants_and_words_are_no_numbers_of_a_study(index, text):
    with pytest.raises(NctIdError):
        index.study(text)


def test_numbers_are_excluded_whoever_has_them(index):
    def found(*exclude):
        filters = Filters(exclude=exclude)
        return {each.nct_id for each in asked(index, "NCT00000104", filters=filters)}

    assert found("2012-003157-29", "DRKS00021199") == {"NCT00000103", "NCT00000105", "NCT00000106"}
    with pytest.raises(NctIdError):
        found("ABC-9")


def test_two_records_with_a_number_of_another_registry_are_one_registration(index):
    reasons = {each.nct_id: each.reason for each in asked(index, "NCT00000101")}
    assert reasons["NCT00000102"].relation == "same registration: EudraCT 2012-003157-29"
    assert reasons["NCT00000102"].line == "same registration: EudraCT 2012-003157-29; Aplasia"
    assert "registration" not in reasons["NCT00000103"].relation


def test_two_records_that_have_each_other_among_their_numbers_are_told(index):
    reasons = {each.nct_id: each.reason for each in asked(index, "NCT00000103")}
    assert reasons["NCT00000104"].relation == "each has the other's NCT ID among its numbers"


def test_a_draft_is_known_by_its_numbers_too(index, encoder):
    from simsearch.search.answer import ask
    from simsearch.search.question import Question

    facts = Facts(other_numbers=(OtherNumber("ISRCTN12345678", "ISRCTN"),))
    draft = Study(nct_id="", title="Aplasia", facts=facts)
    answer = ask(index, Question(drafts=(draft,)), load_encoder=lambda: encoder)
    reasons = {each.nct_id: each.reason.relation for each in answer}
    assert reasons["NCT00000101"] == "same registration: ISRCTN ISRCTN12345678"


def test_one_registration_is_folded_however_far_apart_the_records_are(build):
    far = numbered(KNEE, "2012-003157-29")
    index = opened_index(build([NUMBERED[0], *SIX[1:4], far, SIX[5]]).index)
    answer = asked(index, "NCT00000103", fold=True)
    (pills,) = [each for each in answer if each.nct_id == "NCT00000101"]
    assert [study.nct_id for study in pills.folded] == ["NCT00000105"]


def test_files_of_known_studies_may_have_other_numbers(tmp_path):
    path = tmp_path / "known.txt"
    path.write_text("ISRCTN 12345678\nNCT00000103 (EudraCT 2012-003157-29)\nuti 2019\n")
    assert ids_in_file(path) == ["ISRCTN12345678", "NCT00000103"]
    path.write_text("TY  - JOUR\nAN  - CN-001\nN1  - EUCTR2012-003157-29\nER  - \n")
    path.write_text("TY  - JOUR\nM1  - EudraCT 2012-003157-29\nN1  - NCT00000104\nER  - \n")
    assert ids_in_file(path) == ["2012-003157-29"]


def test_a_watched_study_may_be_named_by_a_number(build):
    build(NUMBERED)
    with compare(build([*NUMBERED[:5]], allow_shrink=True).index) as both:
        assert watched_change(both, "ISRCTN12345678", 2).study.study.nct_id == "NCT00000101"


@pytest.fixture
def run(monkeypatch, capsys, tmp_path, build):
    """Run a command in a folder with an index; return exit code, out and err."""
    build(NUMBERED)
    monkeypatch.chdir(tmp_path)

    def _run(line):
        monkeypatch.setattr(sys, "argv", ["simsearch", *line.split()])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        return (caught.value.code or 0, *capsys.readouterr())

    return _run


def test_the_command_takes_numbers_wherever_it_takes_nct_ids(run, tmp_path):
    (tmp_path / "ids.txt").write_text("ISRCTN12345678\nNL14089.075.06\n")
    assert run("query ISRCTN12345678 -k 1 -f ids")[1] == "NCT00000102\n"
    assert "ISRCTN12345678 is a number of NCT00000101" in run("query ISRCTN12345678 -k 1")[2]
    assert run("query NL14089.075.06 -k 1 -f ids --exclude ABC-1,ISRCTN12345678")[1] == (
        "NCT00000106\n"
    )
    assert run("query --ids ids.txt -k 1 -f ids")[1] == "NCT00000102\n"
    assert run("related --ids ids.txt -k 1")[1].count('"neighbour_id"') == 2


@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        ("query 2012-003157-29", 2, "is a number of 2 studies, NCT00000101, NCT00000102: give one"),
        ("query DRKS00021199", 1, "has the number DRKS00021199: rebuild from records"),
        ("query ABC-9", 2, "'ABC-9' is neither an NCT ID nor a number of a study here"),
        ("related 2012-003157-29", 2, "is a number of 2 studies"),
    ],
)
def test_what_is_no_single_study_is_refused_in_one_line(run, line, code, says):
    found, out, err = run(line)
    assert (found, out) == (code, "")
    assert says in err
    assert len(err.strip().splitlines()) == 1


def test_in_python_numbers_are_taken_too(build):
    with simsearch.open_index(build(NUMBERED).index) as index:
        assert "ISRCTN12345678" in index
        assert "2012-003157-29" in index
        assert "DRKS00021199" not in index
        assert index.study("ISRCTN12345678").facts.other_numbers == (
            OtherNumber("ABC-1"),
            OtherNumber("2012-003157-29", "EudraCT"),
            OtherNumber("ISRCTN12345678", "ISRCTN"),
        )
        assert index.related("ISRCTN12345678", k=1)[0].nct_id == "NCT00000102"

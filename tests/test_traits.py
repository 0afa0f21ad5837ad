"""Purpose and population as reasons: only what few studies of an index have."""

import sqlite3
from contextlib import closing

import pytest
from conftest import record
from serving import serving

from simsearch import open_index
from simsearch.errors import IndexCorruptError
from simsearch.facts import Facts
from simsearch.index.opened import opened_index
from simsearch.index.studies import StudyStore
from simsearch.search.neighbour import Reason
from simsearch.search.shape import flat_rows
from simsearch.search.traits import traits_in_common
from simsearch.study import Study

NOTHING = ("", ())


def trial(number, purpose="TREATMENT", sex="ALL", ages=("18 Years", None), *, healthy=False):
    """A record of a trial with a purpose and a population."""
    found = record(f"NCT{number:08d}", f"Pills {number} for aplasia", ["Aplasia"])
    eligible = {"sex": sex, "healthyVolunteers": healthy, "minimumAge": ages[0]}
    if ages[1]:
        eligible["maximumAge"] = ages[1]
    found["protocolSection"]["eligibilityModule"] = eligible
    found["protocolSection"]["designModule"]["designInfo"] = {"primaryPurpose": purpose}
    return found


COMMON = [trial(number) for number in range(1, 11)]


def shared(build, one, other, rest=COMMON, **options):
    """What two studies, of an index with others, are said to have in common."""
    one["protocolSection"]["identificationModule"]["nctId"] = "NCT00000801"
    other["protocolSection"]["identificationModule"]["nctId"] = "NCT00000802"
    with opened_index(build([*rest, one, other], **options).index) as index:
        rows = [index.row_of("NCT00000802")]
        (found,) = traits_in_common(index, [index.store.studies([index.row_of("NCT801")])[0]], rows)
        return found


def test_what_most_studies_have_relates_nobody(build):
    assert shared(build, trial(1), trial(2)) == NOTHING


@pytest.mark.parametrize(
    ("purpose", "said"),
    [
        ("PREVENTION", "prevention"), ("DIAGNOSTIC", "diagnosis"),
        ("SUPPORTIVE_CARE", "supportive care"), ("SCREENING", "screening"),
        ("HEALTH_SERVICES_RESEARCH", "health services research"),
        ("BASIC_SCIENCE", "basic science"), ("DEVICE_FEASIBILITY", "device feasibility"),
        ("ECT", "education"), ("OTHER", ""),
    ],
)  # fmt: skip
def test_a_purpose_that_few_studies_have_is_said(build, purpose, said):
    assert shared(build, trial(1, purpose), trial(2, purpose)) == (said, ())


def test_a_purpose_of_one_study_alone_is_not_said(build):
    assert shared(build, trial(1, "PREVENTION"), trial(2)) == NOTHING
    assert shared(build, trial(1, "PREVENTION"), trial(2, "DIAGNOSTIC")) == NOTHING


def test_treatment_is_said_where_few_studies_treat(build):
    rest = [trial(number, "PREVENTION") for number in range(1, 11)]
    assert shared(build, trial(1), trial(2), rest) == ("treatment", ())
    assert shared(build, trial(1, "PREVENTION"), trial(2, "PREVENTION"), rest) == NOTHING


@pytest.mark.parametrize(
    ("n_others", "said"), [(5, ""), (4, ""), (6, "prevention")]
)  # 2 of 7 are .29, 2 of 6 are .33
def test_three_in_ten_are_common(build, n_others, said):
    rest = [trial(number) for number in range(1, n_others)]
    assert shared(build, trial(1, "PREVENTION"), trial(2, "PREVENTION"), rest)[0] == said


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        (("2 Years", "17 Years"), ("6 Months", "12 Years"), "children"),
        (("2 Years", "17 Years"), ("1 Day", "28 Days"), "children"),
        (("1 Day", "28 Days"), ("1 Hour", "1 Month"), "newborns"),
        (("1 Month", "1 Year"), ("1 Day", "28 Days"), "infants"),
        (("2 Years", "18 Years"), ("12 Years", "18 Years"), "children"),
        (("60 Years", None), ("65 Years", "90 Years"), "older adults"),
        (("2 Years", "17 Years"), ("18 Years", None), ""),
        (("2 Years", "30 Years"), ("2 Years", "30 Years"), ""),
    ],
)
def test_ages_that_few_studies_take_are_said_by_the_narrowest_name(build, one, other, said):
    found = shared(build, trial(1, ages=one), trial(2, ages=other))
    assert found == ("", (said,) if said else ())


@pytest.mark.parametrize(
    ("sex", "ages", "said"),
    [
        ("FEMALE", ("18 Years", None), ("women only",)),
        ("MALE", ("18 Years", None), ("men only",)),
        ("FEMALE", ("9 Years", "14 Years"), ("girls only",)),
        ("MALE", ("1 Day", "28 Days"), ("newborns", "boys only")),
    ],
)
def test_a_sex_that_few_studies_are_limited_to_is_said(build, sex, ages, said):
    assert shared(build, trial(1, sex=sex, ages=ages), trial(2, sex=sex, ages=ages))[1] == said


def test_healthy_volunteers_are_said(build):
    both = trial(1, healthy=True), trial(2, "PREVENTION", healthy=True)
    assert shared(build, *both) == ("", ("healthy volunteers",))
    assert shared(build, trial(1, healthy=True), trial(2)) == NOTHING


@pytest.mark.parametrize("details", ["none", "brief", "full"])
def test_it_does_not_take_the_details_of_an_index(build, details):
    both = trial(1, "PREVENTION"), trial(2, "PREVENTION")
    assert shared(build, *both, details=details)[0] == "prevention"


def test_an_index_without_designs_says_nothing(six):
    assert traits_in_common(six, [six.study("NCT101")], [1, 2]) == [NOTHING, NOTHING]


def test_a_draft_goes_by_its_own_record_and_several_studies_by_any(build):
    rest = [*COMMON, trial(801, "PREVENTION"), trial(802, "DIAGNOSTIC"), trial(803)]
    with opened_index(build(rest).index) as index:
        rows = [index.row_of(f"NCT{each}") for each in (801, 802, 803)]
        draft = Study(nct_id="", facts=Facts(primary_purpose="PREVENTION"))
        found = traits_in_common(index, [draft, index.study("NCT802")], rows)
        assert found == [("prevention", ()), ("diagnosis", ()), NOTHING]
        assert traits_in_common(index, [], rows) == [NOTHING] * 3


def test_an_answer_says_it_in_its_line_and_its_fields(build):
    ages = ("2 Years", "17 Years")
    rest = [*COMMON, *(trial(each, "PREVENTION", ages=ages) for each in (801, 802))]
    with open_index(build(rest).index) as index:
        answer = index.related("NCT801", k=11)
        (found,) = (each for each in answer if each.nct_id == "NCT00000802")
        others = [each for each in answer if each is not found]
    assert found.reason.line == "same condition: Aplasia; for prevention in children"
    assert (found.reason.purpose, found.reason.population) == ("prevention", ("children",))
    assert {each.reason.line for each in others} == {"same condition: Aplasia"}
    shown = next(
        each["reason"] for each in answer.to_dict()["neighbours"]
        if each["nct_id"] == "NCT00000802"
    )  # fmt: skip
    assert shown["purpose"] == "prevention"
    assert shown["population"] == ["children"]


def test_the_page_the_api_and_the_csv_say_it(build, tmp_path):
    some = [trial(each, "PREVENTION", healthy=True) for each in (801, 802)]
    with serving(build([*COMMON, *some]).index) as site:
        page = site.get("/study/NCT00000801?k=11").text
        listed = site.get("/api/v1/studies/NCT00000801/related?k=11").json()["neighbours"]
    assert "<dt>Purpose in common</dt><dd>prevention</dd>" in page
    assert "<dt>Population in common</dt><dd>healthy volunteers</dd>" in page
    said = {each["nct_id"]: each["reason"] for each in listed}
    assert said["NCT00000802"]["population"] == ["healthy volunteers"]
    assert {said[each]["purpose"] for each in said if each != "NCT00000802"} == {""}
    with open_index(tmp_path / "index") as index:
        rows = flat_rows(index.related("NCT801", k=11))
        found = {row["nct_id"]: row["purpose_in_common"] for row in rows}
    assert found.pop("NCT00000802") == "prevention"
    assert set(found.values()) == {""}


def test_a_line_without_room_leaves_the_design_out():
    reason = Reason("same condition", ("A" * 45,), (), {}, {}, {}, "prevention", ("children",))
    assert reason.line == f"same condition: {'A' * 45}"
    long = Reason("same condition", ("A" * 70,), (), {}, {}, {}, "prevention")
    assert long.line == f"same condition: {'A' * 70}; for prevention"  # two lines anyway
    alone = Reason("", (), (), {}, {}, {}, "", ("women only", "healthy volunteers"))
    assert alone.line == "similar text overall; in women only, healthy volunteers"


@pytest.mark.parametrize(
    "damage",
    ["UPDATE design SET minimum_age = 'x'", "UPDATE facet SET value = X'ff' WHERE kind = 'sex'"],
)
def test_a_damaged_store_is_named(build, damage):
    with opened_index(build(COMMON).index) as index:
        path = index.generation.path / "studies.sqlite"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(damage)
    with closing(StudyStore(path)) as store, pytest.raises(IndexCorruptError):
        store.traits(store.trait_facets(), [1, 2, 3])
